import { expectCalls } from './call-table.contract.js';

expectCalls('units', [
  ['units.parse("10Mi")', '10485760'],
  ['units.parse("200m")', '0.2'],
  ['units.parse("1.5G")', '1500000000'],
  ['units.parse("1e3")', '1000'],
  ['units.parse("1eK")', 'eval_builtin_error: units.parse: units.parse: unit ek not recognized'],
  ['units.parse("0.1m")', '0.0001'],
  ['units.parse("10MI")', '10485760'],
  ['units.parse("10x")', 'eval_builtin_error: units.parse: units.parse: unit x not recognized'],
  ['units.parse("K")', 'eval_builtin_error: units.parse: units.parse: no amount provided'],
  ['units.parse("1 K")', 'eval_builtin_error: units.parse: units.parse: spaces not allowed in resource strings'],
  ['units.parse("0.0005m")', '5e-07'],
  ['units.parse("1E")', '1000000000000000000'],
  ['units.parse("1e")', '1000000000000000000'],
  ['units.parse("1e9999999")', 'eval_builtin_error: units.parse: units.parse: exponent too large'],
  ['units.parse("1.2.3")', 'eval_builtin_error: units.parse: units.parse: could not parse amount to a number'],
  ['units.parse_bytes("10MB")', '10000000'],
  ['units.parse_bytes("1.5GiB")', '1610612736'],
  ['units.parse_bytes("0.1kb")', '100'],
  ['units.parse_bytes("")', 'eval_builtin_error: units.parse_bytes: units.parse_bytes: no byte amount provided'],
  [
    'units.parse_bytes("10xb")',
    'eval_builtin_error: units.parse_bytes: units.parse_bytes: byte unit xb not recognized',
  ],
  ['units.parse_bytes("1e3k")', '1000000'],
  ['units.parse_bytes("1.1kib")', '1126'],
]);
