/** The files as they came in, a folder each document: what a re-index reads again. Written whole and on disk before a row names them. */
import { randomUUID } from 'node:crypto';
import { access, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BailiwickError } from '@bailiwick/contract';

export class Originals {
  readonly #folder: string;

  /** `folder` is made when first needed. Several instances may share one on a shared disk. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Errors: `document.original_not_stored` (unavailable), of a full disk too; then nothing is left. */
  async keep(project: string, documentId: string, sha256: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(project, documentId, sha256);
    const temporary = `${path}.${randomUUID()}.part`;
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (cause) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw new BailiwickError('unavailable', {
        reason: 'document.original_not_stored',
        message: 'The file cannot be stored now. Try again later.',
        retryAfterSeconds: 10,
        cause,
      });
    }
  }

  /** Whether it is in this instance's reach. */
  async has(project: string, documentId: string, sha256: string): Promise<boolean> {
    return await access(this.#path(project, documentId, sha256)).then(
      () => true,
      () => false,
    );
  }

  /** Undefined when it is not there. */
  async read(project: string, documentId: string, sha256: string): Promise<Uint8Array | undefined> {
    try {
      return await readFile(this.#path(project, documentId, sha256));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Removes one content of a document that has another now. Harmless when it is not there. */
  async removeContent(project: string, documentId: string, sha256: string): Promise<void> {
    await rm(this.#path(project, documentId, sha256), { force: true });
  }

  /** Harmless when there is nothing. */
  async remove(project: string, documentId: string): Promise<void> {
    await rm(dirname(this.#path(project, documentId, '0'.repeat(64))), { recursive: true, force: true });
  }

  #path(project: string, documentId: string, sha256: string): string {
    const isSafe =
      /^[a-z0-9][a-z0-9-]{0,62}$/.test(project) &&
      /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(documentId) &&
      /^[0-9a-f]{64}$/.test(sha256);
    if (!isSafe) throw new Error('not the name of an original');
    return join(this.#folder, project, documentId, sha256);
  }
}
