/** Requests signed for AWS with Signature Version 4. */
import {
  EMPTY_OBJECT,
  entriesOf,
  formatTerm,
  get,
  hasKey,
  isInteger,
  isObject,
  makeSet,
  ObjectBuilder,
  type ObjectValue,
  stringifyJson,
  toBigInt,
  type Value,
} from '../values/index.js';
import { type Builtin, type BuiltinContext, family } from './builtin.js';
import { encodeHex, utf8 } from './bytes.js';
import { checkRequest } from './http.js';
import { numberOperand, objectOperand, operandError, typeError } from './operands.js';
import { any, number, object, string } from './type-decl.js';
import { escapedPath, parseUrl } from './url.js';

const REQUIRED = ['aws_service', 'aws_access_key', 'aws_secret_access_key', 'aws_region'];
const UNSIGNED_HEADERS = ['authorization', 'user-agent', 'x-amzn-trace-id'];

const textOf = (source: ObjectValue, key: string): string => {
  const value = get(source, key);
  return typeof value === 'string' ? value : '';
};

function checkConfig(config: ObjectValue): void {
  const missing = REQUIRED.filter((key) => !hasKey(config, key));
  if (missing.length > 0) {
    throw operandError(2, `missing required AWS config parameters(s): ${formatTerm(makeSet(missing))}`);
  }
  const wrong = REQUIRED.filter((key) => typeof get(config, key) !== 'string');
  if (wrong.length > 0) {
    throw operandError(2, `invalid values for required AWS config parameters(s): ${formatTerm(makeSet(wrong))}`);
  }
}

/** The parts of a request that are signed. */
interface Request {
  readonly method: string;
  readonly url: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

function readRequest(source: ObjectValue): Request {
  const wrong = ['url', 'method'].filter((key) => typeof get(source, key) !== 'string');
  if (wrong.length > 0) {
    throw operandError(1, `invalid values for required request parameters(s): ${formatTerm(makeSet(wrong))}`);
  }
  const headers = get(source, 'headers') ?? EMPTY_OBJECT;
  if (!isObject(headers)) throw typeError(0, headers, 'object');
  const entries = [...entriesOf(headers)].map(([key, value]): [string, string] => [
    typeof key === 'string' ? key : '',
    typeof value === 'string' ? value : '',
  ]);
  const body = get(source, 'body');
  const text = hasKey(source, 'raw_body') ? textOf(source, 'raw_body') : body === undefined ? '' : stringifyJson(body);
  return { method: textOf(source, 'method'), url: textOf(source, 'url'), headers: new Map(entries), body: utf8(text) };
}

interface Signing {
  readonly config: ObjectValue;
  /** `20060102T150405Z` */
  readonly timestamp: string;
  readonly contentHash: string;
}

function addedHeaders(request: Request, { config, timestamp, contentHash }: Signing): Map<string, string> {
  const added = new Map([
    ['host', parseUrl(request.url).host],
    ['x-amz-date', timestamp],
  ]);
  const service = textOf(config, 'aws_service');
  if (service === 's3' || service === 'glacier') added.set('x-amz-content-sha256', contentHash);
  const token = textOf(config, 'aws_session_token');
  if (token !== '') added.set('x-amz-security-token', token);
  return added;
}

function authorization(request: Request, signing: Signing, context: BuiltinContext): string {
  const { config, timestamp, contentHash } = signing;
  const signed = addedHeaders(request, signing);
  for (const [name, value] of request.headers) {
    const lower = name.toLowerCase();
    if (!UNSIGNED_HEADERS.includes(lower)) signed.set(lower, value);
  }
  const names = [...signed.keys()].sort();
  const url = parseUrl(request.url);
  const path = escapedPath(url);
  const lines = names.map((name) => `${name}:${signed.get(name)}\n`).join('');
  const canonical = [request.method, path, url.rawQuery, lines, names.join(';'), contentHash].join('\n');
  const date = timestamp.slice(0, 8);
  const scope = `${date}/${textOf(config, 'aws_region')}/${textOf(config, 'aws_service')}/aws4_request`;
  const digest = encodeHex(context.crypto.hash('sha256', utf8(canonical)));
  const toSign = `AWS4-HMAC-SHA256\n${timestamp}\n${scope}\n${digest}`;
  let key = utf8(`AWS4${textOf(config, 'aws_secret_access_key')}`);
  for (const part of scope.split('/')) key = context.crypto.hmac('sha256', key, utf8(part)) as Uint8Array<ArrayBuffer>;
  const signature = encodeHex(context.crypto.hmac('sha256', key, utf8(toSign)));
  const credential = `AWS4-HMAC-SHA256 Credential=${textOf(config, 'aws_access_key')}/${scope}`;
  return `${credential},SignedHeaders=${names.join(';')},Signature=${signature}`;
}

function timestampOf(args: readonly Value[]): string {
  const time = numberOperand([args[2] as Value], 1);
  const nanoseconds = isInteger(time) ? (toBigInt(time) as bigint) : undefined;
  if (nanoseconds === undefined || nanoseconds >= 2n ** 63n || nanoseconds < -(2n ** 63n)) {
    throw operandError(3, 'could not convert time_ns value into a unix timestamp');
  }
  const milliseconds = Number(nanoseconds / 1_000_000n) - (nanoseconds % 1_000_000n < 0n ? 1 : 0);
  return new Date(milliseconds).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

function signRequest(args: readonly Value[], context: BuiltinContext): Value {
  const source = objectOperand(args, 1);
  const config = objectOperand([args[1] as Value], 1);
  checkConfig(config);
  const timestamp = timestampOf(args);
  checkRequest(source);
  const request = readRequest(source);
  const unsigned = get(config, 'disable_payload_signing') ?? false;
  if (typeof unsigned !== 'boolean') {
    throw operandError(2, "invalid value for 'disable_payload_signing' in AWS config");
  }
  const digest = (): string => encodeHex(context.crypto.hash('sha256', request.body));
  const signing = { config, timestamp, contentHash: unsigned ? 'UNSIGNED-PAYLOAD' : digest() };
  const headers = new ObjectBuilder();
  for (const [name, value] of request.headers) headers.set(name, value);
  headers.set('Authorization', authorization(request, signing, context));
  for (const [name, value] of addedHeaders(request, signing)) headers.set(name, value);
  const out = new ObjectBuilder();
  for (const [key, value] of entriesOf(source)) out.set(key, value);
  out.set('headers', headers.build());
  return out.build();
}

export const awsBuiltins: readonly Builtin[] = family('providers.aws', {
  'providers.aws.sign_req': {
    about: 'A request with the headers of an AWS Signature Version 4.',
    args: { request: object(string, any), aws_config: object(string, any), time_ns: number },
    result: { signed_request: object(any, any) },
    evaluate: signRequest,
  },
});
