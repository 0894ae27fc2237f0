import { createHash } from "node:crypto";
import { isIPv4 } from "node:net";
import type { Manifest } from "../../imagepackage/manifest.ts";

export interface PortRange {
  readonly min: number;
  readonly max: number;
}

/** Keys in the order in which the device writes them. */
export interface FirewallRule {
  readonly sourceIP: string;
  readonly sourceMask: string;
  readonly destinationIP: string;
  readonly destinationMask: string;
  readonly uid: number;
  readonly action: "accept" | "drop";
  readonly interfaceInName: string;
  readonly interfaceOutName: string;
  readonly state: "none" | "established" | "related";
  readonly tcpMask: readonly string[];
  readonly tcpCmp: readonly string[];
  readonly tcpInv: boolean;
  readonly protocol: "any" | "icmp" | "igmp" | "tcp" | "udp";
  readonly sourcePortRange: PortRange;
  readonly destinationPortRange: PortRange;
  readonly packets: number;
  readonly bytes: number;
}

export interface FirewallRuleset {
  readonly hook: "PREROUTING" | "INPUT" | "FORWARD" | "OUTPUT" | "POSTROUTING";
  /** False for a hook that is not in use. */
  readonly isValid: boolean;
  readonly rules: readonly FirewallRule[];
}

/** An application as the firewall knows it. */
export interface FirewalledApp {
  /** User id of its processes. */
  readonly uid: number;
  readonly manifest: Manifest;
}

const ANY = "0.0.0.0";
const ONE_HOST = "255.255.255.255";
const SERVICE_NETWORK = { address: "192.168.35.0", mask: "255.255.255.0" };
const ALL_PORTS: PortRange = { min: 0, max: 65_535 };
/** The system's own processes. */
const SYSTEM_UID = 0;

const RULE: FirewallRule = {
  sourceIP: ANY,
  sourceMask: ANY,
  destinationIP: ANY,
  destinationMask: ANY,
  uid: 0xffffffff,
  action: "accept",
  interfaceInName: "",
  interfaceOutName: "",
  state: "none",
  tcpMask: [],
  tcpCmp: [],
  tcpInv: false,
  protocol: "any",
  sourcePortRange: ALL_PORTS,
  destinationPortRange: ALL_PORTS,
  packets: 0,
  bytes: 0,
};

/** What the manifests of all installed apps let through, and nothing else. */
export function firewallRulesets(apps: readonly FirewalledApp[]): FirewallRuleset[] {
  const unused = (hook: FirewallRuleset["hook"]) => ({ hook, isValid: false, rules: [] });
  return [
    unused("PREROUTING"),
    { hook: "INPUT", isValid: true, rules: inputRules(apps) },
    unused("FORWARD"),
    { hook: "OUTPUT", isValid: true, rules: outputRules(apps) },
    unused("POSTROUTING"),
  ];
}

function inputRules(apps: readonly FirewalledApp[]): FirewallRule[] {
  const servers = apps.flatMap(({ manifest }) => {
    const { AllowedTcpServerPorts: tcp = [], AllowedUdpServerPorts: udp = [] } =
      manifest.Capabilities;
    const open = (protocol: "tcp" | "udp") => (port: number) => ({
      ...RULE,
      protocol,
      destinationPortRange: { min: port, max: port },
    });
    return [...tcp.map(open("tcp")), ...udp.map(open("udp"))];
  });
  return [
    { ...RULE, interfaceInName: "lo" },
    { ...RULE, interfaceInName: "azspheresvc" },
    { ...RULE, state: "established" },
    ...servers,
    { ...RULE, action: "drop" },
  ];
}

function outputRules(apps: readonly FirewalledApp[]): FirewallRule[] {
  const { address, mask } = SERVICE_NETWORK;
  const allowed = apps.flatMap(({ uid, manifest }) =>
    (manifest.Capabilities.AllowedConnections ?? []).map((name) => ({
      ...RULE,
      ...{ uid, destinationIP: addressOfName(name), destinationMask: ONE_HOST },
    })),
  );
  return [
    { ...RULE, interfaceOutName: "lo" },
    { ...RULE, destinationIP: address, destinationMask: mask, interfaceOutName: "azspheresvc" },
    { ...RULE, state: "established" },
    { ...RULE, uid: SYSTEM_UID },
    ...allowed,
    { ...RULE, action: "drop" },
  ];
}

/**
 * What the lab's name server answers: an address of 198.18.0.0/15, which is set apart for tests, the
 * same one for a name each time.
 */
export function addressOfName(name: string): string {
  if (isIPv4(name)) return name;
  const [a = 0, b = 0, c = 0] = createHash("sha256").update(name.toLowerCase()).digest();
  return `198.${18 + (a & 1)}.${b}.${c}`;
}
