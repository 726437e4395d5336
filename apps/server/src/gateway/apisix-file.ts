/**
 * Reads `apisix.yaml` in APISIX's standalone format: `${{ENV}}` and `${{ENV:=default}}`, a trailing `#END`, then the schemas of what this
 * gateway supports. What it does not support is an error that names the line, never ignored.
 */
import { LineCounter, parseDocument } from 'yaml';
import { type At, type FileFault, GatewayFileError, Lines } from './file-lines.js';
import type { PluginRegistry } from './plugin.js';
import { type GatewayFile, type ResourceKind, resourceKinds } from './resource-schemas.js';
import { validateResource, validateTogether } from './resource-validation.js';

const kinds = Object.keys(resourceKinds) as readonly ResourceKind[];

/** Throws `GatewayFileError` with every fault and its line. */
export function parseApisixFile(
  text: string,
  path: string,
  variables: Readonly<Record<string, string | undefined>>,
  plugins: PluginRegistry,
): GatewayFile {
  if (!/^#END\s*$/m.test(text.slice(text.lastIndexOf('#END'))))
    throw new GatewayFileError(path, [
      { line: 0, message: 'the last line must be #END; without it the file may be half written' },
    ]);
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, uniqueKeys: true });
  if (document.errors.length > 0) {
    throw new GatewayFileError(
      path,
      document.errors.map((error) => ({
        line: lineCounter.linePos(error.pos[0]).line,
        message: error.message.split('\n', 1)[0] ?? 'not YAML',
      })),
    );
  }
  const lines = new Lines(document, lineCounter);
  const faults: FileFault[] = [];
  const report = (at: At, message: string): void => void faults.push({ line: lines.of(at), message });
  const file = readResources(substitute(document.toJS(), variables, [], report), plugins, report);
  if (faults.length === 0) validateTogether(file, report);
  if (faults.length > 0) throw new GatewayFileError(path, faults);
  return file;
}

function readResources(
  document: unknown,
  plugins: PluginRegistry,
  report: (at: At, message: string) => void,
): GatewayFile {
  const source = (document ?? {}) as Record<string, unknown>;
  const isMap = typeof source === 'object' && !Array.isArray(source);
  if (!isMap) report([], 'the file must be a map of lists: routes, services, upstreams …');
  for (const name of isMap ? Object.keys(source) : [])
    if (!kinds.includes(name as ResourceKind))
      report([name], `the file has '${name}', which this gateway does not support`);
  const file: Record<string, readonly unknown[]> = {};
  for (const kind of kinds) {
    const list = isMap ? (source[kind] ?? []) : [];
    if (!Array.isArray(list)) report([kind], `${kind} must be a list`);
    file[kind] = Array.isArray(list) ? list : [];
    file[kind].forEach((resource, index) => void validateResource(kind, resource, plugins, [kind, index], report));
  }
  return file as unknown as GatewayFile;
}

/** A text that is one variable and nothing else becomes a number when it looks like one, as in APISIX. */
function substitute(
  value: unknown,
  variables: Readonly<Record<string, string | undefined>>,
  at: At,
  report: (at: At, message: string) => void,
): unknown {
  if (typeof value === 'string') {
    const result = value.replace(
      /\$\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*(?::=([^}]*))?\}\}/g,
      (_whole, name: string, otherwise: string | undefined) => {
        const found = variables[name] ?? otherwise?.trim();
        if (found === undefined) report(at, `the environment variable ${name} is not set and has no default`);
        return found ?? '';
      },
    );
    return result !== value && /^\d+$/.test(result) ? Number(result) : result;
  }
  if (Array.isArray(value)) return value.map((item, index) => substitute(item, variables, [...at, index], report));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        String(substitute(key, variables, [...at, key], report)),
        substitute(item, variables, [...at, key], report),
      ]),
    );
  return value;
}
