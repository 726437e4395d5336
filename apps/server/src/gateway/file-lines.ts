/** Where in a YAML text something stands, for faults that name the line. */
import { type Document, isMap, isSeq, type LineCounter, type ParsedNode } from 'yaml';

export type At = readonly (string | number)[];

export interface FileFault {
  /** From 1; 0 when the fault is the file's as a whole. */
  readonly line: number;
  readonly message: string;
}

export class GatewayFileError extends Error {
  readonly faults: readonly FileFault[];

  constructor(path: string, faults: readonly FileFault[]) {
    super(`${path} cannot be used:\n${faults.map((fault) => `  ${path}:${fault.line}: ${fault.message}`).join('\n')}`);
    this.faults = faults;
  }
}

export class Lines {
  readonly #document: Document.Parsed;
  readonly #counter: LineCounter;

  constructor(document: Document.Parsed, counter: LineCounter) {
    this.#document = document;
    this.#counter = counter;
  }

  /** The line of the deepest node on the way to `at`. */
  of(at: At): number {
    let found: ParsedNode | null = this.#document.contents;
    let offset = 0;
    for (const step of at) {
      if (isMap(found)) {
        const pair = found.items.find((item) => String((item.key as { value?: unknown }).value) === String(step));
        offset = (pair?.key as ParsedNode | undefined)?.range?.[0] ?? offset;
        found = (pair?.value ?? null) as ParsedNode | null;
      } else if (isSeq(found)) {
        found = (found.items[Number(step)] ?? null) as ParsedNode | null;
        offset = found?.range?.[0] ?? offset;
      }
    }
    return this.#counter.linePos(offset).line;
  }
}
