/** What steps refer to: rule sets, lookups and extents, by index. */
import type { Op, Step, WithModifiers } from './plan.js';

export interface References {
  readonly set: (index: number) => void;
  readonly lookup: (index: number) => void;
  readonly extent: (index: number) => void;
}

function visitOp(op: Op, to: References): void {
  switch (op.op) {
    case 'rule':
    case 'call':
      to.set(op.set);
      return;
    case 'lookup':
      to.lookup(op.lookup);
      return;
    case 'extent':
      to.extent(op.extent);
      return;
    case 'get':
      visitOp(op.from, to);
      return;
    case 'comprehension':
    case 'object-comprehension':
    case 'grouped':
      visitReferences(op.steps, to);
      return;
    default:
  }
}

/** The functions and rules that stand in for others. */
function visitModifiers({ functions }: WithModifiers, to: References): void {
  for (const { by } of functions) if (by.set !== undefined) to.set(by.set);
}

/** Reports every reference in the steps, as often as it stands there. */
export function visitReferences(steps: readonly Step[], to: References): void {
  for (const step of steps) {
    if ('value' in step && typeof step.value === 'object') visitOp(step.value, to);
    if ('from' in step) visitOp(step.from, to);
    switch (step.step) {
      case 'equal':
        visitOp(step.left, to);
        visitOp(step.right, to);
        break;
      case 'choice':
      case 'some':
        for (const branch of step.branches) visitReferences(branch, to);
        break;
      case 'not':
      case 'every':
        visitReferences(step.steps, to);
        break;
      case 'with':
        visitModifiers(step.modifiers, to);
        break;
      default:
    }
  }
}
