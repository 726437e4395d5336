import { expectCalls } from './call-table.contract.js';

expectCalls('objects', [
  ['object.subset({"a":{"b":1,"c":2}}, {"a":{"b":1}})', 'true'],
  ['object.subset([1,2,3], [2,3])', 'true'],
  ['object.subset([1,1,2], [1,2])', 'true'],
  ['object.subset([1,2,3], {2,3})', 'true'],
  ['object.subset([], set())', 'false'],
  ['object.union_n([{"a":{"b":1}},{"a":2},{"a":{"c":3}}])', '{"a":{"c":3}}'],
  ['object.union({"a":{"b":1}},{"a":{"c":3}})', '{"a":{"b":1,"c":3}}'],
  ['object.get({"a":{"b":[1,2]}}, ["a","b",1], "d")', '2'],
  ['object.get({"a":1}, [], "d")', '{"a":1}'],
  ['object.get({"a":1}, "z", "d")', '"d"'],
  ['object.get({"a":{"x"}}, ["a","x"], "d")', '"x"'],
]);
