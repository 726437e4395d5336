/** What `openid-connect` demands of a verified token's claims beyond its signature: issuer, audience, scopes, a schema. */
import Ajv from 'ajv';
import type { Outcome } from './plugin.js';

export interface ClaimDemands {
  readonly client_id: string;
  readonly realm: string;
  readonly required_scopes?: readonly string[];
  readonly claim_schema?: Readonly<Record<string, unknown>>;
  readonly claim_validator?: {
    readonly issuer?: { readonly valid_issuers?: readonly string[] };
    readonly audience?: { readonly claim: string; readonly required: boolean; readonly match_with_client_id: boolean };
  };
}

export type ClaimRefusal =
  | { readonly kind: 'forbidden'; readonly error: string }
  | { readonly kind: 'invalid'; readonly realm: string; readonly why: string };

type Claims = Readonly<Record<string, unknown>>;

export function makeClaimCheck(demands: ClaimDemands): (claims: Claims) => ClaimRefusal | undefined {
  const schema = demands.claim_schema;
  const validate = schema && new Ajv.default({ strict: false }).compile(schema);
  const issuers = demands.claim_validator?.issuer?.valid_issuers;
  const invalid = (why: string): ClaimRefusal => ({ kind: 'invalid', realm: demands.realm, why });
  return (claims) => {
    if (issuers && issuers.length > 0 && !issuers.includes(String(claims['iss'])))
      return invalid('issuer is not valid');
    if (validate && !validate(claims)) return invalid('claims do not fit the schema');
    return audienceRefusal(demands, claims) ?? scopeRefusal(demands.required_scopes ?? [], claims);
  };
}

function audienceRefusal(demands: ClaimDemands, claims: Claims): ClaimRefusal | undefined {
  const audience = demands.claim_validator?.audience;
  if (!audience) return undefined;
  const value = claims[audience.claim];
  const isMissing = value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
  if (isMissing)
    return audience.required ? { kind: 'forbidden', error: 'required audience claim not present' } : undefined;
  if (!audience.match_with_client_id) return undefined;
  const matches = Array.isArray(value) ? value.includes(demands.client_id) : value === demands.client_id;
  return matches ? undefined : { kind: 'forbidden', error: 'mismatched audience' };
}

function scopeRefusal(required: readonly string[], claims: Claims): ClaimRefusal | undefined {
  if (required.length === 0) return undefined;
  const { scope } = claims;
  const granted = new Set(Array.isArray(scope) ? scope.map(String) : String(scope ?? '').split(' '));
  return required.every((one) => granted.has(one))
    ? undefined
    : { kind: 'forbidden', error: `required scopes ${required.join(', ')} not present` };
}

export const claimRefusal = (refusal: ClaimRefusal): Outcome =>
  refusal.kind === 'forbidden'
    ? { status: 403, body: { error: refusal.error } }
    : bearerRefusal(refusal.realm, refusal.why);

/** RFC 6750 3.1. */
export const bearerRefusal = (realm: string, why: string): Outcome => ({
  status: 401,
  headers: {
    'WWW-Authenticate': `Bearer realm="${realm}", error="invalid_token", error_description="${why.replace(/["\\\r\n]/g, "'")}"`,
  },
  body: why,
});
