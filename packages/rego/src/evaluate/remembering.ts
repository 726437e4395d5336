/** Which functions' answers are worth keeping for the rest of an evaluation. */
import type { Op, RuleSet, Step } from '../compile/plan.js';

function isCostlyOp(op: Op): boolean {
  switch (op.op) {
    case 'call':
    case 'lookup':
    case 'comprehension':
    case 'grouped':
    case 'object-comprehension':
      return true;
    case 'get':
      return isCostlyOp(op.from);
    default:
      return false;
  }
}

function isCostlyStep(step: Step): boolean {
  switch (step.step) {
    case 'iterate':
    case 'probe':
    case 'relation':
    case 'choice':
    case 'every':
    case 'with':
      return true;
    case 'let':
    case 'test':
      return isCostlyOp(step.value);
    case 'equal':
      return isCostlyOp(step.left) || isCostlyOp(step.right);
    case 'not':
      return step.steps.some(isCostlyStep);
    case 'some':
      return step.branches.some((branch) => branch.some(isCostlyStep));
    default:
      return false;
  }
}

/** Functions that loop or call on are remembered; the rest are quicker computed again. */
export function isWorthRemembering(set: RuleSet): boolean {
  return set.clauses.some((clause) => [clause, ...clause.otherwise].some((branch) => branch.steps.some(isCostlyStep)));
}
