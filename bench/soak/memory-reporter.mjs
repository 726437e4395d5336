// Loaded into the server under load (`--expose-gc --import`): says what is left after a full collection when it is asked over its channel.
import cluster from 'node:cluster';
import { isMainThread } from 'node:worker_threads';

if (isMainThread && cluster.isPrimary) {
  process.on('message', (message) => {
    if (message !== 'memory') return;
    globalThis.gc();
    globalThis.gc();
    process.send(process.memoryUsage());
  });
  process.channel.unref();
}
