import { readFileSync } from "node:fs";
import type { AppImage } from "../device/app.ts";
import type { DeviceAuth } from "../device/device-auth.ts";
import { LabError, messageOf } from "../errors.ts";
import { keyPairFromPem, parseCertificate, splitPem } from "../pki/index.ts";

/** A hub elsewhere, often a real one, that the device joins in place of the lab's. */
export interface OtherHub {
  readonly hostName: string;
  readonly port: number;
  /** From outside; when absent the device shows its own, which the lab's tenant has signed. */
  readonly identity?: Identity;
}

/** A device of that hub with its certificate. */
export interface Identity {
  readonly deviceId: string;
  /** PEM, leaf first. */
  readonly certificate: string;
  /** PEM. */
  readonly key: string;
}

export const MQTT_PORT = 8883;

/** @param hub `HOST` or `HOST:PORT` @throws LabError option-invalid */
export function otherHubAt(hub: string, identity?: Identity): OtherHub {
  const [, hostName, port = String(MQTT_PORT)] = /^([\w.-]+)(?::(\d{1,5}))?$/.exec(hub) ?? [];
  if (hostName !== undefined && Number(port) > 0 && Number(port) < 65_536) {
    return { hostName: hostName.toLowerCase(), port: Number(port), identity };
  }
  throw new LabError(
    "option-invalid",
    `'${hub}' is no name of a hub.`,
    "Give its host name, such as contoso.azure-devices.net.",
  );
}

/** @throws LabError file-unreadable, certificate-invalid */
export function readIdentity(options: {
  readonly deviceId: string;
  readonly cert: string;
  readonly key: string;
}): Identity {
  const certificate = readText(options.cert);
  const key = readText(options.key);
  try {
    const leaf = parseCertificate(splitPem(certificate)[0] ?? "");
    if (leaf.checkPrivateKey(keyPairFromPem(key).privateKey)) {
      return { deviceId: options.deviceId, certificate, key };
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
export function staticDeviceAuth({ certificate, key }: Identity, tenantId: string): DeviceAuth {
  const leaf = parseCertificate(splitPem(certificate)[0] ?? "");
  const credentials = {
    ...{ key, certificate },
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
