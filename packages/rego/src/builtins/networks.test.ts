import { expectCalls } from './call-table.contract.js';

expectCalls('networks', [
  ['net.cidr_contains("10.0.0.0/8","10.1.2.3")', 'true'],
  ['net.cidr_contains("10.0.0.0/8","10.1.2.0/24")', 'true'],
  [
    'net.cidr_contains("10.0.0.0/8","x")',
    'eval_builtin_error: net.cidr_contains: not a valid textual representation of an IP address or CIDR: x',
  ],
  [
    'net.cidr_contains("10.0.0.0/33","1.1.1.1")',
    'eval_builtin_error: net.cidr_contains: invalid CIDR address: 10.0.0.0/33',
  ],
  ['net.cidr_contains("2001:db8::/32","2001:db8::1")', 'true'],
  ['net.cidr_contains("::ffff:10.0.0.0/104","10.0.0.1")', 'true'],
  ['net.cidr_contains("0.0.0.0/0","::1")', 'false'],
  ['net.cidr_contains("::/0","10.0.0.1")', 'false'],
  ['net.cidr_intersects("10.0.0.0/8","10.1.0.0/16")', 'true'],
  ['net.cidr_expand("192.168.1.0/30")', '["192.168.1.0","192.168.1.1","192.168.1.2","192.168.1.3"]'],
  ['net.cidr_expand("2001:db8::/126")', '["2001:db8::","2001:db8::1","2001:db8::2","2001:db8::3"]'],
  ['net.cidr_merge(["10.0.0.0/24","10.0.1.0/24","192.168.0.1"])', '["10.0.0.0/23","192.168.0.1/24"]'],
  ['net.cidr_merge(["0.0.0.0/0","10.0.0.0/8"])', '["0.0.0.0/0"]'],
  ['net.cidr_merge(["10.0.0.1","10.0.0.2/32"])', '["10.0.0.0/8"]'],
  [
    'net.cidr_merge(["2601:600:8a80:207e:a57d:7567:e2c9:e7b3/128","2601:600:8a80:207e::/64", "1.1.1.0/24"])',
    '["1.1.1.0/24","2601:600:8a80:207e::/64"]',
  ],
  ['net.cidr_merge({"10.0.0.0/25","10.0.0.128/25"})', '["10.0.0.0/24"]'],
  ['net.cidr_merge(["::1"])', 'eval_builtin_error: net.cidr_merge: IPv6 invalid: needs prefix length'],
  ['net.cidr_contains_matches({"a":"1.1.1.0/24"}, ["1.1.1.1",["2.2.2.2","x"]])', '[["a",0]]'],
  [
    'net.cidr_contains_matches("1.1.1.0/24", {"1.1.1.1",["1.1.1.2",3]})',
    '[["1.1.1.0/24","1.1.1.1"],["1.1.1.0/24",["1.1.1.2",3]]]',
  ],
  [
    'net.cidr_contains_matches("1.1.1.0/24", [[]])',
    'eval_builtin_error: net.cidr_contains_matches: operand 2: element must be string or non-empty array',
  ],
  ['net.cidr_is_valid("1.1.1.1/08")', 'true'],
  ['net.cidr_is_valid("::1/128")', 'true'],
  ['net.cidr_contains("::/80", "::/80")', 'true'],
]);
