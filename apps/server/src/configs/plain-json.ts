/** JSON whose numbers every client reads alike. */
import type { JsonValue } from '@bailiwick/evaluation';
import { BigNumber } from '@bailiwick/rego';
import { configInvalid } from './config-errors.js';

/** The value as it is. Errors: `config.bad_number` for a number that no double holds exactly; `path` is a JSON pointer to the value. */
export function plainJson(value: unknown, path: string): JsonValue {
  if (value instanceof BigNumber)
    throw configInvalid(
      'bad_number',
      `The number at ${path} has more digits than a double holds, and clients would read another one. Write it as a text.`,
      [{ path, message: 'is no double' }],
    );
  if (Array.isArray(value)) for (const [index, one] of value.entries()) plainJson(one, `${path}/${index}`);
  else if (typeof value === 'object' && value !== null)
    for (const [name, one] of Object.entries(value)) plainJson(one, `${path}/${name}`);
  return value as JsonValue;
}
