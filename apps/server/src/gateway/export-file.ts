/** The file and the managed resources as one `apisix.yaml` for a real APISIX, variables unresolved as they stand in the file. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';

export function exportApisixFile(path: string, managed: Readonly<Record<string, readonly unknown[]>>): string {
  const file = (parse(readFileSync(path, 'utf8')) ?? {}) as Record<string, readonly unknown[] | undefined>;
  const whole: Record<string, readonly unknown[]> = {};
  for (const kind of new Set([...Object.keys(file), ...Object.keys(managed)]))
    whole[kind] = [...(file[kind] ?? []), ...(managed[kind] ?? [])];
  return `# Written by Bailiwick from its file and its managed resources; changes here are lost.\n${stringify(whole, { aliasDuplicateObjects: false })}#END\n`;
}

/** Beside and renamed: APISIX never reads half a file. */
export function writeApisixFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
