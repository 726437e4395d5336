/** What differs between two JSON documents, as the smallest parts that do. */
import type { ResourceDiff } from '@bailiwick/contract';
import type { JsonValue } from '@bailiwick/evaluation';

type Change = ResourceDiff['changes'][number];

const isContainer = (value: JsonValue): value is Readonly<Record<string, JsonValue>> =>
  typeof value === 'object' && value !== null;

/** In the order of the documents. Array elements are compared place by place. */
export function diffJson(before: JsonValue, after: JsonValue, path = ''): Change[] {
  if (!isContainer(before) || !isContainer(after) || Array.isArray(before) !== Array.isArray(after))
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ op: 'replace', path, before, after }];
  const changes: Change[] = [];
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  for (const name of names) {
    const at = `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const isBefore = Object.hasOwn(before, name);
    const isAfter = Object.hasOwn(after, name);
    if (isBefore && isAfter) changes.push(...diffJson(before[name] as JsonValue, after[name] as JsonValue, at));
    else if (isBefore) changes.push({ op: 'remove', path: at, before: before[name] });
    else changes.push({ op: 'add', path: at, after: after[name] });
  }
  return changes;
}
