import type { WifiSecurity } from "./air.ts";
import { DeviceError, ERRORS, refuseIf } from "./device-error.ts";

export type WifiConfigState = "enabled" | "disabled" | "temp-disabled";

/** A network as a caller adds it. */
export interface NewWifiNetwork {
  readonly ssid: string;
  readonly securityState: string;
  readonly configState?: string;
  readonly psk?: string;
  readonly targetedScan?: boolean;
  readonly configName?: string;
  readonly clientIdentity?: string;
  readonly clientCertStoreIdentifier?: string;
  readonly rootCaCertStoreIdentifier?: string;
}

/** A network in the device's list, with its key. */
export interface WifiNetwork extends NewWifiNetwork {
  readonly id: number;
  readonly securityState: WifiSecurity;
  readonly configState: WifiConfigState;
  readonly targetedScan: boolean;
}

const LONGEST_SSID = 32;
const SHORTEST_PSK = 8;
const LONGEST_PSK = 63;
const LONGEST_NAME = 16;
const LONGEST_IDENTITY = 254;

/** @throws DeviceError by what is wrong with it */
export function checkedNetwork(id: number, candidate: NewWifiNetwork): WifiNetwork {
  const { ssid, psk, configName, clientIdentity } = candidate;
  const securityState = securityOf(candidate.securityState);
  const configState = configStateOf(candidate.configState ?? "enabled");
  refuseIf(ssid === "", ERRORS.wifiInvalidProperties);
  refuseIf(Buffer.byteLength(ssid) > LONGEST_SSID, ERRORS.ssidTooLong);
  refuseIf(Buffer.byteLength(configName ?? "") > LONGEST_NAME, ERRORS.configNameTooLong);
  if (securityState === "psk") requirePsk(psk ?? "");
  else refuseIf(psk !== undefined, ERRORS.wifiInvalidProperties);
  const identity = Buffer.byteLength(clientIdentity ?? "");
  refuseIf(identity > LONGEST_IDENTITY, ERRORS.wifiInvalidProperties);
  requireCertificateIds(candidate, securityState);
  return {
    ...candidate,
    ...{ id, securityState, configState, targetedScan: candidate.targetedScan ?? false },
  };
}

/** @throws DeviceError pskTooShort, pskTooLong */
export function requirePsk(psk: string): void {
  const bytes = Buffer.byteLength(psk);
  refuseIf(bytes < SHORTEST_PSK, ERRORS.pskTooShort);
  refuseIf(bytes > LONGEST_PSK, ERRORS.pskTooLong);
}

/** What a caller may set; `temp-disabled` is the device's own. */
export function configStateOf(text: string): "enabled" | "disabled" {
  if (text === "enabled" || text === "disabled") return text;
  throw new DeviceError(ERRORS.invalidParameter);
}

function securityOf(text: string): WifiSecurity {
  if (text === "open" || text === "psk" || text === "eaptls") return text;
  throw new DeviceError(ERRORS.invalidParameter);
}

function requireCertificateIds(candidate: NewWifiNetwork, security: WifiSecurity): void {
  const { clientCertStoreIdentifier: client, rootCaCertStoreIdentifier: root } = candidate;
  if (security === "eaptls") refuseIf(!client, ERRORS.wifiClientIdentifierMissing);
  for (const id of [client, root]) {
    refuseIf((id ?? "").length > LONGEST_NAME, ERRORS.wifiCertificateIdTooLong);
    if (security !== "eaptls") refuseIf(id !== undefined, ERRORS.wifiInvalidProperties);
  }
}
