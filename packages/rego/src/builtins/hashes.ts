/** Digests and keyed digests of strings, in hexadecimal. */
import { type Builtin, type BuiltinEntry, family } from './builtin.js';
import { encodeHex, utf8 } from './bytes.js';
import { equalBytes, type HashName } from './crypto/crypto-provider.js';
import { stringOperand } from './operands.js';
import { boolean, string } from './type-decl.js';

function digest(algorithm: HashName): BuiltinEntry {
  return {
    about: `The ${algorithm.toUpperCase()} digest of a string, in hexadecimal.`,
    args: { x: string },
    result: { y: string },
    evaluate(args, context) {
      const bytes = utf8(stringOperand(args, 1));
      context.charge(bytes.length >> 4);
      return encodeHex(context.crypto.hash(algorithm, bytes));
    },
  };
}

function keyedDigest(algorithm: HashName): BuiltinEntry {
  return {
    about: `The HMAC of a string with ${algorithm.toUpperCase()}, in hexadecimal.`,
    args: { x: string, key: string },
    result: { y: string },
    evaluate(args, context) {
      const bytes = utf8(stringOperand(args, 1));
      context.charge(bytes.length >> 4);
      return encodeHex(context.crypto.hmac(algorithm, utf8(stringOperand(args, 2)), bytes));
    },
  };
}

export const hashBuiltins: readonly Builtin[] = family('crypto', {
  'crypto.md5': digest('md5'),
  'crypto.sha1': digest('sha1'),
  'crypto.sha256': digest('sha256'),
  'crypto.hmac.md5': keyedDigest('md5'),
  'crypto.hmac.sha1': keyedDigest('sha1'),
  'crypto.hmac.sha256': keyedDigest('sha256'),
  'crypto.hmac.sha512': keyedDigest('sha512'),
  'crypto.hmac.equal': {
    about: 'Whether two digests are equal, in a time that does not depend on where they differ.',
    args: { mac1: string, mac2: string },
    result: { result: boolean },
    evaluate: (args) => equalBytes(utf8(stringOperand(args, 1)), utf8(stringOperand(args, 2))),
  },
});
