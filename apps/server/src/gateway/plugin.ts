/** A gateway plugin: one file with its name, schema, priority (as in APISIX: higher runs first) and phases. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TSchema } from '@sinclair/typebox';
import type { Caller, DecisionService } from '../decisions/decision-service.js';
import type { Authenticator } from '../identity/authenticator.js';

/** What the plugins of one request share. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly method: string;
  /** Decoded once, free of dot segments; what router and policy see. */
  readonly path: string;
  /** The query without `?`, as it came. */
  readonly query: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** What the upstream will see; plugins may change it. */
  upstreamPath: string;
  requestId: string;
  caller: Caller | undefined;
  decisionId: string | undefined;
  /** Added to (string) or taken from (undefined) the request that goes upstream. */
  readonly upstreamHeaders: Map<string, string | undefined>;
}

/** Ends the exchange: the plugin's refusal. */
export interface Refusal {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

export interface PluginServices {
  readonly authenticator: Authenticator;
  readonly decisions: DecisionService;
}

export type Handler = (exchange: Exchange) => Refusal | undefined | Promise<Refusal | undefined>;

export interface Plugin<C = unknown> {
  readonly name: string;
  readonly priority: number;
  readonly schema: TSchema;
  /** Compiled once a route and reload. `access` runs before the request goes upstream. */
  readonly compile: (configuration: C, services: PluginServices) => { readonly access: Handler };
}
