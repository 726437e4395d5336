/** Calls, errors, subscriptions and the end of the other side, over a channel in memory. */
import { BailiwickError, isBailiwickError } from '@bailiwick/contract';
import { describe, expect, it } from 'vitest';
import { type Channel, type Message, Relay } from './relay.js';

/** Two relays that talk to each other as two processes would: what is sent is cloned and arrives later. */
function pair(): readonly [Relay, Relay] {
  const listeners: ((message: Message) => void)[] = [];
  const channel = (own: number): Channel => ({
    send: (message) => {
      const copy = structuredClone(message);
      setImmediate(() => listeners[1 - own]?.(copy));
    },
    onMessage: (listener) => {
      listeners[own] = listener;
    },
  });
  return [new Relay(channel(0)), new Relay(channel(1))];
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

describe('a relay', () => {
  it('answers calls with what the other side returns, in whatever order that settles', async () => {
    const [here, there] = pair();
    there.serve('numbers', {
      later: async (value: number) => {
        await turn();
        return value;
      },
      now: (a: number, b: number) => a + b,
    });
    const late = here.call('numbers', 'later', 1);
    expect(await here.call('numbers', 'now', 2, 3)).toBe(5);
    expect(await late).toBe(1);
  });

  it('rejects with the very error: its kind, reason and advice, and not its cause', async () => {
    const [here, there] = pair();
    const cause = new Error('inside');
    const details = { reason: 'store.unavailable', message: 'Away.', retryAfterSeconds: 3, cause };
    there.serve('store', {
      get: () => {
        throw new BailiwickError('unavailable', details);
      },
      put: () => {
        throw new RangeError('too many');
      },
    });
    const error = await here.call('store', 'get').catch((thrown: unknown) => thrown);
    expect(isBailiwickError(error) && error.kind).toBe('unavailable');
    expect(isBailiwickError(error) && error.details).toEqual({ ...details, cause: undefined });
    await expect(here.call('store', 'put')).rejects.toThrow(RangeError);
    await expect(here.call('store', 'unknown')).rejects.toThrow('store.unknown is not served here');
    await expect(here.call('nothing', 'get')).rejects.toThrow('nothing.get is not served here');
  });

  it('brings events in order until the subscription is ended, and ends it on the other side', async () => {
    const [here, there] = pair();
    let emit: (event: unknown) => void = () => undefined;
    let isEnded = false;
    there.serveSource('watch', (args, tell) => {
      emit = tell;
      tell(args);
      return () => {
        isEnded = true;
      };
    });
    const seen: unknown[] = [];
    const end = here.follow('watch', { from: 7 }, (event) => seen.push(event));
    await turn();
    emit(1);
    emit(2);
    await turn();
    expect(seen).toEqual([{ from: 7 }, 1, 2]);
    end();
    emit(3);
    await turn();
    expect(seen).toHaveLength(3);
    expect(isEnded).toBe(true);
  });

  it('rejects what waits when the other side has gone, whatever is asked afterwards, and ends its subscriptions', async () => {
    const [here, there] = pair();
    let ended = 0;
    here.serveSource('watch', () => () => {
      ended += 1;
    });
    there.follow('watch', undefined, () => undefined);
    there.serve('never', { answer: () => new Promise(() => undefined) });
    const waiting = here.call('never', 'answer').catch((error: unknown) => error);
    await turn();
    await here.close();
    expect(await waiting).toMatchObject({ details: { reason: 'store.unavailable' } });
    await expect(here.call('never', 'answer')).rejects.toMatchObject({ kind: 'unavailable' });
    expect(ended).toBe(1);
  });
});
