/**
 * Masking of logged decisions, as OPA does it: a rule `mask` in the platform's or the project's policy yields JSON pointers such as
 * `/input/claims/email` (erased), or `{op: "remove" | "upsert", path, value}`.
 */
import { RegoSet, type Value } from '@bailiwick/rego';

export interface Masked {
  readonly input: unknown;
  readonly erased: readonly string[];
  readonly masked: readonly string[];
}

interface MaskRule {
  readonly op: 'remove' | 'upsert';
  readonly path: string;
  readonly value?: unknown;
}

/** Applies what the mask rules answered. The input is copied only where something changes. */
export function applyMask(input: unknown, answers: readonly (Value | undefined)[]): Masked {
  const rules = answers.flatMap(rulesOf).filter((rule) => rule.path.startsWith('/input/'));
  if (rules.length === 0) return { input, erased: [], masked: [] };
  const copy = structuredClone(input);
  const erased: string[] = [];
  const masked: string[] = [];
  for (const rule of rules) {
    if (!changeAt(copy, rule)) continue;
    (rule.op === 'remove' ? erased : masked).push(rule.path);
  }
  return { input: copy, erased, masked };
}

function rulesOf(answer: Value | undefined): readonly MaskRule[] {
  const items = answer instanceof RegoSet ? [...answer] : Array.isArray(answer) ? (answer as readonly Value[]) : [];
  return items.flatMap((item): readonly MaskRule[] => {
    if (typeof item === 'string') return [{ op: 'remove', path: item }];
    if (typeof item !== 'object' || item === null) return [];
    const { op, path, value } = item as { op?: unknown; path?: unknown; value?: unknown };
    if (typeof path !== 'string' || (op !== 'remove' && op !== 'upsert')) return [];
    return [{ op, path, value }];
  });
}

function changeAt(document: unknown, rule: MaskRule): boolean {
  const segments = rule.path
    .split('/')
    .slice(2)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = segments.pop();
  let target = document;
  for (const segment of segments) {
    if (typeof target !== 'object' || target === null || !Object.hasOwn(target, segment)) return false;
    target = (target as Record<string, unknown>)[segment];
  }
  if (last === undefined || typeof target !== 'object' || target === null) return false;
  const holder = target as Record<string, unknown>;
  if (rule.op === 'remove') {
    if (!Object.hasOwn(holder, last)) return false;
    if (Array.isArray(holder)) holder.splice(Number(last), 1);
    else delete holder[last];
  } else {
    Object.defineProperty(holder, last, { value: rule.value, enumerable: true, configurable: true, writable: true });
  }
  return true;
}
