/**
 * A world: one policy, compiled, with its own `data` root. Two projects may both say `package project.authz`; neither sees the other.
 * `data.platform` shows the platform's data to projects, read-only. Built-ins that reach outside are off unless allowed by name.
 */
import {
  builtins,
  compile,
  type ModuleSource,
  type Policy,
  parseJson,
  type Value,
  WORLDLY_BUILTINS,
} from '@bailiwick/rego';
import type { PolicyDocument } from '../policies/policy-model.js';
import type { PolicyName } from '../ports/policy-archive.port.js';

export interface WorldOptions {
  /** Built-ins that reach outside and are allowed all the same. */
  readonly allowedBuiltins: readonly string[];
  readonly maxSteps: number;
  readonly timeoutMs: number;
}

export interface World {
  readonly name: PolicyName;
  readonly revision: number;
  readonly policy: Policy;
  /** The package that the module names, below `data`. */
  readonly packageSteps: readonly string[];
  /** The same as a path for the engine: `data["project"]["authz"]`. */
  readonly packagePath: string;
  readonly allow: (input: Value) => Value | undefined;
  readonly deny: (input: Value) => Value | undefined;
}

/** Compiles Rego texts once however often they come by; data changes do not compile. Bounded, oldest out. */
export class WorldCompiler {
  readonly #options: WorldOptions;
  readonly #compiled = new Map<string, Policy>();
  readonly #capacity: number;

  constructor(options: WorldOptions, capacity = 256) {
    this.#options = options;
    this.#capacity = capacity;
  }

  /**
   * Throws `RegoErrors` with positions, or `ReservedDataError`.
   * `platformData` is undefined when the world is the platform's own.
   */
  build(name: PolicyName, document: PolicyDocument, platformData: Value | undefined): World {
    const policy = this.#compile(name, document.rego).withData(rootDocument(name, document.dataText, platformData));
    return worldOf(name, document.revision, policy);
  }

  /** Like `build`, for content not yet stored: its modules are not kept. */
  #compile(name: PolicyName, rego: string): Policy {
    const key = `${name}\n${rego}`;
    const known = this.#compiled.get(key);
    if (known) {
      this.#compiled.delete(key);
      this.#compiled.set(key, known);
      return known;
    }
    const module: ModuleSource = { name: `${name}.rego`, text: rego, version: 'auto' };
    const policy = compile({
      modules: [module],
      ...capabilitiesOf(this.#options.allowedBuiltins),
      limits: { maxSteps: this.#options.maxSteps, deadlineMs: this.#options.timeoutMs },
    });
    this.#compiled.set(key, policy);
    if (this.#compiled.size > this.#capacity) {
      const oldest = this.#compiled.keys().next().value;
      if (oldest !== undefined) this.#compiled.delete(oldest);
    }
    return policy;
  }
}

/** A world of the same modules that shows other platform data. */
export function withPlatformData(world: World, dataText: string, platformData: Value): World {
  return worldOf(world.name, world.revision, world.policy.withData(rootDocument(world.name, dataText, platformData)));
}

function worldOf(name: PolicyName, revision: number, policy: Policy): World {
  const packageSteps = policy.modules[0]?.package.path ?? [];
  const packagePath = pathText(packageSteps);
  return {
    name,
    revision,
    policy,
    packageSteps,
    packagePath,
    allow: policy.prepare(`${packagePath}.allow`),
    deny: policy.prepare(`${packagePath}.deny`),
  };
}

function rootDocument(name: PolicyName, dataText: string, platformData: Value | undefined): Value {
  const data = parseJson(dataText) as Record<string, Value>;
  if (name === 'platform' || platformData === undefined) return data;
  if (Object.hasOwn(data, 'platform')) throw new ReservedDataError();
  return { ...data, platform: platformData };
}

/** The default allows everything but what reaches outside. */
function capabilitiesOf(allowed: readonly string[]): { capabilities?: { allowedBuiltins: readonly string[] } } {
  if (allowed.length === 0) return {};
  const harmless = [...builtins.keys()].filter((name) => !WORLDLY_BUILTINS.includes(name));
  return { capabilities: { allowedBuiltins: [...harmless, ...allowed] } };
}

const pathText = (path: readonly string[]): string =>
  path.reduce((text, step) => `${text}[${JSON.stringify(step)}]`, 'data');

/** A project's data must not pretend to be the platform's. */
export class ReservedDataError extends Error {
  constructor() {
    super(
      'The top-level key `platform` is reserved: `data.platform` shows the platform’s data to every project. Rename the key.',
    );
  }
}
