import { expectCalls } from './call-table.contract.js';

expectCalls('sets', [
  ['union({{1},{2,3}})', '[1,2,3]'],
  ['intersection({{1,2},{2,3}})', '[2]'],
  ['intersection(set())', '[]'],
]);
