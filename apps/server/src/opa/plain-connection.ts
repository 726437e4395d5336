/**
 * A connection of the data listener for as long as nothing but plain calls comes over it: they are read and answered on the socket itself,
 * which takes half of the time that they take through Node's HTTP. With the first piece that is anything else, the connection is Node's.
 */
import type { Socket } from 'node:net';
import type { JsonBody } from '../http/json-body.js';
import { whenAwake } from '../http/one-write.js';
import { type PlainHead, readPlainHead } from './plain-call.js';

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
    const head = readPlainHead(piece, this.#last);
    if (head === undefined || head.bodyBytes > this.#calls.maxBodyBytes || this.#isClosing) {
      this.#handOver(piece);
      return;
    }
    this.#last = head;
    this.#isPending = true;
    try {
      const answer = this.#calls.answer(head, piece.subarray(piece.length - head.bodyBytes));
      if (!(answer instanceof Promise)) this.#send(answer);
      else
        answer.then(
          (body) => this.#send(body),
          () => this.#handOver(piece),
        );
    } catch {
      this.#handOver(piece);
    }
  };

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
