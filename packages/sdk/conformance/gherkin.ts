/** The part of Gherkin that OpenFeature's features use: backgrounds, scenarios, outlines with several tables of examples, tables of steps. */
export interface Step {
  /** Without its keyword. */
  readonly text: string;
  readonly table: readonly (readonly string[])[];
}

/** An outline gives one for each row of its examples. */
export interface Scenario {
  readonly name: string;
  /** With those of the background first. */
  readonly steps: readonly Step[];
}

interface Draft {
  readonly name: string;
  readonly steps: { text: string; table: string[][] }[];
  readonly examples: string[][][];
}

/** Errors: a line that is none of these, with its number. */
export function readFeature(text: string): readonly Scenario[] {
  const drafts: Draft[] = [];
  let background: Draft = { name: '', steps: [], examples: [] };
  let current: Draft | undefined;
  let table: string[][] | undefined;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#') || line.startsWith('@') || /^Feature:/.test(line)) continue;
    const [, heading, name = ''] = /^(Background|Scenario Outline|Scenario|Examples):(.*)$/.exec(line) ?? [];
    const [, stepText] = /^(?:Given|When|Then|And|But) (.*)$/.exec(line) ?? [];
    if (heading === 'Examples') {
      table = [];
      current?.examples.push(table);
    } else if (heading !== undefined) {
      current = { name: name.trim(), steps: [], examples: [] };
      if (heading === 'Background') background = current;
      else drafts.push(current);
    } else if (stepText !== undefined && current !== undefined) {
      table = [];
      current.steps.push({ text: stepText, table });
    } else if (line.startsWith('|') && table !== undefined) table.push(cellsOf(line));
    else throw new Error(`line ${index + 1} is not understood: ${line}`);
  }
  return drafts.flatMap((draft) => expanded(draft, background));
}

const cellsOf = (line: string): string[] =>
  line
    .slice(1, line.lastIndexOf('|'))
    .split('|')
    .map((cell) => cell.trim());

function expanded(draft: Draft, background: Draft): readonly Scenario[] {
  const steps = [...background.steps, ...draft.steps];
  if (draft.examples.length === 0) return [{ name: draft.name, steps }];
  return draft.examples.flatMap(([names = [], ...rows]) =>
    rows.map((row) => {
      const filled = (text: string): string =>
        names.reduce((so, name, place) => so.replaceAll(`<${name}>`, row[place] ?? ''), text);
      return {
        name: `${draft.name} (${row.join(', ')})`,
        steps: steps.map((step) => ({
          text: filled(step.text),
          table: step.table.map((cells) => cells.map(filled)),
        })),
      };
    }),
  );
}
