/** Whether what resources point at by id is there: upstreams, services, plugin configs, consumer groups, certificates, secrets. */
import type { At } from './file-lines.js';
import type { GatewayFile, UpstreamDefinition } from './resource-schemas.js';
import { type Reference, referencesIn } from './secret-references.js';

type Report = (at: At, message: string) => void;
type Id = string | number | undefined;

export function findUndefinedReference(file: GatewayFile, report: Report): void {
  const ids = {
    upstream: new Set(file.upstreams.map((one) => String(one.id))),
    service: new Set(file.services.map((one) => String(one.id))),
    'plugin config': new Set(file.plugin_configs.map((one) => String(one.id))),
    'consumer group': new Set(file.consumer_groups.map((one) => String(one.id))),
    ssl: new Set(file.ssls.map((one) => String(one.id))),
  };
  const need = (kind: keyof typeof ids, id: Id, at: At): void => {
    if (id !== undefined && !ids[kind].has(String(id))) report(at, `there is no ${kind} '${id}'`);
  };
  const upstream = (definition: UpstreamDefinition | undefined, at: At): void => {
    if (!definition) return;
    need('ssl', definition.tls?.client_cert_id, [...at, 'tls', 'client_cert_id']);
    const hashesByKey = definition.type === 'chash' && definition.hash_on !== 'consumer';
    if (hashesByKey && definition.key === undefined) report(at, `an upstream of type chash needs a key`);
    if (definition.pass_host === 'rewrite' && definition.upstream_host === undefined)
      report(at, 'pass_host rewrite needs upstream_host');
  };
  const split = (plugins: Readonly<Record<string, unknown>> | undefined, at: At): void => {
    const rules = (plugins?.['traffic-split'] as { rules?: readonly Rule[] } | undefined)?.rules ?? [];
    rules.forEach((rule, index) => {
      rule.weighted_upstreams?.forEach((one, place) => {
        const where = [...at, 'plugins', 'traffic-split', 'rules', index, 'weighted_upstreams', place];
        need('upstream', one.upstream_id, [...where, 'upstream_id']);
        upstream(one.upstream, where);
      });
    });
  };
  file.upstreams.forEach((one, index) => {
    upstream(one, ['upstreams', index]);
  });
  file.services.forEach((one, index) => {
    const at = ['services', index];
    need('upstream', one.upstream_id, [...at, 'upstream_id']);
    upstream(one.upstream, [...at, 'upstream']);
    split(one.plugins, at);
  });
  file.plugin_configs.forEach((one, index) => {
    split(one.plugins, ['plugin_configs', index]);
  });
  file.consumers.forEach((one, index) => {
    need('consumer group', one.group_id, ['consumers', index, 'group_id']);
  });
  file.routes.forEach((one, index) => {
    const at = ['routes', index];
    need('upstream', one.upstream_id, [...at, 'upstream_id']);
    need('service', one.service_id, [...at, 'service_id']);
    need('plugin config', one.plugin_config_id, [...at, 'plugin_config_id']);
    upstream(one.upstream, [...at, 'upstream']);
    split(one.plugins, at);
    checkUpstream(file, one, at, report);
  });
  checkSecrets(file, report);
}

interface Rule {
  readonly weighted_upstreams?: readonly { readonly upstream_id?: Id; readonly upstream?: UpstreamDefinition }[];
}

/** A route needs somewhere to go: its own upstream, its service's, or plugins that answer. */
function checkUpstream(file: GatewayFile, route: GatewayFile['routes'][number], at: At, report: Report): void {
  const service = file.services.find((one) => String(one.id) === String(route.service_id));
  const given = [route.upstream, route.upstream_id].filter((one) => one !== undefined).length;
  if (given > 1) report(at, `route '${route.id}' needs either upstream or upstream_id`);
  const isReachable = given > 0 || service?.upstream !== undefined || service?.upstream_id !== undefined;
  const hasPlugins =
    route.plugins !== undefined || route.plugin_config_id !== undefined || service?.plugins !== undefined;
  if (!isReachable && !hasPlugins)
    report(at, `route '${route.id}' needs an upstream, an upstream_id, a service_id or plugins`);
}

function checkSecrets(file: GatewayFile, report: Report): void {
  const managers = new Set(file.secrets.map((one) => one.id));
  const check = (reference: Reference, at: At): void => {
    if (reference.kind === 'vault' && !managers.has(`vault/${reference.manager}`))
      report(at, `${reference.text} names the secret 'vault/${reference.manager}', which is not in secrets`);
    if (reference.kind === 'malformed')
      report(at, `'${reference.text}' is not a reference that this gateway understands`);
  };
  for (const [kind, list] of Object.entries(file))
    (list as readonly unknown[]).forEach((resource, index) => {
      for (const { reference, at } of referencesIn(resource)) check(reference, [kind, index, ...at]);
    });
}
