export { BailiwickError, type ErrorDetails, type ErrorKind, errorKinds, isBailiwickError } from './errors.js';
export type { Json } from './json.js';
