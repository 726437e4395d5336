/**
 * Changes the texts of a streamed answer while it passes. Each text (of a choice, a block, a tool's arguments, a thought) goes through a
 * redactor of its own; what that holds back comes out with the text's next piece, or as an event of its own in front of the event that ends
 * the text. Formats: chat completions, Anthropic messages, responses.
 */
import { isJsonField, isObject, isTextField, redactedMember } from './answer-texts.js';
import { JsonRedactor } from './json-redactor.js';
import type { Json } from './llm-call.js';
import type { Redactor } from './personal-data.js';

type Mutable = Record<string, unknown>;

/** One place where a piece of a text stands in an event. */
interface Piece {
  readonly key: string;
  /** Texts of one choice, block or item. */
  readonly group: string;
  readonly holder: Mutable;
  readonly name: string;
  readonly path: readonly (string | number)[];
}

interface Held {
  readonly stream: JsonRedactor;
  readonly group: string;
  readonly isSpoken: boolean;
  /** An event with nothing but this text. */
  readonly eventOf: (text: string) => Mutable;
  readonly eventName: string;
}

export class EventRedactor {
  readonly #redactor: Redactor;
  readonly #held = new Map<string, Held>();
  #rest: Buffer = Buffer.alloc(0);
  /** Of the responses format: the last number, and how many events were put in between. */
  #lastNumber = -1;
  #inserted = 0;

  constructor(redactor: Redactor) {
    this.#redactor = redactor;
  }

  /** Bytes in, bytes out; whole events only. */
  push(chunk: Buffer): Buffer {
    const all = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    const end = endOfEvents(all);
    this.#rest = all.subarray(end);
    return end === 0 ? Buffer.alloc(0) : Buffer.from(this.#events(all.toString('utf8', 0, end)));
  }

  flush(): Buffer {
    const rest = this.#rest.toString('utf8');
    this.#rest = Buffer.alloc(0);
    return Buffer.from((rest === '' ? '' : this.#events(rest)) + this.#release(() => true));
  }

  #events(text: string): string {
    let result = '';
    for (const event of text.split(/(?<=\n\r?\n)/)) result += this.#event(event);
    return result;
  }

  #event(event: string): string {
    const lines = [...event.matchAll(/^data: ?(.*)$/gm)].map(([, line = '']) => line);
    if (lines.length === 0) return event;
    const data = lines.join('\n');
    if (data.trim() === '[DONE]') return this.#release(() => true) + event;
    let value: unknown;
    try {
      value = JSON.parse(data);
    } catch {
      // What cannot be read cannot be looked through.
      return this.#release(() => true);
    }
    if (!isObject(value)) return this.#release(() => true);
    const name = /^event: ?(.*)$/m.exec(event)?.[1]?.trim() ?? '';
    return this.#changed(value as Mutable, name);
  }

  #changed(value: Mutable, eventName: string): string {
    const pieces: Piece[] = [];
    for (const name of Object.keys(value)) this.#collect(value, name, startOf(value), pieces);
    const ended = endedBy(value);
    let before = '';
    for (const { key, group, holder, name } of pieces) {
      if (holder[name] === '') continue;
      // A choice that goes on with another text has ended the one before; calls of tools may come side by side.
      before += this.#release((held, other) => held.isSpoken && held.group === group && other !== key);
    }
    for (const piece of pieces) this.#pass(piece, value, eventName);
    // In one event with the last piece: what is held back goes along.
    for (const { key, group, holder, name } of pieces) {
      const held = this.#held.get(key);
      if (!held || !ended(group)) continue;
      holder[name] = `${String(holder[name])}${held.stream.flush()}`;
      this.#held.delete(key);
    }
    before += this.#release(({ group }) => ended(group));
    return before + this.#written(value, eventName);
  }

  /** Finds the pieces of texts, and redacts whatever stands in the event as a whole. */
  #collect(holder: Mutable, name: string, at: Place, pieces: Piece[]): void {
    const own = holder[name];
    const path = [...at.path, name];
    if (typeof own === 'string') {
      if (at.isPiece && (isTextField(name) || name === 'delta'))
        pieces.push({ key: `${at.key}|${name}`, group: at.group, holder, name, path });
      else holder[name] = redactedMember(name, own, this.#redactor);
      return;
    }
    const isPiece = at.isPiece || name === 'delta' || name === 'content_block';
    if (isObject(own) && isPiece && name !== 'logprobs' && name !== 'input') {
      for (const key of Object.keys(own)) this.#collect(own as Mutable, key, { ...at, path, isPiece }, pieces);
    } else if (Array.isArray(own) && (isPiece || name === 'choices')) {
      for (const [index, one] of own.entries()) {
        if (!isObject(one)) continue;
        const key = `${at.key}/${name}${String(one['index'] ?? index)}`;
        const group = name === 'choices' ? key : at.group;
        for (const member of Object.keys(one))
          this.#collect(one as Mutable, member, { key, group, path: [...path, index], isPiece }, pieces);
      }
    } else holder[name] = redactedMember(name, own, this.#redactor);
  }

  #pass({ key, group, holder, name, path }: Piece, value: Mutable, eventName: string): void {
    const type = String(value['type'] ?? '');
    const isJson = isJsonField(name) || /arguments\.delta$/.test(type);
    const held: Held = {
      stream: this.#held.get(key)?.stream ?? new JsonRedactor(this.#redactor, isJson),
      group,
      isSpoken: !isJson && !path.includes('tool_calls'),
      eventOf: structureOf(value, path),
      eventName: type === 'content_block_start' ? 'content_block_delta' : eventName,
    };
    this.#held.set(key, held);
    holder[name] = held.stream.push(String(holder[name]));
  }

  /** What is held back of the texts that are meant, as an event for each. */
  #release(isMeant: (held: Held, key: string) => boolean): string {
    let result = '';
    for (const [key, held] of this.#held) {
      if (!isMeant(held, key)) continue;
      this.#held.delete(key);
      const rest = held.stream.flush();
      if (rest === '') continue;
      const event = held.eventOf(rest);
      if (typeof event['sequence_number'] === 'number') {
        event['sequence_number'] = this.#lastNumber + 1 - this.#inserted;
        result += this.#written(event, held.eventName);
        this.#inserted += 1;
      } else result += this.#written(event, held.eventName);
    }
    return result;
  }

  #written(value: Mutable, name: string): string {
    if (typeof value['sequence_number'] === 'number') {
      value['sequence_number'] += this.#inserted;
      this.#lastNumber = value['sequence_number'] as number;
    }
    return `${name === '' ? '' : `event: ${name}\n`}data: ${JSON.stringify(value)}\n\n`;
  }
}

interface Place {
  readonly key: string;
  readonly group: string;
  readonly path: readonly (string | number)[];
  /** Texts below here are pieces of longer ones. */
  readonly isPiece: boolean;
}

const responseIds = ['output_index', 'content_index', 'summary_index', 'item_id'] as const;

/** The text that an event of the responses format speaks of; its `done` has the same. */
const responseGroup = (value: Json, type: string): string =>
  `${type.replace(/\.(?:delta|done)$/, '')}/${responseIds.map((name) => String(value[name] ?? '')).join('/')}`;

function startOf(value: Json): Place {
  const type = String(value['type'] ?? '');
  const isResponse = type.startsWith('response.');
  const group = isResponse ? responseGroup(value, type) : String(value['index'] ?? '');
  // Sound in base64 is no text.
  return { key: group, group, path: [], isPiece: isResponse && /(?<!audio)\.delta$/.test(type) };
}

/** Which groups have ended when this event has come. */
function endedBy(value: Json): (group: string) => boolean {
  const type = String(value['type'] ?? '');
  if (/^response\.(?:completed|incomplete|failed)$|^message_(?:stop|delta)$|^error$/.test(type)) return () => true;
  if (type === 'content_block_stop') return (group) => group === String(value['index'] ?? '');
  if (type === 'response.output_item.done' || type === 'response.content_part.done')
    return (group) => group.split('/')[1] === String(value['output_index'] ?? '');
  if (type.startsWith('response.') && type.endsWith('.done')) {
    const ended = responseGroup(value, type);
    return (group) => group === ended;
  }
  const choices = Array.isArray(value['choices']) ? (value['choices'] as unknown[]) : [];
  const ended = new Set(
    choices.flatMap((choice, index) =>
      isObject(choice) && typeof choice['finish_reason'] === 'string'
        ? [`${String(value['index'] ?? '')}/choices${String(choice['index'] ?? index)}`]
        : [],
    ),
  );
  return (group) => ended.has(group);
}

/** The event with nothing in it but the one text and what says where that belongs. */
function structureOf(value: Json, path: readonly (string | number)[]): (text: string) => Mutable {
  if (value['type'] === 'content_block_start') {
    const name = String(path.at(-1));
    return (text) => ({
      type: 'content_block_delta',
      index: value['index'],
      delta: { type: `${name}_delta`, [name]: text },
    });
  }
  const scalars = Object.fromEntries(Object.entries(value).filter(([, own]) => typeof own !== 'object'));
  return (text) => ({ ...scalars, ...(pruned(value, path, text) as Mutable) });
}

function pruned(node: unknown, path: readonly (string | number)[], text: string): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return text;
  if (typeof name === 'number') return [pruned((node as readonly unknown[])[name], rest, text)];
  const own = node as Json;
  const kept: Mutable = {};
  if (own['index'] !== undefined) kept['index'] = own['index'];
  if (own['type'] !== undefined && own['function'] === undefined) kept['type'] = own['type'];
  if (own['finish_reason'] !== undefined) kept['finish_reason'] = null;
  return { ...kept, [name]: pruned(own[name], rest, text) };
}

function endOfEvents(all: Buffer): number {
  const unix = all.lastIndexOf('\n\n');
  const other = all.lastIndexOf('\r\n\r\n');
  return Math.max(unix < 0 ? 0 : unix + 2, other < 0 ? 0 : other + 4);
}
