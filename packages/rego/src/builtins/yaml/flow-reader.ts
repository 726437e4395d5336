/**
 * What block and flow collections of YAML share, and flow collections: the position in the text,
 * comments, anchors and tags, plain scalars on one line.
 */
import { type Value, work } from '../../values/index.js';
import { type Entry, type Key, MERGE, plainValue, shortTag, tagged, toObject, YamlError } from './nodes.js';
import { readDoubleQuoted, readSingleQuoted } from './quoted.js';

const MAX_DEPTH = 1000;
/** A node read, in steps of a policy. */
const NODE_COST = 16;
const MAX_ALIASED = 1_000_000;

export interface Properties {
  readonly tag: string;
  readonly anchor: string;
}

export const NO_PROPERTIES: Properties = { tag: '', anchor: '' };

/** The part of the reader that knows flow collections. */
export class FlowReader {
  readonly text: string;
  at = 0;
  private depth = 0;
  private aliased = 0;
  protected anchors = new Map<string, { readonly value: Value; readonly size: number }>();
  protected readonly tagHandles = new Map<string, string>();

  constructor(text: string) {
    this.text = text.replace(/^\ufeff/, '').replace(/\r\n?/g, '\n');
  }

  /** Words an error as go-yaml does, which leaves out the first line and is one behind in its parser. */
  error(message: string, at: number = this.at): YamlError {
    const isEnd = at >= this.text.length && this.column(at) > 0;
    const line = this.text.slice(0, at).split('\n').length - 1 + (isEnd ? 1 : 0);
    const shown = message.startsWith('did not find') ? line : line + 1;
    return new YamlError(line === 0 ? `yaml: ${message}` : `yaml: line ${shown}: ${message}`);
  }

  column(at = this.at): number {
    return at - (this.text.lastIndexOf('\n', at - 1) + 1);
  }

  isMarker(marker: '---' | '...'): boolean {
    if (this.column() !== 0 || !this.text.startsWith(marker, this.at)) return false;
    return /^[ \t\n]?$/.test(this.text[this.at + 3] ?? '');
  }

  protected atDocumentEnd(): boolean {
    return this.at >= this.text.length || this.isMarker('---') || this.isMarker('...');
  }

  /** Skips spaces and tabs within a line. */
  protected skipSpaces(): void {
    while (this.text[this.at] === ' ' || this.text[this.at] === '\t') this.at++;
  }

  protected restOfLine(): string {
    const end = this.text.indexOf('\n', this.at);
    return this.text.slice(this.at, end < 0 ? this.text.length : end);
  }

  /** Skips white space, comments and line ends. */
  skipBlank(): void {
    for (;;) {
      const start = this.at;
      this.skipSpaces();
      const character = this.text[this.at];
      const mayComment = start < this.at || this.at === 0 || /\s/.test(this.text[this.at - 1] as string);
      if (character === '#' && mayComment) this.at += this.restOfLine().length;
      else if (character === '\n') this.at++;
      else return;
    }
  }

  protected isIndicator(character: string): boolean {
    return this.text[this.at] === character && /^[ \t\n]?$/.test(this.text[this.at + 1] ?? '');
  }

  protected nest<T>(read: () => T): T {
    work(NODE_COST);
    this.depth++;
    if (this.depth > MAX_DEPTH) throw this.error('exceeded max depth');
    const result = read();
    this.depth--;
    return result;
  }

  protected remember(value: Value, { anchor }: Properties): Value {
    if (anchor !== '') this.anchors.set(anchor, { value, size: sizeOf(value) });
    return value;
  }

  /** Tag and anchor, in either order. */
  protected readProperties(): Properties {
    let [tag, anchor] = ['', ''];
    for (;;) {
      const character = this.text[this.at];
      if (character === '&' && anchor === '') anchor = this.readName();
      else if (character === '!' && tag === '') tag = this.readTag();
      else return tag === '' && anchor === '' ? NO_PROPERTIES : { tag, anchor };
      this.skipSpaces();
    }
  }

  private readName(): string {
    const match = /^[&*]([^\s[\]{},]+)/.exec(this.text.slice(this.at, this.at + 1000));
    if (match === null) throw this.error('did not find expected alphabetic or numeric character');
    this.at += match[0].length;
    return match[1] as string;
  }

  private readTag(): string {
    const match = /^!(?:<([^>\s]*)>|([^\s[\]{},]*))/.exec(this.text.slice(this.at, this.at + 1000)) as RegExpExecArray;
    this.at += match[0].length;
    if (match[1] !== undefined) return shortTag(match[1]);
    const handle = /^!\w*!/.exec(match[0])?.[0] ?? '!';
    const prefix = this.tagHandles.get(handle);
    return shortTag(prefix === undefined ? match[0] : prefix + match[0].slice(handle.length));
  }

  /** Plain text up to a colon, a comment, or in flow context an indicator. */
  plainOnLine(inFlow: boolean): string {
    const start = this.at;
    for (; this.at < this.text.length; this.at++) {
      const character = this.text[this.at] as string;
      const next = this.text[this.at + 1] ?? '';
      if (character === '\n') break;
      if (character === ':' && (/^[ \t\n]?$/.test(next) || (inFlow && /[,[\]{}]/.test(next)))) break;
      if (character === '#' && /[ \t]/.test(this.text[this.at - 1] ?? '')) break;
      if (inFlow && /[,[\]{}]/.test(character)) break;
    }
    const text = this.text.slice(start, this.at);
    const trimmed = text.replace(/[ \t]+$/, '');
    this.at = start + trimmed.length;
    return trimmed;
  }

  protected readAlias(): Value {
    const start = this.at;
    const name = this.readName();
    const found = this.anchors.get(name);
    if (found === undefined) throw this.error(`unknown anchor '${name}' referenced`, start);
    this.aliased += found.size;
    if (this.aliased > MAX_ALIASED) throw new YamlError('yaml: document contains excessive aliasing');
    return found.value;
  }

  protected readFlowCollection(): Value {
    return this.nest(() => (this.text[this.at] === '[' ? this.readFlowSequence() : this.readFlowMapping()));
  }

  private readFlowSequence(): Value {
    this.at++;
    const items: Value[] = [];
    for (;;) {
      this.skipBlank();
      if (this.endsFlow(']')) return items;
      const item = this.readFlowItem();
      items.push('key' in item ? toObject([item]) : item.value);
      this.endFlowItem(']');
    }
  }

  private readFlowMapping(): Value {
    this.at++;
    const entries: Entry[] = [];
    for (;;) {
      this.skipBlank();
      if (this.endsFlow('}')) return toObject(entries);
      const item = this.readFlowItem();
      entries.push('key' in item ? item : { key: item.value, value: null });
      this.endFlowItem('}');
    }
  }

  private endsFlow(close: string): boolean {
    if (this.text[this.at] !== close) return false;
    this.at++;
    return true;
  }

  private endFlowItem(close: ']' | '}'): void {
    this.skipBlank();
    if (this.text[this.at] === ',') this.at++;
    else if (this.text[this.at] !== close) throw this.error(`did not find expected ',' or '${close}'`);
  }

  /** One item; a key with its value when there is a colon. */
  private readFlowItem(): Entry | { readonly value: Value } {
    if (this.isIndicator('?')) {
      this.at++;
      this.skipBlank();
    }
    const isQuoted = /["'[{]/.test(this.text[this.at] ?? '');
    const key = this.readFlowNode();
    this.skipBlank();
    const isColon = this.text[this.at] === ':' && (isQuoted || /^[ \t\n,[\]{}]?$/.test(this.text[this.at + 1] ?? ''));
    if (!isColon) return { value: key === MERGE ? '<<' : key };
    this.at++;
    this.skipBlank();
    const isEmpty = /^[,\]}]?$/.test(this.text[this.at] ?? '');
    const value = isEmpty ? null : this.readFlowNode();
    return { key, value: value === MERGE ? '<<' : value };
  }

  private readFlowNode(): Key {
    const properties = this.readProperties();
    this.skipBlank();
    const character = this.text[this.at];
    if (character === undefined || this.atDocumentEnd()) throw this.error('did not find expected node content');
    if (character === '*') return this.readAlias();
    if (character === '[' || character === '{') return this.remember(this.readFlowCollection(), properties);
    if (character === '"' || character === "'") {
      const text = character === '"' ? readDoubleQuoted(this) : readSingleQuoted(this);
      return this.remember(tagged(text, text, properties.tag), properties);
    }
    if (/[%@`]/.test(character)) throw this.error('found character that cannot start any token');
    if (/[,\]}]/.test(character) && properties === NO_PROPERTIES)
      throw this.error('did not find expected node content');
    const text = this.plainInFlow();
    if (text === '<<' && properties.tag === '') return MERGE;
    return this.remember(plainValue(text, properties.tag), properties);
  }

  private plainInFlow(): string {
    let text = this.plainOnLine(true);
    for (;;) {
      const mark = this.at;
      this.skipBlank();
      const next = this.text[this.at];
      const isOver = next === undefined || /[,:[\]{}]/.test(next) || this.text.lastIndexOf('\n', this.at - 1) < mark;
      if (isOver) {
        this.at = mark;
        return text;
      }
      const more = this.plainOnLine(true);
      if (more === '') return text;
      text += ` ${more}`;
    }
  }
}

function sizeOf(value: Value): number {
  if (typeof value !== 'object' || value === null) return 1;
  let size = 1;
  for (const member of Object.values(value)) size += sizeOf(member as Value);
  return size;
}
