/**
 * All resources as of one revision, in memory: what every write is checked against and every answer is made from. Versions are applied
 * in the order of revisions, whole revisions at a time; one that was applied before changes nothing.
 */
import type { Resource, ResourceKind, ResourceScope, ResourceVersion } from '../ports/resource-store.port.js';
import type { Item } from './config-content.js';

type AnyItem = Item<unknown>;

const slotOf = (kind: ResourceKind, { appId, environment }: ResourceScope, key: string): string =>
  `${kind}\n${appId ?? ''}\n${environment ?? ''}\n${key}`;

function toItem(resource: Resource): AnyItem {
  return { ...resource, content: JSON.parse(resource.content) as unknown };
}

/** What a step changed, for those who keep something compiled. */
export interface StateChange {
  readonly revision: number;
  /** Before and after; undefined: not there. */
  readonly items: readonly { readonly before: AnyItem | undefined; readonly after: AnyItem | undefined }[];
}

export class ConfigurationState {
  #revision: number;
  readonly #byId = new Map<string, AnyItem>();
  readonly #bySlot = new Map<string, AnyItem>();

  constructor(loaded: { readonly revision: number; readonly resources: readonly Resource[] }) {
    this.#revision = loaded.revision;
    for (const resource of loaded.resources) this.#put(toItem(resource));
  }

  get revision(): number {
    return this.#revision;
  }

  get size(): number {
    return this.#byId.size;
  }

  get<C>(kind: ResourceKind, id: string): Item<C> | undefined {
    const item = this.#byId.get(id);
    return item?.kind === kind ? (item as Item<C>) : undefined;
  }

  find<C>(kind: ResourceKind, scope: ResourceScope, key: string): Item<C> | undefined {
    return this.#bySlot.get(slotOf(kind, scope, key)) as Item<C> | undefined;
  }

  /** In no order. */
  *all<C>(kind: ResourceKind): Generator<Item<C>> {
    for (const item of this.#byId.values()) if (item.kind === kind) yield item as Item<C>;
  }

  /** `versions`: everything after this state's revision up to `revision`. */
  apply(versions: readonly ResourceVersion[], revision: number): StateChange {
    const items: { before: AnyItem | undefined; after: AnyItem | undefined }[] = [];
    for (const version of versions) {
      if (version.revision <= this.#revision) continue;
      const before = this.#byId.get(version.id);
      const after = version.content === null ? undefined : this.#itemOf(version, version.content, before);
      if (before) this.#remove(before);
      if (after) this.#put(after);
      items.push({ before, after });
    }
    this.#revision = Math.max(this.#revision, revision);
    return { revision: this.#revision, items };
  }

  /** The resources as they are stored, for a snapshot elsewhere. */
  dump(): readonly Resource[] {
    return [...this.#byId.values()].map((item) => ({ ...item, content: JSON.stringify(item.content) }));
  }

  #itemOf(version: ResourceVersion, content: string, before: AnyItem | undefined): AnyItem {
    const { place: _place, action: _action, rolledBackTo: _rolledBackTo, ...resource } = version;
    const createdAt = before?.createdAt ?? version.updatedAt;
    const createdBy = before?.createdBy ?? version.updatedBy;
    return toItem({ ...resource, content, createdAt, createdBy });
  }

  #put(item: AnyItem): void {
    this.#byId.set(item.id, item);
    this.#bySlot.set(slotOf(item.kind, item, item.key), item);
  }

  #remove(item: AnyItem): void {
    this.#byId.delete(item.id);
    this.#bySlot.delete(slotOf(item.kind, item, item.key));
  }
}
