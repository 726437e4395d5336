/** The index of this process: one of its own for each project, so that neither words, counts nor times of one show in another. */
import type { CatalogDocument } from '../../ports/document-catalog.port.js';
import { type IndexAnswer, type IndexedChunk, type IndexQuestion, ProjectIndex } from './project-index.js';

const nothing: IndexAnswer = { byText: [], byVector: [], rest: { byText: [], byVector: [] } };

export class LocalIndex {
  readonly #projects = new Map<string, ProjectIndex>();

  put(document: CatalogDocument, chunks: readonly IndexedChunk[]): void {
    let index = this.#projects.get(document.project);
    if (!index) {
      index = new ProjectIndex();
      this.#projects.set(document.project, index);
    }
    index.put(document, chunks);
  }

  remove(project: string, documentId: string): void {
    const index = this.#projects.get(project);
    index?.remove(documentId);
    if (index?.documents === 0) this.#projects.delete(project);
  }

  search(project: string, question: IndexQuestion): IndexAnswer {
    return this.#projects.get(project)?.search(question) ?? nothing;
  }

  get chunks(): number {
    let chunks = 0;
    for (const index of this.#projects.values()) chunks += index.chunks;
    return chunks;
  }
}
