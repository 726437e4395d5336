/** Snapshot bundles for a real OPA: a gzip tar of `.manifest`, the modules and `data.json`. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { pack } from 'tar-stream';
import { type TenantSet, wholeData } from './tenant-modules.js';

const compress = promisify(gzip);

/** The type that switches OPA's long polling on; anything else turns it off for good. */
export const bundleType = 'application/vnd.openpolicyagent.bundles';

export async function makeBundle(set: TenantSet): Promise<Buffer> {
  const manifest = {
    revision: String(set.revision),
    roots: ['bailiwick', 'platform', 'projects'],
    rego_version: 1,
  };
  return await makeTar([
    ['.manifest', JSON.stringify(manifest)],
    ['data.json', wholeData(set)],
    ...set.modules.map((module): [string, string] => [module.id, module.rego]),
  ]);
}

/** A discovery bundle: its data is the configuration under `discovery`. */
export async function makeDiscoveryBundle(configuration: object): Promise<Buffer> {
  return await makeTar([['data.json', JSON.stringify(configuration)]]);
}

async function makeTar(files: readonly (readonly [name: string, content: string])[]): Promise<Buffer> {
  const tar = pack();
  const chunks: Buffer[] = [];
  tar.on('data', (chunk) => chunks.push(chunk as Buffer));
  const ended = new Promise<void>((resolve, reject) => {
    tar.on('end', () => resolve());
    tar.on('error', reject);
  });
  // A fixed time: the same content is the same bundle.
  for (const [name, content] of files) tar.entry({ name, mtime: new Date(0) }, content);
  tar.finalize();
  await ended;
  return await compress(Buffer.concat(chunks), { level: 1 });
}
