/**
 * Reads what an Unleash server sends its clients: all features at once, or deltas that are applied in order. What is
 * not understood is a fault with its path and never silently dropped.
 */
import type { Fault } from '../fault.js';
import { isObject, pointer, typeName } from '../json.js';
import { UNLEASH_OPERATORS } from './constraints.js';
import { UNLEASH_STRATEGIES } from './strategies.js';
import type { UnleashFeature, UnleashSegment, UnleashState } from './unleash-definition.js';

export interface UnleashImport {
  readonly state: UnleashState;
  /** What cannot be read, and what is read but never holds (unknown operators and strategies: `unleash.unknown_…`). */
  readonly faults: readonly Fault[];
}

class Reader {
  readonly faults: Fault[] = [];
  readonly features = new Map<string, UnleashFeature>();
  readonly segments = new Map<number, UnleashSegment>();

  fault(path: string, code: string, message: string): void {
    this.faults.push({ path, code, message });
  }

  list(value: unknown, path: string): readonly unknown[] {
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return value;
    this.fault(path, 'unleash.type', `this is a list, not ${typeName(value)}`);
    return [];
  }

  feature(value: unknown, path: string): void {
    if (!isObject(value) || typeof value['name'] !== 'string' || typeof value['enabled'] !== 'boolean') {
      this.fault(path, 'unleash.feature', 'a feature has a name (text) and enabled (boolean)');
      return;
    }
    const before = this.faults.length;
    for (const [index, strategy] of this.list(value['strategies'], `${path}/strategies`).entries())
      this.strategy(strategy, pointer(`${path}/strategies`, index));
    this.variants(value['variants'], `${path}/variants`);
    for (const [index, parent] of this.list(value['dependencies'], `${path}/dependencies`).entries()) {
      if (!isObject(parent) || typeof parent['feature'] !== 'string')
        this.fault(pointer(`${path}/dependencies`, index), 'unleash.dependency', 'a dependency names its feature');
    }
    const isUsable = this.faults.slice(before).every(({ code }) => code.startsWith('unleash.unknown_'));
    if (isUsable) this.features.set(value['name'], value as unknown as UnleashFeature);
  }

  strategy(value: unknown, path: string): void {
    if (!isObject(value) || typeof value['name'] !== 'string') {
      this.fault(path, 'unleash.strategy', 'a strategy has a name');
      return;
    }
    if (!UNLEASH_STRATEGIES.includes(value['name']))
      this.fault(
        `${path}/name`,
        'unleash.unknown_strategy',
        `'${value['name']}' is not known and never lets anyone in`,
      );
    if (value['parameters'] !== undefined && value['parameters'] !== null && !isObject(value['parameters']))
      this.fault(`${path}/parameters`, 'unleash.type', 'parameters are an object');
    this.constraints(value['constraints'], `${path}/constraints`);
    this.list(value['segments'], `${path}/segments`);
    this.variants(value['variants'], `${path}/variants`);
  }

  constraints(value: unknown, path: string): void {
    for (const [index, one] of this.list(value, path).entries()) {
      const at = pointer(path, index);
      if (!isObject(one) || typeof one['contextName'] !== 'string' || typeof one['operator'] !== 'string')
        this.fault(at, 'unleash.constraint', 'a constraint has a contextName and an operator');
      else if (!UNLEASH_OPERATORS.includes(one['operator']))
        this.fault(`${at}/operator`, 'unleash.unknown_operator', `'${one['operator']}' is not known and never holds`);
      else this.list(one['values'], `${at}/values`);
    }
  }

  variants(value: unknown, path: string): void {
    for (const [index, one] of this.list(value, path).entries()) {
      const isWeight = isObject(one) && Number.isInteger(one['weight']) && (one['weight'] as number) >= 0;
      if (!isObject(one) || typeof one['name'] !== 'string' || !isWeight)
        this.fault(
          pointer(path, index),
          'unleash.variant',
          'a variant has a name and a weight, an integer of 0 or more',
        );
    }
  }

  segment(value: unknown, path: string): void {
    if (!isObject(value) || typeof value['id'] !== 'number') {
      this.fault(path, 'unleash.segment', 'a segment has an id, a number');
      return;
    }
    this.constraints(value['constraints'], `${path}/constraints`);
    this.segments.set(value['id'], { constraints: [], ...value } as unknown as UnleashSegment);
  }

  all(value: Record<string, unknown>, path: string): void {
    for (const [index, one] of this.list(value['segments'], `${path}/segments`).entries())
      this.segment(one, pointer(`${path}/segments`, index));
    for (const [index, one] of this.list(value['features'], `${path}/features`).entries())
      this.feature(one, pointer(`${path}/features`, index));
  }

  event(value: unknown, path: string): void {
    const type = isObject(value) ? value['type'] : undefined;
    if (!isObject(value)) this.fault(path, 'unleash.event', 'an event is an object');
    else if (type === 'hydration') {
      this.features.clear();
      this.segments.clear();
      this.all(value, path);
    } else if (type === 'feature-updated') this.feature(value['feature'], `${path}/feature`);
    else if (type === 'feature-removed') this.features.delete(String(value['featureName']));
    else if (type === 'segment-updated') this.segment(value['segment'], `${path}/segment`);
    else if (type === 'segment-removed') this.segments.delete(Number(value['segmentId']));
    else this.fault(`${path}/type`, 'unleash.event', `'${String(type)}' is no event of the delta API`);
  }
}

/**
 * Reads a client features answer or a delta answer (parsed JSON). `base`: what deltas are applied to, if anything.
 * A feature with a fault in it is left out, but for unknown operators and strategies, which never hold.
 */
export function importUnleash(answer: unknown, base?: UnleashState): UnleashImport {
  const reader = new Reader();
  for (const feature of base?.features ?? []) reader.features.set(feature.name, feature);
  for (const segment of base?.segments ?? []) reader.segments.set(segment.id, segment);
  if (!isObject(answer)) reader.fault('', 'unleash.type', `an answer is an object, not ${typeName(answer)}`);
  else if (Array.isArray(answer['events']))
    for (const [index, event] of answer['events'].entries()) reader.event(event, pointer('/events', index));
  else if (Array.isArray(answer['features'])) {
    reader.features.clear();
    reader.segments.clear();
    reader.all(answer, '');
  } else reader.fault('', 'unleash.type', 'an answer has features, or events of the delta API');
  const state = { features: [...reader.features.values()], segments: [...reader.segments.values()] };
  return { state, faults: reader.faults };
}
