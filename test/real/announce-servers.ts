/** Runs once before the suites: says which real servers are here. Under CI=true a missing one is an error. */
import { areAllRequired, serverKinds } from '../servers/server-kinds.js';

export default function announceServers(): void {
  const missing: string[] = [];
  console.log('Real servers on this machine:');
  for (const { title, isInstalled, installHint } of Object.values(serverKinds)) {
    const isHere = isInstalled();
    console.log(`  ${isHere ? 'present' : 'MISSING'}  ${title}${isHere ? '' : `: ${installHint}`}`);
    if (!isHere) missing.push(title);
  }
  if (missing.length === 0) return;
  if (areAllRequired()) throw new Error(`CI=true needs all real servers; missing: ${missing.join(', ')}`);
  console.log('Suites that need a missing one are skipped.');
}
