/** Files to the RAG service, and the wait until they are read. */
import { setTimeout as pause } from 'node:timers/promises';
import type { RagDocument } from '@bailiwick/contract';
import { type ConnectionOptions, call, tokenOf } from '../client.js';
import { CommandFailure } from '../failure.js';

export interface UploadedFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly fields: Readonly<Record<string, string | readonly string[]>>;
}

const askEveryMs = 300;

export async function upload(
  options: ConnectionOptions,
  project: string,
  { name, bytes, fields }: UploadedFile,
): Promise<RagDocument> {
  const form = new FormData();
  for (const [field, value] of Object.entries(fields))
    for (const one of typeof value === 'string' ? [value] : value) form.append(field, one);
  form.set('file', new Blob([new Uint8Array(bytes)]), name);
  const response = await fetch(`${options.url.replace(/\/$/, '')}/rag/${project}/documents`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokenOf(options)}` },
    body: form,
  }).catch((cause: unknown) => {
    throw new CommandFailure(`Nothing answers at ${options.url}: ${String(cause)}`);
  });
  const answer = (await response.json().catch(() => ({}))) as RagDocument & { readonly detail?: string };
  if (!response.ok) throw new CommandFailure(`${name}: ${response.status}: ${answer.detail ?? ''}`);
  return answer;
}

/** Rejects with `CommandFailure` when one cannot be read. */
export async function waitUntilRead(
  options: ConnectionOptions,
  project: string,
  ids: readonly string[],
  tell: (text: string) => void,
): Promise<void> {
  let told = Date.now();
  for (const [at, id] of ids.entries()) {
    for (;;) {
      const document = (await (await call(options, `/rag/${project}/documents/${id}`)).json()) as RagDocument;
      if (document.state === 'failed') throw new CommandFailure(`${document.name}: ${document.fault?.message ?? ''}`);
      if (document.state === 'ready') break;
      if (Date.now() - told > 5_000) {
        tell(`${at} of ${ids.length} documents are read`);
        told = Date.now();
      }
      await pause(askEveryMs);
    }
  }
}
