/** Everything that is wrong with a set of flags, with the path of each fault: what a service checks before it stores one. */
import type { Fault } from '../fault.js';
import { isDeeperThan, isObject, MAX_NESTING, pointer, typeName } from '../json.js';
import { validateLogic } from '../logic/validate-logic.js';
import type { FlagSet } from './flag-set.js';
import { MAX_PREREQUISITE_WORK, prerequisiteCycles, prerequisiteWork } from './prerequisites.js';

/** Fields a flag may have; others are refused, so that a slip of the pen is not silently without effect. */
const FLAG_FIELDS = new Set(['state', 'variants', 'defaultVariant', 'targeting', 'prerequisites', 'metadata']);
const SET_FIELDS = new Set(['$schema', 'flags', '$evaluators', 'metadata']);

/** Levels of a whole set: everything below walks it by recursion. */
const MAX_SET_NESTING = 500;

const fault = (path: string, code: string, message: string): Fault => ({ path, code, message });

/** The faults of a flag set (parsed JSON); empty when it may be used. */
export function validateFlagSet(set: unknown): Fault[] {
  if (!isObject(set)) return [fault('', 'flags.type', `a flag set is an object, not ${typeName(set)}`)];
  if (isDeeperThan(set, MAX_SET_NESTING))
    return [fault('', 'flags.too_deep', `rules and values are nested at most ${MAX_SET_NESTING} deep`)];
  const faults = unknownFields(set, '', SET_FIELDS);
  const { flags, $evaluators: evaluators = {}, metadata } = set;
  if (!isObject(evaluators)) faults.push(fault('/$evaluators', 'flags.type', 'evaluators are an object: name → rule'));
  const rules = isObject(evaluators) ? evaluators : {};
  faults.push(...evaluatorFaults(rules), ...metadataFaults(metadata, '/metadata'));
  if (!isObject(flags)) return [...faults, fault('/flags', 'flags.type', 'flags are an object: key → flag')];
  for (const [key, flag] of Object.entries(flags))
    faults.push(...flagFaults(flag, pointer('/flags', key), rules, flags));
  return [...faults, ...cycleFaults(flags)];
}

function unknownFields(value: Record<string, unknown>, path: string, known: ReadonlySet<string>): Fault[] {
  return Object.keys(value)
    .filter((field) => !known.has(field))
    .map((field) =>
      fault(
        pointer(path, field),
        'flags.unknown_field',
        `'${field}' is no field here; known are ${[...known].join(', ')}`,
      ),
    );
}

function metadataFaults(metadata: unknown, path: string): Fault[] {
  if (metadata === undefined) return [];
  if (!isObject(metadata)) return [fault(path, 'flags.metadata', 'metadata is an object')];
  return Object.entries(metadata)
    .filter(([, value]) => !['string', 'number', 'boolean'].includes(typeof value))
    .map(([name]) => fault(pointer(path, name), 'flags.metadata', 'metadata holds texts, numbers and booleans'));
}

function evaluatorFaults(rules: Record<string, unknown>): Fault[] {
  const around = { evaluators: new Set(Object.keys(rules)), variants: undefined };
  const faults = Object.entries(rules).flatMap(([name, rule]) =>
    validateLogic(rule, pointer('/$evaluators', name), around),
  );
  for (const [name, cycle] of referenceCycles(rules)) {
    const message = `evaluators go round: ${cycle.join(' → ')}; break the circle`;
    faults.push(fault(pointer('/$evaluators', name), 'logic.ref_cycle', message));
  }
  return faults;
}

/** The names a rule refers to with `$ref`. */
function references(node: unknown, into = new Set<string>()): Set<string> {
  if (Array.isArray(node)) for (const item of node) references(item, into);
  else if (isObject(node)) {
    if (typeof node['$ref'] === 'string') into.add(node['$ref']);
    for (const value of Object.values(node)) references(value, into);
  }
  return into;
}

function referenceCycles(rules: Record<string, unknown>): ReadonlyMap<string, readonly string[]> {
  const graph = Object.entries(rules).map(([name, rule]) => {
    const prerequisites = [...references(rule)].map((flag) => ({ flag, variant: '' }));
    return [name, { state: 'ENABLED' as const, variants: {}, prerequisites }] as const;
  });
  return prerequisiteCycles({ flags: Object.fromEntries(graph) });
}

function flagFaults(
  flag: unknown,
  path: string,
  rules: Record<string, unknown>,
  flags: Record<string, unknown>,
): Fault[] {
  if (path === '/flags/') return [fault(path, 'flag.key', 'the key of a flag is not empty')];
  if (!isObject(flag)) return [fault(path, 'flag.type', `a flag is an object, not ${typeName(flag)}`)];
  const faults = unknownFields(flag, path, FLAG_FIELDS);
  const at = (field: string): string => pointer(path, field);
  if (flag['state'] !== 'ENABLED' && flag['state'] !== 'DISABLED')
    faults.push(fault(at('state'), 'flag.state', 'the state is ENABLED or DISABLED'));
  const { variants, defaultVariant, targeting } = flag;
  faults.push(...variantsFaults(variants, at('variants')), ...metadataFaults(flag['metadata'], at('metadata')));
  const names = new Set(isObject(variants) ? Object.keys(variants) : []);
  const isKnown = typeof defaultVariant === 'string' && names.has(defaultVariant);
  if (defaultVariant !== undefined && defaultVariant !== null && !isKnown)
    faults.push(
      fault(at('defaultVariant'), 'flag.unknown_variant', `the default variant is one of ${[...names].join(', ')}`),
    );
  if (targeting !== undefined && targeting !== null) {
    if (!isObject(targeting)) faults.push(fault(at('targeting'), 'flag.targeting', 'targeting is a rule: an object'));
    else {
      const around = { evaluators: new Set(Object.keys(rules)), variants: names };
      faults.push(...validateLogic(targeting, at('targeting'), { ...around, isResult: true }));
    }
  }
  return [...faults, ...prerequisiteFaults(flag['prerequisites'], at('prerequisites'), flags)];
}

function variantsFaults(variants: unknown, path: string): Fault[] {
  if (!isObject(variants)) return [fault(path, 'flag.variants', 'variants are an object: name → value')];
  const entries = Object.entries(variants);
  const [first] = entries;
  if (first === undefined) return [fault(path, 'flag.variants', 'a flag has at least one variant')];
  if (isDeeperThan(variants, MAX_NESTING))
    return [fault(path, 'flag.variants', `a value is nested at most ${MAX_NESTING} deep`)];
  const type = typeName(first[1]);
  if (type === 'null') return [fault(pointer(path, first[0]), 'flag.variants', 'a variant has a value; null is none')];
  return entries
    .filter(([, value]) => typeName(value) !== type)
    .map(([name, value]) => {
      const message = `this variant is of type ${typeName(value)}, '${first[0]}' of type ${type}; all variants are of one type`;
      return fault(pointer(path, name), 'flag.mixed_variants', message);
    });
}

function prerequisiteFaults(prerequisites: unknown, path: string, flags: Record<string, unknown>): Fault[] {
  if (prerequisites === undefined) return [];
  if (!Array.isArray(prerequisites))
    return [fault(path, 'flag.prerequisites', 'prerequisites are a list of {flag, variant}')];
  return prerequisites.flatMap((one, index) => {
    const at = pointer(path, index);
    if (!isObject(one) || typeof one['flag'] !== 'string' || typeof one['variant'] !== 'string')
      return [fault(at, 'flag.prerequisites', 'a prerequisite is {flag, variant}')];
    const required = Object.hasOwn(flags, one['flag']) ? flags[one['flag']] : undefined;
    if (!isObject(required))
      return [fault(pointer(at, 'flag'), 'flag.prerequisites', `there is no flag '${one['flag']}' in this set`)];
    const variants = isObject(required['variants']) ? required['variants'] : {};
    if (Object.hasOwn(variants, one['variant'])) return [];
    const message = `flag '${one['flag']}' has no variant '${one['variant']}'`;
    return [fault(pointer(at, 'variant'), 'flag.prerequisites', message)];
  });
}

function cycleFaults(flags: Record<string, unknown>): Fault[] {
  const readable = Object.entries(flags).filter(([, flag]) => isObject(flag) && Array.isArray(flag['prerequisites']));
  const part = { flags: Object.fromEntries(readable) } as Pick<FlagSet, 'flags'>;
  const at = (key: string): string => pointer(pointer('/flags', key), 'prerequisites');
  const cycles = [...prerequisiteCycles(part)].map(([key, cycle]) =>
    fault(at(key), 'flag.prerequisite_cycle', `prerequisites go round: ${cycle.join(' → ')}; break the circle`),
  );
  const heavy = [...prerequisiteWork(part)].filter(([, work]) => work > MAX_PREREQUISITE_WORK);
  const message = `prerequisites look at more than ${MAX_PREREQUISITE_WORK} flags, counting each as often as it is required`;
  return [...cycles, ...heavy.map(([key]) => fault(at(key), 'flag.prerequisite_work', message))];
}
