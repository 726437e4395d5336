import { expectCalls } from './call-table.contract.js';

expectCalls('types', [
  ['to_number("0x10")', 'eval_builtin_error: to_number: strconv.ParseFloat: parsing "0x10": invalid syntax'],
  ['to_number("abc")', 'eval_builtin_error: to_number: strconv.ParseFloat: parsing "abc": invalid syntax'],
  ['to_number("1e400")', 'eval_builtin_error: to_number: strconv.ParseFloat: parsing "1e400": value out of range'],
  ['to_number("")', 'eval_builtin_error: to_number: strconv.ParseFloat: parsing "": invalid syntax'],
  ['to_number("1e-400")', '1e-400'],
  ['to_number("Infinity")', 'eval_type_error: to_number: operand 1 must be valid number string but got string'],
  ['to_number(" 1")', 'eval_builtin_error: to_number: strconv.ParseFloat: parsing " 1": invalid syntax'],
  ['type_name(null)', '"null"'],
]);
