import { isIPv4 } from "node:net";
import type { Store } from "../../store/index.ts";
import { ERRORS, refuseIf } from "./device-error.ts";
import { kept } from "./kept.ts";

export interface ProxyConfig {
  readonly enabled: boolean;
  readonly address: string;
  readonly port: number;
  readonly noProxyAddresses: readonly string[];
  readonly authenticationType: "anonymous" | "basic";
  readonly username?: string;
  readonly password?: string;
}

export type ProxyState = "disabled" | "enabled" | "resolvingProxyName" | "ready";

export type Proxy = ReturnType<typeof createProxy>;

const LONGEST_ADDRESS = 255;
const LONGEST_CREDENTIAL = 63;
const HIGHEST_PORT = 65_535;

/** The HTTP proxy that the system uses. */
export function createProxy(store: Store) {
  const config = kept<ProxyConfig | null>(store, "proxy", () => null);
  return {
    /** With the password: for the system's own use only. */
    get config(): ProxyConfig | undefined {
      return config.value ?? undefined;
    },
    /**
     * Without a password that of the same user at the same proxy stays, because nobody can read it.
     * @throws DeviceError invalidParameter
     */
    set(next: ProxyConfig): void {
      config.set(checked(withPassword(next, config.value)));
    },
    clear: (): void => config.set(null),
    state(online: boolean): ProxyState {
      if (!config.value?.enabled) return "disabled";
      if (online) return "ready";
      return isIPv4(config.value.address) ? "enabled" : "resolvingProxyName";
    },
  };
}

function withPassword(next: ProxyConfig, before: ProxyConfig | null): ProxyConfig {
  const same =
    before?.authenticationType === next.authenticationType &&
    before.address === next.address &&
    before.port === next.port &&
    before.username === next.username;
  return same && next.password === undefined ? { ...next, password: before.password } : next;
}

function checked(config: ProxyConfig): ProxyConfig {
  const { address, port, authenticationType, username, password } = config;
  const refuse = (condition: boolean) => refuseIf(condition, ERRORS.invalidParameter);
  refuse(!isName(address) || !config.noProxyAddresses.every(isName));
  refuse(!Number.isInteger(port) || port < 1 || port > HIGHEST_PORT);
  if (authenticationType === "anonymous") {
    refuse(username !== undefined || password !== undefined);
    return config;
  }
  refuse(authenticationType !== "basic");
  refuse(!isCredential(username) || !isCredential(password));
  return config;
}

function isName(text: string): boolean {
  return text !== "" && text.length <= LONGEST_ADDRESS && !/[\s/]/.test(text);
}

function isCredential(text: string | undefined): boolean {
  return text !== undefined && text !== "" && Buffer.byteLength(text) <= LONGEST_CREDENTIAL;
}
