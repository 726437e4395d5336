import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { gathered } from './gathered.js';

/** Pieces with the pause before each, in milliseconds. */
async function* source(pieces: readonly (readonly [number, string])[], fault?: Error): AsyncGenerator<Buffer> {
  for (const [pauseMs, text] of pieces) {
    if (pauseMs > 0) await sleep(pauseMs);
    yield Buffer.from(text);
  }
  if (fault) throw fault;
}

const all = async (stream: AsyncIterable<Buffer>): Promise<string[]> => {
  const texts: string[] = [];
  for await (const piece of stream) texts.push(piece.toString());
  return texts;
};

describe('a stream that is flushed at intervals', () => {
  it('gives the first piece at once and a burst after it as one', async () => {
    const burst = ['b', 'c', 'd'].map((text) => [0, text] as const);
    expect(await all(gathered(source([[0, 'a'], ...burst]), 50))).toEqual(['a', 'bcd']);
  });

  it('does not hold back what comes after a pause', async () => {
    const began = performance.now();
    const stream = gathered(
      source([
        [0, 'a'],
        [60, 'b'],
        [5_000, 'c'],
      ]),
      30,
    );
    const first = [(await stream.next()).value, (await stream.next()).value].map(String);
    expect(first).toEqual(['a', 'b']);
    expect(performance.now() - began).toBeLessThan(2_000);
    await stream.return(undefined);
  });

  it('gives what it holds before the fault that ended the source', async () => {
    const stream = gathered(
      source(
        [
          [0, 'a'],
          [0, 'b'],
        ],
        new Error('broken off'),
      ),
      50,
    );
    expect([String((await stream.next()).value), String((await stream.next()).value)]).toEqual(['a', 'b']);
    await expect(stream.next()).rejects.toThrow('broken off');
  });

  it('ends the source when nobody wants the rest', async () => {
    let isEnded = false;
    async function* endless(): AsyncGenerator<Buffer> {
      try {
        for (;;) yield await sleep(1, Buffer.from('x'));
      } finally {
        isEnded = true;
      }
    }
    for await (const _piece of gathered(endless(), 5)) break;
    await expect.poll(() => isEnded).toBe(true);
  });
});
