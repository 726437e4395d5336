/**
 * Server-sent events of environments. One channel a scope: when something in the scope changes, the step from the old document to the new is
 * made once and written to every connection. The last steps are kept, so that a client that comes back with the id of its last
 * frame gets what it missed; one that was away too long, or comes from another history, gets the whole document.
 * A client that reads too slowly is cut off; it comes back by itself and is brought up to date.
 */
import type { ServerResponse } from 'node:http';
import type { EnvironmentSnapshot } from '@bailiwick/contract';
import type { ResourceScope } from '../ports/resource-store.port.js';
import type { ConfigurationFeed } from './configuration-feed.js';
import { patchBetween } from './environment-patch.js';
import { type Environments, type EnvironmentView, scopeSlot } from './environments.js';

export const heartbeatMs = 15_000;
const maxKeptPatches = 256;
const maxBufferedBytes = 4 * 1024 * 1024;
/** A channel without listeners stays for a while: its clients may be about to come back. */
const idleChannelMs = 60_000;

/** `document`: what an SDK evaluates; `notice`: only that something changed, for keys that must not see rules (OFREP's form). */
export type StreamForm = 'document' | 'notice';

interface Client {
  readonly response: ServerResponse;
  readonly form: StreamForm;
}

class Channel {
  readonly #epoch: () => string;
  /** The database is away and this is what was last known: heartbeats say so. */
  readonly #isStale: () => boolean;
  readonly #clients = new Set<Client>();
  #view: EnvironmentView;
  #patches: { readonly base: number; readonly revision: number; readonly frame: string }[] = [];
  idleSinceMs = Date.now();

  constructor(view: EnvironmentView, epoch: () => string, isStale: () => boolean) {
    this.#view = view;
    this.#epoch = epoch;
    this.#isStale = isStale;
  }

  get size(): number {
    return this.#clients.size;
  }

  get scope(): ResourceScope {
    return this.#view;
  }

  /** `lastId`: of the last frame the client has. */
  join(client: Client, lastId: string | undefined): void {
    this.#clients.add(client);
    const known = lastId?.startsWith(`${this.#epoch()}.`) ? Number(lastId.slice(this.#epoch().length + 1)) : Number.NaN;
    const missed = client.form === 'document' ? this.#after(known) : undefined;
    if (client.form === 'notice') {
      // Who comes back asks again in any case; a first frame tells where the stream is.
      write(client.response, this.#heartbeat());
      return;
    }
    if (missed === undefined) write(client.response, this.#put());
    else write(client.response, missed.length === 0 ? this.#heartbeat() : missed.join(''));
  }

  leave(client: Client): void {
    this.#clients.delete(client);
    if (this.#clients.size === 0) this.idleSinceMs = Date.now();
  }

  move(view: EnvironmentView): void {
    if (view.revision === this.#view.revision && view.document === this.#view.document) return;
    if (view.revision > this.#view.revision) {
      const patch = patchBetween(this.#epoch(), this.#view, view);
      const frame = `event: patch\nid: ${this.#id(view.revision)}\ndata: ${JSON.stringify(patch)}\n\n`;
      this.#patches.push({ base: patch.base, revision: patch.revision, frame });
      if (this.#patches.length > maxKeptPatches) this.#patches.shift();
      this.#view = view;
      this.#send(frame);
      return;
    }
    // The same revision with more readable secrets, or another history: everybody gets all of it.
    this.#patches = [];
    this.#view = view;
    this.#send(this.#put());
  }

  beat(): void {
    const frame = new Frame(this.#heartbeat());
    for (const { response } of this.#clients) frame.writeTo(response);
  }

  end(): void {
    for (const { response } of this.#clients) response.end();
    this.#clients.clear();
  }

  #send(documentFrame: string): void {
    const notice = {
      type: 'refetchEvaluation',
      etag: this.#id(this.#view.revision),
      lastModified: new Date().toISOString(),
    };
    const frames = {
      document: new Frame(documentFrame),
      notice: new Frame(`event: message\nid: ${this.#id(this.#view.revision)}\ndata: ${JSON.stringify(notice)}\n\n`),
    };
    for (const { response, form } of this.#clients) frames[form].writeTo(response);
  }

  /** The frames after a revision; undefined when they do not reach back so far. */
  #after(revision: number): readonly string[] | undefined {
    if (revision === this.#view.revision) return [];
    const from = this.#patches.findIndex((patch) => patch.base === revision);
    return from < 0 ? undefined : this.#patches.slice(from).map((patch) => patch.frame);
  }

  #put(): string {
    return `event: put\nid: ${this.#id(this.#view.revision)}\ndata: ${snapshotText(this.#epoch(), this.#view)}\n\n`;
  }

  #heartbeat(): string {
    const stale = this.#isStale() ? ',"stale":true' : '';
    return `event: heartbeat\ndata: {"revision":${this.#view.revision}${stale}}\n\n`;
  }

  #id(revision: number): string {
    return `${this.#epoch()}.${revision}`;
  }
}

const snapshotTexts = new WeakMap<EnvironmentView, { readonly epoch: string; readonly text: string }>();

/** The same as JSON: made once for all who come while the environment stays as it is. */
export function snapshotText(epoch: string, view: EnvironmentView): string {
  const known = snapshotTexts.get(view);
  if (known?.epoch === epoch) return known.text;
  const text = JSON.stringify(snapshotOf(epoch, view));
  snapshotTexts.set(view, { epoch, text });
  return text;
}

function snapshotOf(epoch: string, { document, revision }: EnvironmentView): EnvironmentSnapshot {
  const { appId = null, environment = null, entries, flags, flagCandidates, unleash } = document;
  return {
    ...{ epoch, revision },
    document: {
      ...{ appId, environment, entries: [...entries], flags },
      ...(flagCandidates === undefined ? {} : { flagCandidates: [...flagCandidates] }),
      ...(unleash === undefined ? {} : { unleash }),
    },
  };
}

/** A frame, made once for everybody: its bytes, and the same as a chunk of HTTP/1.1. */
class Frame {
  readonly #bytes: Buffer;
  readonly #chunk: Buffer;

  constructor(text: string) {
    this.#bytes = Buffer.from(text);
    const ends = [Buffer.from(`${this.#bytes.length.toString(16)}\r\n`), this.#bytes, Buffer.from('\r\n')];
    this.#chunk = Buffer.concat(ends);
  }

  /**
   * To one connection. Where nothing waits before it, the chunk goes straight to the socket: one system call and no copy, which is most of what
   * a thousand streams cost.
   */
  writeTo(response: ServerResponse): void {
    if (response.writableLength > maxBufferedBytes) {
      response.destroy();
      return;
    }
    const { socket } = response;
    const isReady = response.headersSent && response.chunkedEncoding && response.writableLength === 0;
    if (isReady && socket?.writable && !response.writableEnded) socket.write(this.#chunk);
    else response.write(this.#bytes);
  }
}

const write = (response: ServerResponse, text: string): void => new Frame(text).writeTo(response);

export class EnvironmentStreams {
  readonly #feed: ConfigurationFeed;
  readonly #environments: Environments;
  readonly #channels = new Map<string, Channel>();
  readonly #timer: NodeJS.Timeout;
  readonly #unfollow: () => void;
  #isStopped = false;

  constructor(feed: ConfigurationFeed, environments: Environments) {
    this.#feed = feed;
    this.#environments = environments;
    this.#unfollow = environments.onChange((isTouched) => this.#move(isTouched));
    this.#timer = setInterval(() => this.#beat(), heartbeatMs);
    this.#timer.unref();
  }

  /** Connections now. */
  get size(): number {
    let count = 0;
    for (const channel of this.#channels.values()) count += channel.size;
    return count;
  }

  /** Takes over the response, whose head has not been sent, until either side ends it. */
  open(scope: ResourceScope, response: ServerResponse, form: StreamForm, lastId: string | undefined): void {
    if (this.#isStopped) {
      response.writeHead(503, { 'retry-after': '1' }).end();
      return;
    }
    const slot = scopeSlot(scope);
    let channel = this.#channels.get(slot);
    if (!channel) {
      channel = new Channel(
        this.#environments.view(scope),
        () => this.#feed.epoch,
        () => this.#feed.isStale,
      );
      this.#channels.set(slot, channel);
    }
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    });
    // The head goes before the first frame, which need not wait for it then.
    response.flushHeaders();
    const client = { response, form };
    const joined = channel;
    response.on('close', () => joined.leave(client));
    channel.join(client, lastId);
  }

  /** Ends every stream, before the listeners wait for their connections: clients go to another instance, or come back. */
  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
    this.#unfollow();
    for (const channel of this.#channels.values()) channel.end();
    this.#channels.clear();
  }

  /** Every scope that somebody listens to and that changed. */
  #move(isTouched: (scope: ResourceScope) => boolean): void {
    for (const channel of this.#channels.values())
      if (isTouched(channel.scope)) channel.move(this.#environments.view(channel.scope));
  }

  #beat(): void {
    for (const [slot, channel] of this.#channels) {
      if (channel.size > 0) channel.beat();
      else if (Date.now() - channel.idleSinceMs > idleChannelMs) this.#channels.delete(slot);
    }
  }
}
