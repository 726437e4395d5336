/**
 * All resources as of one revision, in memory: what every write is checked against and every answer is made from. Versions are applied
 * in the order of revisions, whole revisions at a time; one that was applied before changes nothing.
 */
import type {
  LastDeletion,
  LoadedResources,
  Resource,
  ResourceKind,
  ResourceScope,
  ResourceVersion,
} from '../ports/resource-store.port.js';
import type { Item } from './config-content.js';

export type AnyItem = Item<unknown>;

/** A resource as it is stored. */
export const toResource = (item: AnyItem): Resource => ({ ...item, content: JSON.stringify(item.content) });

const slotOf = (kind: ResourceKind, { appId, environment }: ResourceScope, key: string): string =>
  `${kind}\n${appId ?? ''}\n${environment ?? ''}\n${key}`;

function toItem(resource: Resource): AnyItem {
  return { ...resource, content: JSON.parse(resource.content) as unknown };
}

/** What a step changed, for those who keep something compiled. */
export interface StateChange {
  readonly revision: number;
  readonly items: readonly ItemChange[];
}

/** Undefined: not there. */
export interface ItemChange {
  readonly before: AnyItem | undefined;
  readonly after: AnyItem | undefined;
  /** The revision that made the change; a step may hold several. */
  readonly revision: number;
}

export class ConfigurationState {
  #revision: number;
  readonly #byId = new Map<string, AnyItem>();
  readonly #deletions = new Map<string, LastDeletion>();
  readonly #byKind = new Map<ResourceKind, Map<string, AnyItem>>();
  readonly #bySlot = new Map<string, AnyItem>();

  constructor(loaded: LoadedResources) {
    this.#revision = loaded.revision;
    for (const deletion of loaded.deletions) this.#deletions.set(slotOf(deletion.kind, deletion, ''), deletion);
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
    for (const item of this.#byKind.get(kind)?.values() ?? []) yield item as Item<C>;
  }

  /** `versions`: everything after this state's revision up to `revision`. */
  apply(versions: readonly ResourceVersion[], revision: number): StateChange {
    const items: ItemChange[] = [];
    for (const version of versions) {
      if (version.revision <= this.#revision) continue;
      const before = this.#byId.get(version.id);
      const after = version.content === null ? undefined : this.#itemOf(version, version.content, before);
      if (before) this.#remove(before);
      if (after) this.#put(after);
      else {
        const { kind, appId, environment, revision: at } = version;
        this.#deletions.set(slotOf(kind, version, ''), { kind, appId, environment, revision: at });
      }
      items.push({ before, after, revision: version.revision });
    }
    this.#revision = Math.max(this.#revision, revision);
    return { revision: this.#revision, items };
  }

  /** When something last went, by kind and scope. */
  deletions(): readonly LastDeletion[] {
    return [...this.#deletions.values()];
  }

  /** All of them, as of now. */
  items(): readonly AnyItem[] {
    return [...this.#byId.values()];
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
    const same = this.#byKind.get(item.kind) ?? new Map<string, AnyItem>();
    this.#byKind.set(item.kind, same.set(item.id, item));
  }

  #remove(item: AnyItem): void {
    this.#byId.delete(item.id);
    this.#bySlot.delete(slotOf(item.kind, item, item.key));
    this.#byKind.get(item.kind)?.delete(item.id);
  }
}
