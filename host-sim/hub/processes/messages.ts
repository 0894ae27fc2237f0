import type { ClockChange, ClockReading } from "../../clock/index.ts";
import type { LogLine } from "../../log.ts";
import type { ServerCredentials } from "../../pki/index.ts";
import type { LimitOptions } from "../limits.ts";
import type { Envelope } from "../peers.ts";

/** What a process of the hub needs to begin. */
export interface HubProcessOptions {
  /** Tells it from the others. */
  readonly name: string;
  /** Folder of the store that all share. */
  readonly storeFolder: string;
  readonly hostName: string;
  readonly dpsHostName: string;
  readonly credentials: ServerCredentials;
  readonly limits?: LimitOptions;
  readonly clock: ClockReading;
}

/** From the lab to a process. `listen` comes with the server to accept on. */
export type ToHubProcess =
  | { readonly kind: "start"; readonly options: HubProcessOptions }
  | { readonly kind: "listen" }
  | { readonly kind: "peer"; readonly envelope: Envelope }
  | { readonly kind: "clock"; readonly change: ClockChange }
  | { readonly kind: "stop" };

/** From a process to the lab. */
export type FromHubProcess =
  | { readonly kind: "listening" }
  | { readonly kind: "peer"; readonly envelope: Envelope }
  | { readonly kind: "log"; readonly line: LogLine };
