/** Import fences (design section 2): runs dependency-cruiser and makes sure that it really read the tree. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cruise } from 'dependency-cruiser';
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';
import { root } from './prepare.mjs';

const rules = JSON.parse(readFileSync(join(root, 'scripts', 'fences.json'), 'utf8'));
process.chdir(root);
const { output } = await cruise(
  ['packages', 'apps'],
  {
    ruleSet: rules,
    validate: true,
    exclude: { path: '(^|/)(dist|node_modules)/|\\.test\\.ts$|/bench/' },
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    outputType: 'json',
  },
  {
    exportsFields: ['exports'],
    conditionNames: ['bailiwick:source', 'import', 'node', 'types', 'default'],
    mainFields: ['module', 'main'],
  },
  { tsConfig: extractTSConfig(join(root, 'tsconfig.json')) },
);
const report = typeof output === 'string' ? JSON.parse(output) : output;
const own = report.modules.filter((module) => /^(packages|apps)\/.*\.ts$/.test(module.source));
const resolved = own.reduce(
  (sum, module) => sum + module.dependencies.filter((d) => d.resolved.endsWith('.ts')).length,
  0,
);
for (const violation of report.summary.violations) {
  console.log(
    `${violation.rule.name}: ${violation.from} → ${violation.to}${violation.cycle ? ` (${violation.cycle.map((c) => c.name ?? c).join(' → ')})` : ''}`,
  );
}
console.log(`${own.length} modules, ${resolved} imports between them, ${report.summary.violations.length} violations`);
// A cruise that read nothing passes everything: that is a failure of the fence.
if (own.length < 50 || resolved < 100) {
  console.log('The fence read too few modules to mean anything.');
  process.exit(1);
}
process.exit(report.summary.violations.length > 0 ? 1 : 0);
