/** Calls a watcher's callback. One that throws must not stop the store nor the other watchers: it becomes a warning. */
export function callSafely(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : String(error));
  }
}
