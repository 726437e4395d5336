/**
 * The answer without a language model: the three sentences of the passages that have most of the question, each with its citation. A
 * sentence is worth the rarity of the question's terms in it, of neighbouring terms together more, and the rank of its passage.
 */
import type { Passage } from '@bailiwick/contract';
import { termsOf } from '../retrieval/analyzer.js';

export interface CitedSentence {
  readonly text: string;
  /** Index of its passage. */
  readonly passage: number;
  readonly score: number;
}

const sentencesTaken = 3;
const maxSentenceChars = 600;
const segmenter = new Intl.Segmenter('und', { granularity: 'sentence' });
/** What questions are made of and answers are not. */
const questionWords = new Set(
  termsOf(
    'what which who whom whose when where why how is are was were be been do does did can could would should will the a an of in on at to for from by with and or about tell me please',
  ),
);

/** Best first, at most three; empty when nothing in the passages has a term of the question. */
export function bestSentences(question: string, passages: readonly Passage[]): CitedSentence[] {
  const sentences = passages.flatMap(({ text }, passage) =>
    [...segmenter.segment(text)].map(({ segment }) => ({ text: segment.replace(/\s+/gu, ' ').trim(), passage })),
  );
  const analysed = sentences
    .filter(({ text }) => text.length > 0)
    .map((sentence) => ({ ...sentence, terms: termsOf(sentence.text) }));
  const asked = termsOf(question).filter((term) => !questionWords.has(term));
  const wanted = new Set(asked.length > 0 ? asked : termsOf(question));
  const weight = new Map<string, number>();
  for (const term of wanted) {
    const having = analysed.filter(({ terms }) => terms.includes(term)).length;
    weight.set(term, Math.log(1 + analysed.length / (1 + having)));
  }
  const pairs = new Set(asked.slice(1).map((term, at) => `${asked[at]} ${term}`));
  const scored = analysed
    .map(({ text, passage, terms }) => {
      let score = 0;
      for (const term of new Set(terms)) score += weight.get(term) ?? 0;
      for (let at = 1; at < terms.length; at += 1) if (pairs.has(`${terms[at - 1]} ${terms[at]}`)) score += 0.5;
      // A long sentence has more terms by chance.
      const length = 1 + Math.max(0, terms.length - 25) / 60;
      return { text: shortened(text), passage, score: (score / length) * (passages[passage]?.score ?? 0) ** 2 };
    })
    .filter(({ score }) => score > 0);
  return distinct(scored.sort((a, b) => b.score - a.score || a.passage - b.passage)).slice(0, sentencesTaken);
}

function distinct(sentences: readonly CitedSentence[]): CitedSentence[] {
  const seen = new Set<string>();
  return sentences.filter(({ text }) => {
    const isNew = !seen.has(text);
    seen.add(text);
    return isNew;
  });
}

const shortened = (text: string): string =>
  text.length <= maxSentenceChars ? text : `${text.slice(0, maxSentenceChars - 1)}…`;
