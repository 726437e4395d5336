/** OPA's own cases on both back ends, where the shared folder is at hand. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runRegoConformance } from '../conformance/run.js';

const cases = fileURLToPath(new URL('../../../../shared/conformance/rego/cases', import.meta.url));

describe.skipIf(!existsSync(cases))(`OPA's cases (skipped where ${cases} is missing)`, () => {
  for (const backend of ['generated', 'closures'] as const) {
    it(`pass with ${backend === 'generated' ? 'generated code' : 'closures'}`, { timeout: 120_000 }, () => {
      const { failures } = runRegoConformance(cases, { backend });
      expect(
        failures.map(({ file, index, note, reason }) => `${file}#${index} ${note}: ${reason.slice(0, 200)}`),
      ).toEqual([]);
    });
  }
});
