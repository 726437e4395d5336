/**
 * Go's fmt.Sprintf for what OPA passes to it: strings, 64-bit and big integers, and doubles.
 * The directive is parsed into flags, width, precision and verb; a verb that does not fit its
 * argument prints as Go's `%!d(string=hi)`.
 */
import {
  BigNumber,
  formatTerm,
  holdText,
  isInteger,
  isNumber,
  toBigInt,
  toDouble,
  type Value,
  work,
} from '../values/index.js';
import { formatFloat } from './go-float.js';
import { quoteAscii, quoteGo, quoteRune } from './go-quote.js';

/** What Go would hold: a string, an integer or a float64. */
type Argument = string | bigint | number;

interface Directive {
  plus: boolean;
  minus: boolean;
  sharp: boolean;
  space: boolean;
  zero: boolean;
  width: number | undefined;
  precision: number | undefined;
}

/** Go refuses digits after a number beyond this. */
const MAX_WIDTH = 1_000_000;
const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;

function toArgument(value: Value): Argument {
  if (typeof value === 'string') return value;
  if (!isNumber(value)) return formatTerm(value);
  if (value instanceof BigNumber && !Number.isFinite(value.toNumber()) && value.exponent > 0) {
    return `${value.mantissa}e${value.exponent}`;
  }
  if (isInteger(value)) {
    return typeof value === 'number' || value instanceof BigNumber ? (toBigInt(value) as bigint) : 0n;
  }
  const double = toDouble(value);
  return Number.isFinite(double) ? double : String(value);
}

function typeName(argument: Argument): string {
  if (typeof argument === 'string') return 'string';
  if (typeof argument === 'number') return 'float64';
  return argument >= MIN_INT64 && argument <= MAX_INT64 ? 'int64' : '*big.Int';
}

const plainDirective = (): Directive => ({
  plus: false,
  minus: false,
  sharp: false,
  space: false,
  zero: false,
  width: undefined,
  precision: undefined,
});

function pad(text: string, directive: Directive): string {
  const width = directive.width ?? 0;
  holdText(Math.max(width, text.length));
  const length = width === 0 ? 0 : [...text].length;
  if (length >= width) return text;
  const fill = width - length;
  return directive.minus ? text + ' '.repeat(fill) : (directive.zero ? '0' : ' ').repeat(fill) + text;
}

function sign(isNegative: boolean, directive: Directive): string {
  return isNegative ? '-' : directive.plus ? '+' : directive.space ? ' ' : '';
}

function padNumber(prefix: string, digits: string, directive: Directive): string {
  if (directive.zero && !directive.minus && directive.width !== undefined && directive.precision === undefined) {
    holdText(directive.width);
    return prefix + digits.padStart(directive.width - prefix.length, '0');
  }
  return pad(prefix + digits, { ...directive, zero: false });
}

const RADIX: Readonly<Record<string, number>> = { d: 10, v: 10, b: 2, o: 8, O: 8, x: 16, X: 16 };

function integerPrefix(verb: string, digits: string, directive: Directive): string {
  if (verb === 'O') return '0o';
  if (!directive.sharp) return '';
  if (verb === 'b') return '0b';
  if (verb === 'o') return digits.startsWith('0') ? '' : '0';
  return verb === 'x' || verb === 'X' ? `0${verb}` : '';
}

/** Verbs for fractions also take whole numbers: whether `1.0` was written so is not kept. */
const FLOAT_VERBS = 'eEfFgG';

function formatInteger(value: bigint, verb: string, directive: Directive): string | undefined {
  if (FLOAT_VERBS.includes(verb)) return formatDouble(Number(value), verb, directive);
  const radix = RADIX[verb];
  if (radix !== undefined) {
    const magnitude = value < 0n ? -value : value;
    if (directive.precision === 0 && value === 0n) return pad('', { ...directive, zero: false });
    holdText(directive.precision ?? 0);
    const raw = magnitude.toString(radix).padStart(directive.precision ?? 0, '0');
    const digits = verb === 'X' ? raw.toUpperCase() : raw;
    return padNumber(sign(value < 0n, directive) + integerPrefix(verb, digits, directive), digits, directive);
  }
  if (value < MIN_INT64 || value > MAX_INT64) return verb === 's' ? pad(String(value), directive) : undefined;
  const isRune = value >= 0n && value <= 0x10ffffn && !(value >= 0xd800n && value <= 0xdfffn);
  const character = isRune ? String.fromCodePoint(Number(value)) : '\ufffd';
  if (verb === 'c') return pad(character, directive);
  if (verb === 'q') return pad(quoteRune(character, directive.plus), directive);
  if (verb === 'U') return pad(formatUnicode(value, character, directive), { ...directive, zero: false });
  return undefined;
}

function formatUnicode(value: bigint, character: string, directive: Directive): string {
  const code = BigInt.asUintN(64, value).toString(16).toUpperCase();
  const text = `U+${code.padStart(Math.max(directive.precision ?? 4, 4), '0')}`;
  return directive.sharp ? `${text} '${character}'` : text;
}

function formatDouble(value: number, verb: string, directive: Directive): string | undefined {
  const prefix = sign(value < 0 || Object.is(value, -0), directive);
  const magnitude = Math.abs(value);
  const { precision } = directive;
  holdText(precision ?? 0);
  const emit = (digits: string): string => padNumber(prefix, digits, { ...directive, precision: undefined });
  switch (verb) {
    case 'v':
      return emit(formatFloat(magnitude, { verb: 'g', precision: precision ?? -1 }));
    case 'g':
    case 'G':
      return emit(
        formatFloat(magnitude, {
          verb,
          precision: precision ?? (directive.sharp ? 6 : -1),
          keepZeros: directive.sharp,
        }),
      );
    case 'e':
    case 'E':
      return emit(formatFloat(magnitude, { verb, precision: precision ?? 6 }));
    case 'f':
    case 'F':
      return emit(formatFloat(magnitude, { verb: 'f', precision: precision ?? 6 }));
    case 'b':
      return emit(binaryExponent(magnitude));
    case 'x':
    case 'X':
      return emit(hexFloat(magnitude, precision ?? -1, verb));
    default:
      return undefined;
  }
}

function decompose(value: number): { mantissa: bigint; exponent: number } {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  const raw = bits.getBigUint64(0);
  const exponent = Number((raw >> 52n) & 0x7ffn);
  const fraction = raw & 0xfffffffffffffn;
  return exponent === 0
    ? { mantissa: fraction, exponent: -1074 }
    : { mantissa: fraction | 0x10000000000000n, exponent: exponent - 1075 };
}

function binaryExponent(value: number): string {
  const { mantissa, exponent } = decompose(value);
  return `${mantissa}p${exponent < 0 ? '-' : '+'}${Math.abs(exponent)}`;
}

function hexFloat(value: number, precision: number, verb: string): string {
  let { mantissa, exponent } = decompose(value);
  if (mantissa !== 0n) {
    while (mantissa < 0x10000000000000n) {
      mantissa <<= 1n;
      exponent--;
    }
    exponent += 52;
  } else exponent = 0;
  if (precision >= 0 && precision < 13) {
    const shift = BigInt(52 - precision * 4);
    const half = 1n << (shift - 1n);
    const rest = mantissa & ((1n << shift) - 1n);
    mantissa >>= shift;
    if (rest > half || (rest === half && (mantissa & 1n) === 1n)) mantissa++;
    mantissa <<= shift;
  }
  const fraction = (mantissa & 0xfffffffffffffn).toString(16).padStart(13, '0');
  const shown = precision < 0 ? fraction.replace(/0+$/, '') : fraction.slice(0, precision).padEnd(precision, '0');
  const power = String(Math.abs(exponent)).padStart(2, '0');
  const text = `0x${mantissa >> 52n}${shown === '' ? '' : `.${shown}`}p${exponent < 0 ? '-' : '+'}${power}`;
  return verb === 'X' ? text.toUpperCase() : text;
}

function truncate(text: string, precision: number | undefined): string {
  return precision === undefined ? text : [...text].slice(0, precision).join('');
}

function formatHexString(text: string, verb: string, directive: Directive): string {
  const bytes = new TextEncoder().encode(text).slice(0, directive.precision);
  if (bytes.length === 0) return pad('', directive);
  const pairs = [...bytes].map((byte) => byte.toString(16).padStart(2, '0'));
  const prefix = directive.sharp ? '0x' : '';
  const joined = directive.space ? pairs.map((pair) => prefix + pair).join(' ') : prefix + pairs.join('');
  return pad(verb === 'X' ? joined.toUpperCase() : joined, directive);
}

function formatText(text: string, verb: string, directive: Directive): string | undefined {
  switch (verb) {
    case 'v':
      if (directive.sharp) return formatText(text, 'q', { ...directive, sharp: false });
      return pad(truncate(text, directive.precision), directive);
    case 's':
      return pad(truncate(text, directive.precision), directive);
    case 'x':
    case 'X':
      return formatHexString(text, verb, directive);
    case 'q': {
      const shown = truncate(text, directive.precision);
      const canBackquote = !/[`\u007f\ufeff]|[^\t\P{Cc}]/u.test(shown);
      if (directive.sharp && canBackquote) return pad(`\`${shown}\``, directive);
      return pad(directive.plus ? quoteAscii(shown) : quoteGo(shown), directive);
    }
    default:
      return undefined;
  }
}

function formatArgument(argument: Argument, verb: string, directive: Directive): string | undefined {
  if (typeof argument === 'string') return formatText(argument, verb, directive);
  if (typeof argument === 'bigint') return formatInteger(argument, verb, directive);
  return formatDouble(argument, verb, directive);
}

function describe(argument: Argument, directive: Directive): string {
  const name = typeName(argument);
  const shown = formatArgument(argument, 'v', directive) ?? '';
  return name === '*big.Int' ? `big.Int=${shown}` : `${name}=${shown}`;
}

class Formatter {
  private readonly format: string;
  private readonly args: readonly Argument[];
  private at = 0;
  private next = 0;
  private reordered = false;
  private isGoodIndex = true;

  constructor(format: string, args: readonly Argument[]) {
    this.format = format;
    this.args = args;
  }

  run(): string {
    let out = '';
    while (this.at < this.format.length) {
      work(2);
      const percent = this.format.indexOf('%', this.at);
      if (percent < 0) {
        out += this.format.slice(this.at);
        break;
      }
      out += this.format.slice(this.at, percent);
      this.at = percent + 1;
      out += this.directive();
    }
    return this.reordered || this.next >= this.args.length ? out : out + this.extra();
  }

  private extra(): string {
    const rest = this.args.slice(this.next).map((argument) => {
      const name = typeName(argument);
      return `${name}=${formatArgument(argument, 'v', plainDirective())}`;
    });
    return `%!(EXTRA ${rest.join(', ')})`;
  }

  private directive(): string {
    const directive = this.flags();
    this.isGoodIndex = true;
    let afterIndex = this.index();
    if (this.peek() === '*') {
      this.at++;
      const width = this.starArgument();
      if (width === undefined) return `%!(BADWIDTH)${this.finish(directive, false)}`;
      directive.width = Math.abs(width);
      if (width < 0) directive.minus = true;
      if (width < 0) directive.zero = false;
      afterIndex = false;
    } else {
      directive.width = this.digits();
      if (afterIndex && directive.width !== undefined) this.isGoodIndex = false;
    }
    if (this.peek() === '.') {
      this.at++;
      if (afterIndex) this.isGoodIndex = false;
      afterIndex = this.index();
      if (this.peek() === '*') {
        this.at++;
        const precision = this.starArgument();
        directive.precision = precision === undefined || precision < 0 ? undefined : precision;
        if (precision === undefined) return `%!(BADPREC)${this.finish(directive, false)}`;
        afterIndex = false;
      } else directive.precision = this.digits() ?? 0;
    }
    return this.finish(directive, afterIndex);
  }

  private finish(directive: Directive, afterIndex: boolean): string {
    if (!afterIndex) this.index();
    if (this.at >= this.format.length) return '%!(NOVERB)';
    const verb = String.fromCodePoint(this.format.codePointAt(this.at) as number);
    this.at += verb.length;
    if (verb === '%') return '%';
    if (!this.isGoodIndex) return `%!${verb}(BADINDEX)`;
    const argument = this.args[this.next];
    if (argument === undefined) return `%!${verb}(MISSING)`;
    this.next++;
    // `%+v` asks for fields, not for signs; big integers look at the flag themselves.
    if (verb === 'v' && typeName(argument) !== '*big.Int') directive.plus = false;
    if (verb === 'T') return pad(typeName(argument), directive);
    return formatArgument(argument, verb, directive) ?? `%!${verb}(${describe(argument, directive)})`;
  }

  private flags(): Directive {
    const directive = plainDirective();
    for (; ; this.at++) {
      switch (this.peek()) {
        case '+':
          directive.plus = true;
          break;
        case '-':
          directive.minus = true;
          directive.zero = false;
          break;
        case '#':
          directive.sharp = true;
          break;
        case ' ':
          directive.space = true;
          break;
        case '0':
          directive.zero = !directive.minus;
          break;
        default:
          return directive;
      }
    }
  }

  private peek(): string | undefined {
    return this.format[this.at];
  }

  private digits(): number | undefined {
    const match = /\d+/y;
    match.lastIndex = this.at;
    const text = match.exec(this.format)?.[0];
    if (text === undefined) return undefined;
    this.at += text.length;
    // As in Go, a number that is too large before its last digit ends the format.
    if (Number(text.slice(0, -1)) > MAX_WIDTH) {
      this.at = this.format.length;
      return undefined;
    }
    return Number(text);
  }

  /** An explicit argument index such as `[2]`; says whether there was one. */
  private index(): boolean {
    if (this.peek() !== '[') return false;
    this.reordered = true;
    const end = this.format.indexOf(']', this.at);
    work((end < 0 ? this.format.length - this.at : end - this.at) >> 5);
    if (end < 0) {
      this.isGoodIndex = false;
      this.at++;
      return false;
    }
    const text = this.format.slice(this.at + 1, end);
    this.at = end + 1;
    const position = /^\d+$/.test(text) ? Number(text) : 0;
    if (position < 1 || position > this.args.length) this.isGoodIndex = false;
    else this.next = position - 1;
    return true;
  }

  private starArgument(): number | undefined {
    const argument = this.args[this.next];
    if (argument === undefined) return undefined;
    this.next++;
    if (typeof argument !== 'bigint') return undefined;
    return argument >= -MAX_WIDTH && argument <= MAX_WIDTH ? Number(argument) : undefined;
  }
}

/** `fmt.Sprintf` as OPA calls it: composites are passed as their printed terms. */
export function sprintf(format: string, args: readonly Value[]): string {
  if (!format.includes('%') && args.length === 0) return format;
  return new Formatter(format, args.map(toArgument)).run();
}
