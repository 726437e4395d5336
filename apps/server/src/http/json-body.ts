/** JSON as it goes out. */

const beyondAscii = /[\u0080-\uffff]/;

/** Whether one character is one byte, in UTF-8 and in Latin-1 alike. */
export const isAscii = (text: string): boolean => !beyondAscii.test(text);

/** A text of ASCII alone, which leaves without being encoded; or the bytes of any other. */
export type JsonBody = string | Buffer;

export const toJsonBody = (text: string, isPlain = isAscii(text)): JsonBody => (isPlain ? text : Buffer.from(text));
