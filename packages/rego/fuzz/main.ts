/** The command behind `npm run fuzz:rego -- --programs N --seed N`; the last line is the verdict. */
import { parseArgs } from 'node:util';
import { isOpaInstalled, opaCommand, opaInstallHint, startOpa } from '../../../test/servers/opa.js';
import { describeFound, fuzz } from './run.js';

const { values } = parseArgs({
  options: {
    programs: { type: 'string', default: '2000' },
    seed: { type: 'string' },
    differences: { type: 'string', default: '10' },
    shrink: { type: 'string', default: '10' },
    servers: { type: 'string', default: '2' },
  },
});
if (!isOpaInstalled()) {
  console.error(`No OPA to compare with: ${opaInstallHint}`);
  process.exit(2);
}
const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000_000));
console.log(`seed ${seed}`);
const start = performance.now();
const pairs = await Promise.all(
  Array.from({ length: Number(values.servers) }, async () => ({
    v0: await startOpa(['--v0-compatible']),
    v1: await startOpa(['--v1-compatible']),
  })),
);
const report = await fuzz({
  programs: Number(values.programs),
  seed,
  peers: pairs.map(({ v0, v1 }) => ({ v0: v0.url, v1: v1.url })),
  command: opaCommand(),
  maxDifferences: Number(values.differences),
  shrinkMs: Number(values.shrink) * 1000,
  onDifference: (found) => console.log(`\n${describeFound(found)}\n`),
  onProgress: (done) => {
    if (done % 1000 === 0) console.log(`${done} programs, ${Math.round(performance.now() - start)} ms`);
  },
});
await Promise.all(pairs.flatMap(({ v0, v1 }) => [v0.stop(), v1.stop()]));
console.log(
  `${report.programs} programs from seed ${seed} (${report.compiled} compile, ${report.answers} answers): ${report.found.length} differences`,
);
process.exitCode = report.found.length > 0 ? 1 : 0;
