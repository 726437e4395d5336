/**
 * Calls between two processes over Node's own channel: a call has one answer, a subscription any number of events until it is ended. Both
 * sides may call. When the other side goes, what waits for it is rejected with `store.unavailable` and its subscriptions end here.
 */
import { BailiwickError, type ErrorKind, isBailiwickError } from '@bailiwick/contract';

/** What carries messages, in order and whole: a child process, or `process` in one. */
export interface Channel {
  send(message: Message): void;
  onMessage(listener: (message: Message) => void): void;
}

/** Called by the other side. Arguments and results must survive a structured clone. */
export type Target = Readonly<Record<string, (...args: never[]) => unknown>>;

/** Begins a subscription; returns the function that ends it. */
export type Source = (args: unknown, emit: (event: unknown) => void) => (() => unknown) | Promise<() => unknown>;

export type Message =
  | {
      readonly kind: 'call';
      readonly id: number;
      readonly target: string;
      readonly method: string;
      readonly args: readonly unknown[];
    }
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly error: WireError }
  | { readonly kind: 'follow'; readonly id: number; readonly source: string; readonly args: unknown }
  | { readonly kind: 'event'; readonly id: number; readonly event: unknown }
  | { readonly kind: 'unfollow'; readonly id: number };

interface WireError {
  /** `said`: no fault, its text says what is wrong to whoever reads it. */
  readonly kind: ErrorKind | 'range' | 'said' | 'other';
  readonly message: string;
  readonly details?: Omit<BailiwickError['details'], 'cause'>;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class Relay {
  readonly #channel: Channel;
  readonly #targets = new Map<string, Target>();
  readonly #sources = new Map<string, Source>();
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Map<number, (event: unknown) => void>();
  /** Subscriptions of the other side: how each is ended. */
  readonly #followed = new Map<number, Promise<() => unknown>>();
  #nextId = 1;
  #isGone = false;

  constructor(channel: Channel) {
    this.#channel = channel;
    channel.onMessage((message) => this.#take(message));
  }

  serve(name: string, target: Target): void {
    this.#targets.set(name, target);
  }

  serveSource(name: string, source: Source): void {
    this.#sources.set(name, source);
  }

  /** Rejects with what the other side has thrown, or with `store.unavailable` when it is gone. */
  call(target: string, method: string, ...args: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#isGone) {
        reject(gone());
        return;
      }
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      this.#channel.send({ kind: 'call', id, target, method, args });
    });
  }

  /** Events come in order. Returns the function that ends it. */
  follow(source: string, args: unknown, onEvent: (event: unknown) => void): () => void {
    const id = this.#nextId++;
    this.#listeners.set(id, onEvent);
    if (!this.#isGone) this.#channel.send({ kind: 'follow', id, source, args });
    return () => {
      if (this.#listeners.delete(id) && !this.#isGone) this.#channel.send({ kind: 'unfollow', id });
    };
  }

  /** The other side has gone. */
  async close(): Promise<void> {
    this.#isGone = true;
    for (const { reject } of this.#waiting.values()) reject(gone());
    this.#waiting.clear();
    this.#listeners.clear();
    const ending = [...this.#followed.values()];
    this.#followed.clear();
    for (const end of ending) await (await end)();
  }

  #take(message: Message): void {
    if (this.#isGone) return;
    switch (message.kind) {
      case 'call':
        void this.#answer(message.id, message.target, message.method, message.args);
        return;
      case 'result':
        this.#settle(message.id)?.resolve(message.value);
        return;
      case 'failure':
        this.#settle(message.id)?.reject(fromWire(message.error));
        return;
      case 'follow':
        this.#begin(message.id, message.source, message.args);
        return;
      case 'event':
        this.#listeners.get(message.id)?.(message.event);
        return;
      case 'unfollow':
        void this.#end(message.id);
        return;
      default:
        message satisfies never;
    }
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  async #answer(id: number, name: string, method: string, args: readonly unknown[]): Promise<void> {
    let answer: Message;
    try {
      const handler = this.#targets.get(name)?.[method];
      if (!handler) throw new RangeError(`${name}.${method} is not served here`);
      answer = { kind: 'result', id, value: await handler(...(args as never[])) };
    } catch (error) {
      answer = { kind: 'failure', id, error: toWire(error) };
    }
    if (!this.#isGone) this.#channel.send(answer);
  }

  #begin(id: number, name: string, args: unknown): void {
    const source = this.#sources.get(name);
    if (!source) return;
    const emit = (event: unknown): void => {
      if (!this.#isGone) this.#channel.send({ kind: 'event', id, event });
    };
    this.#followed.set(id, Promise.resolve(source(args, emit)));
  }

  async #end(id: number): Promise<void> {
    const ending = this.#followed.get(id);
    this.#followed.delete(id);
    await (await ending)?.();
  }
}

const brand = Symbol.for('bailiwick.error');

const gone = (): BailiwickError =>
  new BailiwickError('unavailable', {
    reason: 'store.unavailable',
    message: 'The process that keeps the data has gone.',
    retryAfterSeconds: 1,
  });

function toWire(error: unknown): WireError {
  if (isBailiwickError(error)) {
    const { cause: _cause, ...details } = error.details;
    return { kind: error.kind, message: error.message, details };
  }
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Error && brand in error) return { kind: 'said', message };
  return { kind: error instanceof RangeError ? 'range' : 'other', message };
}

function fromWire({ kind, message, details }: WireError): Error {
  if (kind === 'range') return new RangeError(message);
  if (kind === 'said') return Object.assign(new Error(message), { [brand]: true });
  return kind === 'other' || !details ? new Error(message) : new BailiwickError(kind, details);
}
