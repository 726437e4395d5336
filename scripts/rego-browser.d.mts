import type { BuildOptions, Metafile, Plugin } from 'esbuild';

export const builtinsOnDemand: Plugin;
export const regoBrowserOptions: BuildOptions & { readonly entryPoints: Readonly<Record<string, string>> };
export const MAX_GZIP_BYTES: number;
export function filesAtOnce(metafile: Metafile, entry: string): ReadonlySet<string>;
export function buildRegoBrowser(): Promise<number>;
