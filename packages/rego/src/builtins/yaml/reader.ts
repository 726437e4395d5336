/**
 * Reads the first document of a YAML stream: block and flow collections, all scalar styles,
 * anchors, aliases, tags, merge keys and comments. Recursive descent over the characters, with
 * the column of a node as the only measure of its place. Aliases are shared, not copied, and
 * their expansion is bounded.
 */
import type { Value } from '../../values/index.js';
import { FlowReader, NO_PROPERTIES, type Properties } from './flow-reader.js';
import { type Entry, type Key, MERGE, plainValue, tagged, toObject, YamlError } from './nodes.js';
import { readBlockScalar, readDoubleQuoted, readSingleQuoted } from './quoted.js';

/** Where a node stands: how far its parent is indented, and whether it may be a sequence there. */
interface Place {
  readonly parent: number;
  /** A mapping's value may be a sequence at the mapping's own column. */
  readonly allowsSequenceAtParent: boolean;
}

export class YamlReader extends FlowReader {
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
    let hasVersion = false;
    const start = this.at;
    while (this.text[this.at] === '%' && this.column() === 0) {
      const line = this.restOfLine().replace(/[ \t]+(?:#.*)?$/, '');
      const [, major, minor] = /^%YAML[ \t]+(\d+)\.(\d+)(?:#.*)?$/.exec(line) ?? [];
      const [, handle, prefix] = /^%TAG[ \t]+(!\S*)[ \t]+(\S+)$/.exec(line) ?? [];
      if (major === undefined && handle === undefined) throw this.error('found unknown directive name');
      if (major !== undefined && hasVersion) throw this.error('found duplicate %YAML directive');
      if (major !== undefined && (Number(major) !== 1 || Number(minor) !== 1))
        throw this.error('found incompatible YAML document');
      hasVersion ||= major !== undefined;
      if (handle !== undefined && prefix !== undefined) this.tagHandles.set(handle, prefix);
      this.at += this.restOfLine().length;
      this.skipBlank();
    }
    if (this.at > start && !this.isMarker('---')) throw this.error('did not find expected <document start>');
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

  /** Whether a key and its colon stand on this line at this place. */
  private hasImplicitKey(): boolean {
    const start = this.at;
    if (this.text[start] === '%') return false;
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
}

/** The value of YAML text. Errors: `YamlError`. */
export function readYaml(text: string): Value {
  return new YamlReader(text).readStream();
}
