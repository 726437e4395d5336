/**
 * A connection of the data listener for as long as nothing but plain calls comes over it: they are read and answered on the socket itself,
 * which takes half of the time that they take through Node's HTTP. With the first piece that is anything else, the connection is Node's.
 */
import type { Socket } from 'node:net';
import type { JsonBody } from '../http/json-body.js';
import { whenAwake } from '../http/one-write.js';
import { type PlainHead, readPlainHead } from './plain-call.js';

/** Bodies that are waited for here: some clients send head and body apart, or a body in packets. */
const maxAwaitedBytes = 64 * 1024;
const maxAwaitedPieces = 64;
const maxAwaitedMs = 5_000;

export interface PlainCalls {
  /** A body to answer 200 with. Throws or rejects when the call is not to be answered so. */
  answer(head: PlainHead, body: Buffer): JsonBody | Promise<JsonBody>;
  /** Takes the connection over. What has come and was not answered is still to be read from it. */
  handOver(socket: Socket): void;
  readonly maxBodyBytes: number;
  readonly keepAliveMs: number;
}

export class PlainConnection {
  readonly #socket: Socket;
  readonly #calls: PlainCalls;
  readonly #statusLine: string;
  #last: PlainHead | undefined;
  /** Of a call whose body has not all come: what has. */
  #pieces: Buffer[] = [];
  #missingBytes = 0;
  #begunMs = 0;
  /** A call has been read whose answer has not been written. */
  #isPending = false;
  #isClosing = false;

  constructor(socket: Socket, calls: PlainCalls) {
    this.#socket = socket;
    this.#calls = calls;
    const seconds = Math.floor(calls.keepAliveMs / 1_000);
    this.#statusLine = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nConnection: keep-alive\r\nKeep-Alive: timeout=${seconds}\r\n`;
    socket.setTimeout(calls.keepAliveMs);
    this.#listen();
  }

  /** Ends it, after the answer that is being made. */
  close(): void {
    this.#isClosing = true;
    if (!this.#isPending) this.#socket.destroySoon();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on('data', this.#read).on('end', this.#end).on('drain', this.#resume);
    socket.on('timeout', this.#destroy).on('error', this.#destroy);
  }

  readonly #destroy = (): void => void this.#socket.destroy();
  readonly #end = (): void => this.close();
  readonly #resume = (): void => void this.#socket.resume();

  readonly #read = (piece: Buffer): void => {
    if (this.#isPending) {
      this.#socket.pause();
      this.#socket.unshift(piece);
      return;
    }
    if (this.#pieces.length > 0) {
      this.#goOn(piece);
      return;
    }
    const head = readPlainHead(piece, this.#last);
    if (head === undefined || head.bodyBytes > this.#calls.maxBodyBytes || this.#isClosing) {
      this.#handOver(piece);
      return;
    }
    this.#last = head;
    this.#missingBytes = head.headBytes + head.bodyBytes - piece.length;
    if (this.#missingBytes === 0) this.#answer(head, piece);
    else if (head.bodyBytes > maxAwaitedBytes) this.#handOver(piece);
    else {
      this.#pieces = [piece];
      this.#begunMs = performance.now();
    }
  };

  /** More of a body. One that comes slowly or in crumbs is Node's to wait for. */
  #goOn(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#missingBytes -= piece.length;
    const isSlow = this.#pieces.length > maxAwaitedPieces || performance.now() - this.#begunMs > maxAwaitedMs;
    if (this.#missingBytes > 0 && !isSlow) return;
    const whole = Buffer.concat(this.#pieces);
    this.#pieces = [];
    if (this.#missingBytes === 0) this.#answer(this.#last as PlainHead, whole);
    else this.#handOver(whole);
  }

  #answer(head: PlainHead, call: Buffer): void {
    this.#isPending = true;
    try {
      const answer = this.#calls.answer(head, call.subarray(head.headBytes));
      if (!(answer instanceof Promise)) this.#send(answer);
      else
        answer.then(
          (body) => this.#send(body),
          () => this.#handOver(call),
        );
    } catch {
      this.#handOver(call);
    }
  }

  #send(body: JsonBody): void {
    const head = `${this.#statusLine}Date: ${httpDate()}\r\ncontent-length: ${body.length}\r\n\r\n`;
    whenAwake(() => this.#write(head, body));
  }

  #write(head: string, body: JsonBody): void {
    const socket = this.#socket;
    this.#isPending = false;
    const isTaken =
      typeof body === 'string'
        ? socket.write(head + body, 'latin1')
        : socket.write(Buffer.concat([Buffer.from(head, 'latin1'), body]));
    if (this.#isClosing) socket.destroySoon();
    else if (!isTaken) socket.pause();
    else if (socket.isPaused()) socket.resume();
  }

  #handOver(piece: Buffer): void {
    const socket = this.#socket;
    if (socket.destroyed) return;
    socket.off('data', this.#read).off('end', this.#end).off('drain', this.#resume);
    socket.off('timeout', this.#destroy).off('error', this.#destroy);
    socket.setTimeout(0);
    socket.pause();
    socket.unshift(piece);
    this.#calls.handOver(socket);
    socket.resume();
  }
}

let dateSecond = 0;
let dateText = '';

function httpDate(): string {
  const second = Math.floor(Date.now() / 1_000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1_000).toUTCString();
  }
  return dateText;
}
