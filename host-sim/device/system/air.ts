import { createHash } from "node:crypto";
import { createSignal } from "./kept.ts";

export type WifiSecurity = "open" | "psk" | "eaptls";

/** An access point in reach of the device. */
export interface AccessPoint {
  readonly ssid: string;
  /** `aa:bb:cc:dd:ee:ff`, lower case. */
  readonly bssid: string;
  /** MHz. */
  readonly frequency: number;
  /** dBm, below 0; nearer to 0 is stronger. */
  readonly signal: number;
  readonly security: WifiSecurity;
  readonly psk?: string;
  /** Does not answer a broadcast scan; only a targeted scan finds it. */
  readonly hidden?: boolean;
  /** Whether the network behind it reaches the internet. */
  readonly internet: boolean;
  /** First three numbers of the addresses that its DHCP server gives out, such as `192.168.77`. */
  readonly subnet: string;
  /** For EAP-TLS: the authentication server's certificate and whose clients it lets in, in PEM. */
  readonly radius?: { readonly certificate: string; readonly clientAuthority: string };
}

/** The radio waves around the device. */
export type Air = ReturnType<typeof createAir>;

export function createAir(initial: readonly AccessPoint[]) {
  const changed = createSignal();
  let accessPoints = initial;
  let silent = false;
  return {
    /** All access points that are on, hidden ones too; strongest first. */
    get accessPoints(): readonly AccessPoint[] {
      return silent ? [] : [...accessPoints].sort((a, b) => b.signal - a.signal);
    },
    /** The same when nothing is heard of them. */
    get present(): readonly AccessPoint[] {
      return accessPoints;
    },
    set(next: readonly AccessPoint[]): void {
      accessPoints = next;
      changed.emit();
    },
    /** Nothing is heard any more, as behind a metal door. */
    setSilent(next: boolean): void {
      if (silent === next) return;
      silent = next;
      changed.emit();
    },
    onChange: changed.subscribe,
  };
}

/** The network that the lab's own device knows from the start. */
export const LAB_NETWORK = { ssid: "Spherule Lab", psk: "spherule-lab" } as const;

/** A made-up neighbourhood: one network of each kind that the device can meet. */
export function neighbourhood(radius: AccessPoint["radius"]): readonly AccessPoint[] {
  const make = (
    ssid: string,
    frequency: number,
    signal: number,
    subnet: string,
    rest: Partial<AccessPoint> & Pick<AccessPoint, "security">,
  ): AccessPoint => ({
    ...{ ssid, bssid: addressFor(ssid), frequency, signal, subnet, internet: true },
    ...rest,
  });
  return [
    make(LAB_NETWORK.ssid, 5220, -41, "192.168.77", { security: "psk", psk: LAB_NETWORK.psk }),
    make("Contoso Guest", 2437, -58, "10.20.0", { security: "open" }),
    make("Contoso Corporate", 5180, -60, "10.21.0", { security: "eaptls", radius }),
    make("Fabrikam Workshop", 2412, -67, "172.16.5", { security: "psk", psk: "fabrikam-works" }),
    make("Hidden Attic", 2462, -70, "192.168.9", {
      ...{ security: "psk", psk: "in-the-attic", hidden: true },
    }),
    make("Harbour Cafe", 2462, -79, "192.168.4", { security: "open", internet: false }),
  ];
}

/** A hardware address that belongs to a name; the second digit marks it as locally administered. */
export function addressFor(name: string): string {
  const digits = createHash("sha256").update(name).digest("hex").slice(0, 10);
  return `02:${digits.match(/../g)?.join(":")}`;
}
