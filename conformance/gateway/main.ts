/** `npm run conformance -- gateway [DIR] [--url URL --file FILE]` */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { missingFor, readCases, runCase } from './runner.js';
import { startStandIns } from './stand-ins.js';
import { embeddedGateway, gatewayByUrl } from './targets.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { url: { type: 'string' }, file: { type: 'string' } },
});
if ((values.url === undefined) !== (values.file === undefined)) {
  console.error('--url needs --file: the apisix.yaml that the gateway at that address reads.');
  process.exit(2);
}
const standIns = await startStandIns();
const target =
  values.url !== undefined && values.file !== undefined
    ? gatewayByUrl(values.url, values.file, () => standIns.upstream)
    : await embeddedGateway();
let failed = 0;
let left = 0;
const cases = readCases(positionals[0] ?? join(process.cwd(), 'conformance', 'gateway', 'cases'));
for (const one of cases) {
  const missing = missingFor(one, standIns);
  if (missing !== undefined) {
    left += 1;
    console.log(`left ${one.name}: ${missing}`);
    continue;
  }
  const faults = await runCase(one, target, standIns).catch((error: unknown) => [String(error)]);
  if (faults.length > 0) failed += 1;
  console.log(`${faults.length === 0 ? 'ok  ' : 'FAIL'} ${one.name}`);
  for (const fault of faults) console.log(`     ${fault}`);
}
console.log(
  `${cases.length - failed - left} of ${cases.length} cases hold${left > 0 ? `, ${left} were left out` : ''}.`,
);
await target.stop();
await standIns.stop();
process.exit(failed === 0 ? 0 : 1);
