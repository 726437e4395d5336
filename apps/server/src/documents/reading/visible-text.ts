/**
 * Characters that people do not see: zero-width, bidirectional controls, tags (U+E0000), fillers, control codes. Instructions for a language
 * model hide in them, and words that look alike do not match. Joiners stay where they carry meaning: inside Arabic and Indic words, and emoji.
 */

type Range = readonly [from: number, to: number];

/** Unicode's default ignorables, controls, lone surrogates and non-characters; the line ends among them are turned into `\n` before. */
const invisibleRanges: readonly Range[] = [
  [0x00, 0x08],
  [0x0e, 0x1f],
  [0x7f, 0x84],
  [0x86, 0x9f],
  [0xad, 0xad],
  [0x34f, 0x34f],
  [0x61c, 0x61c],
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x200b, 0x200f],
  [0x202a, 0x202e],
  [0x2060, 0x206f],
  [0x3164, 0x3164],
  [0xd800, 0xdfff],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff0, 0xffff],
  [0x1bca0, 0x1bca3],
  [0x1d173, 0x1d17a],
  [0xe0000, 0xe0fff],
];
const lineEndRanges: readonly Range[] = [
  [0x0b, 0x0d],
  [0x85, 0x85],
  [0x2028, 0x2029],
];

const classOf = (ranges: readonly Range[]): string =>
  `[${ranges.map(([from, to]) => `\\u{${from.toString(16)}}-\\u{${to.toString(16)}}`).join('')}]`;

/** Cheap first look: most texts have none of these. */
const suspicious = new RegExp(classOf([...invisibleRanges, ...lineEndRanges]), 'u');
const invisible = new RegExp(`${classOf(invisibleRanges)}+`, 'gu');
const lineEnds = /\r\n?|[\v\f\u0085\u2028\u2029]/g;

const joiningScripts =
  'Arabic Syriac Devanagari Bengali Gurmukhi Gujarati Oriya Tamil Telugu Kannada Malayalam Sinhala Khmer Myanmar Mongolian';
const joining = `${joiningScripts
  .split(' ')
  .map((script) => `\\p{Script=${script}}`)
  .join('')}\\p{Extended_Pictographic}`;
const joiningBefore = new RegExp(`[${joining}\\p{Emoji_Modifier}\\u{fe0f}]$`, 'u');
const joiningAfter = new RegExp(`^[${joining}]`, 'u');
const pictograph = /[\p{Extended_Pictographic}\p{Emoji}]$/u;

export interface VisibleText {
  readonly text: string;
  /** Characters taken out; line ends made alike do not count. */
  readonly removed: number;
}

/**
 * Line ends become `\n`. Cost: one pass of a regular expression for text that has nothing to remove. Long texts go piece by piece: V8 keeps all
 * matches of a replacement in one array, and ends the whole process when such an array outgrows the heap.
 */
export function visibleText(given: string): VisibleText {
  if (!suspicious.test(given)) return { text: given, removed: 0 };
  const parts: string[] = [];
  let removed = 0;
  for (let from = 0; from < given.length; ) {
    let to = Math.min(given.length, from + pieceCharacters);
    // Neither a pair of surrogates nor a line end is taken apart.
    if (to < given.length && /[\ud800-\udbff\r]/.test(given.charAt(to - 1))) to++;
    const piece = visiblePiece(given.slice(from, to));
    parts.push(piece.text);
    removed += piece.removed;
    from = to;
  }
  return { text: parts.join(''), removed };
}

const pieceCharacters = 256 * 1024;

function visiblePiece(given: string): VisibleText {
  let removed = 0;
  const even = given.replace(lineEnds, '\n');
  const text = even.replace(invisible, (run: string, offset: number) => {
    const before = even.slice(Math.max(0, offset - 2), offset);
    // One joiner between letters that join, one selector after a pictograph: spelling, not hiding.
    if (run === '\ufe0f' && pictograph.test(before)) return run;
    const isJoiner = run === '\u200c' || run === '\u200d' || run === '\ufe0f\u200d';
    const after = even.slice(offset + run.length, offset + run.length + 2);
    if (isJoiner && joiningBefore.test(before) && joiningAfter.test(after)) return run;
    for (const _character of run) removed++;
    return '';
  });
  return { text, removed };
}
