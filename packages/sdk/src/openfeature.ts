/** What both OpenFeature providers share: answers in OpenFeature's words. A key that is no flag is looked up in the configuration. */
import type { ErrorCode, EvaluationContext as OpenFeatureContext, ResolutionDetails } from '@openfeature/core';
import type { Details } from './answer.js';
import type { Client } from './client.js';
import type { EvaluationContext, JsonValue as OurJsonValue } from './json.js';

// By name: the enumeration of the SDK that is installed is these texts.
const errorCodes: Readonly<Record<string, string>> = {
  NOT_READY: 'PROVIDER_NOT_READY',
  FLAG_NOT_FOUND: 'FLAG_NOT_FOUND',
  CONFIG_NOT_FOUND: 'FLAG_NOT_FOUND',
  TYPE_MISMATCH: 'TYPE_MISMATCH',
  PARSE_ERROR: 'PARSE_ERROR',
};

/** Dates become texts, as JSON has them; never throws for a context that cannot be read: then it is nobody's. */
export function plainContext(context: OpenFeatureContext): EvaluationContext {
  try {
    const hasDates = Object.values(context).some((value) => typeof value === 'object' && value !== null);
    return (hasDates ? JSON.parse(JSON.stringify(context)) : context) as EvaluationContext;
  } catch {
    return {};
  }
}

/** `context` undefined: the client's own. `defaultValue` also says which type is asked for. */
export function resolve<T>(
  client: Client,
  key: string,
  defaultValue: T,
  context: EvaluationContext | undefined,
): ResolutionDetails<T> {
  const asked = defaultValue as OurJsonValue;
  const isConfig = !client.hasFlag(key) && client.hasConfig(key);
  const details = (
    isConfig ? client.configDetails(key, asked, context) : client.flagDetails(key, asked, context)
  ) as Details<unknown>;
  const { errorCode, errorMessage, variant, reason, value, metadata: flagMetadata } = details;
  if (errorCode !== undefined)
    return {
      ...{ value: defaultValue, reason: 'ERROR', errorCode: (errorCodes[errorCode] ?? 'GENERAL') as ErrorCode },
      ...(errorMessage === undefined ? {} : { errorMessage }),
    };
  return { value: value as T, reason, ...(variant === undefined ? {} : { variant }), flagMetadata };
}
