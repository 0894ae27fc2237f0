import type { SphereOs } from "../../device/sphere-os.ts";
import { ERRORS, refuseIf } from "../../device/system/device-error.ts";
import type { ShownWifiNetwork, WifiFailure } from "../../device/system/wifi.ts";
import type { NewWifiNetwork } from "../../device/system/wifi-network.ts";
import { type Fields, fieldsOf } from "../fields.ts";
import { Reply, type RestRequest, type Route, type Routes, unlocked } from "../request.ts";

const KEY_MANAGEMENT = { open: "NONE", psk: "WPA2-PSK", eaptls: "WPA-EAP" } as const;

/** Wi-Fi: networks, radio, scan and diagnostics. Nothing answers while the radio is off. */
export function wifiRoutes(os: SphereOs): Routes {
  const { wifi } = os.system;
  const radio = (run: Route["run"]): Route =>
    unlocked((request) => {
      wifi.requireRadio();
      return run(request);
    });
  return {
    "GET /wifi/config/networks": radio(() => ({ values: wifi.list().map(shownNetwork) })),
    "POST /wifi/config/networks": radio((request) => {
      const network = wifi.add(networkOf(fieldsOf(request)));
      return new Reply(shownNetwork(network), { status: 201 });
    }),
    "GET /wifi/config/networks/{id}": radio((request) => shownNetwork(wifi.get(idOf(request)))),
    "PATCH /wifi/config/networks/{id}": radio((request) => {
      const fields = fieldsOf(request);
      const configState = fields.optionalText("configState");
      const psk = fields.optionalText("psk");
      refuseIf(configState === undefined && psk === undefined, ERRORS.invalidParameter);
      return shownNetwork(wifi.change(idOf(request), { configState, psk }));
    }),
    "DELETE /wifi/config/networks/{id}": radio((request) => {
      wifi.remove(idOf(request));
      return {};
    }),
    "GET /wifi/interface": radio(() => shownInterface(os)),
    "PATCH /wifi/interface": radio((request) => {
      const fields = fieldsOf(request);
      const reload = fields.optionalBoolean("reloadConfig");
      const savings = fields.optionalBoolean("enablePowerSavings");
      refuseIf(reload === undefined && savings === undefined, ERRORS.invalidParameter);
      if (savings !== undefined) wifi.setPowerSavings(savings);
      if (reload) wifi.reload();
      return {};
    }),
    "GET /wifi/scan": radio(() => ({
      values: wifi.scan().map(({ bssid, frequency, signal, ssid, security }) => ({
        ...{ bssid, freq: frequency, signal_level: signal, ssid, securityState: security },
      })),
    })),
    "GET /wifi/diagnostics/networks": radio(() => ({
      values: wifi.failures().map((failure) => shownFailure(os, failure)),
    })),
    "GET /wifi/diagnostics/networks/{id}": radio((request) =>
      shownFailure(os, wifi.failure(idOf(request))),
    ),
  };
}

/** @throws DeviceError invalidParameter for anything that is no whole number */
function idOf({ parameters }: RestRequest): number {
  const { id = "" } = parameters;
  refuseIf(!/^-?\d{1,10}$/.test(id), ERRORS.invalidParameter);
  return Number(id);
}

function networkOf(fields: Fields): NewWifiNetwork {
  return {
    ssid: fields.text("ssid"),
    securityState: fields.text("securityState"),
    configState: fields.optionalText("configState"),
    psk: fields.optionalText("psk"),
    // The device's name for it, and the one that its clients send.
    targetedScan: fields.optionalBoolean("targetedScan") ?? fields.optionalBoolean("targetScan"),
    configName: fields.optionalText("configName"),
    clientIdentity: fields.optionalText("clientIdentity"),
    clientCertStoreIdentifier: fields.optionalText("clientCertStoreIdentifier"),
    rootCaCertStoreIdentifier: fields.optionalText("rootCaCertStoreIdentifier"),
  };
}

function shownNetwork(network: ShownWifiNetwork) {
  const { ssid, configState, connectionState, id, securityState, targetedScan } = network;
  const { configName, clientIdentity } = network;
  const { clientCertStoreIdentifier, rootCaCertStoreIdentifier } = network;
  return {
    ...{ ssid, configState, connectionState, id, securityState, targetedScan },
    // What is undefined is left out of JSON.
    ...{ configName, clientIdentity, clientCertStoreIdentifier, rootCaCertStoreIdentifier },
  };
}

function shownInterface({ system }: SphereOs) {
  const { wifi, interfaces } = system;
  const { connection } = wifi;
  const { hardwareAddress, ipAddresses } = interfaces.get("wlan0");
  const radio = { address: hardwareAddress };
  const powerSavingsState = wifi.powerSavings ? "enabled" : "disabled";
  if (!connection) {
    return {
      ...{ configState: "unknown", connectionState: "disconnected", securityState: "unknown" },
      ...{ mode: "station", key_mgmt: "UNKNOWN" },
      wpa_state: wifi.joining ? "SCANNING" : "INACTIVE",
      ...{ ...radio, id: -1, powerSavingsState },
    };
  }
  const { network, accessPoint } = connection;
  const { configName, configState, connectionState, securityState, id, ssid } = network;
  return {
    ...{ configName, configState, connectionState, securityState, mode: "station" },
    key_mgmt: KEY_MANAGEMENT[securityState],
    wpa_state: "COMPLETED",
    ...{ ...radio, freq: accessPoint.frequency, ip_address: ipAddresses[0] },
    ...{ id, ssid, powerSavingsState },
  };
}

function shownFailure({ system }: SphereOs, { networkId, time, error, certInfo }: WifiFailure) {
  const { ssid, configState, connectionState } = system.wifi.get(networkId);
  const timestamp = `${new Date(time).toISOString().slice(0, 19).replace("T", "t")}+0000`;
  return { timestamp, networkId, ssid, error, configState, connectionState, certInfo };
}
