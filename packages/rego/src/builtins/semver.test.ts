import { expectCalls } from './call-table.contract.js';

expectCalls('semver', [
  ['semver.compare("1.2.3","1.2.3-rc.1")', '1'],
  ['semver.compare("1.2.3-alpha.10","1.2.3-alpha.9")', '1'],
  [
    'semver.compare("1.2.3-01","1.2.3")',
    'eval_builtin_error: semver.compare: operand 1: string "1.2.3-01" is not a valid SemVer',
  ],
  ['semver.compare("v1.2.3+m","1.2.3")', '0'],
  ['semver.compare("1","2")', 'eval_builtin_error: semver.compare: operand 1: string "1" is not a valid SemVer'],
  ['semver.is_valid("1.2.3-")', 'false'],
]);
