/** `request-id`: keeps the client's id when it is well formed, else makes one; passes it on and echoes it. */
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { type Static, Type } from '@sinclair/typebox';
import { orderedId } from '../../decisions/ordered-id.js';
import type { Exchange } from '../exchange.js';
import type { Plugin } from '../plugin.js';
import { closed, oneOf } from '../resource-schemas.js';

// As APISIX has it, with its `GHIGK`.
const characters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIGKLMNOPQRSTUVWXYZ0123456789';

const schema = Type.Object(
  {
    header_name: Type.String({ minLength: 1, pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", default: 'X-Request-Id' }),
    include_in_response: Type.Boolean({ default: true }),
    algorithm: oneOf(['uuid', 'nanoid', 'range_id', 'ksuid', 'uuidv7'], { default: 'uuid' }),
    range_id: Type.Object(
      {
        length: Type.Integer({ minimum: 6, default: 16 }),
        char_set: Type.String({ minLength: 6, default: characters }),
      },
      { ...closed, default: {} },
    ),
  },
  closed,
);

export const requestIdPattern = /^[A-Za-z0-9._~-]{1,128}$/;

const nanoAlphabet = 'useandom-26T198340PX75pxJACKVERYMINDBUSHWOLF_GQZbfghjklqvwyzrict';
const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 2014-05-13: where KSUID's clock begins, in seconds. */
const ksuidEpoch = 1_400_000_000;

type Configuration = Static<typeof schema>;

const algorithms: Readonly<Record<Configuration['algorithm'], (range: Configuration['range_id']) => string>> = {
  uuid: () => randomUUID(),
  nanoid: () => Array.from(randomBytes(21), (byte) => nanoAlphabet[byte & 63]).join(''),
  range_id: ({ length, char_set: set }) => Array.from({ length }, () => set[randomInt(set.length)]).join(''),
  ksuid: () => {
    const bytes = Buffer.alloc(20);
    bytes.writeUInt32BE(Math.floor(Date.now() / 1000) - ksuidEpoch);
    randomBytes(16).copy(bytes, 4);
    let rest = BigInt(`0x${bytes.toString('hex')}`);
    let text = '';
    for (; rest > 0n; rest /= 62n) text = `${base62[Number(rest % 62n)]}${text}`;
    return text.padStart(27, '0');
  },
  uuidv7: orderedId,
};

export const requestId: Plugin<Static<typeof schema>> = {
  name: 'request-id',
  priority: 12_015,
  schema,
  compile: ({ header_name: headerName, include_in_response: isEchoed, algorithm, range_id: range }) => {
    const incoming = headerName.toLowerCase();
    const make = algorithms[algorithm];
    const given = (exchange: Exchange): string | undefined => {
      const value = exchange.request.headers[incoming];
      return typeof value === 'string' && requestIdPattern.test(value) ? value : undefined;
    };
    return {
      rewrite: (exchange) => {
        const kept = given(exchange);
        exchange.requestId = kept ?? make(range);
        exchange.upstreamHeaders.set(incoming, exchange.requestId);
        return undefined;
      },
      ...(isEchoed
        ? { headerFilter: (exchange, head) => void (head.has(headerName) || head.add(headerName, exchange.requestId)) }
        : {}),
    };
  },
};
