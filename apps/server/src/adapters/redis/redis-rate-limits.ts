/**
 * Counters in Redis, exact across processes: each method is one script, which Redis runs alone. A single server, a Sentinel's master or a
 * Cluster; time is Redis's own, so that gateways need not agree on theirs.
 */
import type { Count, Leak, RateLimitStore, RedisLocation, Reservation } from '../../ports/rate-limit-store.port.js';
import { storeUnavailable } from '../store-errors.js';
import { connectTo } from './redis-location.js';

const keyPrefix = 'bailiwick:limit:';

const scripts = {
  countFixed: `
local ttl = redis.call('PTTL', KEYS[1])
if ttl < 0 then
  redis.call('SET', KEYS[1], 1, 'PX', ARGV[2])
  return {ARGV[1] - 1, ARGV[2]}
end
local count = tonumber(redis.call('GET', KEYS[1]))
if count > tonumber(ARGV[1]) then return {-1, ttl} end
count = redis.call('INCR', KEYS[1])
return {math.max(-1, ARGV[1] - count), ttl}`,
  countSliding: `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local index = math.floor(now / window)
local reset = (index + 1) * window - now
local stored = redis.call('HMGET', KEYS[1], 'index', 'current', 'previous')
local at, current, previous = tonumber(stored[1] or -2), tonumber(stored[2] or 0), tonumber(stored[3] or 0)
if at == index - 1 then previous = current; current = 0
elseif at ~= index then previous = 0; current = 0 end
local estimate = previous * (reset / window) + current
if estimate + 1 > limit then return {-1, reset} end
redis.call('HSET', KEYS[1], 'index', index, 'current', current + 1, 'previous', previous)
redis.call('PEXPIRE', KEYS[1], window * 2)
return {math.max(0, math.floor(limit - estimate - 1)), reset}`,
  reserve: `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local least, most, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local stored = redis.call('HMGET', KEYS[1], 'used', 'ends')
local used, ends = tonumber(stored[1] or 0), tonumber(stored[2] or 0)
if ends <= now then used = 0; ends = now + tonumber(ARGV[4]) end
local left = limit - used
local granted = 0
if left >= math.max(1, least) then granted = math.min(left, most) end
redis.call('HSET', KEYS[1], 'used', string.format('%.0f', used + granted), 'ends', string.format('%.0f', ends))
redis.call('PEXPIRE', KEYS[1], math.max(1, math.ceil(ends - now)))
return {granted, math.max(0, left - granted), ends - now, ends}`,
  settle: `
local stored = redis.call('HMGET', KEYS[1], 'used', 'ends')
if not stored[2] or tonumber(stored[2]) ~= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'used', string.format('%.0f', math.max(0, tonumber(stored[1]) + tonumber(ARGV[1]))))
return 1`,
  leak: `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local stored = redis.call('HMGET', KEYS[1], 'excess', 'at')
local excess = 0
if stored[1] then
  excess = math.max(0, tonumber(stored[1]) - rate * math.abs(now - tonumber(stored[2])) / 1000 + 1)
end
if excess > burst then return {0, '0'} end
redis.call('HSET', KEYS[1], 'excess', tostring(excess), 'at', now)
redis.call('PEXPIRE', KEYS[1], math.ceil((burst + 1) / rate * 1000) + 1000)
return {1, tostring(excess / rate * 1000)}`,
  enter: `
local count = tonumber(redis.call('GET', KEYS[1]) or 0)
if count < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], count + 1, 'PX', ARGV[2])
end
return count + 1`,
  leave: `
local count = tonumber(redis.call('GET', KEYS[1]) or 0)
if count <= 1 then redis.call('DEL', KEYS[1]) else redis.call('DECR', KEYS[1]) end
return 0`,
} as const;

type Script = keyof typeof scripts;

export function redisRateLimits(location: RedisLocation): RateLimitStore {
  const client = connectTo(location);
  // Faults are told by the commands; without a listener the process would end.
  client.on('error', () => undefined);
  for (const [name, lua] of Object.entries(scripts)) client.defineCommand(name, { numberOfKeys: 1, lua });
  const run = async (script: Script, key: string, ...values: number[]): Promise<unknown> => {
    const commands = client as unknown as Record<Script, (key: string, ...values: number[]) => Promise<unknown>>;
    try {
      return await commands[script](`${keyPrefix}${key}`, ...values);
    } catch (error) {
      throw storeUnavailable('Redis', error);
    }
  };
  const count = async (
    script: 'countFixed' | 'countSliding',
    key: string,
    limit: number,
    windowMs: number,
  ): Promise<Count> => {
    const [remaining, resetMs] = (await run(script, key, limit, windowMs)) as [number, number];
    return { remaining: Number(remaining), resetMs: Number(resetMs) };
  };
  return {
    countFixed: (key, limit, windowMs) => count('countFixed', key, limit, windowMs),
    countSliding: (key, limit, windowMs) => count('countSliding', key, limit, windowMs),
    reserve: async (key, { least, most }, limit, windowMs): Promise<Reservation> => {
      const answer = (await run('reserve', key, least, most, limit, windowMs)) as readonly number[];
      const [granted = 0, remaining = 0, resetMs = 0, window = 0] = answer.map(Number);
      return { granted, remaining, resetMs, window };
    },
    settle: async (key, by, window) => void (await run('settle', key, by, window)),
    leak: async (key, rate, burst): Promise<Leak> => {
      const [isAdmitted, delayMs] = (await run('leak', key, rate, burst)) as [number, string];
      return { isAdmitted: isAdmitted === 1, delayMs: Number(delayMs) };
    },
    enter: async (key, most, ttlMs) => Number(await run('enter', key, most, ttlMs)),
    leave: async (key) => void (await run('leave', key)),
    close: async () => {
      await Promise.race([
        client.quit().catch(() => undefined),
        new Promise((resolve) => setTimeout(resolve, 500).unref()),
      ]);
      client.disconnect();
    },
  };
}
