/** Runs something again whenever files below some paths change. */
import { type FSWatcher, statSync, watch } from 'node:fs';

/** Changes that come together are one; editors write a file in several steps. */
const SETTLE_MS = 100;

export interface WatchOptions {
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

/** Calls `changed` after changes, one call at a time, until the signal. Errors: those of the file system, `ENOENT` for instance. */
export function watchPaths(
  paths: readonly string[],
  changed: () => Promise<void>,
  { signal }: WatchOptions,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const watchers: FSWatcher[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    let running: Promise<void> = Promise.resolve();
    const end = (finish: () => void): void => {
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
      void running.then(finish, finish);
    };
    const run = (): void => {
      running = running.then(changed);
      running.catch((error: unknown) => end(() => reject(error as Error)));
    };
    try {
      for (const path of paths) {
        const recursive = statSync(path).isDirectory();
        const watcher = watch(path, { recursive }, () => {
          clearTimeout(timer);
          timer = setTimeout(run, SETTLE_MS);
        });
        watcher.on('error', (error) => end(() => reject(error)));
        watchers.push(watcher);
      }
    } catch (error) {
      end(() => reject(error as Error));
      return;
    }
    signal.addEventListener('abort', () => end(resolve), { once: true });
  });
}
