import {
  type Authority,
  createCertificate,
  createServerRoot,
  generateKeyPair,
  issueServerCertificate,
  privateKeyPem,
  type ServerCredentials,
} from "../../../host-sim/pki/index.ts";

export const HUB_NAME = "bench.azure-devices.net";
const DAY_MS = 86_400_000;

/** A device's key and certificate, PEM. */
export interface DeviceCredentials {
  readonly deviceId: string;
  readonly key: string;
  readonly cert: string;
}

/** What a broker and its devices need for mutual TLS; the keys live as long as the run. */
export interface BenchCredentials {
  readonly server: ServerCredentials;
  readonly deviceRoot: string;
  readonly devices: readonly DeviceCredentials[];
}

/** An authority for devices, valid around now. */
export function createDeviceAuthority(): Authority {
  const subject = { O: "Spherule bench", CN: "Spherule bench device root" };
  const key = generateKeyPair();
  const certificate = createCertificate({
    ...{ subject, issuer: subject, publicKey: key.publicKey, issuerKey: key, authority: {} },
    notBefore: Date.now() - DAY_MS,
    notAfter: Date.now() + 365 * DAY_MS,
  });
  return { subject, certificate, key };
}

/** A fresh key and leaf, valid for a day as the Security Service's are. */
export function issueDevice(
  authority: Authority,
  deviceId: string,
  now = Date.now(),
): DeviceCredentials {
  const { publicKey, privateKey } = generateKeyPair();
  const cert = createCertificate({
    ...{ subject: { CN: deviceId }, issuer: authority.subject, publicKey },
    issuerKey: authority.key,
    notBefore: now - 60_000,
    notAfter: now + DAY_MS,
    usage: "client",
  });
  return { deviceId, cert, key: privateKeyPem(privateKey) };
}

export function createBenchCredentials(devices: number): BenchCredentials {
  const root = createServerRoot();
  const authority = createDeviceAuthority();
  const ids = Array.from({ length: devices }, (_, number) => `bench-device-${number}`);
  return {
    server: issueServerCertificate(root, { dns: [HUB_NAME, "localhost"], ip: ["127.0.0.1"] }),
    deviceRoot: authority.certificate,
    devices: ids.map((deviceId) => issueDevice(authority, deviceId)),
  };
}
