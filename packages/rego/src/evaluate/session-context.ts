/** The context built-ins get: made once for a policy, reset for each evaluation, costly parts on demand. */
import type { BuiltinContext, ContextOptions, CryptoProvider, HttpClient, RandomSource } from '../builtins/index.js';
import { portableCrypto, seededRandom } from '../builtins/index.js';
import type { Value } from '../values/index.js';

const NO_ENVIRONMENT: Readonly<Record<string, string>> = Object.freeze({});

/** Parses a module for `rego.parse_module`; set by the policy, which knows the parser. */
export type ModuleToValue = (filename: string, text: string) => Value;

export class SessionContext implements BuiltinContext {
  crypto: CryptoProvider = portableCrypto;
  env: Readonly<Record<string, string>> = NO_ENVIRONMENT;
  runtime?: Value;
  http?: HttpClient;
  resolveHost?: (name: string) => readonly string[];
  print?: (line: string) => void;
  trace?: (note: string) => void;
  readonly parseModule: ModuleToValue;
  private readonly spend: (steps: number) => void;
  private given: ContextOptions | undefined;
  private time: bigint | undefined;
  private seed: string | undefined;
  private remembered: Map<string, unknown> | undefined;

  constructor(spend: (steps: number) => void, parseModule: ModuleToValue) {
    this.spend = spend;
    this.parseModule = parseModule;
  }

  reset(given: ContextOptions | undefined): void {
    this.time = undefined;
    this.seed = undefined;
    this.remembered = undefined;
    if (given === this.given) return;
    this.given = given;
    this.crypto = given?.crypto ?? portableCrypto;
    this.env = given?.env ?? NO_ENVIRONMENT;
    for (const name of ['runtime', 'http', 'resolveHost', 'print', 'trace'] as const) {
      const value = given?.[name];
      if (value === undefined) delete this[name];
      else Object.assign(this, { [name]: value });
    }
  }

  get nowNs(): bigint {
    this.time ??= this.given?.nowNs ?? BigInt(Date.now()) * 1_000_000n;
    return this.time;
  }

  get cache(): Map<string, unknown> {
    this.remembered ??= new Map();
    return this.remembered;
  }

  readonly random = (name: string): RandomSource => {
    if (this.given?.random !== undefined) return this.given.random(name);
    this.seed ??= this.given?.seed ?? String(Math.random());
    return seededRandom(`${this.seed}/${name}`);
  };

  /** Built-ins pass it on unbound. */
  readonly charge = (steps: number): void => this.spend(steps);
}
