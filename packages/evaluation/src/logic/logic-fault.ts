/** Why a piece of logic cannot be compiled or evaluated. */
export class LogicFault extends Error {
  /** JSON pointer of the node, for faults found while compiling. */
  readonly path: string;

  constructor(message: string, path = '') {
    super(message);
    this.name = 'LogicFault';
    this.path = path;
  }
}

/** Not a number where one is needed; the same condition in which flagd's engine throws NaN. */
export const notANumber = (): LogicFault => new LogicFault('an operand is not a number');
