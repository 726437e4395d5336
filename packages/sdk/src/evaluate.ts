/**
 * One evaluation, whatever the arguments: a value and why. Nothing throws from here; an argument whose getters throw, a proxy, a key that is
 * no text all end in the code's default with reason `ERROR`.
 */
import type { Details, ErrorCode, Reason } from './answer.js';
import { type EvaluationContext, type JsonType, type JsonValue, jsonTypeOf } from './json.js';
import type { Answer, World } from './world.js';

const noMetadata = Object.freeze({});

export interface Question {
  readonly kind: 'config' | 'flag';
  readonly key: unknown;
  readonly defaultValue: unknown;
  readonly context: unknown;
  /** Over the default's own type; absent: that of the default, and anything when that is null or undefined. */
  readonly type?: JsonType | undefined;
}

export interface Moment {
  readonly world: World | undefined;
  readonly isStale: boolean;
  readonly nowMs: number;
}

function failed(question: Question, { world }: Moment, reason: Reason, errorCode: ErrorCode, errorMessage: string) {
  return {
    key: typeof question.key === 'string' ? question.key : '',
    value: question.defaultValue,
    reason,
    revision: world?.revision ?? 0,
    source: world?.source ?? 'none',
    errorCode,
    errorMessage,
    metadata: noMetadata,
  } as const;
}

/** Never throws. */
export function answerQuestion(question: Question, moment: Moment): Details<unknown> {
  const { key, context, kind } = question;
  const { world } = moment;
  try {
    if (typeof key !== 'string') return failed(question, moment, 'ERROR', 'INVALID_KEY', 'the key must be a text');
    if (world === undefined)
      return failed(question, moment, 'DEFAULT', 'NOT_READY', 'nothing has been received yet, and nothing was kept');
    const asks = (typeof context === 'object' && context !== null ? context : {}) as EvaluationContext;
    const answer = kind === 'flag' ? world.flag(key, asks, moment.nowMs) : world.config(key, asks, moment.nowMs);
    return toDetails(question, moment, world, answer);
  } catch (error) {
    return failed(question, moment, 'ERROR', 'GENERAL', messageOf(error));
  }
}

function toDetails(question: Question, moment: Moment, world: World, answer: Answer): Details<unknown> {
  const { value, variant, rule, errorCode, errorMessage } = answer;
  if (answer.reason === 'ERROR')
    return failed(question, moment, 'ERROR', errorCode ?? 'GENERAL', errorMessage ?? 'the key cannot be evaluated');
  const expected = question.type ?? expectedType(question.defaultValue);
  if (value !== undefined && expected !== undefined && jsonTypeOf(value) !== expected) {
    const text = `'${question.key as string}' is of type ${jsonTypeOf(value)}, not ${expected}`;
    return failed(question, moment, 'ERROR', 'TYPE_MISMATCH', text);
  }
  return {
    key: question.key as string,
    value: value === undefined ? question.defaultValue : (value as JsonValue),
    ...(variant === undefined ? {} : { variant }),
    reason: moment.isStale ? 'STALE' : answer.reason,
    ...(rule === undefined ? {} : { rule }),
    revision: world.revision,
    source: world.source,
    metadata: answer.metadata ?? noMetadata,
  };
}

function expectedType(defaultValue: unknown): JsonType | undefined {
  const type = jsonTypeOf(defaultValue);
  return type === 'null' ? undefined : type;
}

/** Of anything that was thrown; what is thrown may itself throw when it is looked at. */
export function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? String(error.message) : String(error);
  } catch {
    return 'something was thrown that cannot be shown';
  }
}
