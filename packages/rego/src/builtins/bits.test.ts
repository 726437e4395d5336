import { expectCalls } from './call-table.contract.js';

expectCalls('bits', [
  ['bits.lsh(1, 70)', '1180591620717411303424'],
  ['bits.negate(5)', '-6'],
  ['bits.and(-3, 12345678901234567890)', '12345678901234567888'],
  ['bits.or(1.5, 1)', 'eval_type_error: bits.or: operand 1 must be integer number but got floating-point number'],
  [
    'bits.rsh(8, -1)',
    'eval_type_error: bits.rsh: operand 2 must be an unsigned integer number but got a negative integer',
  ],
]);
