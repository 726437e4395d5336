import type { BuildOptions } from 'esbuild';

export declare const sdkOptions: BuildOptions & { readonly entryPoints: Record<string, string> };
export declare function buildSdk(): Promise<void>;
