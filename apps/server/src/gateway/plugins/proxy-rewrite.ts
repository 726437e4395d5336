/** `proxy-rewrite`: changes what the upstream sees: path, method, host, headers. `uri` beats `regex_uri`; the query goes along. */
import { type Static, type TUnsafe, Type } from '@sinclair/typebox';
import type { Exchange } from '../exchange.js';
import { headerChanges } from '../header-changes.js';
import type { Outcome, Plugin } from '../plugin.js';
import { readRequestPath } from '../request-path.js';
import { closed, oneOf } from '../resource-schemas.js';
import { templateOf } from '../variables.js';

const scalar = { oneOf: [{ type: 'string' }, { type: 'number' }] };
const values = { oneOf: [...scalar.oneOf, { type: 'array', items: scalar, minItems: 1 }] };
const table = (value: object) => ({
  type: 'object',
  minProperties: 1,
  patternProperties: { '^[^:]+$': value },
  additionalProperties: false,
});
const headers: TUnsafe<Readonly<Record<string, unknown>>> = Type.Unsafe({
  oneOf: [
    {
      type: 'object',
      minProperties: 1,
      properties: {
        add: table(values),
        set: table(values),
        remove: { type: 'array', minItems: 1, items: { type: 'string', pattern: '^[^:]+$' } },
      },
      additionalProperties: false,
    },
    table(scalar),
  ],
});

const schema = Type.Object(
  {
    uri: Type.Optional(Type.String({ pattern: '^\\/.*', minLength: 1, maxLength: 4096 })),
    regex_uri: Type.Optional(Type.Array(Type.String(), { minItems: 2 })),
    method: Type.Optional(
      oneOf([
        'GET',
        'POST',
        'PUT',
        'HEAD',
        'DELETE',
        'OPTIONS',
        'MKCOL',
        'COPY',
        'MOVE',
        'PROPFIND',
        'LOCK',
        'UNLOCK',
        'PATCH',
        'TRACE',
      ]),
    ),
    host: Type.Optional(Type.String({ pattern: '^[0-9a-zA-Z-.]+(:\\d{1,5})?$' })),
    headers: Type.Optional(headers),
    use_real_request_uri_unsafe: Type.Optional(Type.Boolean()),
  },
  { ...closed, minProperties: 1 },
);

type Configuration = Static<typeof schema>;
interface Rewritten {
  readonly path: string;
  readonly captures: readonly string[];
}

export const proxyRewrite: Plugin<Configuration> = {
  name: 'proxy-rewrite',
  priority: 1008,
  schema,
  check: ({ regex_uri: pairs }) => {
    if (!pairs) return undefined;
    if (pairs.length % 2 !== 0) return 'regex_uri needs pairs of a pattern and its replacement';
    for (let index = 0; index < pairs.length; index += 2) {
      try {
        new RegExp(pairs[index] ?? '');
      } catch {
        return `'${pairs[index]}' is not a regular expression`;
      }
    }
    return undefined;
  },
  compile: (configuration) => {
    const rewrite = pathRewriter(configuration);
    const capturesKey = {};
    const withCaptures = (text: string): ((exchange: Exchange) => string) => {
      const pieces = text.split(/\$(\d)/);
      if (pieces.length === 1) return templateOf(text);
      const parts = pieces.map((piece, index) => (index % 2 === 0 ? templateOf(piece) : Number(piece)));
      return (exchange) =>
        parts
          .map((part) =>
            typeof part === 'number'
              ? (exchange.stateOf<readonly string[]>(capturesKey)?.[part] ?? '')
              : part(exchange),
          )
          .join('');
    };
    const changes = headerChanges(configuration.headers, withCaptures);
    const { method, host } = configuration;
    return {
      rewrite: (exchange) => {
        if (method !== undefined) exchange.upstreamMethod = method;
        if (host !== undefined) exchange.upstreamHost = host;
        const rewritten = rewrite?.(exchange);
        const refusal = rewritten && apply(exchange, rewritten.path);
        if (refusal) return refusal;
        if (rewritten) exchange.keepState(capturesKey, rewritten.captures);
        if (!changes) return undefined;
        for (const [name, templates] of changes.add)
          addHeader(
            exchange,
            name.toLowerCase(),
            templates.map((one) => one(exchange)),
          );
        for (const [name, templates] of changes.set)
          setHeader(
            exchange,
            name.toLowerCase(),
            templates.map((one) => one(exchange)),
          );
        for (const name of changes.remove) exchange.upstreamHeaders.set(name.toLowerCase(), undefined);
        return undefined;
      },
    };
  },
};

function pathRewriter(configuration: Configuration): ((exchange: Exchange) => Rewritten | undefined) | undefined {
  const { uri, regex_uri: pairs } = configuration;
  if (uri !== undefined) {
    const template = templateOf(uri);
    return (exchange) => ({ path: template(exchange), captures: [] });
  }
  if (!pairs) return undefined;
  const rules: { readonly pattern: RegExp; readonly replacement: (exchange: Exchange) => string }[] = [];
  for (let index = 0; index < pairs.length; index += 2)
    rules.push({ pattern: new RegExp(pairs[index] ?? ''), replacement: templateOf(pairs[index + 1] ?? '') });
  return (exchange) => {
    for (const { pattern, replacement } of rules) {
      const match = pattern.exec(exchange.rawPath);
      if (!match) continue;
      // Captures go in as they were read: a dollar in them means nothing.
      const path = replacement(exchange).replace(
        /\$(?:(\d)|\{(\d)\})/g,
        (_whole, one?: string, two?: string) => match[Number(one ?? two)] ?? '',
      );
      return {
        path: exchange.rawPath.slice(0, match.index) + path + exchange.rawPath.slice(match.index + match[0].length),
        captures: [...match],
      };
    }
    return undefined;
  };
}

/** A path that was made of what the client sent is read as strictly as the client's own. */
function apply(exchange: Exchange, rewritten: string): Outcome {
  const mark = rewritten.indexOf('?');
  const [path, query] = mark < 0 ? [rewritten, ''] : [rewritten.slice(0, mark), rewritten.slice(mark + 1)];
  const encoded = path === '' ? '/' : encodeLoose(path);
  if (readRequestPath(encoded).kind === 'refused')
    return { status: 500, body: { error_msg: 'the rewritten address is not one that can be sent' } };
  exchange.upstreamPath = encoded;
  if (query !== '') {
    const own = encodeLoose(query);
    exchange.upstreamQuery = exchange.upstreamQuery === '' ? own : `${own}&${exchange.upstreamQuery}`;
  }
  return undefined;
}

/** Escapes what an address cannot hold and leaves what is escaped already. */
const encodeLoose = (text: string): string =>
  text.replace(/[^\x21\x24-\x7e]|["<>\\^`{|}]/gu, (character) => encodeURIComponent(character));

function setHeader(exchange: Exchange, name: string, texts: readonly string[]): void {
  if (name === 'host') exchange.upstreamHost = texts[0];
  else exchange.upstreamHeaders.set(name, texts.length === 1 ? texts[0] : texts);
}

function addHeader(exchange: Exchange, name: string, texts: readonly string[]): void {
  const changed = exchange.upstreamHeaders.get(name);
  const before = exchange.upstreamHeaders.has(name) ? changed : exchange.header(name);
  const known = before === undefined ? [] : typeof before === 'string' ? [before] : before;
  exchange.upstreamHeaders.set(name, [...known, ...texts]);
}
