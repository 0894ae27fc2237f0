import { readFileSync } from "node:fs";
import type { AppImage } from "../device/app.ts";
import type { DeviceAuth } from "../device/device-auth.ts";
import { LabError, messageOf } from "../errors.ts";
import { keyPairFromPem, parseCertificate, splitPem } from "../pki/index.ts";

/** A hub elsewhere, often a real one, that the device joins with a certificate from outside. */
export interface OtherHub {
  readonly hostName: string;
  readonly deviceId: string;
  /** PEM, leaf first. */
  readonly certificate: string;
  /** PEM. */
  readonly key: string;
}

/** @throws LabError file-unreadable, certificate-invalid */
export function readOtherHub(options: {
  readonly hub: string;
  readonly deviceId: string;
  readonly cert: string;
  readonly key: string;
}): OtherHub {
  const certificate = readText(options.cert);
  const key = readText(options.key);
  try {
    const leaf = parseCertificate(splitPem(certificate)[0] ?? "");
    if (leaf.checkPrivateKey(keyPairFromPem(key).privateKey)) {
      return { hostName: options.hub, deviceId: options.deviceId, certificate, key };
    }
  } catch (error) {
    throw new LabError(
      "certificate-invalid",
      `${options.cert} or ${options.key} cannot be used: ${messageOf(error)}.`,
      "Give a certificate and its private key, both in PEM.",
    );
  }
  throw new LabError(
    "certificate-invalid",
    `${options.key} is not the key of the certificate in ${options.cert}.`,
    "Give the two files that belong together.",
  );
}

/** The app as it joins the other hub: its arguments and its firewall name that hub. */
export function joinedApp<Image extends AppImage>(app: Image, other: OtherHub | undefined): Image {
  if (!other) return app;
  const { manifest } = app;
  return {
    ...app,
    manifest: {
      ...manifest,
      CmdArgs: ["--Hostname", other.hostName],
      Capabilities: { ...manifest.Capabilities, AllowedConnections: [other.hostName] },
    },
  };
}

/** Device authentication with a certificate from outside, which nobody renews. */
export function staticDeviceAuth(other: OtherHub, tenantId: string): DeviceAuth {
  const leaf = parseCertificate(splitPem(other.certificate)[0] ?? "");
  const credentials = {
    key: other.key,
    certificate: other.certificate,
    notAfter: Date.parse(leaf.validTo),
    tenantId,
  };
  return { current: () => credentials, onReady: () => () => {}, start() {}, stop() {} };
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new LabError(
      "file-unreadable",
      `${file} cannot be read: ${messageOf(error)}.`,
      "Check the name and the permissions.",
    );
  }
}
