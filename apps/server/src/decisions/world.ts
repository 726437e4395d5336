/**
 * A world: one policy, compiled, with its own `data` root. Two projects may both say `package project.authz`; neither sees the other.
 * `data.platform` shows the platform's data to projects, read-only. Built-ins that reach outside are off unless allowed by name.
 */
import {
  builtins,
  type CompileOptions,
  compile,
  compileInSteps,
  isRegoErrors,
  type Policy,
  parseJson,
  parseJsonInSteps,
  type RegoErrors,
  type Value,
  WORLDLY_BUILTINS,
} from '@bailiwick/rego';
import { nodeCrypto } from '@bailiwick/rego/node';
import type { PolicyDocument } from '../policies/policy-model.js';
import type { PolicyName } from '../ports/policy-archive.port.js';
import { inSlices } from './slices.js';

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

/** Characters from which a text is compiled or read in slices. Shorter ones take a few milliseconds. */
const LARGE_REGO = 16_384;
const LARGE_DATA = 262_144;
/** Large documents kept as read: one is needed when it is tried and when it comes into force. */
const DOCUMENTS_KEPT = 2;

/** Compiles Rego texts once however often they come by; data changes do not compile. Bounded, oldest out. */
export class WorldCompiler {
  readonly #options: WorldOptions;
  /** What each text came to. */
  readonly #compiled = new Map<string, Policy | RegoErrors>();
  readonly #documents = new Map<string, Value>();
  readonly #maxChars: number;
  #chars = 0;

  /** `maxChars`: how much Rego text is kept compiled; a policy in force stays with its world beyond that. */
  constructor(options: WorldOptions, maxChars = 4 * 1024 * 1024) {
    this.#options = options;
    this.#maxChars = maxChars;
  }

  /** Whether `prepare` would do something: the text is large and has not come by. */
  isLarge(name: PolicyName, { rego = '', dataText = '' }: Partial<Draft>): boolean {
    return (
      (rego.length >= LARGE_REGO && !this.#compiled.has(keyOf(name, rego))) ||
      (dataText.length >= LARGE_DATA && !this.#documents.has(dataText))
    );
  }

  /** Compiles and reads what is large while other work goes on; `build` then finds it. Never throws: that is left to `build`. */
  async prepare(name: PolicyName, { rego = '', dataText = '' }: Partial<Draft>): Promise<void> {
    const key = keyOf(name, rego);
    if (rego.length >= LARGE_REGO && !this.#compiled.has(key)) {
      const outcome = await inSlices(compileInSteps(this.#compileOptions(name, rego))).catch((error: unknown) => error);
      if (isRegoErrors(outcome)) this.#keep(key, outcome);
      else if (!(outcome instanceof Error)) {
        const policy = outcome as Policy;
        for (const path of decisionPaths(policy)) await inSlices(policy.prepareInSteps(path)).catch(() => undefined);
        this.#keep(key, policy);
      }
    }
    if (dataText.length < LARGE_DATA || this.#documents.has(dataText)) return;
    const document = await inSlices(parseJsonInSteps(dataText)).catch(() => undefined);
    if (document === undefined) return;
    this.#documents.set(dataText, document);
    for (const oldest of this.#documents.keys()) {
      if (this.#documents.size <= DOCUMENTS_KEPT) break;
      this.#documents.delete(oldest);
    }
  }

  /**
   * Throws `RegoErrors` with positions, or `ReservedDataError`.
   * `platformData` is undefined when the world is the platform's own.
   */
  build(name: PolicyName, document: PolicyDocument, platformData: Value | undefined): World {
    const compiled = this.#compile(name, document.rego);
    if (name !== 'platform' && compiled.modules[0]?.package.path[0] === 'platform')
      throw new ReservedNameError('package');
    const data = this.#documents.get(document.dataText) ?? parseJson(document.dataText);
    const policy = compiled.withData(rootDocument(name, data as Record<string, Value>, platformData));
    return worldOf(name, document.revision, policy);
  }

  #compile(name: PolicyName, rego: string): Policy {
    const key = keyOf(name, rego);
    const known = this.#compiled.get(key);
    if (known) {
      this.#compiled.delete(key);
      this.#compiled.set(key, known);
      if (isRegoErrors(known)) throw known;
      return known;
    }
    const policy = compile(this.#compileOptions(name, rego));
    this.#keep(key, policy);
    return policy;
  }

  #compileOptions(name: PolicyName, rego: string): CompileOptions {
    return {
      modules: [{ name: `${name}.rego`, text: rego, version: 'auto' }],
      ...capabilitiesOf(this.#options.allowedBuiltins),
      limits: { maxSteps: this.#options.maxSteps, deadlineMs: this.#options.timeoutMs },
      context: CONTEXT,
    };
  }

  #keep(key: string, outcome: Policy | RegoErrors): void {
    // Two writers may have prepared the same text meanwhile.
    if (!this.#compiled.has(key)) this.#chars += key.length;
    this.#compiled.set(key, outcome);
    for (const oldest of this.#compiled.keys()) {
      if (this.#chars <= this.#maxChars || oldest === key) break;
      this.#compiled.delete(oldest);
      this.#chars -= oldest.length;
    }
  }
}

/** The texts of a policy that is being written or comes from the store. */
interface Draft {
  readonly rego: string;
  readonly dataText: string;
}

const keyOf = (name: PolicyName, rego: string): string => `${name}\n${rego}`;

/** A project's world that shows other platform data; nothing is compiled or parsed again. */
export function withPlatformData(world: World, platformData: Value): World {
  const data = world.policy.data as Readonly<Record<string, Value>>;
  return worldOf(world.name, world.revision, world.policy.withData({ ...data, platform: platformData }));
}

const packageOf = (policy: Policy): readonly string[] => policy.modules[0]?.package.path ?? [];

/** Of `allow` and of `deny`. */
function decisionPaths(policy: Policy): readonly [string, string] {
  const packagePath = pathText(packageOf(policy));
  return [`${packagePath}.allow`, `${packagePath}.deny`];
}

function worldOf(name: PolicyName, revision: number, policy: Policy): World {
  const packageSteps = packageOf(policy);
  const [allow, deny] = decisionPaths(policy);
  return {
    name,
    revision,
    policy,
    packageSteps,
    packagePath: pathText(packageSteps),
    allow: policy.prepare(allow),
    deny: policy.prepare(deny),
  };
}

function rootDocument(name: PolicyName, data: Record<string, Value>, platformData: Value | undefined): Value {
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
