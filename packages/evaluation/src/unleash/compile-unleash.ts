/**
 * Unleash features, compiled: the same answers as Unleash's own clients (its buckets, its order of strategies, its
 * dependencies), and the answers of our flags from them.
 */
import type { EvaluationContext, FlagAnswer } from '../flags/flag-set.js';
import type { JsonValue } from '../json.js';
import { compileConstraint, type Predicate } from './constraints.js';
import { compileStrategy, compileVariants, type VariantPicker } from './strategies.js';
import type {
  UnleashContext,
  UnleashDependency,
  UnleashFeature,
  UnleashPayload,
  UnleashSegment,
  UnleashState,
  UnleashStrategy,
  UnleashVariant,
  UnleashWorld,
} from './unleash-definition.js';

/** A variant as Unleash's clients give it; `disabled` when there is none. */
export interface UnleashVariantAnswer {
  readonly name: string;
  readonly enabled: boolean;
  readonly payload?: UnleashPayload;
  /** Whether the feature itself is on. */
  readonly feature_enabled: boolean;
}

export interface CompiledUnleash {
  /** False for a feature that is not there. */
  isEnabled(name: string, context: UnleashContext, world?: UnleashWorld): boolean;
  getVariant(name: string, context: UnleashContext, world?: UnleashWorld): UnleashVariantAnswer;
  /**
   * The answer as one of our flags: `value` is the variant's payload (JSON and numbers read) or its name, and true or false for a feature
   * without variants. `targetingKey` stands in for a missing `userId`; other attributes are Unleash's properties.
   */
  evaluate(name: string, context: EvaluationContext, nowMs?: number, world?: UnleashWorld): FlagAnswer;
  has(name: string): boolean;
  keys(): readonly string[];
}

interface CompiledStrategy {
  readonly holds: Predicate;
  readonly pick: VariantPicker | undefined;
  readonly isShare: boolean;
}

interface CompiledFeature {
  readonly feature: UnleashFeature;
  readonly strategies: readonly CompiledStrategy[];
  readonly pick: VariantPicker | undefined;
}

interface Outcome {
  readonly isOn: boolean;
  readonly variant?: UnleashVariant | undefined;
  /** Index of the strategy that let them in; absent without strategies. */
  readonly strategy?: number;
}

const OFF: Outcome = { isOn: false };
const NOT_THERE: UnleashVariantAnswer = { name: 'disabled', enabled: false, feature_enabled: false };

function compileStrategyOf(
  strategy: UnleashStrategy,
  featureName: string,
  segments: ReadonlyMap<number, UnleashSegment>,
): CompiledStrategy {
  const isMet = compileStrategy(strategy, featureName);
  const named = (strategy.segments ?? []).map((id) => segments.get(id));
  const constraints = [...(strategy.constraints ?? []), ...named.flatMap((segment) => segment?.constraints ?? [])];
  const predicates = constraints.map(compileConstraint);
  // A segment that is not there lets nobody in.
  const isComplete = named.every((segment) => segment !== undefined);
  const variants = strategy.variants ?? [];
  const group = String(strategy.parameters?.['groupId'] ?? featureName);
  const stickiness = variants[0]?.stickiness || String(strategy.parameters?.['stickiness'] || 'default');
  return {
    holds: (context, world) =>
      isMet !== undefined && isComplete && predicates.every((holds) => holds(context, world)) && isMet(context, world),
    pick: variants.length > 0 ? compileVariants(variants, group, stickiness) : undefined,
    isShare: strategy.name.startsWith('gradual') || Number(strategy.parameters?.['rollout'] ?? 100) < 100,
  };
}

function compileFeature(feature: UnleashFeature, segments: ReadonlyMap<number, UnleashSegment>): CompiledFeature {
  const variants = feature.variants ?? [];
  const stickiness = variants[0]?.stickiness ?? 'default';
  return {
    feature,
    strategies: (feature.strategies ?? []).map((one) => compileStrategyOf(one, feature.name, segments)),
    pick: variants.length > 0 ? compileVariants(variants, feature.name, stickiness) : undefined,
  };
}

/** Compiles imported features; `previous`: those that are the very same objects, with the same segments, are taken over from it. */
export function compileUnleash(state: UnleashState, previous?: CompiledUnleash): CompiledUnleash {
  return new UnleashFeatures(state, previous instanceof UnleashFeatures ? previous : undefined);
}

class UnleashFeatures implements CompiledUnleash {
  readonly #features = new Map<string, CompiledFeature>();
  readonly #segments: ReadonlyMap<number, UnleashSegment>;

  constructor({ features, segments }: UnleashState, previous: UnleashFeatures | undefined) {
    this.#segments = new Map(segments.map((segment) => [segment.id, segment]));
    for (const feature of features)
      this.#features.set(
        feature.name,
        previous?.take(feature, this.#segments) ?? compileFeature(feature, this.#segments),
      );
  }

  /** The compiled feature, when it and the segments that it names are the very same objects as here. */
  take(feature: UnleashFeature, segments: ReadonlyMap<number, UnleashSegment>): CompiledFeature | undefined {
    const known = this.#features.get(feature.name);
    const named = (feature.strategies ?? []).flatMap((strategy) => strategy.segments ?? []);
    const isSame = known?.feature === feature && named.every((id) => this.#segments.get(id) === segments.get(id));
    return isSame ? known : undefined;
  }

  has(name: string): boolean {
    return this.#features.has(name);
  }

  keys(): readonly string[] {
    return [...this.#features.keys()].sort();
  }

  isEnabled(name: string, context: UnleashContext, world: UnleashWorld = {}): boolean {
    const compiled = this.#features.get(name);
    return compiled !== undefined && this.#decide(compiled, context, world).isOn;
  }

  getVariant(name: string, context: UnleashContext, world: UnleashWorld = {}): UnleashVariantAnswer {
    const compiled = this.#features.get(name);
    if (compiled === undefined) return NOT_THERE;
    const outcome = this.#decide(compiled, context, world);
    const variant = this.#variantOf(compiled, outcome, context, world);
    if (variant === undefined) return { ...NOT_THERE, feature_enabled: outcome.isOn };
    const payload = variant.payload === undefined ? {} : { payload: variant.payload };
    return { name: variant.name, ...payload, enabled: true, feature_enabled: outcome.isOn };
  }

  evaluate(name: string, context: EvaluationContext, nowMs?: number, world: UnleashWorld = {}): FlagAnswer {
    const compiled = this.#features.get(name);
    if (compiled === undefined) {
      const errorMessage = `there is no feature '${name}'`;
      return { reason: 'ERROR', errorCode: 'FLAG_NOT_FOUND', errorMessage, metadata: {} };
    }
    const { feature } = compiled;
    if (!feature.enabled)
      return { value: false, variant: 'disabled', reason: 'DISABLED', rule: '/enabled', metadata: {} };
    const asked: UnleashContext = { userId: context.targetingKey, properties: context, ...defined(context) };
    const full = nowMs === undefined ? world : { ...world, nowMs };
    const outcome = this.#decide(compiled, asked, full);
    const variant = this.#variantOf(compiled, outcome, asked, full);
    const rule = outcome.strategy === undefined ? {} : { rule: `/strategies/${outcome.strategy}` };
    const isShare = outcome.strategy !== undefined && compiled.strategies[outcome.strategy]?.isShare === true;
    if (!outcome.isOn) return { value: false, variant: 'disabled', reason: 'DEFAULT', metadata: {} };
    if (variant !== undefined)
      return { value: payloadOf(variant), variant: variant.name, reason: 'SPLIT', ...rule, metadata: {} };
    const reason = outcome.strategy === undefined ? 'STATIC' : isShare ? 'SPLIT' : 'TARGETING_MATCH';
    return { value: true, variant: 'enabled', reason, ...rule, metadata: {} };
  }

  #decide({ feature, strategies }: CompiledFeature, context: UnleashContext, world: UnleashWorld): Outcome {
    // Unleash's clients take a feature without a list of strategies for malformed, and for off.
    if (!feature.enabled || !Array.isArray(feature.strategies)) return OFF;
    for (const parent of feature.dependencies ?? []) if (!this.#isMet(parent, context, world)) return OFF;
    if (strategies.length === 0) return { isOn: true };
    for (let index = 0; index < strategies.length; index += 1) {
      const { holds, pick } = strategies[index] as CompiledStrategy;
      if (holds(context, world)) return { isOn: true, strategy: index, variant: pick?.(context, world) };
    }
    return OFF;
  }

  #variantOf(
    { pick }: CompiledFeature,
    outcome: Outcome,
    context: UnleashContext,
    world: UnleashWorld,
  ): UnleashVariant | undefined {
    if (!outcome.isOn) return undefined;
    return outcome.variant ?? pick?.(context, world);
  }

  /** A parent that depends on something itself is refused by Unleash: one level only, so there are no circles. */
  #isMet(
    { feature: name, enabled = true, variants = [] }: UnleashDependency,
    context: UnleashContext,
    world: UnleashWorld,
  ): boolean {
    const parent = this.#features.get(name);
    if (parent === undefined || (parent.feature.dependencies ?? []).length > 0) return false;
    if (!enabled) return !this.#decide(parent, context, world).isOn;
    if (variants.length === 0) return this.#decide(parent, context, world).isOn;
    const answer = this.getVariant(name, context, world);
    return answer.feature_enabled && variants.includes(answer.name);
  }
}

/** The attributes that are there; `undefined` must not hide the targeting key. */
const defined = (context: EvaluationContext): Record<string, JsonValue> =>
  Object.fromEntries(
    Object.entries(context).filter(
      (entry): entry is [string, JsonValue] => entry[1] !== undefined && entry[1] !== null,
    ),
  );

function payloadOf({ name, payload }: UnleashVariant): JsonValue {
  if (payload === undefined) return name;
  if (payload.type === 'number' && payload.value.trim() !== '' && Number.isFinite(Number(payload.value)))
    return Number(payload.value);
  if (payload.type !== 'json') return payload.value;
  try {
    return JSON.parse(payload.value) as JsonValue;
  } catch {
    return payload.value;
  }
}
