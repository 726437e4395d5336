/** `fmt` and `parse` on every module of the case files, beside a real OPA's; what differs is counted, and listed below. */
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type CaseModule,
  caseModules,
  compareFormatting,
  compareTrees,
  type ModuleDifference,
} from '../../packages/rego/conformance/beside-opa.js';
import { formatText } from '../../packages/rego/src/tools/index.js';
import { isOpaInstalled, opaCommand } from '../servers/opa.js';

const cases = fileURLToPath(new URL('../../../shared/conformance/rego/cases', import.meta.url));

/** Each difference with a reason: `docs/reference/rego-differences.md`. */
const REASONS: Readonly<Record<string, (difference: ModuleDifference) => boolean>> = {
  'OPA drops parentheses around `in` that keep two items apart': ({ opa, ours }) =>
    opa.replaceAll(/[()]/g, '') === ours.replaceAll(/[()]/g, ''),
  'OPA writes `:= true` once and leaves it out the second time': ({ opa, ours }) =>
    opa.replaceAll('] := true if', '] if') === ours,
  'OPA refuses to write numbers that begin with a dot as JSON': ({ module, opa }) =>
    opa === 'error' && /[^\d]\.\d/.test(module.text),
};

function countByReason(differences: readonly ModuleDifference[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const difference of differences) {
    const reason = Object.entries(REASONS).find(([, applies]) => applies(difference))?.[0] ?? difference.module.text;
    counts[reason] = (counts[reason] ?? 0) + 1;
  }
  return counts;
}

describe.skipIf(!isOpaInstalled())('beside a real OPA, on every module of the cases', () => {
  let modules: readonly CaseModule[] = [];
  beforeAll(() => {
    modules = caseModules(cases);
  });

  it('fmt writes the same text', () => {
    expect(modules.length).toBeGreaterThan(3600);
    expect(countByReason(compareFormatting(opaCommand(), modules))).toEqual({
      'OPA drops parentheses around `in` that keep two items apart': 9,
      'OPA writes `:= true` once and leaves it out the second time': 1,
    });
  });

  it('fmt changes nothing the second time', () => {
    for (const { name, text, version } of modules) {
      let once: string;
      try {
        once = formatText(name, text, { version });
      } catch {
        continue;
      }
      expect(formatText(name, once, { version })).toBe(once);
    }
  });

  it('parse gives the same tree', { timeout: 120_000 }, async () => {
    expect(countByReason(await compareTrees(opaCommand(), modules))).toEqual({
      'OPA refuses to write numbers that begin with a dot as JSON': 1,
    });
  });
});
