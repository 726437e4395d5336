/** URIs. */
import type { Value } from '../values/index.js';
import { type Builtin, family } from './builtin.js';
import { BuiltinFailure } from './errors.js';
import { stringOperand } from './operands.js';
import { boolean, object, string } from './type-decl.js';
import { parseUrl } from './url.js';

function components(text: string): Value {
  const url = parseUrl(text);
  const out: Record<string, Value> = {};
  if (url.scheme !== '') out['scheme'] = url.scheme;
  if (url.hostname !== '') out['hostname'] = url.hostname;
  if (url.port !== '') out['port'] = url.port;
  if (url.path !== '') {
    out['path'] = url.path;
    out['raw_path'] = url.rawPath === '' ? url.path : url.rawPath;
  }
  if (url.rawQuery !== '') out['raw_query'] = url.rawQuery;
  if (url.fragment !== '') out['fragment'] = url.fragment;
  return out;
}

function isUri(text: Value | undefined): boolean {
  if (typeof text !== 'string' || text === '') return false;
  try {
    parseUrl(text);
    return true;
  } catch (error) {
    if (error instanceof BuiltinFailure) return false;
    throw error;
  }
}

export const uriBuiltins: readonly Builtin[] = family('uri', {
  'uri.parse': {
    about: 'The components of a URI; those that are empty are left out.',
    args: { uri: string },
    result: { output: object(string, string) },
    evaluate: (args) => components(stringOperand(args, 1)),
  },
  'uri.is_valid': {
    about: 'Whether a string is a URI.',
    args: { uri: string },
    result: { result: boolean },
    evaluate: ([text]) => isUri(text),
  },
});
