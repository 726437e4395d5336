/** `bailiwick audit …`: export the trail, and verify an export offline. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { AuditRecord } from '@bailiwick/contract';
import { verifyRecords } from '@bailiwick/contract/audit-chain';
import { Command } from 'commander';
import { type ConnectionOptions, call, withConnection } from '../client.js';
import { CommandFailure } from '../failure.js';

export function auditCommand(): Command {
  const audit = new Command('audit').description('The audit trail.');
  withConnection(audit.command('export'))
    .description('every kept record as JSON lines, to standard output')
    .action(async (options: ConnectionOptions) => {
      const response = await call(options, '/api/v1/audit/export');
      for await (const chunk of response.body ?? []) process.stdout.write(chunk);
    });
  audit
    .command('verify')
    .argument('<file>', 'an export (JSON lines)')
    .option(
      '--public-key <file>',
      'PEM file of the signing key (`audit-public-key.pem` of the data folder); without it signatures are not checked',
    )
    .description(
      'recompute every hash, link and signature; names the first broken link; exit 2 when there is one. Works offline',
    )
    .action(async (file: string, options: { publicKey?: string }) => {
      const verification = verifyRecords(
        await readRecords(file),
        options.publicKey === undefined ? undefined : readKey(options.publicKey),
      );
      const { records, chains, signatures, unsealed, broken } = verification;
      if (broken)
        throw new CommandFailure(
          `BROKEN at line ${broken.line}: chain '${broken.chain}', record ${broken.seq}: ${broken.why}.`,
          2,
        );
      const signed =
        options.publicKey === undefined
          ? 'signatures not checked (give --public-key)'
          : `${signatures} signatures good`;
      process.stdout.write(
        `OK: ${records} records in ${chains} chains, ${signed}, ${unsealed} records younger than the last signature.\n`,
      );
    });
  return audit;
}

async function readRecords(path: string): Promise<readonly AuditRecord[]> {
  const records: AuditRecord[] = [];
  let line = 0;
  const stream = createReadStream(path);
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  try {
    for await (const text of lines) {
      line += 1;
      if (text.trim() !== '') records.push(JSON.parse(text) as AuditRecord);
    }
  } catch (error) {
    throw new CommandFailure(
      error instanceof SyntaxError
        ? `BROKEN at line ${line}: not JSON.`
        : `Cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`,
      2,
    );
  }
  if (records.length === 0) throw new CommandFailure(`${path} holds no records.`, 2);
  return records;
}

function readKey(path: string): KeyObject {
  try {
    return createPublicKey(readFileSync(path));
  } catch (error) {
    throw new CommandFailure(
      `${path} is not a public key: ${error instanceof Error ? error.message : String(error)}`,
      2,
    );
  }
}
