/**
 * A copy of a policy's data that people can read and query in MongoDB, where BSON can hold it. It is never read back: the
 * JSON text beside it is the truth, because BSON has other numbers, refuses some keys and has a depth limit.
 */
import type { Json } from '@bailiwick/contract';

const maxJsonChars = 256 * 1024;
const maxDepth = 50;

const isPlainKey = (key: string): boolean =>
  key !== '' && key !== '__proto__' && !key.startsWith('$') && !key.includes('.') && !key.includes('\u0000');

function fits(value: Json, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth >= maxDepth) return false;
  if (Array.isArray(value)) return value.every((item: Json) => fits(item, depth + 1));
  return Object.entries(value).every(([key, member]) => isPlainKey(key) && fits(member, depth + 1));
}

/** undefined when BSON could not hold it as it is, or when it is large. */
export function readableCopy(jsonText: string): Json | undefined {
  if (jsonText.length > maxJsonChars) return undefined;
  const data = JSON.parse(jsonText) as Json;
  return fits(data, 0) ? data : undefined;
}
