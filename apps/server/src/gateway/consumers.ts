/** The file's consumers: who they are, what plugins they bring, and by which credential an authentication plugin finds them. */

import type { Consumer } from './exchange.js';
import type { ConsumerDirectory, Credential, PluginRegistry } from './plugin.js';
import type { GatewayFile } from './resource-schemas.js';
import { withResolved } from './secret-references.js';

export class ConsumerIndex implements ConsumerDirectory {
  readonly #byName = new Map<string, Consumer>();
  readonly #byCredential = new Map<string, Map<string, Credential>>();
  readonly #unresolved = new Set<string>();

  /** `lookUp` gives the value behind a reference and throws when it has none. */
  constructor(file: GatewayFile, plugins: PluginRegistry, lookUp: (text: string) => string) {
    const groups = new Map(file.consumer_groups.map((group) => [String(group.id), group.plugins]));
    for (const definition of file.consumers) {
      const groupId = definition.group_id === undefined ? undefined : String(definition.group_id);
      const own = Object.entries(definition.plugins ?? {});
      const consumer: Consumer = {
        username: definition.username,
        groupId,
        labels: definition.labels ?? {},
        plugins: {
          ...(groupId === undefined ? {} : groups.get(groupId)),
          ...Object.fromEntries(own.filter(([name]) => plugins.get(name)?.type !== 'auth')),
        },
      };
      this.#byName.set(consumer.username, consumer);
      for (const [name, configuration] of own)
        if (plugins.get(name)?.type === 'auth') this.#index(name, consumer, configuration, lookUp);
    }
  }

  #index(plugin: string, consumer: Consumer, raw: unknown, lookUp: (text: string) => string): void {
    try {
      const configuration = withResolved(raw, lookUp) as Readonly<Record<string, unknown>>;
      const known = this.#byCredential.get(plugin) ?? new Map<string, Credential>();
      known.set(String(configuration['key']), { consumer, configuration });
      this.#byCredential.set(plugin, known);
    } catch {
      this.#unresolved.add(plugin);
    }
  }

  byName(name: string): Consumer | undefined {
    return this.#byName.get(name);
  }

  /** The consumer whose entry for this plugin has this `key`. */
  find(plugin: string, key: string): Credential | undefined {
    return this.#byCredential.get(plugin)?.get(key);
  }

  /** A credential of this plugin is behind a secret that cannot be had now: an unknown key may be his. */
  isIncomplete(plugin: string): boolean {
    return this.#unresolved.has(plugin);
  }
}
