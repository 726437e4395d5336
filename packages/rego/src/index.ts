/** A complete Rego (OPA 1.22) engine: parse, check, compile, evaluate. */

export type { Builtin, ContextOptions, CryptoProvider, HttpClient, TypeDecl } from './builtins/index.js';
export { builtins, capabilities } from './builtins/index.js';
export { compileRegex } from './builtins/regex/regex.js';
export {
  type ErrorLocation,
  type EvaluationErrorCode,
  formatRegoError,
  isRegoErrors,
  isRegoEvaluationError,
  type RegoError,
  type RegoErrorCode,
  RegoErrors,
  RegoEvaluationError,
} from './errors.js';
export type { Limits } from './evaluate/world.js';
export { type MountOptions, mountModule, mountModuleText } from './mount/mount-module.js';
export { matchesFilter } from './partial/evaluate-filter.js';
export type { FieldType, FieldTypes, ScalarType } from './partial/field-types.js';
export { type ComparisonOperator, type FieldPath, type Filter, holds, type TextOperator } from './partial/filter.js';
export { isPartialEvaluationError, PartialEvaluationError } from './partial/partial-errors.js';
export { type PartialOptions, partialDecision, partialFilter } from './partial/partial-evaluation.js';
export { type CosmosFilter, type CosmosOptions, toCosmos } from './partial/render-cosmos.js';
export { type MongoOptions, type MongoQuery, toMongo } from './partial/render-mongo.js';
export { type SqlFilter, type SqlOptions, toSql } from './partial/render-sql.js';
export { toVector, type VectorCondition, type VectorFilter, type VectorOptions } from './partial/render-vector.js';
export {
  type BackendName,
  type Bindings,
  type CompileOptions,
  compile,
  compileInSteps,
  type EvaluateOptions,
  type Explanation,
  type ModuleSource,
  Policy,
  type TraceEntry,
  WORLDLY_BUILTINS,
} from './policy.js';
export type * as syntax from './syntax/ast.js';
export { type ParseOptions, parseModuleSource as parseModule, parseQuery } from './syntax/parser.js';
export { printModule } from './syntax/printer.js';
export {
  BigNumber,
  compare,
  equal,
  formatTerm,
  fromJson,
  keyOf,
  makeObject,
  makeSet,
  ObjectBuilder,
  parseJson,
  parseJsonInSteps,
  parseNumber,
  RegoObject,
  RegoSet,
  sortedKeys,
  stringifyJson,
  stringifyJsonInSteps,
  toJson,
  typeOf,
  type Value,
} from './values/index.js';
