/**
 * The client: the engine behind promises, in a worker of its own, so that no policy can freeze a
 * page. It remembers what it compiled, so that a worker that had to be ended is replaced unnoticed.
 */
import type {
  BrowserCompileOptions,
  BrowserEvaluateOptions,
  BrowserFormatOptions,
  CheckedAnswer,
  CompiledAnswer,
  Document,
  EvaluatedAnswer,
  Request,
} from './messages.js';
import { type CallOptions, WorkerLine, type WorkerPort } from './worker-line.js';

export interface RegoWorkerOptions {
  /** Starts the worker; by default `worker.js` beside this file, as a module. For bundlers with a way of their own. */
  readonly createWorker?: () => WorkerPort;
  /** A request that runs longer is ended with its worker, in milliseconds. Default 10,000. */
  readonly timeLimitMs?: number;
}

/** What a policy is asked with; `json` of the answer keeps numbers that `value` rounds. */
export interface EvaluationCall extends BrowserEvaluateOptions, CallOptions {
  readonly input?: Document;
}

/** An answer as JSON; sets are arrays. `json` is absent, and `value` undefined, when the document is undefined. */
export interface Evaluated {
  readonly value: unknown;
  readonly json: string | undefined;
}

export interface Explained extends Evaluated {
  readonly trace: NonNullable<EvaluatedAnswer['trace']>;
}

/** Declared here because the engine's types know no browser. */
declare const Worker: new (url: URL, options: { readonly type: 'module' }) => WorkerPort;

const DEFAULT_TIME_LIMIT_MS = 10_000;

interface Kept {
  readonly options: BrowserCompileOptions;
  readonly changes: Map<string, Document>;
}

export class RegoWorker {
  private readonly line: WorkerLine;
  private readonly kept = new Map<number, Kept>();
  private lastPolicy = 0;

  constructor(options: RegoWorkerOptions = {}) {
    this.line = new WorkerLine({
      createWorker:
        options.createWorker ?? (() => new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })),
      timeLimitMs: options.timeLimitMs ?? DEFAULT_TIME_LIMIT_MS,
      restore: () => this.restore(),
    });
  }

  /** Errors: `RegoErrors`. */
  async compile(options: BrowserCompileOptions, call: CallOptions = {}): Promise<WorkerPolicy> {
    this.lastPolicy += 1;
    const policy = this.lastPolicy;
    const answer = (await this.line.ask({ kind: 'compile', policy, options }, call)) as CompiledAnswer;
    this.kept.set(policy, { options, changes: new Map() });
    return new WorkerPolicy(policy, answer, this.line, this.kept);
  }

  /** Every problem of modules that belong together; none when they compile. */
  async check(options: BrowserCompileOptions, call: CallOptions = {}): Promise<CheckedAnswer> {
    return (await this.line.ask({ kind: 'check', options }, call)) as CheckedAnswer;
  }

  /** The text in `opa fmt`'s layout. Errors: `RegoErrors`. */
  async format(text: string, options: BrowserFormatOptions & CallOptions = {}): Promise<string> {
    const { signal, timeLimitMs, ...rest } = options;
    return (await this.line.ask({ kind: 'format', text, options: rest }, callOf({ signal, timeLimitMs }))) as string;
  }

  /** Ends the worker; requests under way are rejected. */
  close(): void {
    this.line.close();
    this.kept.clear();
  }

  private restore(): readonly Request[] {
    const requests: Request[] = [];
    for (const [policy, { options, changes }] of this.kept) {
      requests.push({ kind: 'compile', policy, options });
      for (const [path, data] of changes) requests.push({ kind: 'set-data', policy, path, data });
    }
    return requests;
  }
}

/** A policy that lives in the worker. */
export class WorkerPolicy {
  readonly backend: CompiledAnswer['backend'];
  readonly warnings: CompiledAnswer['warnings'];
  private readonly id: number;
  private readonly line: WorkerLine;
  private readonly kept: Map<number, Kept>;

  constructor(id: number, answer: CompiledAnswer, line: WorkerLine, kept: Map<number, Kept>) {
    this.id = id;
    this.backend = answer.backend;
    this.warnings = answer.warnings;
    this.line = line;
    this.kept = kept;
  }

  /** The value of a document. Errors: `RegoEvaluationError`. */
  async evaluate(path: string, call: EvaluationCall = {}): Promise<Evaluated> {
    return evaluatedOf(await this.ask('evaluate', path, call));
  }

  /** Every way to satisfy a query: a row of bindings for each. Errors: `RegoErrors`, `RegoEvaluationError`. */
  async query(text: string, call: EvaluationCall = {}): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const { value } = evaluatedOf(await this.ask('query', text, call));
    return value as readonly Readonly<Record<string, unknown>>[];
  }

  /** A document's value with the expressions met on the way. Errors: `RegoEvaluationError`. */
  async explain(path: string, call: EvaluationCall = {}): Promise<Explained> {
    const answer = await this.ask('explain', path, call);
    return { ...evaluatedOf(answer), trace: answer.trace ?? [] };
  }

  /** Replaces the document at a path (`a/b`, empty for all). */
  async setData(path: string, data: Document, call: CallOptions = {}): Promise<void> {
    await this.line.ask({ kind: 'set-data', policy: this.id, path, data }, call);
    const changes = this.kept.get(this.id)?.changes;
    if (changes === undefined) return;
    // What lies below is replaced with it; to be the last again, a path goes and comes back.
    for (const known of [...changes.keys()]) {
      if (path === '' || known === path || known.startsWith(`${path}/`)) changes.delete(known);
    }
    changes.set(path, data);
  }

  /** Forgets the policy, here and in the worker. */
  async release(): Promise<void> {
    if (this.kept.delete(this.id)) await this.line.ask({ kind: 'release', policy: this.id });
  }

  private async ask(
    kind: 'evaluate' | 'query' | 'explain',
    subject: string,
    call: EvaluationCall,
  ): Promise<EvaluatedAnswer> {
    const { signal, timeLimitMs, input, ...options } = call;
    const request: Request = { kind, policy: this.id, subject, input, options };
    return (await this.line.ask(request, callOf({ signal, timeLimitMs }))) as EvaluatedAnswer;
  }
}

/** Drops what was not given. */
function callOf(call: { signal: AbortSignal | undefined; timeLimitMs: number | undefined }): CallOptions {
  return {
    ...(call.signal === undefined ? {} : { signal: call.signal }),
    ...(call.timeLimitMs === undefined ? {} : { timeLimitMs: call.timeLimitMs }),
  };
}

const evaluatedOf = ({ json }: EvaluatedAnswer): Evaluated => ({
  json,
  value: json === undefined ? undefined : (JSON.parse(json) as unknown),
});
