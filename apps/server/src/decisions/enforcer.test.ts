/** Changes as the store's watch brings them: in order, and large ones while decisions go on. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { compile } from '@bailiwick/rego';
import { describe, expect, it } from 'vitest';
import { dataKey, regoKey } from '../policies/policy-model.js';
import type { ChangeBatch, KeyValue, KeyValueStore, WatchOptions } from '../ports/key-value-store.port.js';
import { Enforcer } from './enforcer.js';
import { WorldCompiler } from './world.js';

/** Stands in for a store: what the test says is what the watch brings. */
class StoreStandIn {
  #watching: WatchOptions | undefined;
  #revision = 1;

  readonly store = {
    range: async () => ({ revision: 1, items: [] }),
    watch: (options: WatchOptions) => {
      this.#watching = options;
      return { close: async () => undefined };
    },
  } as unknown as KeyValueStore;

  item(key: string, value: string): KeyValue {
    return { key, value, createRevision: this.#revision, modRevision: this.#revision };
  }

  put(key: string, value: string): number {
    this.#revision += 1;
    const batch: ChangeBatch = { revision: this.#revision, events: [{ kind: 'put', item: this.item(key, value) }] };
    this.#watching?.onBatch(batch);
    return this.#revision;
  }

  resync(items: readonly (readonly [string, string])[]): number {
    this.#revision += 1;
    const fresh = items.map(([key, value]) => this.item(key, value));
    this.#watching?.onResync({ revision: this.#revision, items: fresh });
    return this.#revision;
  }
}

const small = (answer: boolean): string => `package p\nallow := ${answer}\n`;

/** Every rule is checked; `allow` needs one of them. */
function large(answer: boolean, rules = 2000): string {
  const text = Array.from(
    { length: rules },
    (_unused, index) => `
# What ${index} may do.
may_${index} if {
	some role in input.roles
	permission := data.permissions[role][_]
	permission.action == input.action
	startswith(input.path, "/api/${index}/")
}
`,
  );
  return `package p\nallow := ${answer}\n${text.join('')}`;
}

async function started(): Promise<{ enforcer: Enforcer; standIn: StoreStandIn }> {
  const standIn = new StoreStandIn();
  const enforcer = new Enforcer(
    standIn.store,
    new WorldCompiler({ allowedBuiltins: [], maxSteps: 1_000_000, timeoutMs: 1000 }),
  );
  await enforcer.start();
  return { enforcer, standIn };
}

const allows = (enforcer: Enforcer): unknown => {
  const state = enforcer.state('p');
  return state?.kind === 'ready' ? state.world.allow({}) : state?.kind;
};

describe('changes from the store', () => {
  it('come into force at once when they are small', async () => {
    const { enforcer, standIn } = await started();
    standIn.put(regoKey('p'), small(true));
    expect(allows(enforcer)).toBe(true);
  });

  it('come into force in their order behind a large one, the one before in force until then', async () => {
    const { enforcer, standIn } = await started();
    standIn.put(regoKey('p'), small(false));
    const first = standIn.put(regoKey('p'), large(true));
    expect(allows(enforcer)).toBe(false);
    const last = standIn.put(regoKey('q'), small(true));
    expect(enforcer.state('q')).toBeUndefined();
    const seen: number[] = [];
    enforcer.onApplied(({ revision }) => seen.push(revision));
    expect(await enforcer.whenApplied(last, 60_000)).toBe(true);
    expect(allows(enforcer)).toBe(true);
    expect(seen).toEqual([first, last]);
    standIn.put(regoKey('p'), small(false));
    expect(allows(enforcer)).toBe(false);
  });

  it('end with the newest of two large ones, and with a list that replaces both', async () => {
    const { enforcer, standIn } = await started();
    standIn.put(regoKey('p'), large(true, 1000));
    const second = standIn.put(regoKey('p'), large(false, 1001));
    await enforcer.whenApplied(second, 60_000);
    expect(allows(enforcer)).toBe(false);
    standIn.put(regoKey('p'), large(false, 1002));
    const listed = standIn.resync([[regoKey('p'), small(true)]]);
    await enforcer.whenApplied(listed, 60_000);
    expect(allows(enforcer)).toBe(true);
  });

  it('deny when a large one does not compile, or its data cannot be read', async () => {
    const { enforcer, standIn } = await started();
    const broken = standIn.put(regoKey('p'), `${large(true, 1000)}x if y\n`);
    await enforcer.whenApplied(broken, 60_000);
    expect(allows(enforcer)).toBe('broken');
    const mended = standIn.put(regoKey('p'), large(true, 1000));
    await enforcer.whenApplied(mended, 60_000);
    expect(allows(enforcer)).toBe(true);
    const noJson = standIn.put(dataKey('p'), `{"a": ${' '.repeat(300_000)}`);
    await enforcer.whenApplied(noJson, 60_000);
    expect(allows(enforcer)).toBe('broken');
  });

  it('leave the event loop free while a large one is compiled and its data read', async () => {
    const text = large(true, 4000);
    compile({ modules: [{ name: 'p.rego', text }] });
    const before = performance.now();
    compile({ modules: [{ name: 'p.rego', text }] });
    const atOnceMs = performance.now() - before;
    const { enforcer, standIn } = await started();
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    standIn.put(regoKey('p'), text);
    const items = Array.from({ length: 60_000 }, (_unused, index) => ({ id: index, name: `name ${index}` }));
    const last = standIn.put(dataKey('p'), JSON.stringify({ items }));
    await enforcer.whenApplied(last, 60_000);
    delay.disable();
    expect(allows(enforcer)).toBe(true);
    // In slices of a few milliseconds, and what the collector takes.
    expect(delay.percentile(90) / 1e6).toBeLessThan(atOnceMs / 4);
  });
});
