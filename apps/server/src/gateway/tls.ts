/** The certificates of the file's `ssls`: which one a client is shown by the name it asks for, and whose certificate is demanded of it. */
import { createSecureContext, type SecureContext, type SecureVersion, type TLSSocket } from 'node:tls';
import type { SslDefinition } from './resource-schemas.js';

export interface ServerName {
  /** Lower case; `*.example.org` stands for one label before. */
  readonly names: readonly string[];
  readonly context: SecureContext;
  /** Undefined: no certificate is asked of the client. */
  readonly client: { readonly depth: number; readonly skipped: readonly RegExp[] } | undefined;
}

/** Throws when a certificate and its key do not fit. A definition whose secret cannot be had is left out: its names get no certificate. */
export function serverNames(definitions: readonly SslDefinition[], resolve: <T>(value: T) => T): readonly ServerName[] {
  return definitions
    .filter((one) => one.status !== 0 && one.type === 'server')
    .flatMap((one) => {
      const definition = attempt(() => resolve(one));
      return definition ? [serverName(definition)] : [];
    });
}

function serverName(definition: SslDefinition): ServerName {
  const versions = [...(definition.ssl_protocols ?? ['TLSv1.2', 'TLSv1.3'])].sort() as SecureVersion[];
  const client = definition.client;
  return {
    names: (definition.snis ?? [definition.sni ?? '*']).map((name) => name.toLowerCase()),
    context: createSecureContext({
      cert: [definition.cert, ...(definition.certs ?? [])],
      key: [definition.key, ...(definition.keys ?? [])],
      minVersion: versions[0],
      maxVersion: versions.at(-1),
      ...(client ? { ca: client.ca } : {}),
    }),
    client: client && {
      depth: client.depth,
      skipped: (client.skip_mtls_uri_regex ?? []).map((pattern) => new RegExp(pattern)),
    },
  };
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}

/** Exact before wildcard, the longest wildcard first. */
export function findServerName(all: readonly ServerName[], wanted: string): ServerName | undefined {
  const name = wanted.toLowerCase();
  let best: ServerName | undefined;
  let bestLength = -1;
  for (const one of all) {
    for (const pattern of one.names) {
      if (pattern === name) return one;
      const fits =
        pattern === '*' ||
        (pattern.startsWith('*') &&
          name.endsWith(pattern.slice(1)) &&
          !name.slice(0, -pattern.length + 1).includes('.'));
      if (fits && pattern.length > bestLength) {
        best = one;
        bestLength = pattern.length;
      }
    }
  }
  return best;
}

/** Why a request on this connection may not pass; undefined when it may. The certificate must be that of the name the request is for. */
export function clientCertificateFault(
  all: readonly ServerName[],
  socket: TLSSocket,
  about: { readonly host: string; readonly path: string },
): string | undefined {
  const shown = findServerName(all, socket.servername || '');
  const asked = findServerName(all, about.host) ?? shown;
  if (asked?.client?.skipped.some((pattern) => pattern.test(about.path))) return undefined;
  if (asked?.client && asked !== shown)
    return 'the request is for another name than the one its client certificate was checked for';
  if (!shown?.client) return undefined;
  if (!socket.authorized) return 'a client certificate is needed, signed by the authority of this name';
  return chainLength(socket) - 1 > shown.client.depth + 1
    ? 'the chain of the client certificate is too long'
    : undefined;
}

/** Certificates from the client's own to its root. */
function chainLength(socket: TLSSocket): number {
  let length = 0;
  let certificate = socket.getPeerCertificate(true);
  while (certificate?.raw && length < 20) {
    length += 1;
    if (certificate.issuerCertificate === certificate || !certificate.issuerCertificate) break;
    certificate = certificate.issuerCertificate;
  }
  return length;
}
