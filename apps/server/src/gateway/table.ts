/**
 * Everything that is in force at one moment, compiled from one file: routes with their chains, upstreams, consumers, certificates. A reload
 * builds a new table beside the old one and swaps them; requests on their way end under the old one.
 */
import { createHash } from 'node:crypto';
import type { Logger } from '../telemetry/logger.js';
import { addressList } from './addresses.js';
import { Chain, type Configured, configure } from './chain.js';
import { ConsumerIndex } from './consumers.js';
import type { Consumer, RouteFacts } from './exchange.js';
import { compileExpression } from './expression.js';
import type { KeptState } from './kept-state.js';
import type { OwnerKind, Plugin, PluginRegistry, PluginScope, PluginServices } from './plugin.js';
import type {
  GatewayFile,
  PluginTable,
  RouteDefinition,
  ServiceDefinition,
  UpstreamDefinition,
} from './resource-schemas.js';
import { type RouteMatcher, Router } from './router.js';
import { withResolved } from './secret-references.js';
import { timeoutsOf, Upstream } from './upstreams/upstream.js';
import type { LocalServices, Timeouts } from './upstreams/upstream-node.js';

export interface CompiledRoute {
  readonly facts: RouteFacts;
  readonly chain: Chain;
  /** Undefined: its plugins must answer, or choose one. */
  readonly upstream: Upstream | undefined;
  /** The route's own; else the chosen upstream's count. */
  readonly timeouts: Timeouts | undefined;
  readonly isWebsocket: boolean;
}

export interface TableParts {
  readonly plugins: PluginRegistry;
  readonly services: PluginServices;
  readonly logger: Logger;
  readonly kept: KeptState;
  readonly localServices: LocalServices;
  readonly upstreamTimeoutMs: number;
  /** The value behind a reference; throws when it cannot be had now. */
  readonly lookUp: (text: string) => string;
}

export class Table {
  readonly router: Router<CompiledRoute>;
  /** Runs where no route fits, before the 404. */
  readonly globalChain: Chain;
  readonly consumers: ConsumerIndex;
  readonly usesWebsockets: boolean;
  readonly #file: GatewayFile;
  readonly #parts: TableParts;
  readonly #upstreams = new Map<string, Upstream>();
  readonly #allUpstreams: Upstream[] = [];
  readonly #configured: Configured[] = [];
  readonly #metadata: ReadonlyMap<string, Readonly<Record<string, unknown>>>;

  constructor(file: GatewayFile, parts: TableParts) {
    this.#file = file;
    this.#parts = parts;
    try {
      this.#metadata = new Map(file.plugin_metadata.map(({ id, ...rest }) => [id, rest]));
      this.consumers = new ConsumerIndex(file, parts.plugins, parts.lookUp);
      for (const one of file.upstreams) this.#upstreams.set(String(one.id), this.#upstream(String(one.id), one));
      const globalRules = file.global_rules.flatMap((rule) =>
        this.#configure(rule.plugins, { kind: 'global_rule', id: String(rule.id) }),
      );
      this.globalChain = new Chain(globalRules, [], () => []);
      const active = file.routes.filter((route) => route.status !== 0);
      const matchers = active.map((route) => this.#matcher(route, globalRules));
      this.router = new Router(matchers);
      this.usesWebsockets = matchers.some((matcher) => matcher.target.isWebsocket);
    } catch (error) {
      void this.close();
      throw error;
    }
  }

  #matcher(route: RouteDefinition, globalRules: readonly Configured[]): RouteMatcher<CompiledRoute> {
    const service = this.#file.services.find((one) => String(one.id) === String(route.service_id));
    const hosts = route.hosts ?? (route.host === undefined ? service?.hosts : [route.host]) ?? [];
    const addresses = route.remote_addrs ?? (route.remote_addr === undefined ? undefined : [route.remote_addr]);
    return {
      paths: route.uris ?? [route.uri ?? '/'],
      hosts,
      methods: route.methods ?? [],
      priority: route.priority,
      isAddress: addresses && addressList(addresses),
      condition: route.vars && route.vars.length > 0 ? compileExpression(route.vars) : undefined,
      target: this.#compile(route, service, globalRules),
    };
  }

  #compile(
    route: RouteDefinition,
    service: ServiceDefinition | undefined,
    globalRules: readonly Configured[],
  ): CompiledRoute {
    const id = String(route.id);
    const config = this.#file.plugin_configs.find((one) => String(one.id) === String(route.plugin_config_id));
    // What is nearer to the request wins, plugin by plugin.
    const own = new Map<string, { owner: { kind: OwnerKind; id: string }; configuration: unknown }>();
    const layers: readonly (readonly [OwnerKind, string, PluginTable | undefined])[] = [
      ['service', String(route.service_id), service?.plugins],
      ['plugin_config', String(route.plugin_config_id), config?.plugins],
      ['route', id, route.plugins],
    ];
    for (const [kind, ownerId, table] of layers)
      for (const [name, configuration] of Object.entries(table ?? {}))
        own.set(name, { owner: { kind, id: ownerId }, configuration });
    const configured = [...own].flatMap(([name, { owner, configuration }]) =>
      this.#configure({ [name]: configuration }, owner),
    );
    const upstream = this.#upstreamOf(id, route, service);
    return {
      facts: factsOf(route, service),
      chain: new Chain(globalRules, configured, (consumer) => this.#forConsumer(consumer)),
      upstream,
      timeouts: route.timeout && timeoutsOf(route.timeout, this.#parts.upstreamTimeoutMs),
      isWebsocket: route.enable_websocket ?? service?.enable_websocket ?? false,
    };
  }

  readonly #byConsumer = new Map<Consumer, readonly Configured[]>();

  #forConsumer(consumer: Consumer): readonly Configured[] {
    const known = this.#byConsumer.get(consumer);
    if (known) return known;
    const configured = this.#configure(consumer.plugins, { kind: 'consumer', id: consumer.username });
    this.#byConsumer.set(consumer, configured);
    return configured;
  }

  #configure(table: PluginTable, owner: PluginScope['owner']): readonly Configured[] {
    const { plugins, lookUp } = this.#parts;
    const configured = configure(
      table,
      plugins,
      (plugin) => this.#scope(plugin, owner),
      (configuration) => withResolved(configuration, lookUp),
    );
    this.#configured.push(...configured);
    return configured;
  }

  #scope(plugin: Plugin, owner: PluginScope['owner']): PluginScope {
    const { services, logger, kept } = this.#parts;
    return {
      services,
      logger,
      kept,
      owner,
      metadata: this.#metadata.get(plugin.name) ?? {},
      consumers: this.consumers,
      upstream: (reference) => this.#referenced(plugin, owner, reference),
    };
  }

  #referenced(
    plugin: Plugin,
    owner: PluginScope['owner'],
    reference: { id: string } | { definition: unknown },
  ): Upstream {
    if ('definition' in reference) {
      const definition = reference.definition as UpstreamDefinition;
      const digest = createHash('sha256').update(JSON.stringify(definition)).digest('hex').slice(0, 12);
      return this.#upstream(`${owner.kind}/${owner.id}/${plugin.name}/${digest}`, definition);
    }
    const found = this.#upstreams.get(reference.id);
    if (!found) throw new Error(`there is no upstream '${reference.id}'`);
    return found;
  }

  #upstreamOf(id: string, route: RouteDefinition, service: ServiceDefinition | undefined): Upstream | undefined {
    if (route.upstream) return this.#upstream(`route/${id}`, route.upstream);
    if (route.upstream_id !== undefined) return this.#upstreams.get(String(route.upstream_id));
    if (service?.upstream) {
      const name = `service/${service.id}`;
      const known = this.#upstreams.get(name) ?? this.#upstream(name, service.upstream);
      this.#upstreams.set(name, known);
      return known;
    }
    return service?.upstream_id === undefined ? undefined : this.#upstreams.get(String(service.upstream_id));
  }

  #upstream(id: string, definition: UpstreamDefinition): Upstream {
    const { logger, localServices, upstreamTimeoutMs, lookUp } = this.#parts;
    const upstream = new Upstream(id, withResolved(definition, lookUp), {
      timeoutMs: upstreamTimeoutMs,
      localServices,
      clientCertificate: (sslId) => {
        const ssl = this.#file.ssls.find((one) => String(one.id) === sslId);
        return ssl && { cert: withResolved(ssl.cert, lookUp), key: withResolved(ssl.key, lookUp) };
      },
      onHealth: (name, node, isHealthy) =>
        logger.warn(
          { upstream: name, node, healthy: isHealthy },
          isHealthy ? 'a node is healthy again' : 'a node is unhealthy',
        ),
    });
    this.#allUpstreams.push(upstream);
    return upstream;
  }

  get upstreams(): readonly Upstream[] {
    return this.#allUpstreams;
  }

  /** Requests on their way finish; timers and idle connections go. */
  async close(): Promise<void> {
    for (const upstream of this.#allUpstreams) upstream.close();
    await Promise.all(this.#configured.map(async ({ hooks }) => await hooks.close?.()));
  }
}

function factsOf(route: RouteDefinition, service: ServiceDefinition | undefined): RouteFacts {
  return {
    id: String(route.id),
    name: route.name ?? '',
    serviceId: service ? String(service.id) : '',
    serviceName: service?.name ?? '',
    labels: { ...service?.labels, ...route.labels },
    uri: route.uri ?? route.uris?.[0] ?? '/',
    route: route as unknown as Readonly<Record<string, unknown>>,
    service: service as unknown as Readonly<Record<string, unknown>> | undefined,
  };
}
