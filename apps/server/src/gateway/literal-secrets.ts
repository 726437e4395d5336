/** Where a resource holds a secret in plain text: what is managed through the API can be read by it, so it must hold references instead. */
import type { At } from './file-lines.js';
import type { ResourceKind } from './resource-schemas.js';
import { parseReference } from './secret-references.js';

const everywhere =
  /^(secret|password|client_secret|auth_header|redis_password|sentinel_password|client_key|secret_id|private_key)$/;
const byParent: Readonly<Record<string, readonly string[]>> = {
  'key-auth': ['key'],
  ssls: ['key', 'keys'],
  secrets: ['token'],
};

export function literalSecretIn(kind: ResourceKind, value: unknown, at: At = []): At | undefined {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      const found = literalSecretIn(kind, item, [...at, index]);
      if (found) return found;
    }
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const parent = at.length === 0 ? kind : String(at.at(-1));
  for (const [name, item] of Object.entries(value)) {
    const isSecret = everywhere.test(name) || byParent[parent]?.includes(name) === true;
    const texts =
      typeof item === 'string' ? [item] : Array.isArray(item) ? item.filter((one) => typeof one === 'string') : [];
    if (isSecret && texts.some((text) => parseReference(text) === undefined)) return [...at, name];
    const found = literalSecretIn(kind, item, [...at, name]);
    if (found) return found;
  }
  return undefined;
}
