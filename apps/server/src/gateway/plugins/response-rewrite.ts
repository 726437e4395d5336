/** `response-rewrite`: changes status, headers and body of the answer, where `vars` fit. A body or filters, not both. */
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { type Static, type TUnsafe, Type } from '@sinclair/typebox';
import type { Exchange } from '../exchange.js';
import { checkExpression, compileExpression } from '../expression.js';
import { headerChanges } from '../header-changes.js';
import type { Plugin } from '../plugin.js';
import { closed, oneOf } from '../resource-schemas.js';

const scalar = { oneOf: [{ type: 'string' }, { type: 'number' }] };
const table = {
  type: 'object',
  minProperties: 1,
  patternProperties: { '^[^:]+$': scalar },
  additionalProperties: false,
};
const headers: TUnsafe<Readonly<Record<string, unknown>>> = Type.Unsafe({
  anyOf: [
    table,
    {
      type: 'object',
      properties: {
        add: { type: 'array', minItems: 1, items: { type: 'string', pattern: '^[^:]+:[^:]*[^/]$' } },
        set: table,
        remove: { type: 'array', minItems: 1, items: { type: 'string', pattern: '^[^:]+$' } },
      },
      additionalProperties: false,
    },
  ],
});

const schema = Type.Object(
  {
    status_code: Type.Optional(Type.Integer({ minimum: 200, maximum: 598 })),
    body: Type.Optional(Type.String()),
    body_base64: Type.Boolean({ default: false }),
    headers: Type.Optional(headers),
    filters: Type.Optional(
      Type.Array(
        Type.Object(
          {
            regex: Type.String({ minLength: 1 }),
            scope: oneOf(['once', 'global'], { default: 'once' }),
            replace: Type.String(),
            options: Type.String({ default: 'jo', pattern: '^[adijosmux]*$' }),
          },
          closed,
        ),
        { minItems: 1 },
      ),
    ),
    vars: Type.Optional(Type.Array(Type.Unknown())),
    max_resp_body_size: Type.Integer({ minimum: 1, default: 67_108_864 }),
  },
  {
    ...closed,
    dependencies: { body: { not: { required: ['filters'] } }, filters: { not: { required: ['body'] } } },
  },
);

type Configuration = Static<typeof schema>;

interface Progress {
  readonly fits: boolean;
  readonly encoding: string | undefined;
  readonly chunks: Buffer[];
  bytes: number;
}

export const responseRewrite: Plugin<Configuration> = {
  name: 'response-rewrite',
  priority: 899,
  schema,
  check: ({ vars = [], filters = [], body, body_base64: isBase64 }) => {
    const wrong = checkExpression(vars);
    if (wrong !== undefined) return `vars: ${wrong}`;
    if (isBase64 && (body === undefined || body === '' || Buffer.from(body, 'base64').length === 0))
      return 'body is not Base64';
    try {
      for (const filter of filters) patternOf(filter);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  },
  compile: (configuration) => {
    const key = {};
    const fits = compileExpression(configuration.vars ?? []);
    const changes = headerChanges(configuration.headers);
    const changeBody = bodyChange(configuration);
    const { status_code: status, max_resp_body_size: maxBytes } = configuration;
    return {
      headerFilter: (exchange, head) => {
        exchange.status = head.status;
        const isMeant = fits(exchange);
        const progress: Progress = { fits: isMeant, encoding: head.get('content-encoding'), chunks: [], bytes: 0 };
        exchange.keepState(key, progress);
        if (!isMeant) return;
        if (status !== undefined) head.status = status;
        if (changeBody)
          for (const name of ['content-length', 'content-encoding', 'etag', 'last-modified']) head.remove(name);
        if (!changes) return;
        for (const [name, templates] of changes.add)
          for (const template of templates) head.add(name, template(exchange));
        for (const [name, templates] of changes.set) head.set(name, templates.map((one) => one(exchange)).join(', '));
        for (const name of changes.remove) head.remove(name);
      },
      ...(changeBody ? { bodyFilter: bodyFilter(key, changeBody, maxBytes) } : {}),
    };
  },
};

function bodyFilter(key: object, change: (body: Buffer, progress: Progress) => Buffer, maxBytes: number) {
  const nothing = Buffer.alloc(0);
  return (exchange: Exchange, chunk: Buffer, isLast: boolean): Buffer => {
    const progress = exchange.stateOf<Progress>(key);
    if (!progress?.fits) return chunk;
    progress.bytes += chunk.length;
    if (progress.bytes > maxBytes)
      throw new RangeError(`the answer is larger than max_resp_body_size (${maxBytes} bytes)`);
    if (chunk.length > 0) progress.chunks.push(chunk);
    return isLast ? change(Buffer.concat(progress.chunks), progress) : nothing;
  };
}

function bodyChange(configuration: Configuration): ((body: Buffer, progress: Progress) => Buffer) | undefined {
  const { body, body_base64: isBase64, filters } = configuration;
  if (body !== undefined) {
    const fixed = Buffer.from(body, isBase64 ? 'base64' : 'utf8');
    return () => fixed;
  }
  if (!filters) return undefined;
  const steps = filters.map((filter) => ({ pattern: patternOf(filter), replacement: filter.replace }));
  return (before, { encoding }) => {
    let text = decompress(before, encoding).toString('utf8');
    for (const { pattern, replacement } of steps) text = text.replace(pattern, replacement);
    return Buffer.from(text);
  };
}

function decompress(body: Buffer, encoding: string | undefined): Buffer {
  switch (encoding?.toLowerCase()) {
    case undefined:
    case 'identity':
      return body;
    case 'gzip':
      return gunzipSync(body);
    case 'deflate':
      return inflateSync(body);
    case 'br':
      return brotliDecompressSync(body);
    default:
      throw new RangeError(`a body in the encoding '${encoding}' cannot be filtered`);
  }
}

/** nginx's options: `i`, `s`, `m` and `u` mean the same here; `j`, `o`, `a`, `d`, `x` are left out. */
const patternOf = (filter: { readonly regex: string; readonly options: string; readonly scope: string }): RegExp =>
  new RegExp(filter.regex, filter.options.replace(/[^isu m]/g, '') + (filter.scope === 'global' ? 'g' : ''));
