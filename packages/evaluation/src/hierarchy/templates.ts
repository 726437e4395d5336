/**
 * Templates in strings: `${key}`, `${key:default}` (the default may hold references itself), `$${` for a literal `${`.
 * A string that is one reference and nothing else keeps the type of what it names.
 */

export type TemplatePart = { readonly kind: 'text'; readonly text: string } | TemplateReference;

export interface TemplateReference {
  readonly kind: 'reference';
  readonly name: string;
  /** The text after the first colon, as a template; absent without a colon. */
  readonly fallback?: Template;
}

export interface Template {
  readonly parts: readonly TemplatePart[];
}

/** Why a string is no template. */
export interface TemplateError {
  readonly error: string;
}

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: these messages are about such text
const NO_NAME = 'a reference names no key; write ${key}, or $${ for a literal ${';
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: end

/** How deeply defaults may hold references. */
const MAX_NESTING = 16;

/** The offset of the brace that closes the reference opened before `from`, or −1. */
function closingBrace(text: string, from: number): number {
  let depth = 0;
  for (let index = from; index < text.length; index += 1) {
    if (text.startsWith('$${', index)) index += 2;
    else if (text.startsWith('${', index)) {
      depth += 1;
      index += 1;
    } else if (text[index] === '}') {
      if (depth === 0) return index;
      depth -= 1;
    }
  }
  return -1;
}

function parseReference(inner: string, nesting: number): TemplateReference | TemplateError {
  const colon = inner.indexOf(':');
  const name = (colon < 0 ? inner : inner.slice(0, colon)).trim();
  if (name === '') return { error: NO_NAME };
  if (name.includes('${')) return { error: 'the name of a key cannot hold a reference; only its default can' };
  if (colon < 0) return { kind: 'reference', name };
  const fallback = parseTemplate(inner.slice(colon + 1), nesting + 1);
  return 'error' in fallback ? fallback : { kind: 'reference', name, fallback };
}

/** Reads a string. Cost: linear in its length for each level of nested defaults, of which there are at most 16. */
export function parseTemplate(text: string, nesting = 0): Template | TemplateError {
  if (nesting > MAX_NESTING) return { error: `defaults are nested more than ${MAX_NESTING} deep` };
  const parts: TemplatePart[] = [];
  let plain = '';
  for (let index = 0; index < text.length; index += 1) {
    if (text.startsWith('$${', index)) {
      plain += '${';
      index += 2;
    } else if (text.startsWith('${', index)) {
      const end = closingBrace(text, index + 2);
      if (end < 0) return { error: 'a reference is not closed; add }, or write $${ for a literal ${' };
      const reference = parseReference(text.slice(index + 2, end), nesting);
      if ('error' in reference) return reference;
      if (plain !== '') parts.push({ kind: 'text', text: plain });
      plain = '';
      parts.push(reference);
      index = end;
    } else plain += text[index];
  }
  if (plain !== '' || parts.length === 0) parts.push({ kind: 'text', text: plain });
  return { parts };
}

/** Every key a template names, those in defaults included. */
export function namesIn(template: Template): string[] {
  return template.parts.flatMap((part) =>
    part.kind === 'text' ? [] : [part.name, ...(part.fallback === undefined ? [] : namesIn(part.fallback))],
  );
}
