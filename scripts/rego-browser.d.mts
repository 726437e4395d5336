import type { BuildOptions, Plugin } from 'esbuild';

export const builtinsOnDemand: Plugin;
export const regoBrowserOptions: BuildOptions & { readonly entryPoints: Readonly<Record<string, string>> };
export function buildRegoBrowser(): Promise<unknown>;
