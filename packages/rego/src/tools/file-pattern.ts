/** Patterns of paths, as manifests of bundles use them. */

import { createContext } from '../builtins/context.js';
import { builtins } from '../builtins/index.js';

/** Whether a path matches a glob whose `*` may stand for slashes, too. Errors: `BuiltinError` when it is none. */
export const matchesPattern = (pattern: string, path: string): boolean =>
  builtins.get('glob.match')?.evaluate([pattern, null, path], createContext()) === true;
