import { usage } from "../errors.ts";
import { oneOf } from "../options.ts";
import { aligned } from "../output.ts";
import {
  type Context,
  type Entry,
  type Given,
  list,
  type Options,
  optional,
  text,
} from "../table.ts";

interface Interface {
  readonly interfaceName: string;
  readonly interfaceUp: boolean;
  readonly connectedToNetwork: boolean;
  readonly ipAcquired: boolean;
  readonly connectedToInternet: boolean;
  readonly hardwareAddress?: string;
  readonly ipAssignment?: string;
  readonly ipAddresses: readonly string[];
}

interface Failure {
  readonly timestamp: string;
  readonly networkId: number;
  readonly ssid: string;
  readonly error: string;
  readonly configState: string;
  readonly connectionState: string;
  readonly certInfo?: {
    readonly certSubject: string;
    readonly certDepth: number;
    readonly certError: string;
  };
}

const INTERFACE: Options = {
  "!-i, --interface --interface-name --interfacename <name>": "such as wlan0 or eth0",
};

const interfaceText = (each: Interface): string =>
  aligned([
    ["Interface Name", each.interfaceName],
    ["Interface Up", each.interfaceUp],
    ["Connected To Network", each.connectedToNetwork],
    ["IP Acquired", each.ipAcquired],
    ["Connected To Internet", each.connectedToInternet],
    ["Hardware Address", each.hardwareAddress],
    ["IP Assignment", each.ipAssignment],
    ["IP Addresses", each.ipAddresses.join(", ")],
  ]);

const failureText = ({ certInfo, ...failure }: Failure): string =>
  aligned([
    ["Network ID", failure.networkId],
    ["SSID", failure.ssid],
    ["Error", failure.error],
    ["Time", failure.timestamp],
    ["Configuration state", failure.configState],
    ["Connection state", failure.connectionState],
    ["Certificate subject", certInfo?.certSubject],
    ["Certificate depth", certInfo?.certDepth],
    ["Certificate error", certInfo?.certError],
  ]);

async function diagnostics(context: Context, given: Given) {
  const id = optional(given, "network");
  if (id !== undefined && !/^-?\d{1,9}$/.test(id)) {
    throw usage(`--network is '${id}'.`, "Give a number; `device wifi list` prints them.");
  }
  const device = await context.device(given);
  const path = "/wifi/diagnostics/networks";
  if (id !== undefined) {
    const value = await device.get<Failure>(`${path}/${id}`);
    return { value, text: failureText(value) };
  }
  const { values } = await device.get<{ values: readonly Failure[] }>(path);
  return {
    value: values,
    text: values.length === 0 ? "No failed networks." : values.map(failureText).join("\n\n"),
  };
}

const switched = (verb: "enable" | "disable", interfaceUp: boolean): Entry => ({
  words: `device network ${verb}`,
  summary: `${verb} a network interface on the attached device`,
  options: INTERFACE,
  needs: ["device"],
  examples: ["--interface wlan0"],
  async run(context, given) {
    const name = text(given, "interface");
    const device = await context.device(given);
    await device.send("PATCH", `/net/interfaces/${encodeURIComponent(name)}`, { interfaceUp });
    return { text: `Successfully ${verb}d interface ${name}.` };
  },
});

/** Interfaces and firewall of the attached device. */
export const networkEntries: readonly Entry[] = [
  {
    words: "device network list-interfaces",
    summary: "print the network interfaces of the attached device",
    needs: ["device"],
    examples: ["", '--query "[?interfaceName==`wlan0`].ipAddresses[]"'],
    async run(context, given) {
      const device = await context.device(given);
      const { interfaces } = await device.get<{ interfaces: readonly Interface[] }>(
        "/net/interfaces",
      );
      return { value: interfaces, text: interfaces.map(interfaceText).join("\n\n") };
    },
  },
  {
    words: "device network show-status",
    summary: "print whether time and certificate of the attached device are there",
    needs: ["device"],
    examples: ["", "--query networkTimeSync --output tsv"],
    async run(context, given) {
      const device = await context.device(given);
      const value = await device.get<Record<string, unknown>>("/net/status");
      const rows: [string, unknown][] = [
        ["Device authentication is ready", value.deviceAuthenticationIsReady],
        ["Network time sync", value.networkTimeSync],
        ["Proxy", value.proxy],
      ];
      return { value, text: aligned(rows) };
    },
  },
  {
    words: "device network show-diagnostics",
    summary: "print why Wi-Fi networks were not joined",
    options: { "-n, --network --id <id>": "only this network" },
    needs: ["device"],
    examples: ["", "--network 0"],
    run: diagnostics,
  },
  {
    words: "device network list-firewall-rules",
    summary: "print the firewall of the attached device",
    needs: ["device"],
    examples: ["", '--query "[?hook==`OUTPUT`].rules[]" --output json'],
    async run(context, given) {
      const device = await context.device(given);
      const { rulesets } = await device.get<{ rulesets: readonly object[] }>(
        "/net/firewall/rulesets",
      );
      return { value: rulesets };
    },
  },
  switched("enable", true),
  switched("disable", false),
  {
    words: "device network update-interface",
    summary: "give a network interface another hardware address",
    options: {
      ...INTERFACE,
      "!--hardware-address --mac <address>": "such as 02:04:06:08:0a:0c",
    },
    needs: ["device"],
    examples: ["--interface eth0 --hardware-address 02:04:06:08:0a:0c"],
    async run(context, given) {
      const name = text(given, "interface");
      const { hardwareAddress } = given;
      const device = await context.device(given);
      await device.send("PATCH", `/net/interfaces/${encodeURIComponent(name)}`, {
        hardwareAddress,
      });
      return { text: `Successfully updated interface ${name}.` };
    },
  },
];

const PROXY = "/net/proxy";

interface Proxy {
  readonly address?: string;
  readonly enabled?: boolean;
  readonly port?: number;
  readonly authenticationType?: string;
  readonly username?: string;
  readonly noProxyAddresses?: readonly string[];
}

const proxyText = (proxy: Proxy) =>
  proxy.address === undefined
    ? "No proxy is configured."
    : aligned([
        ["Enabled", proxy.enabled],
        ["Address", proxy.address],
        ["Port", proxy.port],
        ["Authentication", proxy.authenticationType],
        ["Username", proxy.username],
        ["No proxy addresses", proxy.noProxyAddresses?.join(", ")],
      ]);

/** A password that the device has already may be left out. @throws LabError azsphere-usage */
function proxyAuthentication(given: Given): string {
  const type = oneOf(given, "authentication", ["anonymous", "basic"]);
  const username = optional(given, "username");
  if (type === "basic" && !username) {
    throw usage(
      "--username is missing.",
      "--authentication basic needs --username and --password.",
    );
  }
  if (type === "anonymous" && (username ?? optional(given, "password")) !== undefined) {
    throw usage(
      "--authentication anonymous takes no --username and no --password.",
      "Leave them out, or choose basic.",
    );
  }
  return type;
}

const toggled = (verb: "enable" | "disable", enabled: boolean): Entry => ({
  words: `device network proxy ${verb}`,
  summary: `${verb} the proxy of the attached device`,
  needs: ["device"],
  examples: [""],
  async run(context, given) {
    const device = await context.device(given);
    const proxy = await device.get<Proxy>(PROXY);
    if (proxy.address === undefined) {
      throw usage("No proxy is configured.", "Type `device network proxy apply` first.");
    }
    // The device knows the password, and nobody else.
    await device.send("POST", PROXY, { ...proxy, enabled });
    return { text: `Successfully ${verb}d the proxy.` };
  },
});

export const proxyEntries: readonly Entry[] = [
  {
    words: "device network proxy apply",
    summary: "give the attached device a proxy",
    options: {
      "!-a, --address <address>": "name or IP address",
      "!-t, --authentication <type>": "anonymous or basic",
      "!-r, --port <port>": "1 to 65535",
      "-u, --username <name>": "for basic",
      "-p, --password <password>": "for basic",
      "-n, --no-proxy-addresses <addresses...>": "what is reached without it",
      "--enable": "use it at once",
      "--disable": "only keep it",
    },
    needs: ["device"],
    examples: ["--address proxy.example --port 8080 --authentication anonymous --enable"],
    async run(context, given) {
      const port = Number(text(given, "port"));
      if (!Number.isInteger(port) || port < 1 || port > 65_535) {
        throw usage(`--port is '${text(given, "port")}'.`, "Give a number from 1 to 65535.");
      }
      const authenticationType = proxyAuthentication(given);
      const device = await context.device(given);
      const value = await device.send<Proxy>("POST", PROXY, {
        ...{ enabled: given.disable !== true, address: text(given, "address"), port },
        noProxyAddresses: list(given, "noProxyAddresses"),
        authenticationType,
        ...{ username: optional(given, "username"), password: optional(given, "password") },
      });
      const { password: _hidden, ...shown } = value as Proxy & { password?: string };
      return { value: shown, text: ["Successfully applied proxy:", proxyText(shown)] };
    },
  },
  {
    words: "device network proxy show",
    summary: "print the proxy of the attached device",
    needs: ["device"],
    examples: [""],
    async run(context, given) {
      const value = await (await context.device(given)).get<Proxy>(PROXY);
      return { value, text: proxyText(value) };
    },
  },
  {
    words: "device network proxy delete",
    summary: "remove the proxy from the attached device",
    needs: ["device"],
    examples: [""],
    async run(context, given) {
      await (await context.device(given)).send("DELETE", PROXY);
      return { text: "Successfully deleted the proxy." };
    },
  },
  toggled("enable", true),
  toggled("disable", false),
];
