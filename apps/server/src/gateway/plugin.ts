/**
 * What a gateway plugin is: one file with a name, a schema, a priority and hooks for the phases, the same as APISIX's plugin of that
 * name. `docs/explanation/gateway.md` says how to write one.
 */
import type { TSchema } from '@sinclair/typebox';
import type { DecisionService } from '../decisions/decision-service.js';
import type { Authenticator } from '../identity/authenticator.js';
import type { AnswerStore } from '../ports/answer-store.port.js';
import type { RateLimitStore, RedisLocation } from '../ports/rate-limit-store.port.js';
import type { Logger } from '../telemetry/logger.js';
import type { Metrics } from '../telemetry/metrics.js';
import type { Consumer, Exchange, UpstreamTarget } from './exchange.js';
import type { KeptState } from './kept-state.js';
import type { ResponseHead } from './response-head.js';

/**
 * Ends the exchange with the plugin's own answer. `body`: text and bytes as they are, an iterable streams, a `BailiwickError` becomes a
 * problem document, any other object JSON. Without a body a status from 400 gets nginx's page, as in APISIX.
 */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: unknown;
}

export type Outcome = Answer | undefined;
export type Handler = (exchange: Exchange) => Outcome | Promise<Outcome>;

/**
 * The hooks of one configured plugin. All plugins' `rewrite` run first, then all `access`, then `body`, then `beforeProxy`, each by falling
 * priority. Throwing ends the request with 500 (or a `BailiwickError`'s own status): never open.
 */
export interface PluginHooks {
  readonly rewrite?: Handler;
  readonly access?: Handler;
  /** Asks for the whole request body, which is read (bounded) before; change it with `exchange.replaceBody`. */
  readonly body?: (exchange: Exchange, body: Buffer) => Outcome | Promise<Outcome>;
  /** The upstream is chosen, nothing has been sent yet. A plugin that speaks to the upstream itself answers here. */
  readonly beforeProxy?: Handler;
  /** Each chunk of a request body that streams; returns what goes upstream. The body then goes chunked. */
  readonly requestFilter?: (exchange: Exchange, chunk: Buffer, isLast: boolean) => Buffer;
  /** Status and headers before they go to the client; also for the gateway's own answers. */
  readonly headerFilter?: (exchange: Exchange, head: ResponseHead) => void;
  /**
   * Each chunk of the answer's body; returns what goes to the client (an empty buffer holds it back). The last call has `isLast` and may
   * have an empty chunk. A plugin that changes lengths removes Content-Length in its `headerFilter`.
   */
  readonly bodyFilter?: (exchange: Exchange, chunk: Buffer, isLast: boolean) => Buffer;
  /** After the answer, whatever it was. Never throws for long: errors are logged and swallowed. */
  readonly log?: (exchange: Exchange) => void;
  /** The configuration has gone: timers stop, connections close. */
  readonly close?: () => void | Promise<void>;
}

export interface PluginServices {
  readonly authenticator: Authenticator;
  readonly decisions: DecisionService;
  readonly metrics: Pick<Metrics, 'registry'>;
  /** Undefined: counters of this process. */
  readonly openRateLimits: (location: RedisLocation | undefined) => RateLimitStore;
  /** Answers of language models in a Redis; `index` names them among others. */
  readonly openAnswers: (location: RedisLocation, index: string) => AnswerStore;
}

export interface Credential {
  readonly consumer: Consumer;
  /** The consumer's entry for the plugin. */
  readonly configuration: Readonly<Record<string, unknown>>;
}

/** The file's consumers, as authentication plugins look them up. */
export interface ConsumerDirectory {
  byName(name: string): Consumer | undefined;
  /** The consumer whose entry for this plugin has this `key`. */
  find(plugin: string, key: string): Credential | undefined;
  /** A credential of this plugin is behind a secret that cannot be had now: an unknown key may be his. */
  isIncomplete(plugin: string): boolean;
}

/** What a plugin's configuration is compiled in. */
export interface PluginScope {
  readonly services: PluginServices;
  readonly logger: Logger;
  /** The resource the configuration stands in. */
  readonly owner: { readonly kind: OwnerKind; readonly id: string };
  /** This plugin's entry of `plugin_metadata`, with defaults; `{}` when it has no metadata schema. */
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly consumers: ConsumerDirectory;
  /** Counters, breakers and connections that outlive a reload as long as their configuration stays. */
  readonly kept: KeptState;
  /** An upstream by its id, or one defined in the plugin's configuration. Throws when there is none. */
  readonly upstream: (reference: { readonly id: string } | { readonly definition: unknown }) => UpstreamTarget;
}

export type OwnerKind = 'route' | 'service' | 'plugin_config' | 'consumer' | 'consumer_group' | 'global_rule';

export interface Plugin<C = unknown> {
  readonly name: string;
  /** As in APISIX: higher runs first. */
  readonly priority: number;
  /** An authentication plugin's entry at a consumer is its credential, not a plugin to run. */
  readonly type?: 'auth';
  /** Fields with a default are filled in before `compile`. Closed: a field that is not here is an error at start. */
  readonly schema: TSchema;
  readonly consumerSchema?: TSchema;
  readonly metadataSchema?: TSchema;
  /** What a schema cannot say; returns the fault. */
  readonly check?: (configuration: C) => string | undefined;
  readonly compile: (configuration: C, scope: PluginScope) => PluginHooks;
}

export type PluginRegistry = ReadonlyMap<string, Plugin>;
