/** `ip-restriction`: lets only listed addresses in, or keeps listed ones out. */
import { type Static, Type } from '@sinclair/typebox';
import { addressList } from '../addresses.js';
import type { Plugin } from '../plugin.js';
import { address, closed } from '../resource-schemas.js';

const schema = Type.Object(
  {
    whitelist: Type.Optional(Type.Array(address, { minItems: 1 })),
    blacklist: Type.Optional(Type.Array(address, { minItems: 1 })),
    message: Type.String({ minLength: 1, maxLength: 1024, default: 'Your IP address is not allowed' }),
    response_code: Type.Integer({ minimum: 403, maximum: 404, default: 403 }),
  },
  { ...closed, oneOf: [{ required: ['whitelist'] }, { required: ['blacklist'] }] },
);

export const ipRestriction: Plugin<Static<typeof schema>> = {
  name: 'ip-restriction',
  priority: 3000,
  schema,
  compile: ({ whitelist, blacklist, message, response_code: status }) => {
    const isWelcome = whitelist && addressList(whitelist);
    const isUnwanted = blacklist && addressList(blacklist);
    const refusal = { status, body: { message } };
    return {
      access: ({ remoteAddress }) =>
        isUnwanted?.(remoteAddress) === true || isWelcome?.(remoteAddress) === false ? refusal : undefined,
    };
  },
};
