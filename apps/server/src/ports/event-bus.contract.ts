/** The contract of `EventBus`: every sentence of the port as a test, for every adapter. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type BusEvent, type EventBus, maxDeliveries } from './event-bus.port.js';

export interface EventBusUnderTest {
  readonly bus: EventBus;
  /** Another instance's connection to the same bus. */
  another(): Promise<EventBus>;
  dispose(): Promise<void>;
}

const event = (id: string, topic: string): BusEvent => ({ id, topic, body: JSON.stringify({ id, text: 'ä€😀' }) });
const series = (count: number, topic: string): BusEvent[] =>
  Array.from({ length: count }, (_, i) => event(`${topic}-${i}`, topic));

export function describeEventBus(name: string, start: () => Promise<EventBusUnderTest>): void {
  describe(`EventBus: ${name}`, () => {
    let under: EventBusUnderTest | undefined;
    let bus: EventBus;
    let other: EventBus;
    beforeAll(async () => {
      under = await start();
      bus = under.bus;
      other = await under.another();
    }, 120_000);
    afterAll(() => under?.dispose(), 60_000);

    it('delivers in the order of publication, unchanged', async () => {
      const taken: BusEvent[] = [];
      const subscription = await bus.consume({
        ...{ name: 'order', patterns: ['order.#'] },
        onEvent: async (one) => void taken.push(one),
      });
      const events = series(50, 'order.a.b');
      await bus.publish(events.slice(0, 20));
      await bus.publish(events.slice(20));
      await vi.waitFor(() => expect(taken).toEqual(events), { timeout: 5_000 });
      await subscription.end();
    });

    it('gives each event to one of those that consume under a name, and to every name', async () => {
      const taken = { one: [] as string[], two: [] as string[], audit: [] as string[] };
      const consume = async (where: EventBus, name: string, into: string[]) =>
        await where.consume({ name, patterns: ['shared.*'], onEvent: async (one) => void into.push(one.id) });
      const subscriptions = [
        await consume(bus, 'workers', taken.one),
        await consume(other, 'workers', taken.two),
        await consume(other, 'auditors', taken.audit),
      ];
      const ids = series(40, 'shared.x').map((one) => one.id);
      await bus.publish(series(40, 'shared.x'));
      await vi.waitFor(() => expect([...taken.one, ...taken.two].sort()).toEqual([...ids].sort()), { timeout: 5_000 });
      await vi.waitFor(() => expect(taken.audit).toEqual(ids));
      for (const one of subscriptions) await one.end();
    });

    it('matches one word by * and any number by #', async () => {
      const taken: string[] = [];
      const listening = await bus.listen('config.*.prod.#', (one) => taken.push(one.id));
      const topics = ['config.shop.prod.replace', 'config.shop.test.replace', 'config.shop.prod', 'flag.shop.prod.x'];
      await bus.publish([...topics, 'config.a.b.prod.x'].map((topic) => event(topic, topic)));
      await bus.publish([event('last', 'config.shop.prod.last')]);
      await vi.waitFor(() => expect(taken).toContain('last'));
      expect(taken).toEqual(['config.shop.prod.replace', 'config.shop.prod', 'last']);
      await listening.end();
    });

    it('brings an event again when its handler failed, and puts it aside after the last time', async () => {
      const tries = new Map<string, number>();
      const done: string[] = [];
      const subscription = await bus.consume({
        ...{ name: 'flaky', patterns: ['flaky.#'] },
        onEvent: async ({ id }) => {
          const count = (tries.get(id) ?? 0) + 1;
          tries.set(id, count);
          if (id === 'flaky.poison' || (id === 'flaky.once' && count === 1)) throw new Error('not now');
          done.push(id);
        },
      });
      await bus.publish(['flaky.once', 'flaky.poison', 'flaky.good'].map((topic) => event(topic, topic)));
      await vi.waitFor(() => expect(done).toContain('flaky.good'), { timeout: 10_000 });
      await vi.waitFor(() => expect(tries.get('flaky.poison')).toBe(maxDeliveries), { timeout: 10_000 });
      expect(done).toContain('flaky.once');
      await vi.waitFor(async () => expect(await bus.backlog('flaky')).toEqual({ waiting: 0, dead: 1 }), {
        timeout: 10_000,
      });
      await subscription.end();
    });

    it('tells every instance that listens', async () => {
      const heard: string[] = [];
      const ends = [
        await bus.listen('wake.#', (one) => heard.push(`one ${one.id}`)),
        await other.listen('wake.#', (one) => heard.push(`two ${one.id}`)),
      ];
      await other.publish([event('up', 'wake.up')]);
      await vi.waitFor(() => expect([...heard].sort()).toEqual(['one up', 'two up']));
      for (const one of ends) await one.end();
      expect(await bus.isHealthy()).toBe(true);
    });
  });
}
