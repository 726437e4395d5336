/**
 * Calls of every built-in that answers the same whenever asked, from the engine's own table: arguments
 * by the declared types, texts such as the function looks for, and one in eight of a wrong type.
 */
import { type Builtin, builtins, type TypeDecl } from '../src/builtins/index.js';
import type { Random } from './random.js';
import type { Kind } from './terms.js';

/** Not a function of its arguments, or only there for the compiler. */
const LEFT_OUT = new Set([
  ...['http.send', 'net.lookup_ip_addr', 'opa.runtime', 'rand.intn', 'time.now_ns', 'uuid.rfc4122', 'uuid.parse'],
  ...['assign', 'eq', 'print', 'trace', 'walk', 'rego.metadata.chain', 'rego.metadata.rule'],
  // Answers with the whole syntax tree, which has a test of its own.
  'rego.parse_module',
]);

/** Neither engine is at its best with 10^20 numbers or addresses. */
const SMALL_ONLY = /^(numbers\.range|bits\.lsh|bits\.rsh|time\.add_date)/;
const SMALL = ['0', '1', '3', '-2', '5', 'count(input.list)', '1.5'];

const PATTERNS = ['"a"', '"[a-z]+"', '"(a)(b)?"', '"^x|y$"', '"["', '"a{2,3}"', '"\\\\d+"', '"(?i)A"', '".*?é"', '""'];
const GLOBS = ['"*"', '"a*"', '"{a,b}*"', '"[a-c]"', '"**.b"', '"?"', '"[!a]x"', '"{"'];
const ADDRESSES = [
  ...['"10.0.0.0/30"', '"10.0.0.1"', '"192.168.1.0/31"', '"10.0.0.0/29"', '"::1"', '"fe80::/126"', '"10.0.0.300/24"'],
  '"x"',
];
// No `2.50` and no `1e3`: how a number was written is forgotten here (docs/reference/rego-differences.md), a random run would trip over it.
const JSON_TEXTS = ['`{"a": 1}`', '`[1, 2.5, "x"]`', '`{"a"`', '`null`', '`"\\u00e9"`', '`1 2`', '``'];
const TIMES = ['"2020-01-31T10:20:30Z"', '"2021-12-01T00:00:00.123456789+05:30"', '"2020-13-01T00:00:00Z"', '"x"'];
const TOKENS = [
  '"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"',
  ...['"a.b.c"', '"a.b"', '"eyJhbGciOiJub25lIn0.e30."'],
];
const SCHEMAS = ['`type Query { a: Int, b(x: String!): [String] }`', '`type Query {`', '`type T { a: Missing }`'];
const QUERIES = ['`{ a }`', '`query Q { b(x: "1") }`', '`{ missing }`', '`{`'];

/** Texts by the name of the function, and by position where that matters. */
const TEXTS: readonly (readonly [RegExp, ...(readonly string[])[]])[] = [
  [/^regex\.replace$/, [], PATTERNS, ['"$1"', '"-"', '"$1x"']],
  [/^regex\.template_match$/, ['"urn:{[a-z]+}:x"', '"{a"', '"x"'], ['"urn:a:x"', '"x"'], ['"{"', '"<"'], ['"}"']],
  [/^regex\.globs_match$/, ['"a.a.[0-9]+z"', '"a*"', '"[a-z]+"'], ['"b.b.[0-9]+z"', '"a"', '"[a-z]*"']],
  [/^(regex|re_)/, PATTERNS],
  [/^glob\.match$/, GLOBS, [], ['"a.b"', '"abc"', '"a/b"', '"b"']],
  [/^glob/, GLOBS],
  [/^net/, ADDRESSES],
  [/^json\.(unmarshal|is_valid)$/, JSON_TEXTS],
  [/^yaml/, [...JSON_TEXTS, '`a: 1`', '`- x\\n- y`', '`a: [`']],
  [
    /^time\.parse_ns$/,
    ['"2006-01-02"', '"RFC3339"', '"Jan _2 15:04:05 2006"'],
    ['"2020-02-30"', '"2020-02-03"', ...TIMES],
  ],
  [/^time\.parse_duration/, ['"1h30m"', '"-1.5s"', '"3us"', '"1x"', '"1"', '""']],
  [/^time/, TIMES],
  [/^units/, ['"10K"', '"1.5Mi"', '"1e3G"', '"10x"', '"5"', '"m"', '"200m"', '"0x1"']],
  [/^semver/, ['"1.2.3"', '"1.2"', '"v1.0.0"', '"1.0.0-rc.1+b"', '"1.0.0-rc.2"', '"01.2.3"']],
  [/^base64/, ['"YQ=="', '"aGVsbG8="', '"YQ"', '"="', '"w6k_"', '"w6k/"', '"w6k="']],
  [/^hex/, ['"61"', '"6g"', '"c3a9"', '"6"']],
  [/^urlquery/, ['"a%20b"', '"%zz"', '"a+b"', '"a=1&b=2&a=3"', '"a=%C3%A9&=x"', '"a;b"']],
  [/^uri/, ['"https://u:p@h.org:80/a/b?x=1#f"', '"x"', '"http://[::1]/"', '"%zz"', '"http://h:x/"', '"mailto:a@b"']],
  [/^io\.jwt\.encode_sign_raw$/, ['`{"alg":"HS256"}`'], ['`{"a":1}`', '"x"'], ['`{"kty":"oct","k":"YWJj"}`', '"x"']],
  [/^io\.jwt/, TOKENS, ['"your-256-bit-secret"', '"x"']],
  [/^graphql\.(parse|is_valid|parse_and_verify)$/, QUERIES, SCHEMAS],
  [/^graphql\.parse_query$/, QUERIES],
  [/^graphql/, SCHEMAS],
  [/schema/, ['`{"type": "object"}`', '`{"type": "x"}`', '`{`']],
  [
    /^strings\.render_template$/,
    ['"{{.a}}-{{.b}}"', '"{{range .l}}{{.}},{{end}}"', '"{{.a"', '"{{if .a}}x{{else}}y{{end}}"'],
  ],
  [/^to_number|^format_int/, ['"1"', '"1.5"', '"0x10"', '"1000"', '"a"', '""', '" 1"']],
];

const OBJECTS: readonly (readonly [RegExp, ...(readonly string[])[]])[] = [
  [
    /schema/,
    ['{"type": "object", "properties": {"a": {"type": "integer", "minimum": 2}}}'],
    ['{"type": "string"}', '{"required": ["a"]}', '{"type": 1}', '{"items": {"enum": [1, 2]}}'],
  ],
  [
    /^io\.jwt\.encode_sign$/,
    ['{"alg": "HS256", "typ": "JWT"}', '{"alg": "x"}'],
    ['{"a": [1]}', '{}'],
    ['{"kty": "oct", "k": "YWJj"}', '{"kty": "x"}'],
  ],
  [
    /^io\.jwt/,
    [],
    [
      '{"secret": "your-256-bit-secret", "time": 1}',
      '{"secret": "your-256-bit-secret", "alg": "HS512"}',
      '{"secret": "x", "iss": "y"}',
      '{"x": 1}',
    ],
  ],
  [/^graph\./, ['{"a": ["b", "c"], "b": {"c"}, "c": ["a"]}', '{"a": []}']],
  [/^strings\.replace_n/, ['{"a": "b", "b": "a"}', '{"": "x"}', '{"l": "é"}']],
  [/^urlquery/, ['{"a": ["1", "b c"], "é": "x"}', '{"a": {"y", "x"}}', '{}']],
  [/^strings\.render/, [], ['{"a": 1, "b": "<x>", "l": [1, "y"]}', '{"a": false}', 'input.obj']],
  [
    /^json\.marshal_with/,
    [],
    ['{"pretty": true}', '{"indent": "  ", "prefix": "-"}', '{"pretty": false, "indent": " "}', '{"x": 1}'],
  ],
  [
    /^providers/,
    ['{"method": "get", "url": "https://example.org/a?b=c"}', '{"method": "post", "url": "x"}'],
    ['{"aws_access_key": "k", "aws_secret_access_key": "s", "aws_service": "s3", "aws_region": "us-east-1"}', '{}'],
  ],
  [/^object\.get|^json\.(filter|remove)/, ['{"a": {"b": [1, {"c": 2}]}, "k/x": 1}']],
];

const ARRAYS: readonly (readonly [RegExp, ...(readonly string[])[]])[] = [
  [
    /^json\.patch$/,
    [],
    [
      '[{"op": "add", "path": "a/b", "value": 1}]',
      '[{"op": "remove", "path": "/0"}]',
      '[{"op": "replace", "path": ["a"], "value": {}}, {"op": "test", "path": "a", "value": {}}]',
      '[{"op": "move", "from": "a", "path": "b"}]',
      '[{"op": "x", "path": ""}]',
    ],
  ],
  [/^json\.(filter|remove)$/, [], ['["a/b"]', '[["a", "b", 0], "k~1x"]', '["a/b/1/c", "z"]', '[1]']],
  [/^graph\./, [], ['["a"]', '["c", "x"]']],
  [/^concat|^strings\.any/, ['["a", "al"]'], ['["a", "é"]', '[]', '["x", 1]']],
  [/^net\.cidr_merge/, ['["10.0.0.0/31", "10.0.0.2/31"]', '["10.0.0.1", "::1"]', '["x"]']],
  [/^net/, ['["10.0.0.0/24", "10.0.0.0/30"]'], ['["10.0.0.1", "10.0.1.1"]', '[["10.0.0.1", 1]]']],
  [/^sprintf$/, [], ['[1, "a", 1.5]', '[[1], {"a": null}]', '[]', 'input.list']],
  [/^object\.get$/, [], ['["a", "b", 0]', '[]', '["a", "z"]']],
  [/^graphql/, []],
];

// No verbs of fractions: whether a whole number was written as one is not kept (see the differences).
const FORMATS = ['"%v-%d"', '"%x %q"', '"%%"', '"%05d"', '"%+v %t"', '"%-4s|"', '"%!"', '"%e"', '"%b %o %c"'];

function special(
  table: readonly (readonly [RegExp, ...(readonly string[])[]])[],
  name: string,
  position: number,
): readonly string[] | undefined {
  const found = table.find(([pattern]) => pattern.test(name));
  if (found === undefined) return undefined;
  const lists = found.slice(1) as (readonly string[])[];
  const list = lists[Math.min(position, lists.length - 1)];
  return list?.length === 0 ? undefined : list;
}

function kindOf(decl: TypeDecl | undefined): Kind {
  const type = decl?.type;
  if (type === 'number' || type === 'string' || type === 'boolean' || type === 'array' || type === 'set') return type;
  return type === 'object' ? 'object' : 'any';
}

const ALL: readonly Builtin[] = [...builtins.values()].filter(
  ({ name, result }) => !LEFT_OUT.has(name) && !name.startsWith('internal.') && result !== undefined,
);

const byResult = new Map<Kind, readonly Builtin[]>();
for (const builtin of ALL) {
  const kind = kindOf(builtin.result);
  byResult.set(kind, [...(byResult.get(kind) ?? []), builtin]);
}

/** Makes a term of a kind; `wrong` asks for one that may be of any. */
export type TermMaker = (kind: Kind) => string;

function argument(builtin: Builtin, position: number, random: Random, make: TermMaker): string {
  const { name } = builtin;
  if (random.chance(0.06)) return make('any');
  if (SMALL_ONLY.test(name)) return random.pick(SMALL);
  let decl = builtin.args[position] as TypeDecl;
  if (decl.type === 'any' && decl.of !== undefined && decl.of.length > 0) decl = random.pick(decl.of);
  if (decl.type === 'array' && decl.static !== undefined) {
    const zone = random.pick(['"UTC"', '"America/New_York"', '"Local"', '"x"']);
    return decl.static.length === 3 ? `[${make('number')}, ${zone}, "2006-01-02"]` : `[${make('number')}, ${zone}]`;
  }
  if (name === 'sprintf' && position === 0) return random.pick(FORMATS);
  const kind = kindOf(decl);
  const table = kind === 'string' ? TEXTS : kind === 'object' ? OBJECTS : kind === 'array' ? ARRAYS : undefined;
  const texts = table === undefined ? undefined : special(table, name, position);
  return texts !== undefined && random.chance(0.75) ? random.pick(texts) : make(kind);
}

/** A call whose declared answer is of the kind. */
export function anyCall(kind: Kind, random: Random, make: TermMaker): string {
  const builtin = random.pick(byResult.get(kind) ?? ALL);
  const args = builtin.args.map((_, position) => argument(builtin, position, random, make));
  return `${builtin.name}(${args.join(', ')})`;
}
