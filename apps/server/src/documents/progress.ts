/** Where documents are on their way, for people who wait: told by this instance's own work, asked of the catalog where another one works. */
import { EventEmitter, on } from 'node:events';
import type { CatalogDocument } from '../ports/document-catalog.port.js';
import type { IngestionProgress } from './ingestion.js';

export interface ProgressEvent {
  readonly step: 'queued' | IngestionProgress['step'];
  readonly done?: number;
  readonly of?: number;
  /** With `ready` and `failed`. */
  readonly document?: CatalogDocument;
}

const askEveryMs = 1_000;

export class Progress {
  readonly #events = new EventEmitter({ captureRejections: false }).setMaxListeners(0);

  tell(progress: IngestionProgress): void {
    this.#events.emit(`${progress.project}/${progress.id}`, progress);
  }

  /** Ends with `ready` or `failed`, or when the signal is aborted. `read` rejects when the document is gone or hidden: then this does. */
  async *follow(read: () => Promise<CatalogDocument>, signal: AbortSignal): AsyncGenerator<ProgressEvent> {
    let document = await read();
    const heard = on(this.#events, `${document.project}/${document.id}`, { signal });
    let next = heard.next();
    let isBegun = false;
    try {
      for (;;) {
        const end = endOf(document);
        if (end) {
          yield end;
          return;
        }
        if (!isBegun) yield { step: document.state === 'queued' ? 'queued' : 'reading' };
        isBegun = true;
        const news = await Promise.race([next, pause(askEveryMs, signal)]);
        if (news) next = heard.next();
        const progress = news && !news.done ? (news.value as [IngestionProgress])[0] : undefined;
        if (progress && progress.step !== 'ready' && progress.step !== 'failed') {
          const { step, done, of } = progress;
          yield { step, ...(done === undefined || of === undefined ? {} : { done, of }) };
        } else document = await read();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      next.catch(() => undefined);
      await heard.return?.();
    }
  }
}

function endOf(document: CatalogDocument): ProgressEvent | undefined {
  return document.state === 'ready' || document.state === 'failed' ? { step: document.state, document } : undefined;
}

async function pause(ms: number, signal: AbortSignal): Promise<undefined> {
  return await new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
}
