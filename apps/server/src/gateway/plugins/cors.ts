/** `cors`: answers preflight requests and sets the Access-Control headers, on refusals too. */
import { type Static, Type } from '@sinclair/typebox';
import type { Exchange } from '../exchange.js';
import type { Plugin } from '../plugin.js';
import { closed } from '../resource-schemas.js';
import type { ResponseHead } from '../response-head.js';

const origins = '^(\\*|\\*\\*|null|\\w+://[^,]+(,\\w+://[^,]+)*)$';
const patterns = Type.Optional(
  Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), { minItems: 1, uniqueItems: true }),
);

const schema = Type.Object(
  {
    allow_origins: Type.String({ pattern: origins, default: '*' }),
    allow_methods: Type.String({ default: '*' }),
    allow_headers: Type.String({ default: '*' }),
    expose_headers: Type.Optional(Type.String()),
    max_age: Type.Integer({ default: 5 }),
    allow_credential: Type.Boolean({ default: false }),
    allow_origins_by_regex: patterns,
    allow_origins_by_metadata: patterns,
    timing_allow_origins: Type.Optional(Type.String({ pattern: origins })),
    timing_allow_origins_by_regex: patterns,
  },
  closed,
);

const metadataSchema = Type.Object(
  { allow_origins: Type.Optional(Type.Record(Type.String(), Type.String({ pattern: origins }))) },
  closed,
);

const everyMethod = 'GET,POST,PUT,DELETE,PATCH,HEAD,OPTIONS,CONNECT,TRACE';

type Configuration = Static<typeof schema>;
/** The origin to name in the answer; undefined: none. */
type Choose = (origin: string | undefined) => string | undefined;

export const cors: Plugin<Configuration> = {
  name: 'cors',
  priority: 4000,
  schema,
  metadataSchema,
  check: (configuration) => {
    for (const pattern of [
      ...(configuration.allow_origins_by_regex ?? []),
      ...(configuration.timing_allow_origins_by_regex ?? []),
    ])
      if (!isPattern(pattern)) return `'${pattern}' is not a regular expression`;
    const stars = [
      configuration.allow_origins,
      configuration.allow_methods,
      configuration.allow_headers,
      configuration.expose_headers,
    ];
    return configuration.allow_credential && stars.includes('*')
      ? "'*' cannot be used while allow_credential is true; '**' can"
      : undefined;
  },
  compile: (configuration, { metadata }) => {
    const allowed = chooser(configuration, metadata['allow_origins'] as Record<string, string> | undefined);
    const timing = timingChooser(configuration);
    const setMethods = configuration.allow_methods === '**' ? everyMethod : configuration.allow_methods;
    const isAnyOrigin = configuration.allow_origins === '*' && !configuration.allow_origins_by_regex;
    return {
      rewrite: (exchange) => (exchange.method === 'OPTIONS' ? { status: 200 } : undefined),
      headerFilter: (exchange, head) => {
        const origin = exchange.header('origin');
        const timed = timing?.(origin);
        if (timed !== undefined) head.set('Timing-Allow-Origin', timed);
        const named = allowed(origin);
        if (!isAnyOrigin) addVary(head);
        if (named === undefined) return;
        head.set('Access-Control-Allow-Origin', named);
        head.set('Access-Control-Allow-Methods', setMethods);
        head.set('Access-Control-Max-Age', String(configuration.max_age));
        setAllowHeaders(exchange, head, configuration.allow_headers);
        if (configuration.expose_headers !== undefined)
          head.set('Access-Control-Expose-Headers', configuration.expose_headers);
        if (configuration.allow_credential) head.set('Access-Control-Allow-Credentials', 'true');
      },
    };
  },
};

function setAllowHeaders(exchange: Exchange, head: ResponseHead, configured: string): void {
  if (configured !== '**') {
    head.set('Access-Control-Allow-Headers', configured);
    return;
  }
  const asked = exchange.header('access-control-request-headers');
  if (asked !== undefined) head.set('Access-Control-Allow-Headers', asked);
}

/** The answer depends on who asks: caches must know. */
function addVary(head: ResponseHead): void {
  const vary = head.get('vary');
  if (vary === undefined) head.add('Vary', 'Origin');
  else if (!/\borigin\b|^\*$/i.test(vary)) head.set('Vary', `${vary}, Origin`);
}

function chooser(configuration: Configuration, named: Readonly<Record<string, string>> | undefined): Choose {
  const { allow_origins: list, allow_origins_by_regex: patternTexts, allow_origins_by_metadata: keys } = configuration;
  const choices: Choose[] = [];
  if (patternTexts) choices.push(byPattern(patternTexts));
  else choices.push(byList(list));
  for (const key of keys ?? []) {
    const more = named?.[key];
    if (more !== undefined) choices.push(byList(more));
  }
  return (origin) => {
    for (const choose of choices) {
      const found = choose(origin);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

function timingChooser(configuration: Configuration): Choose | undefined {
  if (configuration.timing_allow_origins_by_regex) return byPattern(configuration.timing_allow_origins_by_regex);
  return configuration.timing_allow_origins === undefined ? undefined : byList(configuration.timing_allow_origins);
}

function byList(list: string): Choose {
  if (list === '*') return () => '*';
  if (list === '**') return (origin) => origin ?? '*';
  const known = new Set(list.split(',').map((one) => one.trim()));
  return (origin) => (origin !== undefined && known.has(origin) ? origin : undefined);
}

function byPattern(texts: readonly string[]): Choose {
  const known = texts.map((text) => new RegExp(text));
  return (origin) => (origin !== undefined && known.some((pattern) => pattern.test(origin)) ? origin : undefined);
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}
