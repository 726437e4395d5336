/** Opaque cursors of lists: base64url of JSON, checked when they come back. */
import { BailiwickError } from '@bailiwick/contract';

export type CursorParts = readonly (string | number)[];

export function encodeCursor(parts: CursorParts): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

function invalidCursor(cause?: unknown): BailiwickError {
  return new BailiwickError('invalid', {
    reason: 'request.invalid_cursor',
    message: 'The cursor is not one that this list gave out. Leave it out to begin at the newest item.',
    cause,
  });
}

/** `shape` names the type of each part. Errors: `request.invalid_cursor`. */
export function decodeCursor(cursor: string, shape: readonly ('string' | 'number')[]): CursorParts {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch (cause) {
    throw invalidCursor(cause);
  }
  const isOurs =
    Array.isArray(parts) && parts.length === shape.length && parts.every((part, index) => typeof part === shape[index]);
  if (!isOurs) throw invalidCursor();
  return parts as CursorParts;
}
