import { expectCalls } from './call-table.contract.js';

expectCalls('hashes', [
  ['crypto.md5("hello")', '"5d41402abc4b2a76b9719d911017c592"'],
  ['crypto.sha1("hello")', '"aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"'],
  ['crypto.sha256("hello")', '"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"'],
  [
    'crypto.hmac.sha512("hello","key")',
    '"ff06ab36757777815c008d32c8e14a705b4e7bf310351a06a23b612dc4c7433e7757d20525a5593b71020ea2ee162d2311b247e9855862b270122419652c0c92"',
  ],
  ['crypto.hmac.md5("hello","key")', '"04130747afca4d79e32e87cf2104f087"'],
  [
    'crypto.hmac.sha256("hello","keykeykeykeykeykeykeykeykeykeykeykeykeykeykeykeykeykeykeykeykeykeykeykeykeykeykeykeykeykeykey")',
    '"503909290523621d8ae6a8d4a8bc329c4102cac7ce5e4593f22fa9db0c9301ad"',
  ],
]);
