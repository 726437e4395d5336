import { expectCalls } from './call-table.contract.js';

expectCalls('graphs', [
  ['graph.reachable({"a":["b"],"b":["c"],"c":[]}, ["a"])', '["a","b","c"]'],
  ['graph.reachable({"a":["b"],"b":{"a","z"}}, {"a"})', '["a","b"]'],
  ['graph.reachable_paths({"a":[]}, ["a","x"])', '[["a"]]'],
  ['graph.reachable_paths({"a":["b"]}, ["a"])', '[["a"]]'],
]);
