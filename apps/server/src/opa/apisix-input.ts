/** The input document that APISIX's `opa` plugin sends, turned into the one our policies read. */
import { isBailiwickError } from '@bailiwick/contract';
import type { Value } from '@bailiwick/rego';
import { buildInput, type Caller } from '../decisions/decision-service.js';
import type { Authenticator } from '../identity/authenticator.js';

interface ApisixInput {
  readonly type: string;
  readonly request: {
    readonly method?: string;
    readonly path?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly query?: Readonly<Record<string, Value>>;
  };
  readonly route?: { readonly labels?: Readonly<Record<string, string>> };
}

export function isApisixInput(input: Value | undefined): input is Value & ApisixInput {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return false;
  const { type, request } = input as { readonly type?: unknown; readonly request?: unknown };
  return typeof type === 'string' && typeof request === 'object' && request !== null;
}

/** The token is verified again here: a claim is worth what its signature is worth. Without a good one the caller is nobody. */
export async function decisionInput(input: ApisixInput, authenticator: Authenticator): Promise<Value> {
  const headers = Object.fromEntries(
    Object.entries(input.request.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const caller: Caller = await authenticator.authenticate(headers).catch((error: unknown) => {
    if (isBailiwickError(error)) return { actor: 'anonymous', claims: {} };
    throw error;
  });
  const claimed = caller.claims['project'];
  const project = input.route?.labels?.['project'] ?? (typeof claimed === 'string' ? claimed : undefined);
  return buildInput({
    caller,
    method: input.request.method ?? 'GET',
    path: input.request.path ?? '/',
    headers,
    query: input.request.query ?? {},
    project,
    requestId: headers['x-request-id'] ?? '',
  });
}
