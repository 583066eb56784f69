import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../../session-gateway/src/config.js';
import { sameCredentials } from '../../../session-gateway/src/oidc/idp-registration.js';
import { certificateAuthority } from '../../support/certificates.js';

const day = 86_400_000;
const authority = certificateAuthority('authority');
const { cert, key } = authority.issue({ name: 'gateway' });
const other = authority.issue({ name: 'gateway' });
const secret = 'a-long-secret-of-the-provider-93';
const locked = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
}).privateKey;

const folder = mkdtempSync(join(tmpdir(), 'sallyport-certificate-'));
afterAll(() => rmSync(folder, { recursive: true }));
const files = {
  crt: cert,
  key,
  'other.key': other.key,
  'chain.crt': cert + authority.cert,
  'chain-reversed.crt': authority.cert + cert,
  'both.pem': key + cert,
  locked,
  broken: cert.replace(/\n.{8}/, '\nAAAAAAAA'),
  empty: '',
  secret,
};
for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);

const common = {
  PUBLIC_ORIGIN: 'https://app.acme.test',
  PERMISSION_SERVICE_URL: 'http://127.0.0.1:8086/permission-service/',
  TOKEN_SEAL_KEYS: 'k1:q83vASNFZ4mrze8BI0VniavN7xI0VniQrze8EjRWeJA',
};
const variables = {
  ...common,
  IDP_ISSUER_URI: 'https://login.acme.test/',
  IDP_CLIENT_ID: 'sallyport',
  IDP_CLIENT_AUTHENTICATION: 'tls_client_auth',
};

function load(change: Record<string, unknown>, env: Record<string, string> = common) {
  const path = join(folder, 'registrations.json');
  const registration = {
    id: 'acme',
    issuer: 'https://login.acme.test/',
    clientId: 'sallyport',
    clientAuthentication: 'tls_client_auth',
    clientCertificateFile: 'crt',
    clientCertificateKeyFile: 'key',
    ...change,
  };
  writeFileSync(path, JSON.stringify({ registrations: [registration] }));
  return loadConfig({ ...env, IDP_REGISTRATIONS_FILE: path });
}

function problemsOf(act: () => unknown): readonly string[] {
  try {
    act();
    return [];
  } catch (error) {
    return (error as { problems: readonly string[] }).problems;
  }
}

describe('a client certificate', () => {
  it.each(['tls_client_auth', 'self_signed_tls_client_auth'])(
    'is taken for %s, its files to be read again',
    (clientAuthentication) => {
      const { config, warnings } = load({ clientAuthentication });
      expect(config.idps[0]?.clientCertificate).toMatchObject({ chain: cert.trim() });
      expect(config.idps[0]).not.toHaveProperty('clientSecret');
      expect(config.idpSecretFiles).toEqual([join(folder, 'crt'), join(folder, 'key')]);
      expect(warnings.join()).not.toContain('certificate');
    },
  );

  it('may stand in one file with its key, and before its authorities', () => {
    const both = { clientCertificateFile: 'both.pem', clientCertificateKeyFile: 'both.pem' };
    const plain = load({}).config.idps[0]?.clientCertificate;
    const { chain } = load(both).config.idps[0]?.clientCertificate ?? {};
    expect(chain).toBe(plain?.chain);
    expect(chain).not.toContain('PRIVATE');
    const { chain: whole } =
      load({ clientCertificateFile: 'chain.crt' }).config.idps[0]?.clientCertificate ?? {};
    expect(whole?.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    [
      'none',
      { clientCertificateFile: undefined },
      /clientCertificateFile \(acme\): is not set. tls_client_auth needs it/,
    ],
    [
      'no key',
      { clientCertificateKeyFile: undefined },
      /clientCertificateKeyFile \(acme\): is not set. tls_client_auth needs it/,
    ],
    ['a file that is not there', { clientCertificateFile: 'nowhere' }, /\(ENOENT\)/],
    ['an empty file', { clientCertificateKeyFile: 'empty' }, /the file is empty/],
    ['a secret as certificate', { clientCertificateFile: 'secret' }, /is not a certificate/],
    ['half a certificate', { clientCertificateFile: 'broken' }, /is not a certificate/],
    ['a secret as key', { clientCertificateKeyFile: 'secret' }, /is not a private key/],
    ['a key under a password', { clientCertificateKeyFile: 'locked' }, /PEM, not encrypted/],
    [
      'another’s key',
      { clientCertificateKeyFile: 'other.key' },
      /clientCertificateKeyFile \(acme\): is not the key of the certificate/,
    ],
    [
      'its authority first',
      { clientCertificateFile: 'chain-reversed.crt' },
      /the certificate comes before its authorities/,
    ],
    [
      'a secret beside it',
      { clientSecretFile: 'secret' },
      /clientSecretFile \(acme\): is set, and/,
    ],
    ['a signing key beside it', { privateKeyFile: 'key' }, /nothing is signed with it/],
  ])('is refused with %s', (_what, change, reason) => {
    const problems = problemsOf(() => load(change));
    expect(problems).toEqual([expect.stringMatching(reason)]);
    expect(problems.join()).not.toMatch(/a-long|BEGIN|END/);
    for (const line of [...key.split('\n'), ...cert.split('\n')].filter((one) => one.length > 9)) {
      expect(problems.join()).not.toContain(line);
    }
  });

  it('is refused where nobody is shown it', () => {
    const change = { clientAuthentication: undefined, clientSecretFile: 'secret' };
    expect(problemsOf(() => load(change))).toEqual([
      expect.stringMatching(/clientCertificateFile \(acme\): is set, and nobody is shown it/),
      expect.stringMatching(/clientCertificateKeyFile \(acme\): is set, and nobody is shown it/),
    ]);
  });

  it('is refused with an issuer without TLS, on this machine too', () => {
    const env = { ...common, DEV_INSECURE: '1' };
    expect(problemsOf(() => load({ issuer: 'http://127.0.0.1:9' }, env))).toEqual([
      expect.stringMatching(/issuer \(acme\): is http, and tls_client_auth needs https/),
    ]);
  });

  it('may come by variables, or by the files they name', () => {
    const direct = loadConfig({
      ...variables,
      IDP_CLIENT_CERTIFICATE: cert,
      IDP_CLIENT_CERTIFICATE_KEY: key,
    }).config;
    const byFile = loadConfig({
      ...variables,
      IDP_CLIENT_CERTIFICATE_FILE: join(folder, 'crt'),
      IDP_CLIENT_CERTIFICATE_KEY_FILE: join(folder, 'key'),
    }).config;
    const [one, two] = [direct.idps[0], byFile.idps[0]];
    expect(one?.clientCertificate).toBeDefined();
    expect(sameCredentials(one ?? {}, two ?? {})).toBe(true);
    expect(direct.idpSecretFiles).toEqual([]);
    expect(byFile.idpSecretFiles).toHaveLength(2);
    expect(problemsOf(() => loadConfig(variables))).toEqual([
      'IDP_CLIENT_CERTIFICATE: is not set. tls_client_auth needs it.',
      'IDP_CLIENT_CERTIFICATE_KEY: is not set. tls_client_auth needs it.',
    ]);
  });

  it.each([
    ['that has ended', { notAfter: new Date(Date.now() - 60_000) }, /ended at/],
    ['that is not good yet', { notBefore: new Date(Date.now() + day / 2) }, /good from .* on only/],
  ])('%s is a warning: the other registrations must start', (_what, validity, warning) => {
    const late = authority.issue(validity);
    const { warnings } = loadConfig({
      ...variables,
      IDP_CLIENT_CERTIFICATE: late.cert,
      IDP_CLIENT_CERTIFICATE_KEY: late.key,
    });
    expect(warnings).toContainEqual(expect.stringMatching(warning));
  });

  it('is another one with another key or another certificate', () => {
    const one = load({}).config.idps[0] ?? {};
    writeFileSync(join(folder, 'renewed.crt'), other.cert);
    const renewed = load({
      clientCertificateFile: 'renewed.crt',
      clientCertificateKeyFile: 'other.key',
    }).config.idps[0];
    expect(sameCredentials(one, load({}).config.idps[0] ?? {})).toBe(true);
    expect(sameCredentials(one, renewed ?? {})).toBe(false);
    expect(sameCredentials(one, {})).toBe(false);
  });
});
