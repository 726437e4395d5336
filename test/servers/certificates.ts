/** A throw-away certificate authority with a server's and a client's certificate, made with the openssl command. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runToEnd } from './processes.js';

export interface Certificates {
  readonly folder: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

const keyOptions = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

function issue(folder: string, name: string, extensions: string): void {
  const path = (suffix: string): string => join(folder, `${name}.${suffix}`);
  const request = ['req', ...keyOptions, '-keyout', path('key'), '-out', path('csr'), '-subj', `/CN=${name}`];
  runToEnd('openssl', request);
  writeFileSync(path('ext'), extensions);
  const ca = ['-CA', join(folder, 'ca.crt'), '-CAkey', join(folder, 'ca.key'), '-CAcreateserial'];
  runToEnd('openssl', [
    'x509',
    '-req',
    '-in',
    path('csr'),
    ...ca,
    '-days',
    '2',
    '-out',
    path('crt'),
    '-extfile',
    path('ext'),
  ]);
}

/** `ca`, `cert` and `key` are the client's, as PEM text; the files are in the folder as `{ca,server,client}.{crt,key}`. */
export function makeCertificates(folder: string): Certificates {
  const ca = ['-keyout', join(folder, 'ca.key'), '-out', join(folder, 'ca.crt'), '-days', '2', '-subj', '/CN=test-ca'];
  runToEnd('openssl', ['req', '-x509', ...keyOptions, ...ca]);
  issue(folder, 'server', 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n');
  issue(folder, 'client', 'extendedKeyUsage=clientAuth\n');
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
  return { folder, ca: read('ca.crt'), cert: read('client.crt'), key: read('client.key') };
}
