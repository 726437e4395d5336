/** OpenFeature's steps: a pattern and what it does. A step that throws fails its scenario. */
import { deepStrictEqual, ok, strictEqual } from 'node:assert';
import type { EvaluationContext } from '@openfeature/server-sdk';
import type { FeatureWorld } from './feature-world.js';
import type { Step } from './gherkin.js';

type Run = (world: FeatureWorld, words: readonly string[], table: Step['table']) => void | Promise<void>;

const text = '"((?:[^"\\\\]|\\\\.)*)"';
const typed = (type: string, value: string): string | number | boolean => {
  if (type === 'Boolean') return value === 'true';
  return type === 'Integer' || type === 'Float' || type === 'Number' ? Number(value) : value;
};

/** As the flag's type says: `0.0` is 0, an object is JSON. */
function valueOfType(type: string, value: string): unknown {
  if (type === 'object') return JSON.parse(value);
  return typed(`${type[0]?.toUpperCase()}${type.slice(1)}`, value);
}

const ask = async (world: FeatureWorld, type: string, key: string, fallback: string): Promise<void> => {
  world.flag = { type, key, fallback };
  await world.evaluate();
};

const template = { showImages: true, title: 'Check out these pics!', imagesPerPage: 100 };
const detail = (world: FeatureWorld, name: 'value' | 'variant' | 'reason' | 'errorCode'): unknown =>
  world.details?.[name];

const table: Readonly<Record<string, Run>> = {
  'a (stable|not ready|error|fatal|stale) provider': (world, [state]) => world.provide(state as 'stable'),
  'a stable provider with retrievable context is registered': (world) => world.provide('stable'),

  // evaluation_v2, hooks, metadata
  [`an? (\\w+)-flag with key ${text} and a fallback value ${text}`]: (world, [type = '', key = '', fallback = '']) => {
    world.flag = { type: type.toLowerCase(), key, fallback };
  },
  [`a context containing a key ${text}, with type ${text} and with value ${text}`]: (world, words) => {
    const [key = '', type = '', value = ''] = words;
    world.context = { ...world.context, [key]: typed(type, value) };
  },
  [`a context containing a key ${text} with null value`]: (world, [key = '']) => {
    world.context = { ...world.context, [key]: null };
  },
  'the flag was evaluated with details( using the evaluation options| asynchronously)?': (world) => world.evaluate(),
  [`the resolved details value should be ${text}`]: (world, [value = '']) =>
    deepStrictEqual(detail(world, 'value'), valueOfType(world.flag.type, value)),
  [`the reason should be ${text}`]: (world, [reason]) => strictEqual(detail(world, 'reason'), reason),
  [`the error-code should be ${text}`]: (world, [code]) => strictEqual(detail(world, 'errorCode'), code),
  [`the variant should be ${text}`]: (world, [variant]) => strictEqual(detail(world, 'variant'), variant),
  [`the flag key should be ${text}`]: (world, [key]) => strictEqual(world.details?.flagKey, key),
  [`the provider status should be ${text}`]: (world, [status]) => strictEqual(world.client.providerStatus, status),
  'the resolved metadata should contain': (world, _words, [, ...rows]) => {
    const expected = Object.fromEntries(rows.map(([key = '', type = '', value = '']) => [key, typed(type, value)]));
    deepStrictEqual({ ...world.details?.flagMetadata }, expected);
  },
  'the resolved metadata is empty': (world) => deepStrictEqual({ ...world.details?.flagMetadata }, {}),
  'the evaluation should complete without blocking': (world) => ok(world.isPromise, 'the answer is not a promise'),
  'an evaluation context with modifiable data': (world) => {
    world.context = { targetingKey: 'a', nested: { list: [1, 2] }, when: new Date(0) };
    world.contextBefore = JSON.stringify(world.context);
  },
  'the original evaluation context should remain unmodified': (world) =>
    strictEqual(JSON.stringify(world.context), world.contextBefore),
  'the evaluation details should be immutable': async (world) => {
    // Whoever changes what it was given changes nothing for the next one who asks.
    const first = world.details as { value: unknown; variant?: string };
    const expected = { ...first };
    ok(Object.isFrozen(world.details?.flagMetadata));
    first.value = 'changed';
    first.variant = 'changed';
    await world.evaluate();
    deepStrictEqual([detail(world, 'value'), detail(world, 'variant')], [expected.value, expected.variant]);
  },
  'a client with added hook': (world) => void world.client.addHooks(world.hook('client')),
  'evaluation options containing specific hooks': (world) => {
    world.optionHooks = [world.hook('first'), world.hook('second')];
  },
  'the specified hooks should execute during evaluation': (world) =>
    ok(['first', 'second'].every((name) => world.order.includes(`before ${name}`))),
  'the hook order should be maintained': (world) =>
    // Before in order, all others in the reverse one (specification 4.4.2).
    deepStrictEqual(world.order, [
      ...['before first', 'before second', 'after second', 'after first'],
      ...['finally second', 'finally first'],
    ]),
  [`the ${text} hook should have been executed`]: (world, [stage]) =>
    ok(world.hookCalls.some((call) => call.stage === stage)),
  [`the ${text} hooks should be called with evaluation details`]: (world, [stages = ''], [, ...rows]) => {
    for (const stage of stages.split(',').map((one) => one.trim())) {
      const details = world.hookCalls.find((call) => call.stage === stage)?.details;
      const names: Record<string, unknown> = {
        ...{ flag_key: details?.flagKey, value: details?.value, variant: details?.variant },
        ...{ reason: details?.reason, error_code: details?.errorCode },
      };
      for (const [type = '', key = '', value = ''] of rows)
        strictEqual(names[key], value === 'null' ? undefined : typed(type === 'boolean' ? 'Boolean' : type, value));
    }
  },

  // contextMerging
  [`A context entry with key ${text} and value ${text} is added to the ${text} level`]: (world, words) => {
    const [key = '', value = '', level = ''] = words;
    world.contexts[level] = { ...world.contexts[level], [key]: value };
  },
  'A table with levels of increasing precedence': (world, _words, rows) => {
    world.levels = rows.map(([level = '']) => level);
  },
  [`Context entries for each level from API level down to the ${text} level, with key ${text} and value ${text}`]: (
    world,
    [last = '', key = ''],
  ) => {
    for (const level of world.levels.slice(0, world.levels.indexOf(last) + 1)) world.contexts[level] = { [key]: level };
  },
  'Some flag was evaluated': (world) => world.evaluateMerged(),
  [`The merged context contains an entry with key ${text} and value ${text}`]: (world, [key = '', value]) =>
    strictEqual(world.provider?.seen[key], value),

  // The deprecated evaluation feature
  [`an? (boolean|string) flag with key ${text} is evaluated with (?:details and )?default value ${text}`]: (
    world,
    words,
  ) => ask(world, words[0] ?? '', words[1] ?? '', words[2] ?? ''),
  [`an? (integer|float) flag with key ${text} is evaluated with (?:details and )?default value ([0-9.]+)`]: (
    world,
    words,
  ) => ask(world, words[0] ?? '', words[1] ?? '', words[2] ?? ''),
  [`an object flag with key ${text} is evaluated with (?:details and )?a null default value`]: (world, [key = '']) =>
    ask(world, 'object', key, 'null'),
  [`the resolved (boolean|string|integer|float) value should be "?([^"]*)"?`]: (world, [type = '', value = '']) =>
    deepStrictEqual(detail(world, 'value'), valueOfType(type, value)),
  [`the resolved (boolean|string|integer|float) details value should be "?([^",]*)"?, the variant should be ${text}, and the reason should be ${text}`]:
    (world, [type = '', value = '', variant, reason]) => {
      deepStrictEqual(detail(world, 'value'), valueOfType(type, value));
      deepStrictEqual([detail(world, 'variant'), detail(world, 'reason')], [variant, reason]);
    },
  'the resolved object (?:details )?value should be contain fields .*': (world) =>
    deepStrictEqual(detail(world, 'value'), template),
  [`the variant should be ${text}, and the reason should be ${text}`]: (world, [variant, reason]) =>
    deepStrictEqual([detail(world, 'variant'), detail(world, 'reason')], [variant, reason]),
  [`context contains keys ${text}, ${text}, ${text}, ${text} with values ${text}, ${text}, (\\d+), ${text}`]: (
    world,
    words,
  ) => {
    const [fn = '', ln = '', age = '', customer = '', ...values] = words;
    const [first, last, years, isCustomer] = values;
    const context = { [fn]: first, [ln]: last, [age]: Number(years), [customer]: isCustomer === 'true' };
    world.context = context as EvaluationContext;
  },
  [`a flag with key ${text} is evaluated with default value ${text}`]: (world, [key = '', fallback = '']) =>
    ask(world, 'string', key, fallback),
  [`the resolved string response should be ${text}`]: (world, [value]) => strictEqual(detail(world, 'value'), value),
  [`the resolved flag value is ${text} when the context is empty`]: async (world, [value]) => {
    world.context = {};
    await world.evaluate();
    strictEqual(detail(world, 'value'), value);
  },
  [`a non-existent string flag with key ${text} is evaluated with details and a fallback value ${text}`]: (
    world,
    [key = '', fallback = ''],
  ) => ask(world, 'string', key, fallback),
  [`a string flag with key ${text} is evaluated as an integer, with details and a fallback value (\\d+)`]: (
    world,
    [key = '', fallback = ''],
  ) => ask(world, 'integer', key, fallback),
  'the default (string|integer) value should be returned': (world, [type = '']) =>
    strictEqual(detail(world, 'value'), valueOfType(type, world.flag.fallback)),
  [`the reason should indicate an error and the error code should indicate a (?:missing flag|type mismatch) with ${text}`]:
    (world, [code]) => deepStrictEqual([detail(world, 'reason'), detail(world, 'errorCode')], ['ERROR', code]),
};

const patterns = Object.entries(table).map(([pattern, run]) => ({ pattern: new RegExp(`^${pattern}$`), run }));

/** Rejects when the step is unknown, or when what it says does not hold. */
export async function runStep(world: FeatureWorld, step: Step): Promise<void> {
  for (const { pattern, run } of patterns) {
    const match = pattern.exec(step.text);
    if (match === null) continue;
    const words = match.slice(1).map((word) => (word ?? '').replaceAll('\\"', '"'));
    await run(world, words, step.table);
    return;
  }
  throw new Error(`nobody knows the step “${step.text}”`);
}
