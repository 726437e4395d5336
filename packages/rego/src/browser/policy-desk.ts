/**
 * The worker's side without the worker: keeps compiled policies by number and answers requests.
 * Before it compiles, it loads the rare built-ins that the texts name; before it formats, the printer.
 */
import { loadBuiltinsFor } from '../builtins/on-demand.js';
import { isRegoErrors, isRegoEvaluationError } from '../errors.js';
import { type CompileOptions, compile, type EvaluateOptions, type Policy } from '../policy.js';
import type { Module, RegoVersion } from '../syntax/ast.js';
import { parseModuleSource, parseQuery } from '../syntax/parser.js';
import { fromJson, parseJson, stringifyJson, type Value } from '../values/index.js';
import type {
  BrowserCompileOptions,
  BrowserEvaluateOptions,
  CheckedAnswer,
  CompiledAnswer,
  Document,
  EvaluatedAnswer,
  Failure,
  Request,
} from './messages.js';

const toValue = (document: Document): Value =>
  'text' in document ? parseJson(document.text) : fromJson(document.value);

function tryParse<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (isRegoErrors(error)) return undefined;
    throw error;
  }
}

function parseAs(name: string, text: string, version: RegoVersion | 'auto'): Module | undefined {
  const first = tryParse(() => parseModuleSource(name, text, { version: version === 'auto' ? 'v1' : version }));
  if (first !== undefined || version !== 'auto') return first;
  return tryParse(() => parseModuleSource(name, text, { version: 'v0' }));
}

/** What is thrown, in a form that a message carries. */
export function toFailure(error: unknown): Failure {
  if (isRegoErrors(error)) return { kind: 'rego', errors: error.errors };
  if (isRegoEvaluationError(error)) {
    const { code, reason, location } = error;
    return { kind: 'evaluation', code, reason, location };
  }
  return { kind: 'fault', message: error instanceof Error ? error.message : String(error) };
}

export class PolicyDesk {
  private readonly policies = new Map<number, Policy>();

  /** The request's answer, ready to be sent. Errors: what the engine throws. */
  async answer(request: Request): Promise<unknown> {
    switch (request.kind) {
      case 'compile': {
        const policy = await this.compile(request.options);
        this.policies.set(request.policy, policy);
        return { backend: policy.backend, warnings: policy.warnings } satisfies CompiledAnswer;
      }
      case 'check':
        return this.check(request.options);
      case 'format': {
        // Who decides does not print.
        const { formatModule } = await import('../syntax/printer.js');
        const { name = '', version = 'v1' } = request.options;
        return formatModule(request.text, { version, file: name });
      }
      case 'set-data':
        this.policy(request.policy).setData(request.path, toValue(request.data));
        return undefined;
      case 'release':
        this.policies.delete(request.policy);
        return undefined;
      case 'evaluate':
      case 'query':
      case 'explain':
        return this.evaluate(request);
    }
  }

  private policy(id: number): Policy {
    const policy = this.policies.get(id);
    if (policy === undefined) throw new Error(`there is no policy ${id}: it was released, or never compiled`);
    return policy;
  }

  private async compile(options: BrowserCompileOptions): Promise<Policy> {
    const { modules, data, allowedBuiltins, ...rest } = options;
    await loadBuiltinsFor(
      modules.map((module) => module.text),
      (text, index) => parseAs(modules[index]?.name ?? '', text, modules[index]?.version ?? 'v1'),
    );
    const given: CompileOptions = {
      ...rest,
      modules,
      ...(data === undefined ? {} : { data: toValue(data) }),
      ...(allowedBuiltins === undefined ? {} : { capabilities: { allowedBuiltins } }),
    };
    return compile(given);
  }

  private async check(options: BrowserCompileOptions): Promise<CheckedAnswer> {
    try {
      const { warnings } = await this.compile({ ...options, backend: 'closures' });
      return { errors: [], warnings };
    } catch (error) {
      if (!isRegoErrors(error)) throw error;
      return { errors: error.errors, warnings: [] };
    }
  }

  private async evaluate(request: Extract<Request, { readonly subject: string }>): Promise<EvaluatedAnswer> {
    const { kind, subject } = request;
    const policy = this.policy(request.policy);
    const input = request.input === undefined ? undefined : toValue(request.input);
    const options = toEvaluateOptions(request.options);
    if (kind === 'query') {
      await loadBuiltinsFor([subject], (text) => tryParse(() => parseQuery(text, { version: 'v1' })));
      return { json: stringifyJson(policy.query(subject, input, options) as Value) };
    }
    if (kind === 'evaluate') return answerOf(policy.evaluate(subject, input, options));
    const { value, trace } = policy.explain(subject, input, options);
    return { ...answerOf(value), trace };
  }
}

const answerOf = (value: Value | undefined): EvaluatedAnswer =>
  value === undefined ? {} : { json: stringifyJson(value) };

function toEvaluateOptions({ nowNs, seed, ...rest }: BrowserEvaluateOptions): EvaluateOptions {
  if (nowNs === undefined && seed === undefined) return rest;
  const context = { ...(nowNs === undefined ? {} : { nowNs }), ...(seed === undefined ? {} : { seed }) };
  return { ...rest, context };
}
