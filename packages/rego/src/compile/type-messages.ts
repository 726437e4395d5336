/** What the type errors of calls say, in OPA's words. */
import type { Builtin } from '../builtins/builtin.js';
import { type MaybeType, showType } from './types.js';

export interface ArgumentProblem {
  /** As written. */
  readonly operator: string;
  readonly problem: string;
  readonly have: readonly MaybeType[];
  /** The arguments, and the result where a call may have one more argument for it. */
  readonly want: readonly MaybeType[];
  /** Of a built-in: the names of its arguments are shown, too. */
  readonly builtin: Builtin | undefined;
}

/** OPA's older built-ins have no names to show. */
const isNamed = ({ name, deprecated }: Builtin): boolean =>
  deprecated !== true && !/^(internal\.|eq$|assign$)/.test(name);

export function argumentMessage({ operator, problem, have, want, builtin }: ArgumentProblem): string {
  const docs = builtin !== undefined && isNamed(builtin) ? builtin.docs : undefined;
  const wanted = want.map((type, index) => {
    const documented = docs?.args[index] ?? docs?.result;
    return documented === undefined ? showType(type) : `${documented.name}: ${showType(type)}`;
  });
  return `${operator}: ${problem}\n\thave: (${have.map(showType).join(', ')})\n\twant: (${wanted.join(', ')})`;
}
