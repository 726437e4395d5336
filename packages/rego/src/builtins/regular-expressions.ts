/** Regular expressions in RE2 syntax, and globs over paths and as sets of texts. */
import { holdText, isArray, quote, type Value, work } from '../values/index.js';
import { type Builtin, type BuiltinContext, family } from './builtin.js';
import { utf8 } from './bytes.js';
import { fail } from './errors.js';
import { elementError, integerOperand, operand, stringOperand, typeError } from './operands.js';
import { globsIntersect } from './regex/glob-intersection.js';
import { compileGlob, quoteGlob } from './regex/glob-pattern.js';
import { compileRegex, quotePattern, type Regex, RegexError } from './regex/regex.js';
import { anyOf, array, boolean, nothing, number, string } from './type-decl.js';

const CHARGE_SHIFT = 6;

function compile(pattern: string): Regex {
  try {
    return compileRegex(pattern);
  } catch (error) {
    if (error instanceof RegexError) return fail(error.message);
    throw error;
  }
}

function isValid(pattern: Value | undefined): boolean {
  if (typeof pattern !== 'string') return false;
  try {
    compileRegex(pattern);
    return true;
  } catch (error) {
    if (error instanceof RegexError) return false;
    throw error;
  }
}

function match(args: readonly Value[], context: BuiltinContext): boolean {
  const pattern = stringOperand(args, 1);
  const text = stringOperand(args, 2);
  context.charge(text.length >> CHARGE_SHIFT);
  return compile(pattern).test(text);
}

interface Span {
  readonly start: number;
  readonly end: number;
}

function findGroups(args: readonly Value[], context: BuiltinContext): readonly (readonly string[])[] {
  const pattern = stringOperand(args, 1);
  const text = stringOperand(args, 2);
  const found = compile(pattern).findAll(text, integerOperand(args, 3), (steps) => context.charge(steps));
  return found.map((slots) => {
    const groups: string[] = [];
    for (let i = 0; i < slots.length; i += 2) {
      const start = slots[i] as number;
      groups.push(start < 0 ? '' : text.slice(start, slots[i + 1]));
    }
    return groups;
  });
}

function spans(pattern: string, text: string, context: BuiltinContext): readonly Span[] {
  return compile(pattern)
    .findAll(text, -1, (steps) => context.charge(steps))
    .map((slots) => ({ start: slots[0] as number, end: slots[1] as number }));
}

function split(args: readonly Value[], context: BuiltinContext): readonly string[] {
  const pattern = stringOperand(args, 1);
  const text = stringOperand(args, 2);
  if (text === '' && pattern !== '') {
    compile(pattern);
    return [''];
  }
  const parts: string[] = [];
  let begin = 0;
  let end = 0;
  for (const span of spans(pattern, text, context)) {
    end = span.start;
    if (span.end !== 0) parts.push(text.slice(begin, end));
    begin = span.end;
  }
  if (end !== text.length) parts.push(text.slice(begin));
  return parts;
}

function replace(args: readonly Value[], context: BuiltinContext): string {
  const text = stringOperand(args, 1);
  const pattern = stringOperand(args, 2);
  const replacement = stringOperand(args, 3);
  const regex = compile(pattern);
  let out = '';
  let copied = 0;
  for (const slots of regex.findAll(text, -1, (steps) => context.charge(steps))) {
    const filled = regex.expand(replacement, text, slots);
    holdText(filled.length);
    out += text.slice(copied, slots[0]) + filled;
    copied = slots[1] as number;
  }
  return out + text.slice(copied);
}

/** The spans of balanced delimiters at the outermost level. */
function delimited(template: string, open: string, close: string): readonly Span[] {
  const found: Span[] = [];
  let level = 0;
  let start = 0;
  for (let i = 0; i < template.length; i++) {
    if (template[i] === open) {
      level++;
      if (level === 1) start = i;
    } else if (template[i] === close) {
      level--;
      if (level === 0) found.push({ start, end: i + 1 });
      if (level < 0) break;
    }
  }
  return level === 0 ? found : fail(`unbalanced braces in ${quote(template)}`);
}

function templateMatch(args: readonly Value[]): boolean {
  const template = stringOperand(args, 1);
  const text = stringOperand(args, 2);
  work((template.length + text.length) >> CHARGE_SHIFT);
  const [open, close] = [stringOperand(args, 3), stringOperand(args, 4)];
  const openLength = utf8(open).length;
  if (openLength !== 1) fail(`start delimiter has to be exactly one character long but is ${openLength} long`);
  if (utf8(close).length !== 1) fail(`end delimiter has to be exactly one character long but is ${openLength} long`);
  let pattern = '^';
  let copied = 0;
  for (const { start, end } of delimited(template, open, close)) {
    const part = template.slice(start + 1, end - 1);
    compile(`^${part}$`);
    pattern += `${quotePattern(template.slice(copied, start))}(${part})`;
    copied = end;
  }
  return compile(`${pattern}${quotePattern(template.slice(copied))}$`).test(text);
}

const NO_DELIMITERS: readonly string[] = [];
const DOT: readonly string[] = ['.'];

function delimiters(args: readonly Value[]): readonly string[] {
  const value = operand(args, 2);
  if (value === null) return NO_DELIMITERS;
  if (!isArray(value)) throw typeError(2, value, 'array', 'null');
  for (const item of value) {
    if (typeof item !== 'string') throw elementError(2, value, item, 'string');
    if (item.length !== 1 && [...item].length !== 1) throw elementError(2, value, item, 'rune');
  }
  return value.length === 0 ? DOT : (value as readonly string[]);
}

function globMatch(args: readonly Value[], context: BuiltinContext): boolean {
  const pattern = stringOperand(args, 1);
  const separators = delimiters(args);
  const text = stringOperand(args, 3);
  context.charge(text.length >> CHARGE_SHIFT);
  return compileGlob(pattern, separators)(text);
}

export const regexBuiltins: readonly Builtin[] = [
  ...family('regex', {
    re_match: {
      about: 'Whether a text matches a pattern.',
      deprecated: true,
      args: { pattern: string, value: string },
      result: { result: boolean },
      evaluate: match,
    },
    'regex.match': {
      about: 'Whether a text matches a pattern somewhere.',
      args: { pattern: string, value: string },
      result: { result: boolean },
      evaluate: match,
    },
    'regex.is_valid': {
      about: 'Whether a string is a regular expression.',
      args: { pattern: string },
      result: { result: boolean },
      evaluate: ([pattern]) => isValid(pattern),
    },
    'regex.find_n': {
      about: 'The first matches of a pattern; all for a negative number.',
      args: { pattern: string, value: string, number },
      result: { output: array(string) },
      evaluate: (args, context) => findGroups(args, context).map((groups) => groups[0] as string),
    },
    'regex.find_all_string_submatch_n': {
      about: 'The first matches of a pattern with their groups; all for a negative number.',
      args: { pattern: string, value: string, number },
      result: { output: array(array(string)) },
      evaluate: findGroups,
    },
    'regex.split': {
      about: 'The parts of a text between matches of a pattern.',
      args: { pattern: string, value: string },
      result: { output: array(string) },
      evaluate: split,
    },
    'regex.replace': {
      about: 'The text with every match replaced; `$1` and `$name` stand for groups.',
      args: { s: string, pattern: string, value: string },
      result: { output: string },
      evaluate: replace,
    },
    'regex.template_match': {
      about: 'Whether a text matches a template in which delimiters enclose regular expressions.',
      args: { template: string, value: string, delimiter_start: string, delimiter_end: string },
      result: { result: boolean },
      evaluate: templateMatch,
    },
    'regex.globs_match': {
      about: 'Whether some text matches both of two globs.',
      args: { glob1: string, glob2: string },
      result: { result: boolean },
      evaluate: (args) => globsIntersect(stringOperand(args, 1), stringOperand(args, 2)),
    },
  }),
  ...family('glob', {
    'glob.match': {
      about: 'Whether a text matches a glob; `*` does not cross a delimiter, `**` does.',
      args: { pattern: string, delimiters: anyOf(nothing, array(string)), match: string },
      result: { result: boolean },
      evaluate: globMatch,
    },
    'glob.quote_meta': {
      about: 'The glob that matches a text literally.',
      args: { pattern: string },
      result: { output: string },
      evaluate: (args) => quoteGlob(stringOperand(args, 1)),
    },
  }),
];
