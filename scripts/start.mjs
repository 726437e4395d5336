/** `npm start`: install when needed, build when stale, then every role in this process. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureBuilt, ensureInstalled, root } from './prepare.mjs';

ensureInstalled();
await ensureBuilt();
await import(pathToFileURL(join(root, 'dist', 'bailiwick.mjs')).href);
