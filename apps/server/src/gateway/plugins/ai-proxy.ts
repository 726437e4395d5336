/** `ai-proxy`: sends a call of a language model to one configured provider, in the format that the client speaks. */
import { type Static, Type } from '@sinclair/typebox';
import { connectionFields, Instance, instanceFault, instanceFields } from '../ai/instance.js';
import { planParts, proxyHooks, proxyMetadata } from '../ai/proxy-hooks.js';
import type { Plugin } from '../plugin.js';
import { closed } from '../resource-schemas.js';

const schema = Type.Object({ ...instanceFields, ...connectionFields }, closed);

export const aiProxy: Plugin<Static<typeof schema>> = {
  name: 'ai-proxy',
  priority: 1040,
  schema,
  metadataSchema: proxyMetadata,
  check: instanceFault,
  compile: (configuration, scope) => {
    const instance = new Instance({ ...configuration, name: `ai-proxy-${configuration.provider}` }, configuration);
    const plan = {
      ...planParts(configuration, scope),
      next: (_exchange: unknown, tried: ReadonlySet<Instance>) => (tried.has(instance) ? undefined : instance),
      fallsBackOn: () => false,
      fallsBackOnLimit: false,
      maxRetries: 0,
      retryWithinMs: 0,
      observed: () => undefined,
    };
    return proxyHooks({ plan, connection: configuration, instances: [instance] });
  },
};
