/** Parses Go templates: actions between braces, with trimming, comments and nested templates. */
import { type Command, type Operand, type Pipeline, TemplateError, type TemplateNode, type Term } from './syntax.js';

interface Token {
  readonly kind: 'word' | 'variable' | 'field' | 'string' | 'number' | 'character' | 'symbol' | 'space';
  readonly text: string;
}

const TOKEN =
  /(\s+)|("(?:[^"\\\n]|\\.)*"|`[^`]*`)|('(?:[^'\\\n]|\\.)+')|(\$\w*)|(\.\w+)|([-+]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?))|([A-Za-z_]\w*)|(:=|[=(),|.])/y;
const KINDS: readonly Token['kind'][] = [
  'space',
  'string',
  'character',
  'variable',
  'field',
  'number',
  'word',
  'symbol',
];

function tokenize(action: string): readonly Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < action.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(action);
    if (match === null)
      throw new TemplateError(`template: template:1: unexpected ${JSON.stringify(action[at])} in command`);
    const index = KINDS.findIndex((_, i) => match[i + 1] !== undefined);
    tokens.push({ kind: KINDS[index] as Token['kind'], text: match[0] });
  }
  return tokens;
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', a: '\u0007', b: '\b', f: '\f', v: '\v' };

function unquote(text: string): string {
  if (text.startsWith('`')) return text.slice(1, -1);
  return text
    .slice(1, -1)
    .replace(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)/g, (_, sequence: string) => {
      if (/^[xuU]./.test(sequence)) return String.fromCodePoint(Number.parseInt(sequence.slice(1), 16));
      if (/^[0-7]{3}$/.test(sequence)) return String.fromCharCode(Number.parseInt(sequence, 8));
      return ESCAPES[sequence] ?? sequence;
    });
}

const FUNCTIONS: ReadonlySet<string> = new Set(
  'and or not len index slice print printf println html js urlquery eq ne lt le gt ge call'.split(' '),
);

/** Parses what stands in one action. */
class ActionParser {
  private readonly tokens: readonly Token[];
  private readonly variables: readonly string[];
  private at = 0;

  constructor(action: string, variables: readonly string[]) {
    this.tokens = tokenize(action);
    this.variables = variables;
  }

  private peek(): Token | undefined {
    return this.tokens[this.at];
  }

  skipSpace(): void {
    while (this.peek()?.kind === 'space') this.at++;
  }

  get isDone(): boolean {
    this.skipSpace();
    return this.at >= this.tokens.length;
  }

  word(): string | undefined {
    this.skipSpace();
    const token = this.peek();
    if (token?.kind !== 'word') return undefined;
    this.at++;
    return token.text;
  }

  text(): string {
    this.skipSpace();
    const token = this.peek();
    if (token?.kind !== 'string') throw new TemplateError('template: template:1: unexpected token in template clause');
    this.at++;
    return unquote(token.text);
  }

  /** A pipeline up to the end of the action or a closing parenthesis. */
  pipeline(): Pipeline {
    const declared = this.declaration();
    const commands: Command[] = [];
    for (;;) {
      const command = this.command();
      if (command.length === 0) throw new TemplateError('template: template:1: missing value for command');
      commands.push(command);
      this.skipSpace();
      if (this.peek()?.text !== '|') break;
      this.at++;
    }
    return { ...declared, commands };
  }

  private declaration(): Pick<Pipeline, 'variables' | 'isAssignment'> {
    const start = this.at;
    const variables: string[] = [];
    for (;;) {
      this.skipSpace();
      if (this.peek()?.kind !== 'variable') break;
      variables.push((this.peek() as Token).text);
      this.at++;
      this.skipSpace();
      const symbol = this.peek()?.text;
      if (symbol === ',') {
        this.at++;
        continue;
      }
      if (symbol !== ':=' && symbol !== '=') break;
      this.at++;
      return { variables, isAssignment: symbol === '=' };
    }
    this.at = start;
    return { variables: [], isAssignment: false };
  }

  private command(): Command {
    const terms: Term[] = [];
    for (;;) {
      this.skipSpace();
      const token = this.peek();
      if (token === undefined || token.text === '|' || token.text === ')') return terms;
      terms.push(this.term());
    }
  }

  private term(): Term {
    const fields: string[] = [];
    const token = this.peek() as Token;
    let operand: Operand;
    if (token.kind === 'field') operand = { kind: 'dot' };
    else {
      this.at++;
      operand = this.operand(token);
    }
    while (this.peek()?.kind === 'field') {
      fields.push((this.peek() as Token).text.slice(1));
      this.at++;
    }
    return { operand, fields };
  }

  private operand({ kind, text }: Token): Operand {
    switch (kind) {
      case 'string':
        return { kind: 'literal', value: unquote(text) };
      case 'character':
        return { kind: 'literal', value: unquote(text).codePointAt(0) as number };
      case 'number':
        return { kind: 'literal', value: Number(text.replaceAll('_', '')) };
      case 'variable':
        if (!this.variables.includes(text))
          throw new TemplateError(`template: template:1: undefined variable "${text}"`);
        return { kind: 'variable', name: text };
      case 'word':
        return this.named(text);
      default:
        if (text === '.') return { kind: 'dot' };
        if (text === '(') return this.parenthesised();
        throw new TemplateError(`template: template:1: unexpected ${JSON.stringify(text)} in operand`);
    }
  }

  private named(name: string): Operand {
    if (name === 'true' || name === 'false') return { kind: 'literal', value: name === 'true' };
    if (name === 'nil') return { kind: 'nil' };
    if (!FUNCTIONS.has(name)) throw new TemplateError(`template: template:1: function "${name}" not defined`);
    return { kind: 'function', name };
  }

  private parenthesised(): Operand {
    const pipeline = this.pipeline();
    this.skipSpace();
    if (this.peek()?.text !== ')') throw new TemplateError('template: template:1: unclosed left paren');
    this.at++;
    return { kind: 'pipeline', pipeline };
  }
}

type Piece = { readonly kind: 'text' | 'action'; readonly text: string };

/** Cuts a template into text and actions, trimming where markers ask for it. */
function cut(source: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let trimNext = false;
  for (let at = 0; ; ) {
    const open = source.indexOf('{{', at);
    let text = source.slice(at, open < 0 ? source.length : open);
    if (trimNext) text = text.replace(/^[ \t\r\n]+/, '');
    const trimsBefore = open >= 0 && /^-[ \t\r\n]/.test(source.slice(open + 2, open + 4));
    if (trimsBefore) text = text.replace(/[ \t\r\n]+$/, '');
    if (text !== '') pieces.push({ kind: 'text', text });
    if (open < 0) return pieces;
    const start = open + (trimsBefore ? 3 : 2);
    const { action, end, trims } = readAction(source, start);
    if (action !== undefined) pieces.push({ kind: 'action', text: action });
    trimNext = trims;
    at = end;
  }
}

function readAction(source: string, start: number): { action: string | undefined; end: number; trims: boolean } {
  const comment = /^\s*\/\*[\s\S]*?\*\/(\s-)?\}\}/.exec(source.slice(start));
  if (comment !== null) return { action: undefined, end: start + comment[0].length, trims: comment[1] !== undefined };
  const pattern = /"(?:[^"\\\n]|\\.)*"|`[^`]*`|'(?:[^'\\\n]|\\.)*'|\}\}/g;
  pattern.lastIndex = start;
  for (let match = pattern.exec(source); match !== null; match = pattern.exec(source)) {
    if (match[0] !== '}}') continue;
    const inner = source.slice(start, match.index);
    const trims = /[ \t\r\n]-$/.test(inner);
    return { action: trims ? inner.slice(0, -2) : inner, end: match.index + 2, trims };
  }
  throw new TemplateError('template: template:1: unclosed action');
}

export interface ParsedTemplate {
  readonly root: readonly TemplateNode[];
  readonly named: ReadonlyMap<string, readonly TemplateNode[]>;
}

const MAX_DEPTH = 200;

class TemplateParser {
  private readonly pieces: readonly Piece[];
  readonly named = new Map<string, readonly TemplateNode[]>();
  private at = 0;
  private variables: string[] = ['$'];
  private depth = 0;
  private ranges = 0;

  constructor(source: string) {
    this.pieces = cut(source);
  }

  parse(): readonly TemplateNode[] {
    const { nodes, end } = this.list();
    if (end !== undefined) throw new TemplateError(`template: template:1: unexpected {{${end.word}}}`);
    return nodes;
  }

  /** Nodes up to `else` or `end`, or the end of the template. */
  private list(): { nodes: TemplateNode[]; end: { word: string; parser: ActionParser } | undefined } {
    const nodes: TemplateNode[] = [];
    for (let piece = this.pieces[this.at]; piece !== undefined; piece = this.pieces[this.at]) {
      this.at++;
      if (piece.kind === 'text') {
        nodes.push({ kind: 'text', text: piece.text });
        continue;
      }
      const keyword = /^\s*(if|with|range|else|end|define|block|template|break|continue)\b/.exec(piece.text)?.[1];
      const parser = new ActionParser(piece.text, this.variables);
      if (keyword !== undefined) parser.word();
      if (keyword === 'end' || keyword === 'else') return { nodes, end: { word: keyword, parser } };
      nodes.push(...this.node(keyword, parser));
    }
    return { nodes, end: undefined };
  }

  private node(keyword: string | undefined, parser: ActionParser): readonly TemplateNode[] {
    switch (keyword) {
      case undefined:
        return [{ kind: 'action', pipeline: this.pipeline(parser) }];
      case 'define':
        this.define(parser.text(), parser);
        return [];
      case 'block': {
        const name = parser.text();
        const pipeline = this.pipeline(parser);
        this.define(name, parser);
        return [{ kind: 'template', name, pipeline }];
      }
      case 'template': {
        const name = parser.text();
        return [{ kind: 'template', name, pipeline: parser.isDone ? undefined : this.pipeline(parser) }];
      }
      case 'break':
      case 'continue':
        if (this.ranges === 0) throw new TemplateError(`template: template:1: {{${keyword}}} outside {{range}}`);
        return [{ kind: keyword }];
      default:
        return [this.control(keyword as 'if' | 'with' | 'range', parser)];
    }
  }

  private pipeline(parser: ActionParser): Pipeline {
    const pipeline = parser.pipeline();
    if (!parser.isDone) throw new TemplateError('template: template:1: unexpected token in action');
    if (!pipeline.isAssignment) this.variables.push(...pipeline.variables);
    return pipeline;
  }

  private define(name: string, parser: ActionParser): void {
    if (!parser.isDone) throw new TemplateError('template: template:1: unexpected token in define clause');
    const outer = this.variables;
    this.variables = ['$'];
    const { nodes, end } = this.list();
    if (end?.word !== 'end') throw new TemplateError('template: template:1: unexpected EOF');
    this.variables = outer;
    this.named.set(name, nodes);
  }

  private control(kind: 'if' | 'with' | 'range', parser: ActionParser): TemplateNode {
    this.depth++;
    if (this.depth > MAX_DEPTH) throw new TemplateError('template: template:1: nested too deeply');
    const scope = this.variables.length;
    const pipeline = this.pipeline(parser);
    if (kind === 'range') this.ranges++;
    const { nodes: body, end } = this.list();
    if (kind === 'range') this.ranges--;
    if (end === undefined) throw new TemplateError('template: template:1: unexpected EOF');
    const otherwise = end.word === 'else' ? this.otherwise(kind, end.parser) : [];
    this.variables.length = scope;
    this.depth--;
    return { kind, pipeline, body, otherwise };
  }

  /** What follows `else`: another condition, which shares the `end`, or plain nodes. */
  private otherwise(kind: 'if' | 'with' | 'range', parser: ActionParser): readonly TemplateNode[] {
    if (!parser.isDone) {
      const word = parser.word();
      if (word !== kind || kind === 'range') throw new TemplateError('template: template:1: unexpected token in else');
      return [this.control(kind, parser)];
    }
    const { nodes, end } = this.list();
    if (end?.word !== 'end') throw new TemplateError('template: template:1: expected end; found else');
    return nodes;
  }
}

/** Errors: `TemplateError`. */
export function parseTemplate(source: string): ParsedTemplate {
  const parser = new TemplateParser(source);
  const root = parser.parse();
  return { root, named: parser.named };
}
