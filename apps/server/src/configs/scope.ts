/** Where a resource applies, as callers say it. */
import type { ResourceScope } from '../ports/resource-store.port.js';
import { configInvalid } from './config-errors.js';

/** Errors: `config.environment_without_app`. */
export function scopeOf(appId: string | null | undefined, environment: string | null | undefined): ResourceScope {
  if (environment != null && appId == null)
    throw configInvalid('environment_without_app', 'An environment belongs to an app: name `app_id` too.');
  return { appId: appId ?? null, environment: environment ?? null };
}
