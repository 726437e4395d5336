/** The errors that every secret store rejects with. None of them names a value. */
import { BailiwickError } from '@bailiwick/contract';

const maxPathLength = 512;

/** Throws `secret.bad_path`. */
export function assertSecretPath(path: string): void {
  const isFine =
    path.length <= maxPathLength &&
    path.split('/').every((segment) => /^[A-Za-z0-9._-]+$/.test(segment) && !/^\.+$/.test(segment)) &&
    !path.includes('\n');
  if (isFine) return;
  throw new BailiwickError('invalid', {
    reason: 'secret.bad_path',
    message: `A secret's path is made of segments of letters, digits, '.', '_' and '-', joined by '/'.`,
  });
}

export const badWrappedKey = (cause?: unknown): BailiwickError =>
  new BailiwickError('invalid', {
    reason: 'secret.bad_wrapped_key',
    message: 'This data key was not wrapped by this store for this use, or it was changed since.',
    cause,
  });

export const badCredentials = (store: string, cause?: unknown): BailiwickError =>
  new BailiwickError('unavailable', {
    reason: 'secret.bad_credentials',
    message: 'The secret store does not accept our credentials. An operator must correct them.',
    operatorMessage: `${store} refuses the credentials it was given`,
    retryAfterSeconds: 30,
    cause,
  });
