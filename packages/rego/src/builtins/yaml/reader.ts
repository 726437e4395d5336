/**
 * Reads the first document of a YAML stream: block and flow collections, all scalar styles,
 * anchors, aliases, tags, merge keys and comments. Recursive descent over the characters, with
 * the column of a node as the only measure of its place. Aliases are shared, not copied, and
 * their expansion is bounded.
 */
import type { Value } from '../../values/index.js';
import { type Entry, type Key, MERGE, plainValue, shortTag, tagged, toObject, YamlError } from './nodes.js';
import { readBlockScalar, readDoubleQuoted, readSingleQuoted } from './quoted.js';

const MAX_DEPTH = 1000;
const MAX_ALIASED = 1_000_000;

/** Where a node stands: how far its parent is indented, and whether it may be a sequence there. */
interface Place {
  readonly parent: number;
  /** A mapping's value may be a sequence at the mapping's own column. */
  readonly allowsSequenceAtParent: boolean;
}

interface Properties {
  readonly tag: string;
  readonly anchor: string;
}

const NO_PROPERTIES: Properties = { tag: '', anchor: '' };

export class YamlReader {
  readonly text: string;
  at = 0;
  private depth = 0;
  private aliased = 0;
  private anchors = new Map<string, { readonly value: Value; readonly size: number }>();
  private readonly tagHandles = new Map<string, string>();

  constructor(text: string) {
    this.text = text.replace(/^\ufeff/, '').replace(/\r\n?/g, '\n');
  }

  /** The value of the first document; every document must be well-formed. */
  readStream(): Value {
    let first: Value = null;
    for (let isFirst = true; ; isFirst = false) {
      this.anchors = new Map();
      const value = this.readDocument();
      if (isFirst) first = value;
      this.skipBlank();
      if (this.at >= this.text.length) return first;
      while (this.isMarker('...')) {
        this.at += 3;
        this.skipBlank();
      }
      if (this.at >= this.text.length) return first;
      if (!this.isMarker('---') && this.text[this.at] !== '%')
        throw this.error('did not find expected <document start>');
    }
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

  private atDocumentEnd(): boolean {
    return this.at >= this.text.length || this.isMarker('---') || this.isMarker('...');
  }

  private readDocument(): Value {
    this.skipBlank();
    while (this.isMarker('...')) {
      this.at += 3;
      this.skipBlank();
    }
    this.readDirectives();
    if (this.isMarker('---')) this.at += 3;
    this.skipBlank();
    if (this.atDocumentEnd()) return null;
    const value = this.readBlockNode({ parent: -1, allowsSequenceAtParent: false });
    this.skipBlank();
    if (!this.atDocumentEnd()) throw this.error('did not find expected <document start>');
    return value;
  }

  private readDirectives(): void {
    while (this.text[this.at] === '%' && this.column() === 0) {
      const line = this.restOfLine();
      if (/^%YAML\s+(?!1\.1\s*$)/.test(line)) throw this.error('found incompatible YAML document');
      const tag = /^%TAG\s+(!\S*)\s+(\S+)/.exec(line);
      if (tag !== null) this.tagHandles.set(tag[1] as string, tag[2] as string);
      this.at += line.length;
      this.skipBlank();
    }
  }

  private restOfLine(): string {
    const end = this.text.indexOf('\n', this.at);
    return this.text.slice(this.at, end < 0 ? this.text.length : end);
  }

  /** Skips spaces and tabs within a line. */
  private skipSpaces(): void {
    while (this.text[this.at] === ' ' || this.text[this.at] === '\t') this.at++;
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

  private isIndicator(character: string): boolean {
    return this.text[this.at] === character && /^[ \t\n]?$/.test(this.text[this.at + 1] ?? '');
  }

  private nest<T>(read: () => T): T {
    this.depth++;
    if (this.depth > MAX_DEPTH) throw this.error('exceeded max depth');
    const result = read();
    this.depth--;
    return result;
  }

  /** Reads a node that starts on this line or a later one, if it is indented enough. */
  private readBlockNode(place: Place): Value {
    return this.nest(() => {
      const lineStart = this.text.lastIndexOf('\n', this.at - 1);
      this.skipBlank();
      if (this.atDocumentEnd()) return null;
      const isNewLine = this.text.lastIndexOf('\n', this.at - 1) !== lineStart || place.parent < 0;
      const column = this.column();
      if (isNewLine) this.checkNoTab();
      const isSequence = this.isIndicator('-');
      const isDeepEnough =
        column > place.parent || (isSequence && place.allowsSequenceAtParent && column === place.parent);
      if (!isDeepEnough) return null;
      if (isSequence && !isNewLine && place.allowsSequenceAtParent) {
        throw this.error('block sequence entries are not allowed in this context');
      }
      return this.readNodeAt({ place, column, isNewLine });
    });
  }

  private checkNoTab(): void {
    const lineStart = this.text.lastIndexOf('\n', this.at - 1) + 1;
    if (this.text.slice(lineStart, this.at).includes('\t') && /[^[\]{}"'#]/.test(this.text[this.at] ?? '')) {
      throw this.error('found character that cannot start any token');
    }
  }

  private readNodeAt(context: { place: Place; column: number; isNewLine: boolean }): Value {
    const { place, column, isNewLine } = context;
    const start = this.at;
    const mayBeMapping = isNewLine || !place.allowsSequenceAtParent;
    if (this.isIndicator('-')) return this.readBlockSequence(column);
    if (this.isIndicator('?')) return this.readBlockMapping(column);
    if (this.hasImplicitKey()) {
      if (!mayBeMapping) throw this.error('mapping values are not allowed in this context');
      return this.readBlockMapping(column);
    }
    const properties = this.readProperties();
    if (properties === NO_PROPERTIES) return this.readLeaf(place.parent, NO_PROPERTIES);
    this.skipSpaces();
    const isAlone = this.at >= this.text.length || /[\n#]/.test(this.text[this.at] as string);
    if (!isAlone && this.at === start) throw this.error('did not find expected node content');
    const value = isAlone
      ? this.withTag(this.readBlockNode(place), properties)
      : this.readLeaf(place.parent, properties);
    return this.remember(value, properties);
  }

  private withTag(value: Value, { tag }: Properties): Value {
    if (tag === '' || (typeof value === 'object' && value !== null)) return value;
    return value === null ? plainValue('', tag) : tagged(value, String(value), tag);
  }

  private remember(value: Value, { anchor }: Properties): Value {
    if (anchor !== '') this.anchors.set(anchor, { value, size: sizeOf(value) });
    return value;
  }

  /** Tag and anchor, in either order. */
  private readProperties(): Properties {
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

  /** Whether a key and its colon stand on this line at this place. */
  private hasImplicitKey(): boolean {
    const start = this.at;
    try {
      if (this.isIndicator(':')) return true;
      this.readProperties();
      if (this.isIndicator(':')) return true;
      const line = this.text.indexOf('\n', start);
      this.readKeyContent();
      if (line >= 0 && this.at > line) return false;
      this.skipSpaces();
      return this.text[this.at] === ':' && /^[ \t\n]?$/.test(this.text[this.at + 1] ?? '');
    } catch (error) {
      if (error instanceof YamlError) return false;
      throw error;
    } finally {
      this.at = start;
    }
  }

  /** The content of a key, read without remembering anything; plain text ends at the colon. */
  private readKeyContent(): Key {
    const character = this.text[this.at];
    if (character === '"') return readDoubleQuoted(this);
    if (character === "'") return readSingleQuoted(this);
    if (character === '[' || character === '{') return this.readFlowCollection();
    if (character === '*') return this.readAlias();
    if (character === '|' || character === '>') throw this.error('did not find expected key');
    const text = this.plainOnLine(false);
    return text === '<<' ? MERGE : plainValue(text, '');
  }

  private readKey(): Key {
    const properties = this.readProperties();
    if (this.isIndicator(':')) return this.remember(plainValue('', properties.tag), properties);
    const start = this.at;
    const isPlain = !/["'[{*]/.test(this.text[this.at] as string);
    const key = this.readKeyContent();
    if (key === MERGE) return key;
    const text = isPlain ? this.text.slice(start, this.at) : '';
    const value = properties.tag === '' || !isPlain ? key : plainValue(text, properties.tag);
    return this.remember(value, properties);
  }

  private readBlockSequence(column: number): Value {
    const items: Value[] = [];
    while (!this.atDocumentEnd() && this.column() === column && this.isIndicator('-')) {
      this.at++;
      items.push(this.readBlockNode({ parent: column, allowsSequenceAtParent: false }));
      this.skipBlank();
    }
    if (!this.atDocumentEnd() && this.column() > column) throw this.error("did not find expected '-' indicator");
    return items;
  }

  private readBlockMapping(column: number): Value {
    const entries: Entry[] = [];
    while (!this.atDocumentEnd() && this.column() === column) {
      if (this.isIndicator('?')) entries.push(this.readExplicitEntry(column));
      else if (this.hasImplicitKey()) entries.push(this.readImplicitEntry(column));
      else if (this.isIndicator('-')) break;
      else throw this.error("could not find expected ':'");
      this.skipBlank();
    }
    if (!this.atDocumentEnd() && this.column() > column) throw this.error('did not find expected key');
    return toObject(entries);
  }

  private readImplicitEntry(column: number): Entry {
    const key = this.readKey();
    this.skipSpaces();
    this.at++;
    return { key, value: this.readBlockNode({ parent: column, allowsSequenceAtParent: true }) };
  }

  private readExplicitEntry(column: number): Entry {
    this.at++;
    const key = this.readBlockNode({ parent: column, allowsSequenceAtParent: false });
    this.skipBlank();
    if (this.column() !== column || !this.isIndicator(':')) return { key, value: null };
    this.at++;
    return { key, value: this.readBlockNode({ parent: column, allowsSequenceAtParent: false }) };
  }

  /** A scalar, a flow collection or an alias in block context. */
  private readLeaf(parent: number, { tag }: Properties): Value {
    const character = this.text[this.at] as string;
    switch (character) {
      case '"':
      case "'": {
        const text = character === '"' ? readDoubleQuoted(this) : readSingleQuoted(this);
        this.endLeaf();
        return tagged(text, text, tag);
      }
      case '[':
      case '{': {
        const value = this.readFlowCollection();
        this.endLeaf();
        return value;
      }
      case '*':
        return this.readAlias();
      case '|':
      case '>': {
        const text = readBlockScalar(this, parent);
        return tagged(text, text, tag);
      }
      case '%':
      case '@':
      case '`':
        throw this.error('found character that cannot start any token');
      case ']':
      case '}':
      case ',':
        throw this.error('did not find expected node content');
      default:
        return plainValue(this.plainOverLines(parent), tag);
    }
  }

  /** After a quoted scalar or a flow collection only a comment may follow on the line. */
  private endLeaf(): void {
    const spaced = this.at;
    this.skipSpaces();
    const next = this.text[this.at];
    if (next === undefined || next === '\n' || (next === '#' && this.at > spaced)) return;
    if (next === ':') throw this.error('mapping values are not allowed in this context');
    throw this.error('did not find expected key');
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

  /** Plain text that goes on over lines indented deeper than the parent. */
  private plainOverLines(parent: number): string {
    let text = this.plainOnLine(false);
    for (;;) {
      const mark = this.at;
      this.skipSpaces();
      if (this.text[this.at] !== '\n') {
        if (this.text[this.at] === ':') throw this.error('mapping values are not allowed in this context');
        this.at = mark;
        return text;
      }
      let breaks = 0;
      while (this.text[this.at] === '\n') {
        breaks++;
        this.at++;
        this.skipSpaces();
      }
      if (this.atDocumentEnd() || this.column() <= parent || this.text[this.at] === '#') {
        this.at = mark;
        return text;
      }
      const more = this.plainOnLine(false);
      text += (breaks > 1 ? '\n'.repeat(breaks - 1) : ' ') + more;
    }
  }

  private readAlias(): Value {
    const start = this.at;
    const name = this.readName();
    const found = this.anchors.get(name);
    if (found === undefined) throw this.error(`unknown anchor '${name}' referenced`, start);
    this.aliased += found.size;
    if (this.aliased > MAX_ALIASED) throw new YamlError('yaml: document contains excessive aliasing');
    return found.value;
  }

  private readFlowCollection(): Value {
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

/** The value of YAML text. Errors: `YamlError`. */
export function readYaml(text: string): Value {
  return new YamlReader(text).readStream();
}
