/** How often each key was asked for and which variant was given: counted here, sent together about once a minute. */
import { after, jittered } from './backoff.js';

/** The body of `POST /api/v1/usage`. */
export interface UsageReport {
  /** A report that is sent twice counts once. */
  readonly id: string;
  readonly counts: readonly UsageCount[];
}

export interface UsageCount {
  readonly kind: 'config' | 'flag';
  readonly key: string;
  /** Absent for configuration, and where the code's default was given. */
  readonly variant?: string;
  readonly count: number;
}

export interface UsageOptions {
  readonly everyMs: number;
  readonly random: () => number;
  readonly send: (report: UsageReport) => Promise<void>;
  readonly onFailure: (error: unknown) => void;
}

/** Different keys and variants between two reports; more are not told apart any more but left out. */
const maxCounts = 2_000;
const maxKeyChars = 250;

interface Kept {
  config: Map<string, Map<string | undefined, number>>;
  flag: Map<string, Map<string | undefined, number>>;
  size: number;
}

const nothing = (): Kept => ({ config: new Map(), flag: new Map(), size: 0 });

export class Usage {
  readonly #options: UsageOptions;
  #kept = nothing();
  /** Not sent yet: goes again with the next one, under its own id. */
  #unsent: UsageReport | undefined;
  #cancel = (): void => {};
  #sending: Promise<void> | undefined;
  /** Left out because there were too many. */
  dropped = 0;

  constructor(options: UsageOptions) {
    this.#options = options;
  }

  start(): void {
    this.#cancel = after(jittered(this.#options.everyMs, this.#options.random), () => {
      void this.flush().finally(() => this.start());
    });
  }

  /** Cost: two looks into maps. */
  count(kind: 'config' | 'flag', key: string, variant: string | undefined): void {
    const kept = this.#kept;
    let variants = kept[kind].get(key);
    if (variants === undefined) {
      if (kept.size >= maxCounts || key.length > maxKeyChars) {
        this.dropped += 1;
        return;
      }
      variants = new Map();
      kept[kind].set(key, variants);
    }
    const count = variants.get(variant);
    if (count === undefined) {
      if (kept.size >= maxCounts) {
        this.dropped += 1;
        return;
      }
      kept.size += 1;
    }
    variants.set(variant, (count ?? 0) + 1);
  }

  /** Sends what was counted; never rejects. */
  async flush(): Promise<void> {
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined;
    });
    await this.#sending;
  }

  async stop(): Promise<void> {
    this.#cancel();
    await this.#sending;
    await this.flush();
    this.#cancel();
  }

  async #send(): Promise<void> {
    const { send, onFailure } = this.#options;
    try {
      // What was not acknowledged may have been counted: it goes again as it was.
      if (this.#unsent !== undefined) {
        await send(this.#unsent);
        this.#unsent = undefined;
      }
      const counts = this.#take();
      if (counts.length === 0) return;
      this.#unsent = { id: crypto.randomUUID(), counts };
      await send(this.#unsent);
      this.#unsent = undefined;
    } catch (error) {
      onFailure(error);
    }
  }

  #take(): readonly UsageCount[] {
    const kept = this.#kept;
    this.#kept = nothing();
    const counts: UsageCount[] = [];
    for (const kind of ['config', 'flag'] as const)
      for (const [key, variants] of kept[kind])
        for (const [variant, count] of variants)
          counts.push({ kind, key, ...(variant === undefined ? {} : { variant }), count });
    return counts;
  }
}
