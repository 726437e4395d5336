import { expectCalls } from './call-table.contract.js';

expectCalls('numbers', [
  ['numbers.range(3, -1)', '[3,2,1,0,-1]'],
  [
    'numbers.range(1.5, 2)',
    'eval_type_error: numbers.range: operand 1 must be integer number but got floating-point number',
  ],
  ['numbers.range_step(0, 10, 3)', '[0,3,6,9]'],
  ['numbers.range_step(10, 0, 3)', '[10,7,4,1]'],
  [
    'numbers.range_step(0, 10, 0)',
    'eval_builtin_error: numbers.range_step: numbers.range_step: step must be a positive integer',
  ],
  [
    'numbers.range(9007199254740990, 9007199254740994)',
    '[9007199254740990,9007199254740991,9007199254740992,9007199254740993,9007199254740994]',
  ],
]);
