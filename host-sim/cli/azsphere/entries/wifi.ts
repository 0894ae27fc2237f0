import { usage } from "../errors.ts";
import { aligned } from "../output.ts";
import { type Entry, type Given, type Options, optional, text } from "../table.ts";

interface Network {
  readonly id: number;
  readonly ssid: string;
  readonly configState: string;
  readonly connectionState: string;
  readonly securityState: string;
  readonly targetedScan: boolean;
  readonly configName?: string;
  readonly clientIdentity?: string;
  readonly clientCertStoreIdentifier?: string;
  readonly rootCaCertStoreIdentifier?: string;
}

interface Radio extends Omit<Network, "targetedScan"> {
  readonly mode: string;
  readonly key_mgmt: string;
  readonly wpa_state: string;
  readonly address: string;
  readonly freq?: number;
  readonly ip_address?: string;
  readonly powerSavingsState: string;
}

const NETWORKS = "/wifi/config/networks";
const ID: Options = { "!-i, --id <id>": "the network's number, from `device wifi list`" };

const networkText = (network: Network): string =>
  aligned([
    ["ID", network.id],
    ["SSID", network.ssid],
    ["Configuration state", network.configState],
    ["Connection state", network.connectionState],
    ["Security state", network.securityState],
    ["Targeted scan", network.targetedScan],
    ["Configuration name", network.configName],
    ["Client identity", network.clientIdentity],
    ["Client certificate ID", network.clientCertStoreIdentifier],
    ["Root CA certificate ID", network.rootCaCertStoreIdentifier],
  ]);

const radioText = (radio: Radio): string =>
  aligned([
    ["SSID", radio.ssid],
    ["Configuration state", radio.configState],
    ["Connection state", radio.connectionState],
    ["Security state", radio.securityState],
    ["Frequency", radio.freq],
    ["Mode", radio.mode],
    ["Key management", radio.key_mgmt],
    ["WPA State", radio.wpa_state],
    ["IP Address", radio.ip_address],
    ["MAC Address", radio.address],
  ]);

/** @throws LabError azsphere-usage */
function pathOf(given: Given): string {
  const id = text(given, "id");
  if (/^-?\d{1,9}$/.test(id)) return `${NETWORKS}/${Number(id)}`;
  throw usage(
    `--id is '${id}'.`,
    "Give a number; `device wifi list` prints those of all networks.",
  );
}

/** What a new network is, as the device wants it. @throws LabError azsphere-usage */
function newNetwork(given: Given) {
  const psk = optional(given, "psk");
  const certificate = optional(given, "clientCertId");
  if (psk !== undefined && certificate !== undefined) {
    throw usage(
      "--psk and --client-cert-id exclude each other.",
      "A network has a key, or asks each device for a certificate.",
    );
  }
  const securityState = certificate !== undefined ? "eaptls" : psk !== undefined ? "psk" : "open";
  return {
    ssid: text(given, "ssid"),
    securityState,
    configState: "enabled",
    psk,
    targetedScan: given.targetedScan === true,
    configName: optional(given, "configName"),
    clientCertStoreIdentifier: certificate,
    clientIdentity: optional(given, "clientId"),
    rootCaCertStoreIdentifier: optional(given, "rootCaCertId"),
  };
}

const switched = (verb: "enable" | "disable", configState: string): Entry => ({
  words: `device wifi ${verb}`,
  summary: `${verb} a Wi-Fi network on the attached device`,
  options: ID,
  needs: ["device"],
  examples: ["--id 0"],
  async run(context, given) {
    const path = pathOf(given);
    const device = await context.device(given);
    const value = await device.send<Network>("PATCH", path, { configState });
    return { value, text: [`Successfully ${verb}d network:`, networkText(value)] };
  },
});

/** Wi-Fi of the attached device. */
export const wifiEntries: readonly Entry[] = [
  {
    words: "device wifi add",
    summary: "add a Wi-Fi network to the attached device",
    options: {
      "!-s, --ssid <ssid>": "the network's name",
      "-p, --psk --key -k <key>": "its WPA2 key; an open network without one",
      "--targeted-scan": "look for the network even if it is hidden",
      "--config-name <name>": "a name for this configuration, up to 16 bytes",
      "--client-cert-id <id>": "client certificate for EAP-TLS, from `device certificate`",
      "--client-id <identity>": "identity for EAP-TLS",
      "--root-ca-cert-id <id>": "root CA certificate for EAP-TLS",
    },
    needs: ["device"],
    examples: ['--ssid "Spherule Lab" --psk spherule-lab', '--ssid "Contoso Guest"'],
    async run(context, given) {
      const network = newNetwork(given);
      const device = await context.device(given);
      const value = await device.send<Network>("POST", NETWORKS, network);
      return { value, text: ["Add network succeeded:", networkText(value)] };
    },
  },
  switched("enable", "enabled"),
  switched("disable", "disabled"),
  {
    words: "device wifi forget",
    aliases: ["device wifi delete"],
    summary: "remove a Wi-Fi network from the attached device",
    options: ID,
    needs: ["device"],
    examples: ["--id 0"],
    async run(context, given) {
      const path = pathOf(given);
      await (await context.device(given)).send("DELETE", path);
      return { text: `Successfully removed network with ID ${text(given, "id")}.` };
    },
  },
  {
    words: "device wifi list",
    summary: "print the Wi-Fi networks that the attached device knows",
    needs: ["device"],
    examples: ["", '--query "[].ssid" --output tsv'],
    async run(context, given) {
      const device = await context.device(given);
      const { values } = await device.get<{ values: readonly Network[] }>(NETWORKS);
      const blocks = values.map((network) => networkText(network));
      return {
        value: values,
        text: values.length === 0 ? "No configured networks." : blocks.join("\n\n"),
      };
    },
  },
  {
    words: "device wifi show",
    summary: "print a Wi-Fi network",
    options: ID,
    needs: ["device"],
    examples: ["--id 0"],
    async run(context, given) {
      const path = pathOf(given);
      const value = await (await context.device(given)).get<Network>(path);
      return { value, text: networkText(value) };
    },
  },
  {
    words: "device wifi show-status",
    summary: "print how the attached device is connected",
    needs: ["device"],
    examples: ["", "--query ip_address --output tsv"],
    async run(context, given) {
      const device = await context.device(given);
      const value = await device.get<Radio>("/wifi/interface");
      return { value, text: radioText(value) };
    },
  },
  {
    words: "device wifi scan",
    summary: "print the Wi-Fi networks in reach of the attached device",
    needs: ["device"],
    examples: ["", '--query "[?securityState==`open`].ssid"'],
    async run(context, given) {
      const device = await context.device(given);
      const { values } = await device.get<{ values: readonly Record<string, unknown>[] }>(
        "/wifi/scan",
      );
      const blocks = values.map(({ ssid, securityState, bssid, signal_level, freq }) =>
        aligned([
          ["SSID", ssid],
          ["Security state", securityState],
          ["BSSID", bssid],
          ["Signal level", signal_level],
          ["Frequency", freq],
        ]),
      );
      return {
        value: values,
        text: blocks.length === 0 ? "No networks found." : blocks.join("\n\n"),
      };
    },
  },
  {
    words: "device wifi reload-config",
    summary: "let the attached device read its certificates and networks again",
    needs: ["device"],
    examples: [""],
    async run(context, given) {
      const device = await context.device(given);
      await device.send("PATCH", "/wifi/interface", { reloadConfig: true });
      return { text: "Wi-Fi configuration reloaded." };
    },
  },
];
