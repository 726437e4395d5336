/**
 * The `sync` role: keeps real OPAs current by REST push (the specification's etcd→OPA watcher). A change pushes what changed, data first;
 * an OPA that restarted or was away is found by a marker document and gets everything again.
 */
import { request } from 'undici';
import type { Enforcer } from '../decisions/enforcer.js';
import { type TenantSet, tenantSet } from './tenant-modules.js';

export interface SyncOptions {
  readonly urls: readonly string[];
  /** Bearer token; empty for none. */
  readonly token: string;
  readonly onError: (url: string, error: unknown) => void;
  readonly onPushed: (url: string, revision: number) => void;
  readonly probeMs?: number;
}

const markerPath = 'v1/data/bailiwick_sync';
const timeoutMs = 5_000;
const retryMs = 250;

export class OpaSync {
  readonly #targets: readonly Target[];
  readonly #stopListening: () => void;

  constructor(enforcer: Enforcer, options: SyncOptions) {
    this.#targets = options.urls.map((url) => new Target(url.replace(/\/$/, ''), enforcer, options));
    this.#stopListening = enforcer.onApplied((change) => {
      if (change.policies.length > 0) for (const target of this.#targets) target.wake();
    });
    for (const target of this.#targets) target.start();
  }

  /** Revision pushed to each, by URL; 0 before the first. */
  revisions(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#targets.map((target) => [target.url, target.revision]));
  }

  async stop(): Promise<void> {
    this.#stopListening();
    await Promise.all(this.#targets.map((target) => target.stop()));
  }
}

/** One OPA: what it has, as far as we know. */
class Target {
  readonly url: string;
  readonly #enforcer: Enforcer;
  readonly #options: SyncOptions;
  #modules = new Map<string, string>();
  #data = new Map<string, string>();
  #isKnown = false;
  #revision = 0;
  #isStopped = false;
  #isDirty = true;
  #wake: (() => void) | undefined;
  #loop: Promise<void> | undefined;

  constructor(url: string, enforcer: Enforcer, options: SyncOptions) {
    this.url = url;
    this.#enforcer = enforcer;
    this.#options = options;
  }

  get revision(): number {
    return this.#revision;
  }

  start(): void {
    this.#loop = this.#run();
  }

  wake(): void {
    this.#isDirty = true;
    this.#wake?.();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wake?.();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      try {
        if (!this.#isKnown) await this.#forgetAndClear();
        while (this.#isDirty && !this.#isStopped) {
          this.#isDirty = false;
          await this.#push(tenantSet(this.#enforcer));
        }
        await this.#pause(this.#options.probeMs ?? 2_000);
        if (!this.#isDirty && !this.#isStopped && !(await this.#hasMarker())) this.#forget();
      } catch (error) {
        this.#options.onError(this.url, error);
        this.#forget();
        await this.#pause(retryMs, true);
      }
    }
  }

  #forget(): void {
    this.#isKnown = false;
    this.#isDirty = true;
  }

  /** Modules of ours that an earlier push left there and that are not in force any more must go. */
  async #forgetAndClear(): Promise<void> {
    this.#modules = new Map();
    this.#data = new Map();
    const { result } = (await this.#call('GET', 'v1/policies')) as { result?: readonly { id: string }[] };
    const wanted = new Set(tenantSet(this.#enforcer).modules.map((module) => module.id));
    for (const { id } of result ?? [])
      if (isOurs(id) && !wanted.has(id)) await this.#call('DELETE', `v1/policies/${id}`);
    this.#isKnown = true;
  }

  async #push(set: TenantSet): Promise<void> {
    const data = new Map(set.data.map(({ path, text }) => [path.join('/'), text]));
    const modules = new Map(set.modules.map((module) => [module.id, module.rego]));
    // The decision rule refers to the others: it goes first when something vanishes, last when something comes.
    const gone = [...this.#modules.keys()].filter((id) => !modules.has(id));
    if (gone.length > 0) await this.#putModule('bailiwick/authz.rego', modules.get('bailiwick/authz.rego') ?? '');
    for (const id of gone) {
      await this.#call('DELETE', `v1/policies/${id}`);
      this.#modules.delete(id);
    }
    for (const path of [...this.#data.keys()].filter((known) => !data.has(known))) {
      await this.#call('DELETE', `v1/data/${path}`);
      this.#data.delete(path);
    }
    for (const [path, text] of data) {
      if (this.#data.get(path) === text) continue;
      await this.#call('PUT', `v1/data/${path}`, text, 'application/json');
      this.#data.set(path, text);
    }
    for (const [id, rego] of modules) if (this.#modules.get(id) !== rego) await this.#putModule(id, rego);
    await this.#call('PUT', markerPath, JSON.stringify({ revision: set.revision }), 'application/json');
    this.#revision = set.revision;
    this.#options.onPushed(this.url, set.revision);
  }

  async #putModule(id: string, rego: string): Promise<void> {
    await this.#call('PUT', `v1/policies/${id}`, rego, 'text/plain');
    this.#modules.set(id, rego);
  }

  async #hasMarker(): Promise<boolean> {
    const { result } = (await this.#call('GET', markerPath)) as { result?: { revision?: number } };
    return result?.revision === this.#revision;
  }

  async #call(method: 'GET' | 'PUT' | 'DELETE', path: string, body?: string, type?: string): Promise<unknown> {
    const response = await request(`${this.url}/${path}`, {
      method,
      body: body ?? null,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      headers: {
        ...(type === undefined ? {} : { 'content-type': type }),
        ...(this.#options.token === '' ? {} : { authorization: `Bearer ${this.#options.token}` }),
      },
    });
    const text = await response.body.text();
    const isMissing = method === 'DELETE' && response.statusCode === 404;
    if (response.statusCode >= 300 && !isMissing)
      throw new Error(`${method} ${path}: OPA answered ${response.statusCode}: ${text.slice(0, 500)}`);
    return text === '' || isMissing ? {} : JSON.parse(text);
  }

  async #pause(ms: number, isFixed = false): Promise<void> {
    if (this.#isStopped || (this.#isDirty && !isFixed)) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        if (isFixed && !this.#isStopped) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}

const isOurs = (id: string): boolean =>
  id.startsWith('projects/') || id.startsWith('platform/') || id.startsWith('bailiwick/');
