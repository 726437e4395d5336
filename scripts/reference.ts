/** The reference pages, made from the tables they describe. */
import { startServer } from '../apps/server/src/server.js';
import { readSettings, settingDefinitions } from '../apps/server/src/settings.js';

export { builtinsPage, capabilitiesDocument } from './rego-reference.js';

export function settingsPage(): string {
  const rows = Object.values(settingDefinitions).map((definition) => {
    const kind = typeof definition.kind === 'string' ? definition.kind : definition.kind.oneOf.join(' \\| ');
    return `| \`${definition.variable}\` | ${kind} | ${definition.default === '' ? '' : `\`${definition.default}\``} | ${definition.meaning} |`;
  });
  return `# Settings\n\nGenerated from \`apps/server/src/settings.ts\`. Every setting is an environment variable; an unknown \`BAILIWICK_…\` variable is an error, so a\nmisspelt one is not overlooked. Lists are separated by commas.\n\n| variable | kind | default | meaning |\n|---|---|---|---|\n${rows.join('\n')}\n`;
}

/** Asks a server for its own description, so that it is the one that validates. */
export async function openApiDocument(dataDirectory: string, installationRoot: string): Promise<string> {
  const server = await startServer(
    readSettings({}, { port: '0', dataDirectory, logLevel: 'silent', demo: 'false' }),
    installationRoot,
  );
  try {
    const document: unknown = await (await fetch(`http://127.0.0.1:${server.port}/openapi.json`)).json();
    return `${JSON.stringify(document, null, 2)}\n`;
  } finally {
    await server.stop();
  }
}
