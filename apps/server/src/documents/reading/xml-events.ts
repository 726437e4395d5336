/**
 * XML as a stream of events, for the parts of office files. No document type is taken, so there are no entities but XML's own five, and
 * nothing outside is ever asked for. Names come without their prefixes: writers choose those.
 */
import { SaxesParser } from 'saxes';
import type { DocumentBuilder } from './document-builder.js';
import { documentError } from './document-errors.js';

export type XmlAttributes = Readonly<Record<string, string>>;

export interface XmlHandlers {
  open?(name: string, attributes: XmlAttributes, parent: string): void;
  /** Never blank pieces between elements only: whatever stands there. */
  text?(text: string, parent: string): void;
  close?(name: string, parent: string): void;
}

export const localName = (name: string): string => name.slice(name.indexOf(':') + 1);

/** An attribute by its name without prefix; `isPrefixed` asks for the one with (`r:id` beside `id`). */
export function attributeOf(attributes: XmlAttributes, name: string, isPrefixed?: 'prefixed'): string | undefined {
  if (isPrefixed === undefined && attributes[name] !== undefined) return attributes[name];
  for (const key in attributes) if (key.length > name.length && key.endsWith(`:${name}`)) return attributes[key];
  return undefined;
}

/** Office's way to say yes: the element is there and does not say no. */
export const isOn = (value: string | undefined): boolean => !/^(?:0|false|off|none)$/i.test(value ?? '1');

/** Errors: `document.malformed`, `document.nested_too_deeply`, and whatever a handler throws. */
export async function readXml(
  chunks: AsyncIterable<Uint8Array>,
  builder: DocumentBuilder,
  handlers: XmlHandlers,
): Promise<void> {
  const parser = new SaxesParser();
  const path: string[] = [''];
  parser.on('doctype', () => {
    throw documentError('document.malformed', 'A part of it declares a document type, which office files must not.');
  });
  parser.on('error', (error) => {
    throw documentError('document.malformed', 'A part of it is not well-formed XML.', error);
  });
  parser.on('opentag', (tag) => {
    const name = localName(tag.name);
    handlers.open?.(name, tag.attributes as XmlAttributes, path.at(-1) as string);
    path.push(name);
    builder.checkDepth(path.length - 1);
  });
  parser.on('text', (text) => handlers.text?.(text, path.at(-1) as string));
  parser.on('cdata', (text) => handlers.text?.(text, path.at(-1) as string));
  parser.on('closetag', (tag) => {
    path.pop();
    handlers.close?.(localName(tag.name), path.at(-1) as string);
  });
  let decoder: InstanceType<typeof TextDecoder> | undefined;
  for await (const chunk of chunks) {
    decoder ??= new TextDecoder(chunk[0] === 0xff ? 'utf-16le' : chunk[0] === 0xfe ? 'utf-16be' : 'utf-8');
    parser.write(decoder.decode(chunk, { stream: true }));
  }
  if (decoder) parser.write(decoder.decode());
  if (decoder) parser.close();
}
