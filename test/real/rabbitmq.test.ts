/** The bus's contract on a real RabbitMQ, and what happens when it dies. */
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { RabbitMqEventBus } from '../../apps/server/src/adapters/rabbitmq/rabbitmq-event-bus.js';
import { describeEventBus } from '../../apps/server/src/ports/event-bus.contract.js';
import { expectReason } from '../../apps/server/src/ports/store-under-test.contract.js';
import { describeWithServer } from '../servers/presence.js';
import { type RabbitMqServer, startRabbitMq } from '../servers/rabbitmq.js';

/** Class 10, method 41: the broker has opened the connection. */
const CONNECTION_OPEN_OK = Buffer.from([0, 10, 0, 41]);

describeWithServer('rabbitmq', () => {
  let server: RabbitMqServer;
  beforeAll(async () => {
    server = await startRabbitMq();
  }, 120_000);
  afterAll(() => server.stop(), 60_000);

  describeEventBus('RabbitMQ', async () => {
    const opened = [await RabbitMqEventBus.open({ urls: [server.url] })];
    return {
      bus: opened[0] as RabbitMqEventBus,
      another: async () => {
        const next = await RabbitMqEventBus.open({ urls: [server.url] });
        opened.push(next);
        return next;
      },
      async dispose() {
        for (const one of opened) await one.close();
      },
    };
  });

  describe('when RabbitMQ is killed', () => {
    it('loses no confirmed event, takes up its consumers again, and tells listeners of the gap', async () => {
      const bus = await RabbitMqEventBus.open({ urls: [server.url], timeoutMs: 2_000 });
      const taken = new Set<string>();
      const onGap = vi.fn();
      await bus.consume({
        ...{ name: 'survivor', patterns: ['survivor.#'] },
        onEvent: async (event) => void taken.add(event.id),
      });
      const listening = await bus.listen('survivor.#', () => undefined, onGap);
      const confirmed: string[] = [];
      let refusals = 0;
      const publish = async (from: number, to: number): Promise<void> => {
        for (let i = from; i < to; i += 1) {
          const event = { id: `s-${i}`, topic: 'survivor.x', body: '{}' };
          while (
            !(await bus.publish([event]).then(
              () => true,
              () => false,
            ))
          ) {
            refusals += 1;
            await new Promise((resolve) => setTimeout(resolve, 100));
          }
          confirmed.push(event.id);
        }
      };
      await publish(0, 200);
      // RabbitMQ 3.10 writes down half a second late that a quorum queue has a server: killed before, it answers nothing about the queue again.
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      const going = publish(200, 600);
      await server.kill();
      await expectReason(bus.publish([{ id: 'x', topic: 'none', body: '{}' }]), 'bus.unavailable');
      await server.restart();
      await going;
      expect(refusals).toBeGreaterThan(0);
      await vi.waitFor(() => expect(confirmed.every((id) => taken.has(id))).toBe(true), { timeout: 20_000 });
      expect(onGap).toHaveBeenCalled();
      await listening.end();
      await bus.close();
    }, 120_000);
  });

  it('gives up a connection that goes silent while it is set up, and makes another', async () => {
    const { host, port } = new URL(server.url.replace('amqp', 'http'));
    let isMute = true;
    let connections = 0;
    // Lets the connection be opened, and nothing more through, as long as it is to be mute.
    const relay = createServer((client) => {
      connections += 1;
      const broker = connect({ host: host.split(':')[0] as string, port: Number(port) });
      let isOpen = false;
      client.on('error', () => undefined).on('close', () => broker.destroy());
      broker.on('error', () => undefined).on('close', () => client.destroy());
      client.on('data', (data) => broker.write(data));
      broker.on('data', (data) => {
        if (isMute && isOpen) return;
        isOpen ||= data.includes(CONNECTION_OPEN_OK);
        client.write(data);
      });
    });
    await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
    const url = server.url.replace(port, String((relay.address() as AddressInfo).port));
    const bus = await RabbitMqEventBus.open({ urls: [url], timeoutMs: 500 });
    await expectReason(bus.publish([{ id: 'x', topic: 'none', body: '{}' }]), 'bus.unavailable');
    await vi.waitFor(() => expect(connections).toBeGreaterThan(1), { timeout: 20_000 });
    isMute = false;
    await vi.waitFor(async () => expect(await bus.isHealthy()).toBe(true), { timeout: 20_000 });
    await bus.publish([{ id: 'y', topic: 'none', body: '{}' }]);
    await bus.close();
    relay.close();
  }, 60_000);
});
