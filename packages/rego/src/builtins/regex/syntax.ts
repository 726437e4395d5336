/** The syntax tree of a regular expression. */
import type { CharClass } from './char-class.js';

/** Conditions on a position. */
export type Assertion = 'begin-text' | 'end-text' | 'begin-line' | 'end-line' | 'word-boundary' | 'no-word-boundary';

export type Node =
  | { readonly kind: 'empty' }
  | { readonly kind: 'class'; readonly class: CharClass }
  | { readonly kind: 'assert'; readonly assertion: Assertion }
  | { readonly kind: 'sequence' | 'choice'; readonly items: readonly Node[] }
  | { readonly kind: 'group'; readonly index: number; readonly item: Node }
  | {
      readonly kind: 'repeat';
      readonly item: Node;
      readonly min: number;
      /** Infinity when unbounded. */
      readonly max: number;
      readonly greedy: boolean;
    };

/** A pattern that is not RE2 syntax; worded as Go's regexp words it. */
export class RegexError extends Error {
  override readonly name = 'RegexError';

  constructor(reason: string, part: string) {
    super(`error parsing regexp: ${reason}: \`${part}\``);
  }
}
