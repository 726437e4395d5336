/** What the `rego` subcommands share: options, and how their errors end. */
import { readFileSync } from 'node:fs';
import { capabilities, isRegoErrors, type syntax } from '@bailiwick/rego';
import { type Capabilities, errorJsonText, errorText, readCapabilities } from '@bailiwick/rego/tools';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CommandFailure } from '../../failure.js';
import { BundleError } from './bundle-files.js';
import { LoadError } from './load-files.js';

export interface VersionOptions {
  readonly v0Compatible?: boolean;
}

export interface LoadingOptions extends VersionOptions {
  readonly ignore: readonly string[];
}

export interface DataOptions extends LoadingOptions {
  readonly data: readonly string[];
  readonly input?: string;
}

/** For options that may be repeated. */
export const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export const withVersion = (command: Command): Command => command.option('--v0-compatible', 'read modules as Rego v0');

/** For commands that look for files in folders. */
export const withIgnore = (command: Command): Command =>
  withVersion(command).option(
    '--ignore <patterns>',
    "names of files and folders to leave out, as in '.*,*_test.rego'; may be repeated",
    (value, before) => [...before, ...value.split(',')],
    [] as readonly string[],
  );

export const withData = (command: Command): Command =>
  withIgnore(command).option(
    '-d, --data <path>',
    'policies and data: a file or folder; may be repeated',
    collect,
    [] as readonly string[],
  );

export const withInput = (command: Command): Command => command.option('-i, --input <file>', 'the input document');

export const withFormat = (command: Command, formats: readonly [string, ...string[]]): Command =>
  command.addOption(new Option('-f, --format <format>', 'how to print').choices(formats).default(formats[0]));

export const versionOf = (options: VersionOptions): syntax.RegoVersion => (options.v0Compatible === true ? 'v0' : 'v1');

/** The version whose built-ins and features these are. */
const OPA_VERSION = 'v1.22.0';

const readCapabilitiesFile = (file: string): Capabilities => {
  try {
    return readCapabilities(readFileSync(file, 'utf8'));
  } catch (error) {
    if (file === OPA_VERSION) return readCapabilities(JSON.stringify(capabilities()));
    if (/^v\d+\.\d+\.\d+$/.test(file))
      throw new InvalidArgumentError(
        `only those of ${OPA_VERSION} are here; opa capabilities --version ${file} writes a file with others`,
      );
    throw new InvalidArgumentError(
      `no such file, or no capabilities: ${error instanceof Error ? error.message : error}`,
    );
  }
};

/** What modules are compiled with, and against. */
export interface CompileOptions {
  readonly capabilities?: Capabilities;
  readonly schema?: string;
}

export const withCompilation = (command: Command): Command =>
  command
    .option(
      '--capabilities <file>',
      `a capabilities.json, or ${OPA_VERSION}: what policies may use`,
      readCapabilitiesFile,
    )
    .option('-s, --schema <path>', 'JSON Schema of the input, or a folder of schemas that annotations name');

const DURATIONS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 3.6e6 };

/** As Go writes durations (`1.5s`, `1m30s`); a plain number is seconds. In milliseconds. */
export function parseDuration(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text)
    throw new InvalidArgumentError('no duration such as 500ms, 5s or 1m30s');
  return parts.reduce((sum, [, count, unit = 's']) => sum + Number(count) * (DURATIONS[unit] ?? 1), 0);
}

export function parseNumber(text: string): number {
  const number = Number(text);
  if (text.trim() === '' || !Number.isFinite(number)) throw new InvalidArgumentError('not a number');
  return number;
}

export function parseCount(text: string): number {
  const count = parseNumber(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('not a whole number from 1 on');
  return count;
}

export const print = (text: string): boolean => process.stdout.write(text);

export interface ReportOptions {
  readonly exitCode: number;
  readonly asJson: boolean;
  /** Where JSON goes; text always goes to standard error. */
  readonly jsonTo?: 'stdout' | 'stderr';
  readonly sources?: ReadonlyMap<string, string>;
  readonly maxErrors?: number;
  /** OPA's `eval` and `bench` do not say that a module was read when it did not parse. */
  readonly parsesSilently?: boolean;
  /** In whose words errors of bundles are told; default `eval`. */
  readonly words?: keyof BundleError['words'];
}

/** Runs a command; what it throws is printed as OPA prints it and ends with the exit code given. */
export async function reporting(options: ReportOptions, action: () => Promise<void> | void): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    let isLoading = error instanceof LoadError;
    let cause = error instanceof LoadError ? error.cause : error;
    if (cause instanceof BundleError) {
      const text = cause.words[options.words ?? 'eval'];
      if (options.words !== undefined && !options.asJson) throw new CommandFailure(text, options.exitCode);
      cause = new Error(text, { cause });
      isLoading = false;
    }
    if (options.parsesSilently === true && isRegoErrors(cause)) isLoading = false;
    const sources = error instanceof LoadError ? error.sources : options.sources;
    const report = {
      sourceOf: (file: string) => sources?.get(file),
      duringLoading: isLoading,
      ...(options.maxErrors === undefined ? {} : { maxErrors: options.maxErrors }),
    };
    if (!options.asJson) throw new CommandFailure(errorText(cause, report), options.exitCode);
    process[options.jsonTo ?? 'stderr'].write(errorJsonText(cause, report));
    throw new CommandFailure('', options.exitCode);
  }
}
