/** A vector index and the server it lives on, which ends with it. */
import type { VectorIndex } from '../../apps/server/src/ports/vector-index.port.js';

export async function vectorsOn<S extends { stop(): Promise<void> }>(
  start: () => Promise<S>,
  open: (server: S) => VectorIndex,
): Promise<VectorIndex> {
  const server = await start();
  const index = open(server);
  const close = async (): Promise<void> => {
    await index.close();
    await server.stop();
  };
  return new Proxy(index, {
    get(target, name) {
      if (name === 'close') return close;
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}
