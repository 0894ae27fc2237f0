import { X509Certificate } from "node:crypto";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type Authority,
  commonName,
  createCertificate,
  createServerRoot,
  generateKeyPair,
  issueServerCertificate,
  loadAuthority,
  parseCertificate,
  privateKeyPem,
  splitPem,
  storeAuthority,
  thumbprint,
  verifyChain,
} from "../../host-sim/pki/index.ts";

const test = suite("pki");
const DAY = 86_400_000;
const NOW = Date.UTC(2026, 5, 1);
const DEVICE_ID = "0123456789abcdef".repeat(8);

function authority(subject: string, issuer?: Authority, pathLength?: number): Authority {
  const key = generateKeyPair(issuer ? "P-256" : "P-384");
  const name = { O: "Contoso", CN: subject };
  const certificate = createCertificate({
    subject: name,
    issuer: issuer?.subject ?? name,
    publicKey: key.publicKey,
    issuerKey: issuer?.key ?? key,
    notBefore: NOW - DAY,
    notAfter: NOW + 700 * DAY,
    authority: { pathLength },
  });
  return { subject: name, certificate, key };
}

function leaf(issuer: Authority, subject = DEVICE_ID, notBefore = NOW) {
  const key = generateKeyPair();
  const cert = createCertificate({
    subject: { CN: subject },
    issuer: issuer.subject,
    publicKey: key.publicKey,
    issuerKey: issuer.key,
    notBefore,
    notAfter: notBefore + DAY,
    usage: "client",
  });
  return { key: privateKeyPem(key.privateKey), cert, x509: parseCertificate(cert) };
}

const root = authority("root");
const policy = authority("policy", root);
const tenant = authority("tenant", policy, 0);
const presented = [tenant, policy].map((entry) => parseCertificate(entry.certificate));
const rootX509 = parseCertificate(root.certificate);

test("a chain of P-384 and P-256 authorities leads to the root", () => {
  const result = verifyChain({
    leaf: leaf(tenant).x509,
    presented,
    anchors: [rootX509],
    time: NOW,
  });
  assert.ok(result.ok);
  assert.is(result.ok && result.chain.length, 4);
});

test("an intermediate may be the anchor", () => {
  const anchors = [parseCertificate(tenant.certificate)];
  assert.ok(verifyChain({ leaf: leaf(tenant).x509, presented: [], anchors, time: NOW }).ok);
});

test("a common name of 128 characters is kept", () => {
  assert.is(commonName(leaf(tenant).x509), DEVICE_ID);
});

test("each refusal has its reason", () => {
  const good = leaf(tenant);
  const reason = (request: Partial<Parameters<typeof verifyChain>[0]>) => {
    const result = verifyChain({
      leaf: good.x509,
      presented,
      anchors: [rootX509],
      time: NOW,
      ...request,
    });
    return result.ok ? "accepted" : result.reason;
  };
  assert.is(reason({ time: NOW + 2 * DAY }), "expired");
  assert.is(reason({ time: NOW - 1000 }), "not-yet-valid");
  assert.is(reason({ presented: [] }), "unknown-authority");
  assert.is(
    reason({ anchors: [parseCertificate(authority("other").certificate)] }),
    "unknown-authority",
  );
  const pretender: Authority = {
    subject: { CN: DEVICE_ID },
    certificate: good.cert,
    key: { privateKey: generateKeyPair().privateKey, publicKey: good.x509.publicKey },
  };
  const below = leaf(pretender, "below");
  assert.is(
    reason({ leaf: below.x509, presented: [good.x509, ...presented] }),
    "unknown-authority",
  );
});

test("an authority that the path length forbids is refused", () => {
  const beyond = authority("beyond", tenant);
  const result = verifyChain({
    leaf: leaf(beyond).x509,
    presented: [parseCertificate(beyond.certificate), ...presented],
    anchors: [rootX509],
    time: NOW,
  });
  assert.is(result.ok ? "accepted" : result.reason, "not-an-authority");
});

test("a leaf that is no authority cannot issue", () => {
  const key = generateKeyPair();
  const subject = { CN: "middle" };
  const cert = createCertificate({
    subject,
    issuer: tenant.subject,
    publicKey: key.publicKey,
    issuerKey: tenant.key,
    notBefore: NOW,
    notAfter: NOW + DAY,
  });
  const below = leaf({ subject, certificate: cert, key }, "below");
  const result = verifyChain({
    leaf: below.x509,
    presented: [parseCertificate(cert), ...presented],
    anchors: [rootX509],
    time: NOW,
  });
  assert.not(result.ok);
});

test("one changed byte anywhere in a certificate never lets it through", () => {
  const good = leaf(tenant).x509;
  const anchors = [parseCertificate(tenant.certificate)];
  fc.assert(
    fc.property(fc.nat(good.raw.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const bytes = Buffer.from(good.raw);
      bytes[at] = (bytes[at] ?? 0) ^ change;
      let changed: X509Certificate;
      try {
        changed = new X509Certificate(bytes);
      } catch {
        return true;
      }
      return !verifyChain({ leaf: changed, presented: [], anchors, time: NOW }).ok;
    }),
    { numRuns: 300 },
  );
});

test("dates from 2050 on are written as GeneralizedTime", () => {
  const { cert } = issueServerCertificate(createServerRoot(), { dns: ["localhost"] });
  assert.is(Date.parse(parseCertificate(cert).validTo), Date.UTC(2060, 0, 1));
});

test("an authority survives the store", () => {
  const loaded = loadAuthority(JSON.parse(JSON.stringify(storeAuthority(tenant))));
  const anchors = [parseCertificate(tenant.certificate)];
  assert.ok(verifyChain({ leaf: leaf(loaded).x509, presented: [], anchors, time: NOW }).ok);
});

test("thumbprints and bundles read as Azure shows them", () => {
  assert.match(thumbprint(rootX509), /^[0-9A-F]{40}$/);
  assert.is(splitPem(root.certificate + tenant.certificate).length, 2);
});

test("a mutual TLS handshake verifies the server and carries the 128-digit name", async () => {
  const serverRoot = createServerRoot();
  const credentials = issueServerCertificate(serverRoot, {
    dns: ["hub.azure-devices.net"],
    ip: ["127.0.0.1"],
  });
  const server = createServer({ ...credentials, requestCert: true, rejectUnauthorized: false });
  const seen = new Promise<string>((resolve) =>
    server.on("secureConnection", (socket: TLSSocket) => {
      const peer = socket.getPeerX509Certificate();
      resolve(peer ? commonName(peer) : "none");
      socket.end();
    }),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const device = leaf(tenant);
  const client = connect({
    host: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    servername: "hub.azure-devices.net",
    ca: serverRoot.certificate,
    key: device.key,
    cert: device.cert + tenant.certificate,
  });
  await new Promise((resolve, reject) => client.on("secureConnect", resolve).on("error", reject));
  assert.ok(client.authorized);
  assert.is(await seen, DEVICE_ID);
  client.destroy();
  await new Promise((resolve) => server.close(resolve));
});

test.run();
