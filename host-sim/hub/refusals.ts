import type { Clock } from "../clock/index.ts";
import type { Logger } from "../log.ts";
import { createPeers, type Peers } from "./peers.ts";

export type RefusalReason =
  | "tls-failed"
  | "ip-filter"
  | "unknown-authority"
  | "authority-not-verified"
  | "expired"
  | "not-yet-valid"
  | "not-an-authority"
  | "no-certificate"
  | "name-mismatch"
  | "thumbprint-mismatch"
  | "unknown-device"
  | "disabled-device"
  | "bad-user-name"
  | "client-id-mismatch"
  | "bad-token"
  | "bad-protocol"
  | "protocol-error"
  | "forbidden-topic"
  | "forbidden-qos"
  | "message-too-large"
  | "throttled"
  | "wrong-scope"
  | "not-enrolled"
  | "replaced"
  | "keep-alive";

/** A connection that the hub refused or closed, and exactly why. */
export interface Refusal {
  readonly time: string;
  readonly deviceId: string;
  readonly address: string;
  readonly reason: RefusalReason;
  readonly detail: string;
}

export type Refusals = ReturnType<typeof createRefusals>;

const KEPT = 200;
/** Names and topics that callers send may be as long as they like. */
const LONGEST_TEXT = 400;

/** Users get stuck on refused connections, so the last ones are kept with their reasons. */
export function createRefusals(clock: Clock, logger: Logger, peers: Peers = createPeers()) {
  const recent: Refusal[] = [];

  function keep(refusal: Refusal): void {
    recent.push(refusal);
    if (recent.length > KEPT) recent.shift();
  }
  peers.on("refusal", keep);

  return {
    list: (): readonly Refusal[] => recent,
    add({ address, reason, ...texts }: Omit<Refusal, "time">): void {
      const [deviceId, detail] = [shown(texts.deviceId), shown(texts.detail)];
      const time = new Date(clock.now()).toISOString();
      keep({ time, deviceId, address, reason, detail });
      logger.warn(`${reason}: ${deviceId || address}: ${detail}`);
      peers.send("refusal", { time, deviceId, address, reason, detail });
    },
  };
}

/** One line of bounded length. */
function shown(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not reach the log
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, " ");
  return line.length > LONGEST_TEXT ? `${line.slice(0, LONGEST_TEXT)}…` : line;
}
