/** The refusals of the configuration API, each with what to do next. */
import { BailiwickError, quoteEtag } from '@bailiwick/contract';
import type { Item } from './config-content.js';

/** Where a value does not do: a JSON pointer, and why. Never the value of something sensitive. */
export interface ValueFault {
  readonly path: string;
  readonly message: string;
  readonly app_id?: string | null;
  readonly environment?: string | null;
  readonly key?: string;
}

export const configInvalid = (reason: string, message: string, faults?: readonly ValueFault[]): BailiwickError =>
  new BailiwickError('invalid', {
    reason: `config.${reason}`,
    message,
    ...(faults === undefined ? {} : { extra: { faults } }),
  });

export const resourceNotFound = (kind: string, id: string): BailiwickError =>
  new BailiwickError('not-found', { reason: `${kind}.not_found`, message: `There is no ${kind} with the id ${id}.` });

export const versionNotFound = (kind: string, version: number): BailiwickError =>
  new BailiwickError('not-found', {
    reason: `${kind}.version_not_found`,
    message: `Version ${version} is not there, or has no content to bring back (it was the deletion).`,
  });

export const keyTaken = (kind: string, item: Item<unknown>): BailiwickError =>
  new BailiwickError('conflict', {
    reason: 'resource.key_taken',
    message: `There is already a ${kind} '${item.key}' in this scope (id ${item.id}). Change it with PUT and its ETag.`,
    extra: { id: item.id, etag: quoteEtag(item.revision) },
  });

export const matchRequired = (item: Item<unknown>): BailiwickError =>
  new BailiwickError('conflict', {
    reason: 'resource.match_required',
    message: 'Send If-Match with the ETag you saw, so that nobody’s change is overwritten unseen.',
    extra: { etag: quoteEtag(item.revision) },
  });

export const versionConflict = (item: Item<unknown>): BailiwickError =>
  new BailiwickError('conflict', {
    reason: 'resource.version_conflict',
    message: `Somebody changed it meanwhile: it is at version ${item.version} now. Read it again and repeat your change.`,
    extra: { etag: quoteEtag(item.revision), version: item.version },
  });
