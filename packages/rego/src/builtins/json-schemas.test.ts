import { expectCalls } from './call-table.contract.js';

expectCalls('json-schemas', [
  [
    'json.match_schema({"id":"foo","x":1}, {"properties":{"id":{"type":"integer"}},"required":["id","z"],"additionalProperties":false})',
    '[false,[{"desc":"z is required","error":"(Root): z is required","field":"(Root)","type":"required"},{"desc":"Additional property x is not allowed","error":"(Root): Additional property x is not allowed","field":"(Root)","type":"additional_property_not_allowed"},{"desc":"Invalid type. Expected: integer, given: string","error":"id: Invalid type. Expected: integer, given: string","field":"id","type":"invalid_type"}]]',
  ],
  [
    'json.match_schema({"a":5}, {"properties":{"a":{"minimum":10,"multipleOf":2,"maximum":1e21}}})',
    '[false,[{"desc":"Must be a multiple of 2","error":"a: Must be a multiple of 2","field":"a","type":"multiple_of"},{"desc":"Must be greater than or equal to 10","error":"a: Must be greater than or equal to 10","field":"a","type":"number_gte"}]]',
  ],
  [
    'json.match_schema({"a":5}, {"properties":{"a":{"exclusiveMaximum":5}}})',
    '[false,[{"desc":"Must be less than 5","error":"a: Must be less than 5","field":"a","type":"number_lt"}]]',
  ],
  [
    'json.match_schema({"a":5}, {"properties":{"a":{"maximum":5,"exclusiveMaximum":true}}})',
    '[false,[{"desc":"Must be less than 5","error":"a: Must be less than 5","field":"a","type":"number_lt"}]]',
  ],
  ['json.match_schema({"a":0.3}, {"properties":{"a":{"multipleOf":0.1}}})', '[true,[]]'],
  [
    'json.match_schema({"a":"x"}, {"anyOf":[{"required":["b"]},{"properties":{"a":{"type":"integer"}}}]})',
    '[false,[{"desc":"Must validate at least one schema (anyOf)","error":"(Root): Must validate at least one schema (anyOf)","field":"(Root)","type":"number_any_of"},{"desc":"b is required","error":"(Root): b is required","field":"(Root)","type":"required"}]]',
  ],
  [
    'json.match_schema({"a":"x"}, {"oneOf":[{"required":["b"]},{"properties":{"a":{"type":"integer"}}}]})',
    '[false,[{"desc":"Must validate one and only one schema (oneOf)","error":"(Root): Must validate one and only one schema (oneOf)","field":"(Root)","type":"number_one_of"},{"desc":"b is required","error":"(Root): b is required","field":"(Root)","type":"required"}]]',
  ],
  [
    'json.match_schema({"a":"x"}, {"oneOf":[{"required":["a"]},{"properties":{"a":{"type":"string"}}}]})',
    '[false,[{"desc":"Must validate one and only one schema (oneOf)","error":"(Root): Must validate one and only one schema (oneOf)","field":"(Root)","type":"number_one_of"}]]',
  ],
  [
    'json.match_schema({"a":"x"}, {"allOf":[{"required":["b"]},{"properties":{"a":{"type":"integer"}}}]})',
    '[false,[{"desc":"b is required","error":"(Root): b is required","field":"(Root)","type":"required"},{"desc":"Invalid type. Expected: integer, given: string","error":"a: Invalid type. Expected: integer, given: string","field":"a","type":"invalid_type"},{"desc":"Must validate all the schemas (allOf)","error":"(Root): Must validate all the schemas (allOf)","field":"(Root)","type":"number_all_of"}]]',
  ],
  [
    'json.match_schema({"a":"x"}, {"not":{"required":["a"]}})',
    '[false,[{"desc":"Must not validate the schema (not)","error":"(Root): Must not validate the schema (not)","field":"(Root)","type":"number_not"}]]',
  ],
  [
    'json.match_schema({"a":"x"}, {"dependencies":{"a":["b","c"]}})',
    '[false,[{"desc":"Has a dependency on b","error":"(Root): Has a dependency on b","field":"(Root)","type":"missing_dependency"},{"desc":"Has a dependency on c","error":"(Root): Has a dependency on c","field":"(Root)","type":"missing_dependency"}]]',
  ],
  [
    'json.match_schema({"a":"x"}, {"dependencies":{"a":{"required":["q"]}}})',
    '[false,[{"desc":"q is required","error":"(Root): q is required","field":"(Root)","type":"required"}]]',
  ],
  [
    'json.match_schema({"a":"x"}, {"if":{"required":["a"]},"then":{"required":["b"]},"else":{"required":["c"]}})',
    '[false,[{"desc":"Must validate \\"then\\" as \\"if\\" was valid","error":"(Root): Must validate \\"then\\" as \\"if\\" was valid","field":"(Root)","type":"condition_then"},{"desc":"b is required","error":"(Root): b is required","field":"(Root)","type":"required"}]]',
  ],
  [
    'json.match_schema({"b":"x"}, {"if":{"required":["a"]},"then":{"required":["b"]},"else":{"required":["c"]}})',
    '[false,[{"desc":"Must validate \\"else\\" as \\"if\\" was not valid","error":"(Root): Must validate \\"else\\" as \\"if\\" was not valid","field":"(Root)","type":"condition_else"},{"desc":"c is required","error":"(Root): c is required","field":"(Root)","type":"required"}]]',
  ],
  [
    'json.match_schema({"a":"x"}, {"properties":{"a":{"enum":["y",1,null]}}})',
    '[false,[{"desc":"a must be one of the following: \\"y\\", 1, null","error":"a: a must be one of the following: \\"y\\", 1, null","field":"a","type":"enum"}]]',
  ],
  [
    'json.match_schema({"a":"x"}, {"properties":{"a":{"const":{"q":1}}}})',
    '[false,[{"desc":"a does not match: {\\"q\\":1}","error":"a: a does not match: {\\"q\\":1}","field":"a","type":"const"}]]',
  ],
  [
    'json.match_schema({"a":"x"}, {"properties":{"a":{"minLength":2,"pattern":"^y","format":"email"}}})',
    '[false,[{"desc":"Does not match format \'email\'","error":"a: Does not match format \'email\'","field":"a","type":"format"},{"desc":"String length must be greater than or equal to 2","error":"a: String length must be greater than or equal to 2","field":"a","type":"string_gte"},{"desc":"Does not match pattern \'^y\'","error":"a: Does not match pattern \'^y\'","field":"a","type":"pattern"}]]',
  ],
  [
    'json.match_schema({"a":"xyz"}, {"properties":{"a":{"maxLength":2}}})',
    '[false,[{"desc":"String length must be less than or equal to 2","error":"a: String length must be less than or equal to 2","field":"a","type":"string_lte"}]]',
  ],
  [
    'json.match_schema({"ab":1,"cd":"x"}, {"patternProperties":{"^a":{"type":"string"}},"additionalProperties":{"type":"integer"}})',
    '[false,[{"desc":"Invalid type. Expected: string, given: integer","error":"ab: Invalid type. Expected: string, given: integer","field":"ab","type":"invalid_type"},{"desc":"Invalid type. Expected: integer, given: string","error":"cd: Invalid type. Expected: integer, given: string","field":"cd","type":"invalid_type"}]]',
  ],
  [
    'json.match_schema({"ab":1}, {"propertyNames":{"maxLength":1}})',
    '[false,[{"desc":"Property name of \\"ab\\" does not match","error":"(Root): Property name of \\"ab\\" does not match","field":"(Root)","type":"invalid_property_name"},{"desc":"String length must be less than or equal to 1","error":"(Root): String length must be less than or equal to 1","field":"(Root)","type":"string_lte"}]]',
  ],
  [
    'json.match_schema({"ab":1}, {"minProperties":2,"maxProperties":0})',
    'eval_builtin_error: json.match_schema: minProperties cannot be greater than maxProperties',
  ],
  [
    'json.match_schema({"ab":1}, {"minProperties":2})',
    '[false,[{"desc":"Must have at least 2 properties","error":"(Root): Must have at least 2 properties","field":"(Root)","type":"array_min_properties"}]]',
  ],
  [
    'json.match_schema({"a":{"b":[{"c":1}]}}, {"properties":{"a":{"properties":{"b":{"items":{"properties":{"c":{"type":"string"}}}}}}}})',
    '[false,[{"desc":"Invalid type. Expected: string, given: integer","error":"a.b.0.c: Invalid type. Expected: string, given: integer","field":"a.b.0.c","type":"invalid_type"}]]',
  ],
  [
    'json.match_schema({"a":{"a":{"a":1}}}, {"$ref":"#/definitions/n","definitions":{"n":{"type":"object","properties":{"a":{"$ref":"#/definitions/n"}}}}})',
    '[false,[{"desc":"Invalid type. Expected: object, given: integer","error":"a.a.a: Invalid type. Expected: object, given: integer","field":"a.a.a","type":"invalid_type"}]]',
  ],
  [
    'json.match_schema({"a":1}, {"$id":"http://x.y/z.json","properties":{"a":{"$ref":"d.json"}},"definitions":{"d":{"$id":"d.json","type":"string"}}})',
    '[false,[{"desc":"Invalid type. Expected: string, given: integer","error":"a: Invalid type. Expected: string, given: integer","field":"a","type":"invalid_type"}]]',
  ],
  [
    'json.match_schema({"a":1}, {"properties":{"a":{"$ref":"#/nope"}}})',
    "eval_builtin_error: json.match_schema: Object has no key 'nope'",
  ],
  [
    'json.match_schema({"a":1}, {"type":["string","array"]})',
    '[false,[{"desc":"Invalid type. Expected: [string,array], given: object","error":"(Root): Invalid type. Expected: [string,array], given: object","field":"(Root)","type":"invalid_type"}]]',
  ],
  ['json.match_schema({"a":null}, {"properties":{"a":{"type":["string","null"]}}})', '[true,[]]'],
  [
    'json.match_schema({"a":null}, {"properties":{"a":{"type":"string"}}})',
    '[false,[{"desc":"Invalid type. Expected: string, given: null","error":"a: Invalid type. Expected: string, given: null","field":"a","type":"invalid_type"}]]',
  ],
  ['json.match_schema({"a":1.0}, {"properties":{"a":{"type":"integer"}}})', '[true,[]]'],
  [
    'json.match_schema({"a":1.5}, {"properties":{"a":{"type":"integer"}}})',
    '[false,[{"desc":"Invalid type. Expected: integer, given: number","error":"a: Invalid type. Expected: integer, given: number","field":"a","type":"invalid_type"}]]',
  ],
  ['json.match_schema("x", {"type":"string"})', 'eval_builtin_error: json.match_schema: invalid JSON string'],
  [
    'json.match_schema("\\"x\\"", {"type":"integer"})',
    '[false,[{"desc":"Invalid type. Expected: integer, given: string","error":"(Root): Invalid type. Expected: integer, given: string","field":"(Root)","type":"invalid_type"}]]',
  ],
  [
    'json.verify_schema({"type":"foo"})',
    '[false,"jsonschema: has a primitive type that is NOT VALID -- given: /foo/ Expected valid values are:[array boolean integer number null object string]"]',
  ],
  ['json.verify_schema({"type":["string","string"]})', '[false,"jsonschema: string type is duplicated"]'],
  [
    'json.verify_schema({"type":1})',
    '[false,"jsonschema: Invalid type. Expected: type, given: string/Array Of Strings"]',
  ],
  ['json.verify_schema({"properties":1})', '[false,"jsonschema: Properties must be of type object"]'],
  ['json.verify_schema({"properties":{"a":1}})', '[false,"jsonschema: Expected: Valid Schema, given: Invalid JSON"]'],
  ['json.verify_schema({"required":"a"})', '[false,"jsonschema: required must be of an array"]'],
  ['json.verify_schema({"required":["a","a"]})', '[false,"jsonschema: required items must be unique"]'],
  ['json.verify_schema({"required":[1]})', '[false,"jsonschema: Invalid type. Expected: string, given: required"]'],
  ['json.verify_schema({"enum":[1,1]})', '[false,"jsonschema: enum items must be unique"]'],
  ['json.verify_schema({"pattern":"("})', '[false,"jsonschema: pattern must be a valid regex"]'],
  ['json.verify_schema({"patternProperties":{"(":{}}})', '[false,"jsonschema: Invalid regex pattern \'(\'"]'],
  ['json.verify_schema({"minLength":-1})', '[false,"jsonschema: minLength must be greater than or equal to 0"]'],
  ['json.verify_schema({"minLength":"a"})', '[false,"jsonschema: minLength must be of an integer"]'],
  [
    'json.verify_schema({"minLength":3,"maxLength":2})',
    '[false,"jsonschema: minLength cannot be greater than maxLength"]',
  ],
  [
    'json.verify_schema({"minProperties":3,"maxProperties":2})',
    '[false,"jsonschema: minProperties cannot be greater than maxProperties"]',
  ],
  ['json.verify_schema({"multipleOf":0})', '[false,"jsonschema: multipleOf must be strictly greater than 0"]'],
  ['json.verify_schema({"multipleOf":"a"})', '[false,"jsonschema: Invalid type. Expected: Number, given: multipleOf"]'],
  ['json.verify_schema({"minimum":"a"})', '[false,"jsonschema: minimum must be of a Number"]'],
  [
    'json.verify_schema({"exclusiveMinimum":true})',
    '[false,"jsonschema: exclusiveMinimum cannot be used without minimum"]',
  ],
  [
    'json.verify_schema({"exclusiveMinimum":"a"})',
    '[false,"jsonschema: Invalid type. Expected: boolean/number, given: exclusiveMinimum"]',
  ],
  [
    'json.verify_schema({"items":1})',
    '[false,"jsonschema: Invalid type. Expected: Valid Schema/Array Of Schemas, given: items"]',
  ],
  [
    'json.verify_schema({"additionalProperties":1})',
    '[false,"jsonschema: Invalid type. Expected: boolean/Valid Schema, given: additionalProperties"]',
  ],
  ['json.verify_schema({"dependencies":1})', '[false,"jsonschema: dependencies must be of type object"]'],
  [
    'json.verify_schema({"dependencies":{"a":1}})',
    '[false,"jsonschema: Dependency must be of type Schema Or Array Of Strings"]',
  ],
  ['json.verify_schema({"not":1})', '[false,"jsonschema: not must be of an object"]'],
  ['json.verify_schema({"oneOf":1})', '[false,"jsonschema: oneOf must be of an array"]'],
  ['json.verify_schema({"uniqueItems":1})', '[false,"jsonschema: uniqueItems must be of a boolean"]'],
  [
    'json.verify_schema({"definitions":1})',
    '[false,"jsonschema: Invalid type. Expected: Array Of Schemas, given: definitions"]',
  ],
  [
    'json.verify_schema({"definitions":{"a":1}})',
    '[false,"jsonschema: Invalid type. Expected: Array Of Schemas, given: definitions"]',
  ],
  ['json.verify_schema({"$ref":1})', '[false,"jsonschema: Invalid type. Expected: string, given: $ref"]'],
  [
    'json.verify_schema({"$schema":"http://json-schema.org/draft-04/schema#","exclusiveMinimum":3})',
    '[false,"jsonschema: Invalid type. Expected: boolean, given: exclusiveMinimum"]',
  ],
  [
    'json.verify_schema({"$schema":"http://json-schema.org/draft-07/schema#","minimum":3,"exclusiveMinimum":true})',
    '[false,"jsonschema: Invalid type. Expected: number, given: exclusiveMinimum"]',
  ],
  ['json.verify_schema("{")', '[false,"jsonschema: invalid JSON string"]'],
  ['json.verify_schema("true")', '[true,null]'],
  ['json.verify_schema("[]")', '[false,"jsonschema: schema is invalid"]'],
  ['json.verify_schema({"title":1})', '[false,"jsonschema: Invalid type. Expected: string, given: title"]'],
  ['json.verify_schema({"if":1})', '[false,"jsonschema: if must be of an object"]'],
]);
