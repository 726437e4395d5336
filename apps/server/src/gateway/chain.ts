/**
 * A route's plugins, compiled to one function a phase: global rules first, then the route's by falling priority; a consumer's plugins join
 * after authentication, as in APISIX. Handlers that answer at once cost no promise.
 */
import { BailiwickError } from '@bailiwick/contract';
import type { Consumer, Exchange } from './exchange.js';
import { compileExpression } from './expression.js';
import type { Answer, Handler, Outcome, Plugin, PluginHooks, PluginScope } from './plugin.js';
import type { PluginTable } from './resource-schemas.js';
import type { ResponseHead } from './response-head.js';

/** A plugin with its configuration, ready to run. */
export interface Configured {
  readonly plugin: Plugin;
  readonly priority: number;
  readonly hooks: PluginHooks;
}

/** What runs after the request phases; undefined where no plugin has the hook. */
export interface ResponsePhases {
  readonly beforeProxy: Handler | undefined;
  readonly requestFilter: ((exchange: Exchange, chunk: Buffer, isLast: boolean) => Buffer) | undefined;
  readonly headerFilter: ((exchange: Exchange, head: ResponseHead) => void) | undefined;
  readonly bodyFilter: ((exchange: Exchange, chunk: Buffer, isLast: boolean) => Buffer) | undefined;
  readonly log: readonly ((exchange: Exchange) => void)[];
}

interface Phases extends ResponsePhases {
  readonly rewrite: Handler | undefined;
  /** `access` and then `body`. */
  readonly access: Handler | undefined;
}

export class Chain {
  readonly #global: Phases;
  readonly #own: Phases;
  readonly #all: ResponsePhases;
  readonly #configured: readonly Configured[];
  readonly #globalConfigured: readonly Configured[];
  readonly #forConsumer: (consumer: Consumer) => readonly Configured[];
  readonly #byConsumer = new WeakMap<
    Consumer,
    { readonly added: Phases; readonly merged: Phases; readonly all: ResponsePhases }
  >();

  /** `forConsumer` compiles what a consumer brings along. */
  constructor(
    globalRules: readonly Configured[],
    own: readonly Configured[],
    forConsumer: (consumer: Consumer) => readonly Configured[],
  ) {
    this.#globalConfigured = globalRules;
    this.#configured = own;
    this.#global = phasesOf(globalRules);
    this.#own = phasesOf(own);
    this.#all = responsePhasesOf(globalRules, own);
    this.#forConsumer = forConsumer;
  }

  /** The phases before the upstream is chosen. An answer ends the request. */
  run(exchange: Exchange): Outcome | Promise<Outcome> {
    return then(runPhase(this.#global.rewrite, exchange), exchange, this.#afterGlobalRewrite);
  }

  readonly #afterGlobalRewrite = (exchange: Exchange): Outcome | Promise<Outcome> =>
    then(runPhase(this.#global.access, exchange), exchange, this.#ownRewrite);

  readonly #ownRewrite = (exchange: Exchange): Outcome | Promise<Outcome> =>
    then(runPhase(this.#own.rewrite, exchange), exchange, this.#ownAccess);

  readonly #ownAccess = (exchange: Exchange): Outcome | Promise<Outcome> => {
    const extra = this.#extraOf(exchange);
    if (!extra) return runPhase(this.#own.access, exchange);
    return then(runPhase(extra.added.rewrite, exchange), exchange, () => runPhase(extra.merged.access, exchange));
  };

  /** What runs for this exchange after the request phases; with the consumer's plugins once he is known. */
  responsePhases(exchange: Exchange): ResponsePhases {
    return this.#extraOf(exchange)?.all ?? this.#all;
  }

  #extraOf(exchange: Exchange) {
    const { consumer } = exchange;
    if (!consumer) return undefined;
    const known = this.#byConsumer.get(consumer);
    if (known) return known;
    const brought = this.#forConsumer(consumer);
    if (brought.length === 0) return undefined;
    const names = new Set(this.#configured.map(({ plugin }) => plugin.name));
    const replaced = new Set(brought.map(({ plugin }) => plugin.name));
    const merged = [...this.#configured.filter(({ plugin }) => !replaced.has(plugin.name)), ...brought];
    const extra = {
      added: phasesOf(brought.filter(({ plugin }) => !names.has(plugin.name))),
      merged: phasesOf(merged),
      all: responsePhasesOf(this.#globalConfigured, merged),
    };
    this.#byConsumer.set(consumer, extra);
    return extra;
  }
}

const runPhase = (handler: Handler | undefined, exchange: Exchange): Outcome | Promise<Outcome> => handler?.(exchange);

function then(
  outcome: Outcome | Promise<Outcome>,
  exchange: Exchange,
  next: (exchange: Exchange) => Outcome | Promise<Outcome>,
): Outcome | Promise<Outcome> {
  if (outcome === undefined) return next(exchange);
  if (outcome instanceof Promise) return outcome.then((found) => found ?? next(exchange));
  return outcome;
}

function phasesOf(configured: readonly Configured[]): Phases {
  const ordered = [...configured].sort((a, b) => b.priority - a.priority);
  const handlers = (name: 'rewrite' | 'access'): Handler[] => ordered.flatMap(({ hooks }) => hooks[name] ?? []);
  const bodies = ordered.flatMap(({ hooks }) => (hooks.body ? [bodyHandler(hooks.body)] : []));
  return {
    rewrite: sequence(handlers('rewrite')),
    access: sequence([...handlers('access'), ...bodies]),
    ...responsePhasesOf([], ordered),
  };
}

function responsePhasesOf(globalRules: readonly Configured[], own: readonly Configured[]): ResponsePhases {
  const inOrder = (list: readonly Configured[]) => [...list].sort((a, b) => b.priority - a.priority);
  const hooks = [...inOrder(globalRules), ...inOrder(own)].map((one) => one.hooks);
  const headerFilters = hooks.flatMap((one) => one.headerFilter ?? []);
  const first = headerFilters[0];
  return {
    beforeProxy: sequence(hooks.flatMap((one) => one.beforeProxy ?? [])),
    requestFilter: transforms(hooks.flatMap((one) => one.requestFilter ?? [])),
    headerFilter:
      headerFilters.length <= 1
        ? first
        : (exchange, head) => {
            for (const filter of headerFilters) filter(exchange, head);
          },
    bodyFilter: transforms(hooks.flatMap((one) => one.bodyFilter ?? [])),
    log: hooks.flatMap((one) => one.log ?? []),
  };
}

const bodyHandler =
  (hook: NonNullable<PluginHooks['body']>): Handler =>
  (exchange) =>
    exchange.readBody().then((body) => hook(exchange, body));

type Transform = (exchange: Exchange, chunk: Buffer, isLast: boolean) => Buffer;

function transforms(list: readonly Transform[]): Transform | undefined {
  if (list.length <= 1) return list[0];
  return (exchange, chunk, isLast) => list.reduce((current, transform) => transform(exchange, current, isLast), chunk);
}

/** One handler for many: stops at the first answer; waits only where one waits. */
function sequence(handlers: readonly Handler[]): Handler | undefined {
  const [first, second] = handlers;
  if (!first) return undefined;
  if (!second) return first;
  return (exchange) => {
    for (let index = 0; index < handlers.length; index += 1) {
      const outcome = (handlers[index] as Handler)(exchange);
      if (outcome === undefined) continue;
      return outcome instanceof Promise ? resume(handlers, outcome, index + 1, exchange) : outcome;
    }
    return undefined;
  };
}

async function resume(
  handlers: readonly Handler[],
  pending: Promise<Outcome>,
  from: number,
  exchange: Exchange,
): Promise<Outcome> {
  const settled = await pending;
  if (settled) return settled;
  for (let index = from; index < handlers.length; index += 1) {
    const outcome = await (handlers[index] as Handler)(exchange);
    if (outcome) return outcome;
  }
  return undefined;
}

interface Meta {
  readonly disable?: boolean;
  readonly priority?: number;
  readonly filter?: readonly unknown[];
  readonly error_response?: unknown;
}

/** Compiles a table of plugins; `scopeOf` makes each plugin's surroundings. A disabled one is left out. */
export function configure(
  table: PluginTable,
  plugins: ReadonlyMap<string, Plugin>,
  scopeOf: (plugin: Plugin) => PluginScope,
  resolve: <T>(configuration: T) => T,
): readonly Configured[] {
  return Object.entries(table).flatMap(([name, raw]) => {
    const plugin = plugins.get(name);
    const { _meta: meta = {}, ...own } = raw as { readonly _meta?: Meta };
    if (!plugin || meta.disable === true) return [];
    const hooks = compileHooks(plugin, own, scopeOf(plugin), resolve);
    return [{ plugin, priority: meta.priority ?? plugin.priority, hooks: withMeta(hooks, meta) }];
  });
}

/** A plugin whose secrets cannot be had refuses every request of its route. */
function compileHooks(
  plugin: Plugin,
  own: unknown,
  scope: PluginScope,
  resolve: <T>(configuration: T) => T,
): PluginHooks {
  let configuration: unknown;
  try {
    configuration = resolve(own);
  } catch (error) {
    return {
      rewrite: () => {
        throw error;
      },
    };
  }
  return plugin.compile(configuration, scope);
}

function withMeta(hooks: PluginHooks, meta: Meta): PluginHooks {
  const answered = meta.error_response === undefined ? hooks : withErrorResponse(hooks, meta.error_response);
  return meta.filter === undefined || meta.filter.length === 0 ? answered : withFilter(answered, meta.filter);
}

function withErrorResponse(hooks: PluginHooks, body: unknown): PluginHooks {
  const replace = (answer: Outcome): Outcome => (answer && answer.status >= 400 ? { ...answer, body } : answer);
  const wrap = (handler: Handler | undefined): Handler | undefined =>
    handler &&
    ((exchange) => {
      const outcome = handler(exchange);
      return outcome instanceof Promise ? outcome.then(replace) : replace(outcome);
    });
  return definedOnly({
    ...hooks,
    rewrite: wrap(hooks.rewrite),
    access: wrap(hooks.access),
    beforeProxy: wrap(hooks.beforeProxy),
  });
}

/** The condition is asked once a request, when the plugin's first phase comes. */
function withFilter(hooks: PluginHooks, filter: readonly unknown[]): PluginHooks {
  const condition = compileExpression(filter);
  const key = {};
  const fits = (exchange: Exchange): boolean => {
    const known = exchange.stateOf<boolean>(key);
    if (known !== undefined) return known;
    const result = condition(exchange);
    exchange.keepState(key, result);
    return result;
  };
  const { rewrite, access, body, beforeProxy, requestFilter, headerFilter, bodyFilter, log } = hooks;
  return definedOnly({
    ...hooks,
    rewrite: rewrite && ((exchange) => (fits(exchange) ? rewrite(exchange) : undefined)),
    access: access && ((exchange) => (fits(exchange) ? access(exchange) : undefined)),
    body: body && ((exchange, bytes) => (fits(exchange) ? body(exchange, bytes) : undefined)),
    beforeProxy: beforeProxy && ((exchange) => (fits(exchange) ? beforeProxy(exchange) : undefined)),
    requestFilter:
      requestFilter && ((exchange, chunk, isLast) => (fits(exchange) ? requestFilter(exchange, chunk, isLast) : chunk)),
    headerFilter: headerFilter && ((exchange, head) => (fits(exchange) ? headerFilter(exchange, head) : undefined)),
    bodyFilter:
      bodyFilter && ((exchange, chunk, isLast) => (fits(exchange) ? bodyFilter(exchange, chunk, isLast) : chunk)),
    log: log && ((exchange) => (fits(exchange) ? log(exchange) : undefined)),
  });
}

type Loose = { readonly [K in keyof PluginHooks]: PluginHooks[K] | undefined };

const definedOnly = (hooks: Loose): PluginHooks =>
  Object.fromEntries(Object.entries(hooks).filter(([, hook]) => hook !== undefined)) as PluginHooks;

/** What a thrown thing means for the client: our errors as they are, anything else 500. */
export const asAnswer = (error: unknown): Answer => ({
  status: 500,
  body:
    typeof error === 'object' && error !== null && Symbol.for('bailiwick.error') in error
      ? error
      : new BailiwickError('internal', {
          reason: 'gateway.plugin_failed',
          message: 'A plugin of the gateway failed.',
          cause: error,
        }),
});
