import type { Clock } from "../clock/index.ts";
import type { Logger } from "../log.ts";

export type RefusalReason =
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

/** Users get stuck on refused connections, so the last ones are kept with their reasons. */
export function createRefusals(clock: Clock, logger: Logger) {
  const recent: Refusal[] = [];
  return {
    list: (): readonly Refusal[] => recent,
    add(refusal: Omit<Refusal, "time">): void {
      recent.push({ time: new Date(clock.now()).toISOString(), ...refusal });
      if (recent.length > KEPT) recent.shift();
      logger.warn(`${refusal.reason}: ${refusal.deviceId || refusal.address}: ${refusal.detail}`);
    },
  };
}
