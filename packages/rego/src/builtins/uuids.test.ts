import { expectCalls } from './call-table.contract.js';

expectCalls('uuids', [
  ['uuid.parse("f47ac10b-58cc-0372-8567-0e02b2c3d479")', '{"variant":"RFC4122","version":0}'],
  [
    'uuid.parse("00112233-4455-1677-8899-aabbccddeeff")',
    '{"clocksequence":2201,"macvariables":"local:unicast","nodeid":"aa-bb-cc-dd-ee-ff","time":-2521159115402355732,"variant":"RFC4122","version":1}',
  ],
  [
    'uuid.parse("000003e8-48b9-21ee-b200-325096b39f47")',
    '{"clocksequence":12800,"domain":"Person","id":1000,"macvariables":"local:unicast","nodeid":"32-50-96-b3-9f-47","time":1693566990121469600,"variant":"RFC4122","version":2}',
  ],
  ['uuid.parse("urn:uuid:f47ac10b-58cc-4372-8567-0e02b2c3d479")', '{"variant":"RFC4122","version":4}'],
  ['uuid.parse("{f47ac10b-58cc-4372-c567-0e02b2c3d479}")', '{"variant":"Microsoft","version":4}'],
  ['uuid.parse("xyz")', 'undefined'],
]);
