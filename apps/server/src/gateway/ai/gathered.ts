/**
 * `streaming_flush_interval_ms`: pieces of a stream that come in a burst go out together, each at most so long after it came. The first one, and
 * one that comes after a pause, goes at once.
 */

type Next = Promise<IteratorResult<Buffer, unknown>>;

export async function* gathered(source: AsyncIterable<Buffer>, intervalMs: number): AsyncGenerator<Buffer> {
  const iterator = source[Symbol.asyncIterator]();
  const ask = (): Next => {
    const next: Next = iterator.next();
    // It may fail while the client takes what came before; whoever awaits it hears of it then.
    next.catch(() => undefined);
    return next;
  };
  let dueMs = Number.NEGATIVE_INFINITY;
  let next = ask();
  try {
    for (;;) {
      const first = await next;
      if (first.done === true) return;
      const held = [first.value];
      next = ask();
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) next = (await collect(held, next, ask, waitMs)).next;
      yield held.length === 1 ? first.value : Buffer.concat(held);
      dueMs = performance.now() + intervalMs;
    }
  } finally {
    // Not awaited: it would wait for a piece that may never come.
    iterator.return?.()?.catch(() => undefined);
  }
}

/** Until the time is over or the source has ended, with whatever end: that is left in `next`. */
async function collect(held: Buffer[], first: Next, ask: () => Next, waitMs: number): Promise<{ readonly next: Next }> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), waitMs);
  });
  let next = first;
  try {
    for (;;) {
      const one = await Promise.race([over, next.catch(() => undefined)]);
      if (!one || one.done === true) return { next };
      held.push(one.value);
      next = ask();
    }
  } finally {
    clearTimeout(timer);
  }
}
