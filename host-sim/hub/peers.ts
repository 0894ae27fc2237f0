import type { MethodResult } from "./connections.ts";
import type { JsonObject } from "./json.ts";
import type { Refusal } from "./refusals.ts";

/** What the processes of one hub tell each other. All that is kept they share through the store. */
export interface PeerMessages {
  /** A device is connected there, or takes other direct methods than before. */
  readonly connected: {
    readonly deviceId: string;
    readonly key: string;
    readonly turn: number;
    readonly since: string;
    readonly methods: readonly string[];
  };
  readonly disconnected: { readonly deviceId: string; readonly key: string };
  readonly desired: { readonly deviceId: string; readonly patch: JsonObject };
  readonly method: {
    readonly deviceId: string;
    readonly requestId: string;
    readonly name: string;
    readonly payload: string;
  };
  readonly answer: {
    readonly deviceId: string;
    readonly requestId: string;
    readonly result: MethodResult;
  };
  readonly deliver: { readonly deviceId: string };
  readonly close: {
    readonly deviceId: string;
    readonly reason: "replaced" | "disabled-device";
    readonly detail: string;
  };
  /** There are new messages from devices, and new feedback, in the store. */
  readonly stored: Nothing;
  readonly feedback: Nothing;
  readonly refusal: Refusal;
  /** A process has come, or is gone. */
  readonly up: { readonly peer: string };
  readonly down: { readonly peer: string };
}

type Nothing = Record<string, never>;
type Kind = keyof PeerMessages;

/** A message on its way; `to` absent: to all. */
export interface Envelope {
  readonly kind: Kind;
  readonly body: PeerMessages[Kind];
  readonly from: string;
  readonly to?: string;
}

/** One end of the line between two processes. */
export interface PeerLink {
  receive(envelope: Envelope): void;
  down(): void;
}

export type Peers = ReturnType<typeof createPeers>;

/** The process that the others are joined to; it passes on what is not for itself. */
export const MAIN = "main";

/**
 * The other processes of the same hub.
 * @param alone there will never be any
 */
export function createPeers(name = MAIN, alone = false) {
  const lines = new Map<string, (envelope: Envelope) => void>();
  const handlers = new Map<Kind, Set<(body: never, from: string) => void>>();

  let prepare = () => {};

  function handle({ kind, body, from }: Envelope): void {
    prepare();
    for (const handler of handlers.get(kind) ?? []) handler(body as never, from);
  }

  function tellAll(envelope: Envelope, except?: string): void {
    for (const [peer, post] of lines) if (peer !== except) post(envelope);
  }

  function receive(envelope: Envelope, from: string): void {
    const { to } = envelope;
    if (to !== undefined && to !== name) return lines.get(to)?.(envelope);
    handle(envelope);
    if (to === undefined) tellAll(envelope, from);
  }

  /** Others hear of a process by the one that it is joined to. */
  function announce(kind: "up" | "down", peer: string): void {
    const envelope = { kind, body: { peer }, from: name };
    handle(envelope);
    tellAll(envelope, peer);
  }

  return {
    alone,
    send<K extends Kind>(kind: K, body: PeerMessages[K], to?: string): void {
      const envelope = { kind, body, from: name, ...(to === undefined ? {} : { to }) };
      if (to === undefined) tellAll(envelope);
      else (lines.get(to) ?? lines.get(MAIN))?.(envelope);
    },
    /** Calls `run` before each message: what it is about stands in the store by then. */
    before(run: () => void): void {
      prepare = run;
    },
    on<K extends Kind>(kind: K, handler: (body: PeerMessages[K], from: string) => void): void {
      const all = handlers.get(kind) ?? new Set();
      handlers.set(kind, all.add(handler));
    },
    /** Joins a process; `post` carries to it. */
    join(peer: string, post: (envelope: Envelope) => void): PeerLink {
      lines.set(peer, post);
      announce("up", peer);
      return {
        receive: (envelope) => receive(envelope, peer),
        down() {
          if (lines.delete(peer)) announce("down", peer);
        },
      };
    },
  };
}
