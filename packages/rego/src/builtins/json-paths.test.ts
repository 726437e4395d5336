import { expectCalls } from './call-table.contract.js';

expectCalls('json-paths', [
  ['json.patch({"a":{"foo":1}}, [{"op":"add","path":"/a/bar","value":2}])', '{"a":{"bar":2,"foo":1}}'],
  ['json.patch({"a":[1,2]}, [{"op":"add","path":"/a/-","value":3}])', '{"a":[1,2,3]}'],
  [
    'json.patch({"a":[1,2]}, [{"op":"remove","path":"/a/5"}])',
    'eval_builtin_error: json.patch: index for array delete out of bounds',
  ],
  ['json.patch({"a":{1,2}}, [{"op":"add","path":["a",3],"value":3}])', '{"a":[1,2,3]}'],
  [
    'json.patch({"a":{1,2}}, [{"op":"add","path":["a",3],"value":4}])',
    'eval_builtin_error: json.patch: set key 3 does not equal value to be inserted 4',
  ],
  [
    'json.patch({"a":1}, [{"op":"replace","path":"/b","value":4}])',
    'eval_builtin_error: json.patch: cannot delete child key "b" that does not exist',
  ],
  [
    'json.patch({"a":1}, [{"op":"test","path":"/a","value":4}])',
    'eval_builtin_error: json.patch: value from EditTree != patch value.\n\nExpected: 4\n\nFound: 1',
  ],
  ['json.patch({"a":1}, [{"op":"move","path":"/b","from":"/a"}])', '{"b":1}'],
  [
    'json.patch({"a":1}, [{"op":"copy","path":"/b","from":"/c"}])',
    'eval_builtin_error: json.patch: path "c" does not exist in object term {"a": 1}',
  ],
  [
    'json.patch({"a":1}, [{"op":"foo","path":"/b","from":"/c"}])',
    "eval_builtin_error: json.patch: unrecognized op: 'foo'",
  ],
  [
    'json.patch({"a":1}, [{"path":"/b","from":"/c"}])',
    "eval_builtin_error: json.patch: missing required attribute 'op'",
  ],
  [
    'json.patch([1,2,3], [{"op":"remove","path":"/01"}])',
    'eval_builtin_error: json.patch: leading zeros are not allowed in JSON paths',
  ],
  ['json.patch([1,2,3], [{"op":"replace","path":"/1","value":9}])', '[1,9,3]'],
  ['json.patch({"a":1}, [{"op":"add","path":"","value":9}])', '9'],
  ['json.filter({"a":{"b":1,"c":2},"d":[1,2]}, ["a/b","d/1"])', '{"a":{"b":1},"d":[2]}'],
  ['json.remove({"a":{"b":1,"c":2},"d":[1,2]}, ["a/b","d/0"])', '{"a":{"c":2},"d":[2]}'],
  ['json.filter({"a":1}, [""])', '{}'],
  ['json.remove({"a":{"b":1}}, {"a","a/b"})', '{}'],
  ['json.patch({"foo":1}, [{"op":"add","path":"/bar","value":"z"}])', '{"bar":"z","foo":1}'],
  ['json.patch([""], [{"op":"replace","path":"/0","value":"z"}])', '["z"]'],
]);
