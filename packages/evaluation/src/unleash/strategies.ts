/** Unleash's strategies and variants with its own buckets: `murmur3("{group}:{id}") % 100 + 1 ≤ rollout`. */
import { UNLEASH_VARIANT_SEED, unleashBucket } from '../hashing/buckets.js';
import { fieldOf, type Predicate } from './constraints.js';
import { isWithin, parseIpRange } from './ip-range.js';
import type { UnleashContext, UnleashStrategy, UnleashVariant, UnleashWorld } from './unleash-definition.js';

type Parameters = NonNullable<UnleashStrategy['parameters']>;
type Build = (parameters: Parameters, featureName: string) => Predicate;

const text = (value: unknown): string => (value === undefined || value === null ? '' : String(value));
const random = (world: UnleashWorld): number => world.random?.() ?? 0;
const listed = (value: unknown): readonly string[] => (text(value) === '' ? [] : text(value).split(/\s*,\s*/));

const isIn = (id: string, group: string, percentage: number): boolean =>
  percentage > 0 && unleashBucket(id, group) <= percentage;

/** By a field of the context, with the group as written: the older strategies have no default group. */
const gradual =
  (field: string): Build =>
  (parameters) => {
    const percentage = Number(parameters['percentage']);
    const group = text(parameters['groupId']);
    return (context) => {
      const id = text(context[field]);
      return id !== '' && isIn(id, group, percentage);
    };
  };

/** The identifier that a flexible rollout is sticky by; empty when the wanted field is not there. */
function stickyId(stickiness: string, context: UnleashContext, world: UnleashWorld): string {
  const anyone = (): string => String(Math.round(random(world) * 10_000) + 1);
  if (stickiness === 'random') return anyone();
  if (stickiness !== 'default') return fieldOf(context, stickiness) ?? '';
  return text(context['userId']) || text(context['sessionId']) || anyone();
}

const flexible: Build = (parameters, featureName) => {
  const percentage = Number(parameters['rollout']);
  const group = text(parameters['groupId']) || featureName;
  const stickiness = text(parameters['stickiness']) || 'default';
  return (context, world) => {
    const id = stickyId(stickiness, context, world);
    return id !== '' && isIn(id, group, percentage);
  };
};

const remoteAddress: Build = (parameters) => {
  const texts = listed(parameters['IPs']);
  const ranges = texts.flatMap((one) => parseIpRange(one) ?? []).filter(({ width }) => width === 32);
  return (context) => {
    const own = text(context['remoteAddress']);
    if (own !== '' && texts.includes(own)) return true;
    const address = parseIpRange(own);
    return address !== undefined && ranges.some((range) => isWithin(address, range));
  };
};

const STRATEGIES: Readonly<Record<string, Build>> = {
  default: () => () => true,
  userWithId: (parameters) => {
    const ids = new Set(listed(parameters['userIds']));
    return (context) => typeof context['userId'] === 'string' && ids.has(context['userId']);
  },
  gradualRolloutUserId: gradual('userId'),
  gradualRolloutSessionId: gradual('sessionId'),
  gradualRolloutRandom: (parameters) => {
    const percentage = Number(parameters['percentage']);
    return (_context, world) => percentage >= Math.floor(random(world) * 100) + 1;
  },
  remoteAddress,
  flexibleRollout: flexible,
  applicationHostname: (parameters) => {
    const names = new Set(listed(text(parameters['hostNames']).toLowerCase()));
    return (_context, world) => world.hostname !== undefined && names.has(world.hostname.toLowerCase());
  },
};

/** Every strategy that is known. */
export const UNLEASH_STRATEGIES: readonly string[] = Object.keys(STRATEGIES);

/** A strategy without its constraints; undefined for one that is not known, which is passed over. */
export function compileStrategy({ name, parameters }: UnleashStrategy, featureName: string): Predicate | undefined {
  return Object.hasOwn(STRATEGIES, name) ? STRATEGIES[name]?.(parameters ?? {}, featureName) : undefined;
}

export type VariantPicker = (context: UnleashContext, world: UnleashWorld) => UnleashVariant | undefined;

function variantSeed(stickiness: string, context: UnleashContext, world: UnleashWorld): string {
  const anyone = (): string => String(Math.round(random(world) * 100_000));
  if (stickiness !== 'default') return fieldOf(context, stickiness) || anyone();
  for (const field of ['userId', 'sessionId', 'remoteAddress']) {
    const value = context[field];
    if (typeof value === 'string' && value !== '') return value;
  }
  return anyone();
}

/** Picks by overrides first, then by weight; undefined when there is no weight to pick by. */
export function compileVariants(variants: readonly UnleashVariant[], group: string, stickiness: string): VariantPicker {
  const total = variants.reduce((sum, { weight }) => sum + weight, 0);
  if (total <= 0) return () => undefined;
  const overriding = variants.filter(({ overrides }) => (overrides ?? []).length > 0);
  return (context, world) => {
    for (const variant of overriding) {
      for (const { contextName, values } of variant.overrides ?? []) {
        const own = fieldOf(context, contextName);
        if (own !== undefined && values.includes(own)) return variant;
      }
    }
    const target = unleashBucket(variantSeed(stickiness, context, world), group, total, UNLEASH_VARIANT_SEED);
    let sum = 0;
    for (const variant of variants) {
      if (variant.weight === 0) continue;
      sum += variant.weight;
      if (sum >= target) return variant;
    }
    return undefined;
  };
}
