/** The formats of JSON Schema that gojsonschema checks; unknown ones are always met. */
import { BuiltinFailure } from '../errors.js';
import { parseIp } from '../ip-address.js';
import { compileRegex, RegexError } from '../regex/regex.js';
import { parseTime } from '../time/parse.js';
import { parseUrl } from '../url.js';

function succeeds(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (error instanceof BuiltinFailure || error instanceof RegexError) return false;
    throw error;
  }
}

const isTime = (text: string, ...layouts: readonly string[]): boolean =>
  layouts.some((layout) => succeeds(() => parseTime(layout, text)));

const LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?';
const HOSTNAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);
const UUID = /^[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}$/i;
const TIME = ['15:04:05', '15:04:05Z07:00'];
const DATE = '2006-01-02';

/** RFC 5322 addresses in their usual forms: a local part or quoted string, with or without a name. */
const ADDRESS = /^[^\s"(),:;<>@[\\\]]+@[^\s"(),:;<>@\\]+$|^"(?:[^"\\]|\\.)*"@[^\s"(),:;<>@\\]+$/;

function isEmail(text: string): boolean {
  const trimmed = text.trim();
  const named = /^(?:"(?:[^"\\]|\\.)*"|[^"<>@]*)\s*<([^<>]+)>$/.exec(trimmed);
  const address = named?.[1] ?? trimmed;
  return ADDRESS.test(address) && !/^\.|\.\.|\.@|@\.|\.$/.test(address);
}

const isReference = (text: string): boolean => !text.includes('\\') && succeeds(() => parseUrl(text));
const isUri = (text: string): boolean => isReference(text) && parseUrl(text).scheme !== '';
/** Whether every brace that opens is closed before the next opens. */
const isBalanced = (path: string): boolean => !/\{[^}]*$/.test(path);
const isUriTemplate = (text: string): boolean => isReference(text) && isBalanced(parseUrl(text).path);

const FORMATS: ReadonlyMap<string, (text: string) => boolean> = new Map<string, (text: string) => boolean>([
  ['date', (text) => isTime(text, DATE)],
  ['time', (text) => isTime(text, ...TIME)],
  ['date-time', (text) => isTime(text, ...TIME, DATE, '2006-01-02T15:04:05Z07:00')],
  ['hostname', (text) => text.length < 256 && HOSTNAME.test(text)],
  ['email', isEmail],
  ['idn-email', isEmail],
  ['ipv4', (text) => text.includes('.') && parseIp(text) !== undefined],
  ['ipv6', (text) => text.includes(':') && parseIp(text) !== undefined],
  ['uri', isUri],
  ['uri-reference', isReference],
  ['iri', isUri],
  ['iri-reference', isReference],
  ['uri-template', isUriTemplate],
  ['uuid', (text) => UUID.test(text)],
  ['regex', (text) => succeeds(() => compileRegex(text))],
  ['json-pointer', (text) => /^(?:\/(?:[^~/]|~0|~1)*)*$/.test(text)],
  ['relative-json-pointer', (text) => /^(?:0|[1-9][0-9]*)(?:#|(?:\/(?:[^~/]|~0|~1)*)*)$/.test(text)],
]);

export function hasFormat(text: string, format: string): boolean {
  return FORMATS.get(format)?.(text) ?? true;
}
