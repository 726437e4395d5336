/**
 * Answers of language models in Redis, shared by all gateways. Plain Redis compares no vectors: each gateway keeps those of the scopes that it
 * asks in memory and fetches only what is new since it last looked (each has a number), so that a look-up costs one round trip and
 * the comparison. A scope's vectors are bounded; the oldest go first.
 */
import type { AnswerStore, KeptAnswer } from '../../ports/answer-store.port.js';
import type { RedisLocation } from '../../ports/rate-limit-store.port.js';
import { storeUnavailable } from '../store-errors.js';
import { connectTo } from './redis-location.js';

/** Vectors in one scope, and scopes that are kept in memory. */
const maxNear = 1_000;
const maxScopes = 200;

/** KEYS: numbers, vectors, last number. ARGV: the answer's key, its vector, milliseconds to live, most vectors. */
const addScript = `
local number = redis.call('INCR', KEYS[3])
redis.call('ZADD', KEYS[1], number, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
local over = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[4])
if over > 0 then
  for _, old in ipairs(redis.call('ZRANGE', KEYS[1], 0, over - 1)) do redis.call('HDEL', KEYS[2], old) end
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, over - 1)
end
for _, key in ipairs(KEYS) do
  if redis.call('PTTL', key) < tonumber(ARGV[3]) then redis.call('PEXPIRE', key, ARGV[3]) end
end
return number`;

/** KEYS as above. ARGV: the number after which vectors are wanted. Returns the last number, then key and vector in turn. */
const newScript = `
local last = tonumber(redis.call('GET', KEYS[3]) or '0')
local from = tonumber(ARGV[1])
if last < from then from = 0 end
local result = {tostring(last)}
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. from, '+inf')) do
  result[#result + 1] = key
  result[#result + 1] = redis.call('HGET', KEYS[2], key) or ''
end
return result`;

interface Near {
  readonly vector: Float32Array;
  readonly expiresMs: number;
}

interface Scope {
  lastNumber: number;
  readonly vectors: Map<string, Near>;
}

/** `index` names the answers among others in the same Redis. */
export function redisAnswers(location: RedisLocation, index: string): AnswerStore {
  const client = connectTo(location);
  // Faults are told by the commands; without a listener the process would end.
  client.on('error', () => undefined);
  const scopes = new Map<string, Scope>();
  const prefix = `bailiwick:answers:${index}:`;
  const keysOf = (scope: string): [string, string, string] => [
    `${prefix}{${scope}}:numbers`,
    `${prefix}{${scope}}:vectors`,
    `${prefix}{${scope}}:last`,
  ];
  const ask = async <T>(command: () => Promise<T>): Promise<T> => {
    try {
      return await command();
    } catch (error) {
      throw storeUnavailable('Redis', error);
    }
  };
  const get = async (key: string): Promise<KeptAnswer | undefined> => {
    const found = await ask(() => client.hgetallBuffer(prefix + key));
    const { body, type, stored } = found;
    return body && type && stored
      ? { body, contentType: type.toString('utf8'), storedMs: Number(stored.toString('latin1')) }
      : undefined;
  };
  const refresh = async (name: string): Promise<Scope> => {
    const scope = scopes.get(name) ?? { lastNumber: 0, vectors: new Map<string, Near>() };
    const answer = await ask(() => client.callBuffer('EVAL', newScript, 3, ...keysOf(name), scope.lastNumber));
    take(scope, answer as readonly Buffer[]);
    scopes.delete(name);
    scopes.set(name, scope);
    const oldest = scopes.keys().next().value;
    if (scopes.size > maxScopes && oldest !== undefined) scopes.delete(oldest);
    return scope;
  };
  return {
    get,
    set: async (key, { contentType, body }, ttlMs) => {
      const fields = { type: contentType, body, stored: String(Date.now()) };
      const transaction = client
        .multi()
        .del(prefix + key)
        .hset(prefix + key, fields)
        .pexpire(prefix + key, ttlMs);
      await ask(() => transaction.exec());
    },
    nearest: async (name, vector, { threshold, candidates }) => {
      const scope = await refresh(name);
      for (const key of byNearness(scope, normalised(vector), threshold).slice(0, candidates)) {
        const found = await get(key);
        if (found) return found;
        scope.vectors.delete(key);
      }
      return undefined;
    },
    addNear: async (name, vector, key, ttlMs) => {
      const bytes = Buffer.alloc(8 + vector.length * 4);
      bytes.writeDoubleLE(Date.now() + ttlMs, 0);
      for (const [at, value] of normalised(vector).entries()) bytes.writeFloatLE(value, 8 + at * 4);
      await ask(() => client.call('EVAL', addScript, 3, ...keysOf(name), key, bytes, ttlMs, maxNear));
    },
    close: async () => {
      await Promise.race([
        client.quit().catch(() => undefined),
        new Promise((resolve) => setTimeout(resolve, 500).unref()),
      ]);
      client.disconnect();
    },
  };
}

/** A last number that is smaller than the known one: Redis has lost what it had. */
function take(scope: Scope, [last, ...found]: readonly Buffer[]): void {
  const lastNumber = Number(last?.toString('latin1') ?? 0);
  if (lastNumber < scope.lastNumber) scope.vectors.clear();
  scope.lastNumber = lastNumber;
  for (let at = 0; at + 1 < found.length; at += 2) {
    const [key, bytes] = [found[at]?.toString('utf8') ?? '', found[at + 1]];
    if (!bytes || bytes.length < 12) continue;
    const vector = Float32Array.from({ length: (bytes.length - 8) / 4 }, (_none, index) =>
      bytes.readFloatLE(8 + index * 4),
    );
    scope.vectors.delete(key);
    scope.vectors.set(key, { vector, expiresMs: bytes.readDoubleLE(0) });
  }
  for (const key of scope.vectors.keys()) {
    if (scope.vectors.size <= maxNear) break;
    scope.vectors.delete(key);
  }
}

/** Keys whose cosine is at least `threshold`, the nearest first. */
function byNearness({ vectors }: Scope, wanted: Float32Array, threshold: number): readonly string[] {
  const near: { readonly key: string; readonly cosine: number }[] = [];
  const now = Date.now();
  for (const [key, { vector, expiresMs }] of vectors) {
    if (expiresMs <= now) vectors.delete(key);
    if (expiresMs <= now || vector.length !== wanted.length) continue;
    let cosine = 0;
    for (let at = 0; at < wanted.length; at += 1) cosine += (vector[at] ?? 0) * (wanted[at] ?? 0);
    // Single precision loses the last digits of a cosine of 1.
    if (cosine + 1e-6 >= threshold) near.push({ key, cosine });
  }
  return near.sort((a, b) => b.cosine - a.cosine).map(({ key }) => key);
}

function normalised(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return length === 0 ? vector : vector.map((value) => value / length);
}
