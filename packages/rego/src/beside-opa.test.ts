/** Answers a real OPA gives, each found as a difference by the fuzzer in `fuzz/`. */
import { describe, expect, it } from 'vitest';
import { type BackendName, compile, isRegoErrors, isRegoEvaluationError, parseJson, toJson } from './index.js';

const DATA = parseJson('{"base": {"names": ["a", "b"], "list": [1, 3]}}');

function answer(body: string, backend: BackendName): unknown {
  try {
    const policy = compile({ modules: [{ name: 'p.rego', text: `package t\n${body}\n` }], data: DATA, backend });
    const value = policy.evaluate('data.t.p', parseJson('{"list": [1, 3], "name": "abc", "obj": {"t": true}}'));
    return value === undefined ? 'undefined' : toJson(value);
  } catch (error) {
    if (isRegoEvaluationError(error)) return error.code;
    if (!isRegoErrors(error)) throw error;
    return error.errors.map(({ code, location }) => `${code}:${location.row}`).join(' ');
  }
}

describe.each(['generated', 'closures'] as const)('as a real OPA, with %s', (backend) => {
  it.each([
    // What `==` compares stays inside of the negation, what a function is given does not.
    ['p if not input.missing == 1', true],
    ['p if not 1 == input.missing', true],
    ['p if not input.missing == input.none', true],
    ['p if not startswith(input.missing, "a")', 'undefined'],
    // What a `with` puts in place is evaluated first, and may loop.
    ['p contains x if x := input.n with input.n as data.base.list[_]', [1, 3]],
    ['p if { not q with input.n as input.missing }\nq if input.n', 'undefined'],
    // Of doubled keys the last counts, and the first is not even read.
    ['p := {"a": input.missing, "a": 1}', { a: 1 }],
    ['p if { r[{1, false}] }\nr contains {x, false} if x := 1', true],
    ['p := {k: 1, "a": 2} if k := "a"', { a: 1 }],
    ['p contains x if { k := "a"; some x in {k: 1, "a": 2} }', [2]],
    // What replaces a function is looked up when that is called.
    ['p if { true with f as q }\nf(x) := x\nq := 1 if input.missing', true],
    ['p := x if { x := f(7) with f as q\n}\nf(x) := x\nq := 1', 1],
    ['p if { data.base.names with data.base.names as count }', 'rego_unsafe_var_error:2'],
    // Before what the head needs a body of `true` is dropped, whatever stands before and after it.
    ['p := input.list if { not true with data.base.x as input.missing }', [1, 3]],
    ['p := 1 if { not true with data.base.x as input.list }', 'undefined'],
    ['p := [input.name | true with data.base.x as input.missing]', ['abc']],
    // An element compared with its own index is looked for in a loop.
    ['p if { some i, x in [null, 1, "a"]; i == x }', true],
    ['p if { some i, x in [1, 0]; x == i }', 'undefined'],
    ['p if { some x in [1, 0]; x == x }', true],
    ['p if { input.list[i] == i }', 'undefined'],
    ['p if { {"a": "a"}[i] == i }', true],
    // A function in the place of a document leaves none.
    ['p := x if { x := data.base.list with data.base.names as f }\nf(x) := x', [1, 3]],
    ['p if { data.base.names with data.base.names as f }\nf(x) := x', 'undefined'],
    ['p if { not data.base.names with data.base.names as f }\nf(x) := x', true],
    ['p := [x | x := q with data.t.q as f]\nf(x) := x\nq := 1', []],
    ['p := [x | x := data.base with data.base as f]\nf(x) := x', []],
    ['p := strings.render_template("x", {k: 1 | k = input.list[_]})', 'undefined'],
    // Entries are in the order of their keys, and the type of the last stands for all.
    ['p if { some [y, z] in {input.user: input, input.b: 1} }', 'undefined'],
    ['p if { some [y, z] in {input.user: 1, input.b: input} }', 'rego_type_error:2'],
    ['p if { x := y; some y in [1]; every z, _ in [1] { 1 } }', 'rego_compile_error:2'],
    // A set written out is gone through in the order of its terms, equal values twice.
    ['p := [x | some x in {3, data.base.list[0], "a", false}]', [false, 3, 'a', 1]],
    ['p := [x | some x in {1, data.base.list[0]}]', [1, 1]],
    ['p := [x | s := {data.base.list[1], data.base.list[0]}; some x in s]', [1, 3]],
    ['p := [x | a := data.base.list[1]; b = 0; c := 1; some x in {b, c, a}]', [3, 1, 0]],
    ['p := [x | b := 5; some x in {[b], ["a"], count("xy")}]', [2, ['a'], [5]]],
    ['p := [x | some x, _ in {input.name: 1, 7: 2}]', [7, 'abc']],
    ['p := {input.list[0]: "a", 1: "b"}[1]', 'b'],
    // An object comprehension is evaluated only beside an object.
    ['p if { x := input.list; x == {"a": y | y = input.list[_]} }', 'undefined'],
    ['p if { x := input.obj; x == {"a": y | y = input.list[_]} }', 'eval_conflict_error'],
    ['p if { x := {"a": 1}; x == {"a": y | y = input.list[_]; y < 2} }', true],
    // A text is no index.
    ['p := input.list["1"]', 'undefined'],
    ['p := input.list.length', 'undefined'],
    ['p := x if { y := data.base.list; x := y["0"] }', 'undefined'],
    ['p := input.name["0"]', 'undefined'],
    ['p if { true with input.a as f }\nf(1) := 1', 'rego_type_error:2'],
    // Directly in an `every` deprecated built-ins go unseen, and what is assigned is what is read.
    ['p if { every x in [1] { cast_array([x]) } }', true],
    ['p if { every x in [1] { y := [1 | cast_array([x])]; y } }', 'rego_type_error:2'],
    ['p if { {1, 2}[x]; every y in [1] { x := [x, y] } }', 'rego_unsafe_var_error:2'],
    ['p := strings.replace_n({"": "x"}, "é")', 'x\ufffdx\ufffdx'],
    ['p := count(trim_space())', 'rego_type_error:2'],
    ['p if { some z in [] }', 'rego_type_error:2'],
    ['p if { x := [1, "a"]; x[_] == null }', 'rego_type_error:2'],
    ['p := {"a": 1}.b', 'rego_type_error:2'],
    ['p := q.x\nq := {"a": 1}', 'rego_type_error:2'],
    ['p if { every x, y in input.list { true } }', 'rego_compile_error:2 rego_compile_error:2'],
    ['p := $"{input.list[_]}"', 'rego_compile_error:2'],
    ['p := f(1)\nf({1 | x := true}) := 1', 'rego_type_error:2'],
    ['f(input.a) := 1', 'rego_unsafe_var_error:2'],
    ['p if { x := "q"; data.t[x] }\nq := 1', true],
    ['p if { {"a": v} = {"a": 1 | true} }', 'rego_unsafe_var_error:2'],
  ])('%s', (body, want) => {
    expect(answer(body, backend)).toEqual(want);
  });
});
