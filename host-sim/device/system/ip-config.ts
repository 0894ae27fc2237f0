import { isIPv4 } from "node:net";
import { ERRORS, refuseIf } from "./device-error.ts";

/** How an interface gets its address. */
export type IpConfig =
  | { readonly mode: "dynamic" }
  | {
      readonly mode: "static";
      readonly address: string;
      readonly mask: string;
      readonly gateway: string;
    };

/** Where names are resolved: at the servers that DHCP names, or at these. */
export type DnsConfig =
  | { readonly mode: "automatic" }
  | { readonly mode: "servers"; readonly servers: readonly string[] };

/** What a local network offers: addresses below `subnet`, `.1` is its gateway and name server. */
export interface LocalNetwork {
  /** The first three numbers, such as `192.168.77`. */
  readonly subnet: string;
  readonly internet: boolean;
}

/** Host part of the addresses that the lab's DHCP servers give out. */
const DHCP_HOST = 35;
const MOST_DNS_SERVERS = 3;

/** @throws DeviceError invalidParameter */
export function checkedIpConfig(config: IpConfig): IpConfig {
  if (config.mode === "dynamic") return { mode: "dynamic" };
  const { address, mask, gateway } = config;
  const plain = [address, mask, gateway].every((text) => isIPv4(text));
  refuseIf(!plain || !isMask(mask), ERRORS.invalidParameter);
  const sameNetwork = masked(address, mask) === masked(gateway, mask);
  refuseIf(!sameNetwork || address === gateway, ERRORS.invalidParameter);
  return { mode: "static", address, mask, gateway };
}

/** @throws DeviceError invalidParameter */
export function checkedDnsConfig(config: DnsConfig): DnsConfig {
  if (config.mode === "automatic") return { mode: "automatic" };
  const { servers } = config;
  const count = servers.length >= 1 && servers.length <= MOST_DNS_SERVERS;
  refuseIf(!count || !servers.every((text) => isIPv4(text)), ERRORS.invalidParameter);
  return { mode: "servers", servers: [...servers] };
}

/** The address that an interface has on a network. */
export function addressOn(network: LocalNetwork, config: IpConfig): string {
  return config.mode === "static" ? config.address : `${network.subnet}.${DHCP_HOST}`;
}

/** Whether packets get out: a static address has to belong to the network it is used on. */
export function reachesInternet(network: LocalNetwork, config: IpConfig): boolean {
  if (!network.internet || config.mode === "dynamic") return network.internet;
  return config.gateway === `${network.subnet}.1`;
}

function isMask(text: string): boolean {
  const inverse = ~numberOf(text) >>> 0;
  return (inverse & (inverse + 1)) === 0 && inverse !== 0xffffffff;
}

const masked = (address: string, mask: string) => (numberOf(address) & numberOf(mask)) >>> 0;

function numberOf(address: string): number {
  return address.split(".").reduce((value, part) => (value * 256 + Number(part)) >>> 0, 0);
}
