/** Makes a failing program smaller as long as it fails in the same way: rules, lines, parts of lines, data. */
import type { Program } from './generate.js';

type Fails = (program: Program) => Promise<boolean>;

/** The lines of a module in groups that may go together: each rule with its branches, each line in it. */
function cuts(text: string): (readonly [number, number])[] {
  const lines = text.split('\n');
  const result: [number, number][] = [];
  let start = -1;
  for (const [index, line] of lines.entries()) {
    if (/[{]$/.test(line) && start < 0) start = index;
    if (line === '}' && start >= 0) {
      result.push([start, index + 1]);
      start = -1;
    }
  }
  for (const [index, line] of lines.entries())
    if (line !== '' && !line.startsWith('package')) result.push([index, index + 1]);
  return result;
}

/** `[from, to)` of every bracketed part of a line, and of what stands between commas or semicolons. */
function parts(line: string): (readonly [number, number])[] {
  const result: [number, number][] = [];
  const open: number[] = [];
  for (let i = 0; i < line.length; i++) {
    const char = line[i] as string;
    if ('([{'.includes(char)) {
      open.push(i);
      const name = /[\w.$"]+$/.exec(line.slice(0, i));
      if (name !== null) result.push([name.index, -1]);
    } else if (')]}'.includes(char)) {
      const from = open.pop();
      if (from === undefined) continue;
      result.push([from, i + 1], [from + 1, i]);
      const call = /[\w.]+$/.exec(line.slice(0, from));
      if (call !== null) result.push([call.index, i + 1]);
    }
  }
  for (const match of line.matchAll(
    /[^;|{}]+;? ?|, [^,[\](){}]+|[\w.]+ |"[^"]*"|[\w.]+(?:\[[^\]]*\])?| with .*$| (?:==|!=|<=?|>=?|\+|-|\*|\/|%|:=|=|\||&) [^ ]+/g,
  ))
    result.push([match.index, match.index + match[0].length]);
  return result.filter(([from, to]) => to > from).sort((a, b) => b[1] - b[0] - (a[1] - a[0]));
}

const STAND_INS = ['', 'true', '1', 'x', '[]', 'input', '"a"'];

async function shrinkModule(program: Program, index: number, fails: Fails, deadline: number): Promise<Program> {
  let current = program;
  const attempt = async (text: string): Promise<boolean> => {
    if (Date.now() > deadline || text === current.modules[index]) return false;
    const next = { ...current, modules: current.modules.map((module, each) => (each === index ? text : module)) };
    if (!(await fails(next))) return false;
    current = next;
    return true;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (let i = 0; ; i++) {
      const lines = (current.modules[index] as string).split('\n');
      const cut = cuts(current.modules[index] as string)[i];
      if (cut === undefined) break;
      if (await attempt([...lines.slice(0, cut[0]), ...lines.slice(cut[1])].join('\n'))) {
        changed = true;
        i -= 1;
      }
    }
    for (let row = 0; row < (current.modules[index] as string).split('\n').length; row++) {
      for (let i = 0; ; i++) {
        const lines = (current.modules[index] as string).split('\n');
        const line = lines[row] as string;
        const part = line.startsWith('package') ? undefined : parts(line)[i];
        if (part === undefined) break;
        for (const standIn of STAND_INS) {
          const shorter = `${line.slice(0, part[0])}${standIn}${line.slice(part[1])}`;
          if (shorter.length >= line.length || shorter.trim() === '') continue;
          if (await attempt(lines.with(row, shorter).join('\n'))) {
            changed = true;
            break;
          }
        }
      }
    }
  }
  return current;
}

/** Values with one part less. */
function* smaller(value: unknown): Generator<unknown> {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      yield value.toSpliced(index, 1);
      for (const less of smaller(item)) yield value.with(index, less);
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      const { [key]: _, ...rest } = value as Record<string, unknown>;
      yield rest;
      for (const less of smaller(item)) yield { ...value, [key]: less };
    }
  }
}

async function shrinkValues(program: Program, fails: Fails, deadline: number): Promise<Program> {
  let current = program;
  for (let changed = true; changed && Date.now() < deadline; ) {
    changed = false;
    const candidates = [
      ...[...smaller(current.data)].map((data) => ({ ...current, data })),
      ...(current.inputs.length > 1 ? current.inputs.map((input) => ({ ...current, inputs: [input] })) : []),
      ...current.inputs.flatMap((input, index) =>
        [...smaller(input)].map((less) => ({ ...current, inputs: current.inputs.with(index, less) })),
      ),
    ];
    for (const candidate of candidates) {
      if (Date.now() > deadline || !(await fails(candidate))) continue;
      current = candidate;
      changed = true;
      break;
    }
  }
  return current;
}

/** The smallest program found that still fails. Cost: bounded by `budgetMs`. */
export async function shrink(program: Program, fails: Fails, budgetMs: number): Promise<Program> {
  const deadline = Date.now() + budgetMs;
  let current = program;
  for (let index = current.modules.length - 1; index > 0; index--) {
    const without = { ...current, modules: current.modules.toSpliced(index, 1) };
    if (await fails(without)) current = without;
  }
  for (let index = 0; index < current.modules.length; index++)
    current = await shrinkModule(current, index, fails, deadline);
  return shrinkValues(current, fails, deadline);
}
