/** A TCP proxy that cuts connections: at random moments, in the middle of whatever is on its way, in both directions. */
import { connect, createServer, type Socket } from 'node:net';

export interface CuttingProxy {
  readonly port: number;
  /** Connections cut so far. */
  readonly cuts: number;
  /** While true, each connection lives a random time up to `lifeMs`, or up to a random number of bytes. */
  isCutting: boolean;
  stop(): Promise<void>;
}

export interface CuttingProxyOptions {
  readonly targetPort: number;
  readonly lifeMs: number;
  readonly lifeBytes: number;
  readonly random: () => number;
}

export async function startCuttingProxy(options: CuttingProxyOptions): Promise<CuttingProxy> {
  const { targetPort, lifeMs, lifeBytes, random } = options;
  const open = new Set<Socket>();
  let cuts = 0;
  const server = createServer((near) => {
    const far = connect(targetPort, '127.0.0.1');
    let isCut = false;
    const end = (): void => {
      near.destroy();
      far.destroy();
    };
    const cut = (): void => {
      if (isCut || !proxy.isCutting) return;
      isCut = true;
      cuts += 1;
      end();
    };
    let bytesLeft = proxy.isCutting ? Math.ceil(random() * lifeBytes) : Number.POSITIVE_INFINITY;
    const timer = proxy.isCutting ? setTimeout(cut, random() * lifeMs) : undefined;
    far.on('data', (bytes) => {
      // What still fits goes through: a frame may end in the middle.
      if (proxy.isCutting && bytes.length >= bytesLeft) {
        near.write(bytes.subarray(0, bytesLeft), cut);
        return;
      }
      bytesLeft -= bytes.length;
      near.write(bytes);
    });
    near.on('data', (bytes) => far.write(bytes));
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('error', () => end());
      socket.on('close', () => {
        clearTimeout(timer);
        open.delete(socket);
        end();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const proxy: CuttingProxy = {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    isCutting: true,
    get cuts() {
      return cuts;
    },
    stop: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}
