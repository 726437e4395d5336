export * from './audit.js';
export type { AuditFacts, AuditRecord } from './audit-record.js';
export * from './configs.js';
export { BailiwickError, type ErrorDetails, type ErrorKind, errorKinds, isBailiwickError } from './errors.js';
export { isNoneMatch, parseEtags, quoteEtag } from './etags.js';
export * from './identity.js';
export type { Json } from './json.js';
export * from './policies.js';
export * from './problem.js';
