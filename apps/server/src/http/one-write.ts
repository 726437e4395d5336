/**
 * Answers that leave as one write each, and together. Waking up whoever waits for one costs as much as making it: of the answers of one turn
 * of the event loop the first leaves at once, the others when the turn ends, while the reader of the first is still awake.
 */
import type { ServerResponse } from 'node:http';

let isInTurn = false;
let waiting: (() => void)[] = [];

/** Does at once what is the first write of a turn, and when the turn ends what is another. */
export function whenAwake(write: () => void): void {
  if (isInTurn) {
    waiting.push(write);
    return;
  }
  isInTurn = true;
  setImmediate(endTurn);
  write();
}

function endTurn(): void {
  isInTurn = false;
  if (waiting.length === 0) return;
  const writes = waiting;
  waiting = [];
  for (const write of writes) write();
}

/**
 * Ends an answer of known length with its only or last piece, as one write together with a head that is still held back: Node would make
 * three of it (head, body, an empty end), which costs a tenth of an answer. A text has one byte a character: none above U+00FF.
 */
export function endInOneWrite(response: ServerResponse, body: string | Buffer): void {
  whenAwake(() => {
    const { socket } = response;
    if (!socket) {
      response.end(body, 'latin1');
      return;
    }
    socket.cork();
    response.write(body, 'latin1');
    socket.uncork();
    response.end();
  });
}
