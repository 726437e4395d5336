/** The families every engine carries from the start; the rest is in `rare-families.ts`. */
import { aggregateBuiltins } from './aggregates.js';
import { arithmeticBuiltins } from './arithmetic.js';
import { arrayBuiltins } from './arrays.js';
import { bitBuiltins } from './bits.js';
import type { Builtin } from './builtin.js';
import { comparisonBuiltins } from './comparison.js';
import { encodingBuiltins } from './encoding.js';
import { graphBuiltins } from './graphs.js';
import { hashBuiltins } from './hashes.js';
import { httpBuiltins } from './http.js';
import { jsonPathBuiltins } from './json-paths.js';
import { numberBuiltins } from './numbers.js';
import { objectBuiltins } from './objects.js';
import { regoBuiltins } from './rego.js';
import { regexBuiltins } from './regular-expressions.js';
import { semverBuiltins } from './semver.js';
import { setBuiltins } from './sets.js';
import { stringBuiltins } from './strings.js';
import { tracingBuiltins } from './tracing.js';
import { typeBuiltins } from './types.js';
import { unitBuiltins } from './units.js';
import { uriBuiltins } from './uris.js';
import { uuidBuiltins } from './uuids.js';
import { walkBuiltins } from './walk.js';

export const coreBuiltins: readonly Builtin[] = [
  aggregateBuiltins,
  arithmeticBuiltins,
  arrayBuiltins,
  bitBuiltins,
  comparisonBuiltins,
  encodingBuiltins,
  graphBuiltins,
  hashBuiltins,
  httpBuiltins,
  jsonPathBuiltins,
  numberBuiltins,
  objectBuiltins,
  regexBuiltins,
  regoBuiltins,
  semverBuiltins,
  setBuiltins,
  stringBuiltins,
  tracingBuiltins,
  typeBuiltins,
  unitBuiltins,
  uriBuiltins,
  uuidBuiltins,
  walkBuiltins,
].flat();
