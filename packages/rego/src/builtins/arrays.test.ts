import { expectCalls } from './call-table.contract.js';

expectCalls('arrays', [
  ['array.slice([1,2,3], -1, 2)', '[1,2]'],
  ['array.slice([1,2,3], 2, 1)', '[]'],
  ['array.flatten([1,[2,[3]],[]])', '[1,2,[3]]'],
]);
