/** Where a resource applies, as callers say it. */
import type { ResourceScope } from '../ports/resource-store.port.js';
import { configInvalid } from './config-errors.js';

/** Errors: `config.environment_without_app`. */
export function scopeOf(appId: string | null | undefined, environment: string | null | undefined): ResourceScope {
  if (environment != null && appId == null)
    throw configInvalid('environment_without_app', 'An environment belongs to an app: name `app_id` too.');
  return { appId: appId ?? null, environment: environment ?? null };
}

interface ScopedRequest {
  readonly caller: { readonly claims: Readonly<Record<string, unknown>> };
  readonly query: unknown;
}

/** What the query names, else what the caller's key is for. */
export function scopeOfCaller({ caller, query }: ScopedRequest): ResourceScope {
  const { app_id, environment } = (query ?? {}) as { readonly app_id?: string; readonly environment?: string };
  if (app_id !== undefined) return scopeOf(app_id, environment);
  const { app_id: appOfKey, environment: environmentOfKey } = caller.claims;
  const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
  return scopeOf(text(appOfKey), environment ?? text(environmentOfKey));
}
