/** API keys. The secret leaves once, in the answer to its creation. */
import { type Static, Type } from '@sinclair/typebox';

const scopeName = Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' });

/** What a key of an application is for. */
const keyScope = {
  app_id: Type.Optional(scopeName),
  environment: Type.Optional(scopeName),
  kind: Type.Optional(
    Type.Union([Type.Literal('server'), Type.Literal('client')], {
      description:
        'For fetching configuration and flags: `server` keys see rules and secrets, `client` keys (in browsers and apps) never do.',
    }),
  ),
};

export const ApiKeyRequest = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 100 }),
    roles: Type.Optional(Type.Array(Type.String({ maxLength: 100 }), { maxItems: 20, default: [] })),
    project: Type.Optional(Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' })),
    ...keyScope,
    expires_in_days: Type.Optional(Type.Integer({ minimum: 1, maximum: 3650, default: 90 })),
  },
  { $id: 'ApiKeyRequest', additionalProperties: false },
);
export type ApiKeyRequest = Static<typeof ApiKeyRequest>;

const members = {
  id: Type.String(),
  name: Type.String(),
  roles: Type.Array(Type.String()),
  project: Type.Optional(Type.String()),
  ...keyScope,
  created_by: Type.String(),
  created_at: Type.String({ format: 'date-time' }),
  expires_at: Type.String({ format: 'date-time' }),
};

export const ApiKey = Type.Object(members, { $id: 'ApiKey' });
export type ApiKey = Static<typeof ApiKey>;

export const CreatedApiKey = Type.Object(
  { ...members, key: Type.String({ description: 'Shown this once.' }) },
  { $id: 'CreatedApiKey' },
);
export type CreatedApiKey = Static<typeof CreatedApiKey>;

const userMembers = {
  name: Type.String({ pattern: '^[a-z0-9][a-z0-9._-]{0,62}$' }),
  roles: Type.Array(Type.String({ maxLength: 100 }), { maxItems: 20 }),
  project: Type.Optional(Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' })),
};

export const User = Type.Object(userMembers, { $id: 'User', description: 'A person of the built-in issuer.' });
export type User = Static<typeof User>;

export const NewUser = Type.Object(
  { ...userMembers, roles: Type.Optional(userMembers.roles), password: Type.String({ minLength: 12, maxLength: 200 }) },
  { $id: 'NewUser', additionalProperties: false },
);
export type NewUser = Static<typeof NewUser>;
