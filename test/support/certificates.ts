import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificate {
  readonly certificate: Buffer;
  readonly key: Buffer;
}

/** Files `ca.pem`, `server.pem`, `server.key` in the directory; clients' certificates on demand. */
export interface Authority {
  readonly ca: Buffer;
  /** For a client of this common name. */
  client(cn: string): Certificate;
}

/** Makes a certificate authority and a server's certificate for `localhost`. */
export function makeAuthority(directory: string, name = 'ca'): Authority {
  const file = (suffix: string): string => join(directory, `${name}${suffix}`);
  openssl(
    'req',
    '-x509',
    ...NEW_KEY,
    '-keyout',
    file('.key'),
    '-out',
    file('.pem'),
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
  );
  const sign = (stem: string, cn: string, extensions: string): Certificate => {
    const path = (suffix: string): string => join(directory, `${stem}${suffix}`);
    openssl('req', ...NEW_KEY, '-keyout', path('.key'), '-out', path('.csr'), '-subj', `/CN=${cn}`);
    writeFileSync(path('.ext'), extensions);
    const issuer = ['-CA', file('.pem'), '-CAkey', file('.key'), '-CAcreateserial'];
    openssl(
      'x509',
      '-req',
      '-in',
      path('.csr'),
      ...issuer,
      '-out',
      path('.pem'),
      '-days',
      '2',
      '-extfile',
      path('.ext'),
    );
    return { certificate: readFileSync(path('.pem')), key: readFileSync(path('.key')) };
  };
  sign(`${name}-server`, 'etcd', 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n');
  return {
    ca: readFileSync(file('.pem')),
    client: (cn) => sign(`${name}-client-${cn}`, cn, 'extendedKeyUsage=clientAuth\n'),
  };
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
