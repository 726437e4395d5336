#!/usr/bin/env node
/** `npx bailiwick`: installs when needed, builds when stale, then runs the command line. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureBuilt, ensureInstalled, root } from '../../../scripts/prepare.mjs';

ensureInstalled();
await ensureBuilt();
await import(pathToFileURL(join(root, 'dist', 'cli.mjs')).href);
