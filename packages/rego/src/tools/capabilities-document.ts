/** What a capabilities document allows, in the form `opa capabilities` writes. */
import { type RegoError, RegoErrors } from '../errors.js';
import { FUTURE_KEYWORDS_V0, FUTURE_KEYWORDS_V1 } from '../syntax/parser-state.js';
import { entriesOf, get, isArray, isObject, parseJson, type Value } from '../values/index.js';

export interface Capabilities {
  /** Names of built-in functions. */
  readonly builtins: ReadonlySet<string>;
  readonly features: ReadonlySet<string>;
  readonly futureKeywords: readonly string[];
}

const textsOf = (value: Value | undefined): readonly string[] =>
  value !== undefined && isArray(value) ? value.filter((item) => typeof item === 'string') : [];

/** Errors: `Error` when the text is no such document. */
export function readCapabilities(text: string): Capabilities {
  const document = parseJson(text);
  if (!isObject(document)) throw new Error('capabilities are an object');
  const listed = get(document, 'builtins') ?? [];
  if (!isArray(listed)) throw new Error('"builtins" is a list');
  for (const [key, value] of entriesOf(document)) {
    const isList = value === null || isArray(value);
    if (typeof key === 'string' && ['features', 'future_keywords', 'allow_net'].includes(key) && !isList)
      throw new Error(`"${key}" is a list`);
  }
  const names = listed.map((entry) => (isObject(entry) ? get(entry, 'name') : undefined));
  if (!names.every((name) => typeof name === 'string')) throw new Error('a built-in has no name');
  return {
    builtins: new Set(names),
    features: new Set(textsOf(get(document, 'features'))),
    futureKeywords: textsOf(get(document, 'future_keywords')),
  };
}

const KEYWORDS: readonly string[] = [...FUTURE_KEYWORDS_V0, ...FUTURE_KEYWORDS_V1];

const illegal = (problem: string): RegoError => ({
  code: 'rego_parse_error',
  message: `illegal capabilities: ${problem}`,
  location: { file: '', row: 0, col: 0 },
});

/** Errors: `RegoErrors` when modules of this version may not even be read. */
export function checkParsing(capabilities: Capabilities | undefined, version: 'v0' | 'v1'): void {
  if (version === 'v1' && capabilities?.features.has('rego_v1') === false)
    throw new RegoErrors([illegal('rego_v1 feature required for parsing v1 Rego')]);
  const unknown = capabilities?.futureKeywords.find((keyword) => !KEYWORDS.includes(keyword));
  if (unknown !== undefined) throw new RegoErrors([illegal(`unknown keyword: ${unknown}`)]);
}
