/**
 * Changes the texts of a streamed answer while it passes: events are parsed, their texts go through a redactor each (one a choice and
 * block), what it holds back waits for the next event, and comes out in front of the event that ends the text.
 */
import type { Json } from './llm-call.js';
import type { Redactor } from './personal-data.js';
import { StreamRedactor } from './stream-redactor.js';

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** One place where a delta's text stands in an event. */
interface Place {
  readonly key: string;
  readonly text: string;
  readonly put: (text: string) => Json;
  /** Nothing follows at this place. */
  readonly isLast: boolean;
}

export class EventRedactor {
  readonly #redactor: Redactor;
  readonly #texts = new Map<
    string,
    { readonly stream: StreamRedactor; last: Json; put: (text: string) => Json; name: string }
  >();
  #rest: Buffer = Buffer.alloc(0);

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
    return Buffer.from((rest === '' ? '' : this.#events(rest)) + this.#release());
  }

  #events(text: string): string {
    let result = '';
    for (const event of text.split(/(?<=\n\r?\n)/)) result += this.#event(event);
    return result;
  }

  #event(event: string): string {
    const data = /^data: ?(.*)$/m.exec(event)?.[1];
    const name = /^event: ?(.*)$/m.exec(event)?.[1] ?? '';
    if (data === undefined) return event;
    if (data.trim() === '[DONE]') return this.#release() + event;
    let value: unknown;
    try {
      value = JSON.parse(data);
    } catch {
      // What cannot be read cannot be looked through.
      return this.#release();
    }
    if (!isObject(value)) return event;
    const place = placeOf(value);
    if (!place) return endsText(value) ? this.#release() + event : redactedWhole(event, value, name, this.#redactor);
    const known = this.#texts.get(place.key) ?? {
      stream: new StreamRedactor(this.#redactor),
      last: value,
      put: place.put,
      name,
    };
    this.#texts.set(place.key, known);
    known.put = place.put;
    const ready = known.stream.push(place.text) + (place.isLast ? known.stream.flush() : '');
    return written(place.put(ready), name);
  }

  /** What is held back, as an event of its own for each place. */
  #release(): string {
    let result = '';
    for (const { stream, put, name } of this.#texts.values()) {
      const rest = stream.flush();
      if (rest !== '') result += written(put(rest), name);
    }
    this.#texts.clear();
    return result;
  }
}

const written = (value: Json, name: string): string =>
  `${name === '' ? '' : `event: ${name}\n`}data: ${JSON.stringify(value)}\n\n`;

function endOfEvents(all: Buffer): number {
  const unix = all.lastIndexOf('\n\n');
  const other = all.lastIndexOf('\r\n\r\n');
  return Math.max(unix < 0 ? 0 : unix + 2, other < 0 ? 0 : other + 4);
}

/** Chat completions, Anthropic messages, responses: where the next piece of text stands. */
function placeOf(value: Json): Place | undefined {
  const choice = Array.isArray(value['choices']) ? (value['choices'][0] as unknown) : undefined;
  if (isObject(choice) && isObject(choice['delta']) && typeof choice['delta']['content'] === 'string') {
    const { delta } = choice;
    return {
      key: `choice-${String(choice['index'])}`,
      text: String(delta['content']),
      put: (text) => ({ ...value, choices: [{ ...choice, delta: { ...delta, content: text } }] }),
      isLast: typeof choice['finish_reason'] === 'string',
    };
  }
  const delta = value['delta'];
  if (value['type'] === 'content_block_delta' && isObject(delta) && typeof delta['text'] === 'string')
    return {
      key: `block-${String(value['index'])}`,
      text: delta['text'],
      put: (text) => ({ ...value, delta: { ...delta, text } }),
      isLast: false,
    };
  if (value['type'] === 'response.output_text.delta' && typeof delta === 'string')
    return {
      key: `output-${String(value['output_index'])}-${String(value['content_index'])}`,
      text: delta,
      put: (text) => ({ ...value, delta: text }),
      isLast: false,
    };
  return undefined;
}

/** Events before which whatever is held back must have come. */
function endsText(value: Json): boolean {
  const choice = Array.isArray(value['choices']) ? (value['choices'][0] as unknown) : undefined;
  if (isObject(choice) && typeof choice['finish_reason'] === 'string') return true;
  return (
    value['type'] === 'content_block_stop' || value['type'] === 'message_stop' || value['type'] === 'message_delta'
  );
}

/** Events of the responses format repeat the whole text when it is done. */
function redactedWhole(event: string, value: Json, name: string, redactor: Redactor): string {
  const type = String(value['type'] ?? '');
  if (!type.startsWith('response.') || !/done$|completed$/.test(type)) return event;
  const visit = (one: unknown): unknown => {
    if (typeof one === 'string') return one;
    if (Array.isArray(one)) return one.map(visit);
    if (!isObject(one)) return one;
    return Object.fromEntries(
      Object.entries(one).map(([key, own]) => [
        key,
        key === 'text' && typeof own === 'string' ? redactor.redact(own) : visit(own),
      ]),
    );
  };
  return written(visit(value) as Json, name);
}
