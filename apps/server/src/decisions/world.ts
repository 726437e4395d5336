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
import { nodeCrypto } from '@bailiwick/rego/node';
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

/** Tokens and certificates are checked by Node's own library, whoever asks. */
const CONTEXT = { crypto: nodeCrypto };

/** Compiles Rego texts once however often they come by; data changes do not compile. Bounded, oldest out. */
export class WorldCompiler {
  readonly #options: WorldOptions;
  readonly #compiled = new Map<string, Policy>();
  readonly #maxChars: number;
  #chars = 0;

  /** `maxChars`: how much Rego text is kept compiled; a policy in force stays with its world beyond that. */
  constructor(options: WorldOptions, maxChars = 4 * 1024 * 1024) {
    this.#options = options;
    this.#maxChars = maxChars;
  }

  /**
   * Throws `RegoErrors` with positions, or `ReservedDataError`.
   * `platformData` is undefined when the world is the platform's own.
   */
  build(name: PolicyName, document: PolicyDocument, platformData: Value | undefined): World {
    const compiled = this.#compile(name, document.rego);
    if (name !== 'platform' && compiled.modules[0]?.package.path[0] === 'platform')
      throw new ReservedNameError('package');
    const policy = compiled.withData(rootDocument(name, document.dataText, platformData));
    return worldOf(name, document.revision, policy);
  }

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
      context: CONTEXT,
    });
    this.#compiled.set(key, policy);
    this.#chars += key.length;
    for (const oldest of this.#compiled.keys()) {
      if (this.#chars <= this.#maxChars || oldest === key) break;
      this.#compiled.delete(oldest);
      this.#chars -= oldest.length;
    }
    return policy;
  }
}

/** A project's world that shows other platform data; nothing is compiled or parsed again. */
export function withPlatformData(world: World, platformData: Value): World {
  const data = world.policy.data as Readonly<Record<string, Value>>;
  return worldOf(world.name, world.revision, world.policy.withData({ ...data, platform: platformData }));
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
  if (Object.hasOwn(data, 'platform')) throw new ReservedNameError('top-level key');
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

/** A project must not pretend to be the platform, neither by its data nor by its package. */
export class ReservedNameError extends Error {
  constructor(what: 'package' | 'top-level key') {
    super(
      `The ${what} \`platform\` is reserved: \`data.platform\` shows the platform’s data to every project. Rename the ${what}.`,
    );
  }
}
