import { expectCalls } from './call-table.contract.js';

expectCalls('uris', [
  [
    'uri.parse("http://user:pw@example.com:8080/a%20b/c%2Fd?q=1#frag")',
    '{"fragment":"frag","hostname":"example.com","path":"/a b/c/d","port":"8080","raw_path":"/a%20b/c%2Fd","raw_query":"q=1","scheme":"http"}',
  ],
  ['uri.parse("mailto:a@b.c")', '{"scheme":"mailto"}'],
  ['uri.parse("http://[::1]:80/")', '{"hostname":"::1","path":"/","port":"80","raw_path":"/","scheme":"http"}'],
  ['uri.parse("http://[fe80::1%25en0]/x")', '{"hostname":"fe80::1%en0","path":"/x","raw_path":"/x","scheme":"http"}'],
  ['uri.parse("http://[::1")', 'eval_builtin_error: uri.parse: parse "http://[::1": missing \']\' in host'],
  [
    'uri.parse("http://a:b:c/")',
    'eval_builtin_error: uri.parse: parse "http://a:b:c/": invalid port ":b:c" after host',
  ],
  ['uri.parse("//host/path")', '{"hostname":"host","path":"/path","raw_path":"/path"}'],
  ['uri.parse(":foo")', 'eval_builtin_error: uri.parse: parse ":foo": missing protocol scheme'],
  ['uri.parse("a:b:c")', '{"scheme":"a"}'],
  ['uri.parse("1a:b")', 'eval_builtin_error: uri.parse: parse "1a:b": first path segment in URL cannot contain colon'],
  [
    'uri.parse("http://exa mple.com/")',
    'eval_builtin_error: uri.parse: parse "http://exa mple.com/": invalid character " " in host name',
  ],
  [
    'uri.parse("http://example.com/%zz")',
    'eval_builtin_error: uri.parse: parse "http://example.com/%zz": invalid URL escape "%zz"',
  ],
  ['uri.parse("")', '{}'],
  ['uri.parse("*")', '{"path":"*","raw_path":"*"}'],
  [
    'uri.parse("http://a<b@example.com/")',
    'eval_builtin_error: uri.parse: parse "http://a<b@example.com/": net/url: invalid userinfo',
  ],
  ['uri.parse("http://[1.2.3.4]/")', 'eval_builtin_error: uri.parse: parse "http://[1.2.3.4]/": invalid IP-literal'],
  [
    'uri.parse("http://[zz]/")',
    'eval_builtin_error: uri.parse: parse "http://[zz]/": invalid host: ParseAddr("zz"): unable to parse IP',
  ],
  ['uri.parse("/a/b?x=1?y=2")', '{"path":"/a/b","raw_path":"/a/b","raw_query":"x=1?y=2"}'],
  ['uri.parse("http://example.com?")', '{"hostname":"example.com","scheme":"http"}'],
  ['uri.is_valid("")', 'false'],
]);
