/** One key as a register: read, write when it holds what the writer has seen (If-Match), create when it is not there. */
import { checkLinearizable, type Operation, type Verdict } from './checker.js';

/** Every write has a value of its own, so a value names the write; null = the key does not exist. */
export type Value = string | null;

interface Timed {
  readonly client: number;
  readonly start: number;
  /** Infinity: no answer, or one that leaves the outcome open. */
  readonly end: number;
}

export type RegisterOperation = Timed &
  (
    | { readonly kind: 'read'; readonly value: Value }
    | { readonly kind: 'write'; readonly value: string }
    | {
        readonly kind: 'compare-and-set';
        readonly expected: Value;
        readonly value: string;
        /** undefined when the outcome is unknown. */
        readonly isDone: boolean | undefined;
      }
  );

/** Wrapped, because undefined and null mean something else to the checker. */
interface State {
  readonly value: Value;
}

function apply(operation: RegisterOperation, state: State): State | undefined {
  switch (operation.kind) {
    case 'read':
      return operation.value === state.value ? state : undefined;
    case 'write':
      return { value: operation.value };
    case 'compare-and-set': {
      const holds = state.value === operation.expected;
      if (operation.isDone !== undefined && operation.isDone !== holds) return undefined;
      return holds ? { value: operation.value } : state;
    }
  }
}

function describe(operation: RegisterOperation): string {
  const { kind, client, start, end } = operation;
  const what =
    kind === 'compare-and-set' ? `${operation.expected} -> ${operation.value}: ${operation.isDone}` : operation.value;
  return `client ${client} ${kind} ${what} [${start.toFixed(1)}, ${end.toFixed(1)}]`;
}

/** The history of one key that did not exist at the start. */
export function checkRegister(history: readonly RegisterOperation[]): Verdict {
  const operations = history.map(
    (operation): Operation<State> => ({
      start: operation.start,
      end: operation.end,
      apply: (state) => apply(operation, state),
      label: describe(operation),
    }),
  );
  return checkLinearizable(operations, { value: null }, (state) => JSON.stringify(state.value));
}
