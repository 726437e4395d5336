import { expectCalls } from './call-table.contract.js';

expectCalls('templates', [
  [
    'strings.render_template("{{.a}} {{.b.c}} {{range $i, $v := .l}}{{$i}}={{$v}};{{else}}none{{end}}", {"a":1,"b":{"c":"x"},"l":[1,"b"]})',
    '"1 x 0=1;1=b;"',
  ],
  ['strings.render_template("{{if .x}}y{{else if .y}}z{{else}}n{{end}}", {"x":0,"y":[1]})', '"y"'],
  ['strings.render_template("{{with .x}}{{.}}{{else}}no{{end}}", {"x":""})', '"no"'],
  ['strings.render_template("a {{- .x -}} b", {"x":"q"})', '"aqb"'],
  [
    'strings.render_template("{{/* c */}}{{printf \\"%05d|%s\\" 42 .s}} {{len .l}} {{index .l 1}} {{index .m \\"k\\"}}", {"s":"str","l":[1,2],"m":{"k":"v"}})',
    '"00042|str 2 2 v"',
  ],
  [
    'strings.render_template("{{.l}} {{.m}} {{.n}}", {"l":[1,"a",null],"m":{"a":1,"b":[2]},"n":null})',
    '"[1 a \\u003cnil\\u003e] map[a:1 b:[2]] \\u003cundefined\\u003e"',
  ],
  ['strings.render_template("{{$x := .a}}{{$x}}{{$x = 3}}{{$x}}", {"a":1})', '"13"'],
  ['strings.render_template("{{define \\"t\\"}}<{{.}}>{{end}}{{template \\"t\\" .a}}", {"a":1})', '"\\u003c1\\u003e"'],
  ['strings.render_template("{{.a | printf \\"%v-%v\\" 1}}", {"a":2})', '"1-2"'],
  [
    'strings.render_template("{{foo}}", {})',
    'eval_builtin_error: strings.render_template: template: template:1: function "foo" not defined',
  ],
  [
    'strings.render_template("{{.a", {})',
    'eval_builtin_error: strings.render_template: template: template:1: unclosed action',
  ],
  [
    'strings.render_template("{{if .a}}", {})',
    'eval_builtin_error: strings.render_template: template: template:1: unexpected EOF',
  ],
  [
    'strings.render_template("{{end}}", {})',
    'eval_builtin_error: strings.render_template: template: template:1: unexpected {{end}}',
  ],
  ['strings.render_template("{{.a.b}}", {"a":{}})', '"\\u003cundefined\\u003e"'],
  ['strings.render_template("{{.a.b.c}}", {"a":{}})', '"\\u003cundefined\\u003e"'],
  [
    'strings.render_template("{{$y}}", {})',
    'eval_builtin_error: strings.render_template: template: template:1: undefined variable "$y"',
  ],
  [
    'strings.render_template("{{range .l}}{{if eq . \\"b\\"}}{{break}}{{end}}{{.}}{{end}}", {"l":["a","b","c"]})',
    '"a"',
  ],
  ['strings.render_template("{{range $k, $v := .m}}{{$k}}{{$v}}{{end}}", {"m":{"b":1,"a":2}})', '"a2b1"'],
  [
    'strings.render_template("{{1.5}} {{.f}} {{.g}}", {"f":1.5,"g":12345678901234567890})',
    '"1.5 1.5 12345678901234567890"',
  ],
]);
