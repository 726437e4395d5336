/** What every catalog demands of a document's attributes, so that what was put in comes back and can be filtered by. */
import { BailiwickError } from '@bailiwick/contract';
import type { CatalogDocument } from '../ports/document-catalog.port.js';
import { isStorableText, textFields } from './document-filter.js';

function isStorableValue(value: unknown): boolean {
  if (typeof value === 'string') return isStorableText(value);
  if (typeof value === 'number') return Number.isFinite(value);
  return (
    typeof value === 'boolean' ||
    (Array.isArray(value) && value.every((item) => typeof item === 'string' && isStorableText(item)))
  );
}

/** Errors: `document.not_storable` for text with U+0000 or half a surrogate pair, and numbers that are not finite. */
export function assertStorable(document: CatalogDocument): void {
  const { tags, groups, metadata } = document;
  const texts = [
    document.project,
    ...textFields.map((field) => document[field]),
    ...tags,
    ...groups,
    ...Object.keys(metadata),
  ];
  if (texts.every(isStorableText) && Object.values(metadata).every(isStorableValue) && Number.isFinite(document.size))
    return;
  throw new BailiwickError('invalid', {
    reason: 'document.not_storable',
    message:
      'A name, title, tag or metadata value of the document holds U+0000, half a character or a number that is not finite. Clean it and send it again.',
  });
}
