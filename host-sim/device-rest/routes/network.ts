import type { SphereOs } from "../../device/sphere-os.ts";
import { ERRORS, refuseIf } from "../../device/system/device-error.ts";
import { firewallRulesets } from "../../device/system/firewall.ts";
import type { ProxyConfig } from "../../device/system/proxy.ts";
import { type Fields, fieldsOf } from "../fields.ts";
import { open, type RestRequest, type Routes, unlocked } from "../request.ts";

/** Interfaces, network status, proxy and firewall. */
export function networkRoutes(os: SphereOs): Routes {
  const { system, applications, deviceAuth } = os;
  const { interfaces, proxy, timeSync } = system;
  const nameOf = ({ parameters }: RestRequest) => parameters.name ?? "";
  return {
    "GET /net/status": open(() => ({
      deviceAuthenticationIsReady: deviceAuth.current() !== undefined,
      networkTimeSync: timeSync.state,
      proxy: proxy.state(interfaces.online),
    })),
    "GET /net/interfaces": unlocked(() => ({ interfaces: interfaces.list() })),
    "GET /net/interfaces/{name}": unlocked((request) => interfaces.get(nameOf(request))),
    "PATCH /net/interfaces/{name}": unlocked((request) => {
      const fields = fieldsOf(request);
      const interfaceUp = fields.optionalBoolean("interfaceUp");
      const hardwareAddress = fields.optionalText("hardwareAddress");
      const empty = interfaceUp === undefined && hardwareAddress === undefined;
      refuseIf(empty, ERRORS.invalidParameter);
      interfaces.change(nameOf(request), { interfaceUp, hardwareAddress });
      return {};
    }),
    "GET /net/proxy": unlocked(() => (proxy.config ? shownProxy(proxy.config, false) : {})),
    "POST /net/proxy": unlocked((request) => {
      const config = proxyOf(fieldsOf(request));
      proxy.set(config);
      return shownProxy(config, true);
    }),
    "DELETE /net/proxy": unlocked(() => {
      proxy.clear();
      return {};
    }),
    "GET /net/firewall/rulesets": unlocked(() => ({
      rulesets: firewallRulesets(applications.firewalled()),
    })),
  };
}

function proxyOf(fields: Fields): ProxyConfig {
  return {
    enabled: fields.optionalBoolean("enabled") ?? true,
    address: fields.text("address"),
    port: fields.number("port"),
    noProxyAddresses: fields.texts("noProxyAddresses"),
    authenticationType: fields.text("authenticationType") as ProxyConfig["authenticationType"],
    username: fields.optionalText("username"),
    password: fields.optionalText("password"),
  };
}

/** The answer to whoever sets a proxy repeats what it brought; nobody else sees the password. */
function shownProxy(config: ProxyConfig, withPassword: boolean) {
  const { address, enabled, port, authenticationType, username, password } = config;
  return {
    ...{ address, enabled, port, authenticationType },
    ...(username === undefined ? {} : { username }),
    ...(withPassword && password !== undefined ? { password } : {}),
    noProxyAddresses: config.noProxyAddresses,
  };
}
