import { randomInt } from "node:crypto";
import { type Clock, sleep } from "../clock/index.ts";
import { HubError } from "./errors.ts";
import type { JsonObject } from "./json.ts";
import { createPeers, type PeerMessages, type Peers } from "./peers.ts";

/** What the hub may ask of a connected device, whatever protocol it came by. */
export interface DeviceConnection {
  /** Whether it subscribed to this direct method, or to all. */
  takesMethod(name: string): boolean;
  /** ISO 8601. */
  readonly connectedSince: string;
  sendDesired(patch: JsonObject): void;
  sendMethod(requestId: string, name: string, payload: string): void;
  deliverMessages(): void;
  close(reason: "replaced" | "disabled-device", detail: string): void;
}

/** A connection to this process. */
export interface OwnConnection extends DeviceConnection {
  /** Names it among all connections to all processes. */
  readonly key: string;
  /** Direct methods that it takes; `*` is all. */
  readonly methods: readonly string[];
}

export interface MethodRequest {
  readonly methodName: string;
  /** JSON text; empty for none. */
  readonly payload: string;
  readonly responseTimeoutMs: number;
  readonly connectTimeoutMs: number;
}

export interface MethodResult {
  readonly status: number;
  /** JSON text; empty for none. */
  readonly payload: string;
}

export type Connections = ReturnType<typeof createConnections>;

interface Own {
  readonly connection: OwnConnection;
  /** Counts a device's connections, as far as this process knows: of two, the later one stays. */
  readonly turn: number;
}

type Remote = PeerMessages["connected"] & { readonly peer: string };

/** Who is connected, here or to another process, and the direct methods that wait for answers. */
export function createConnections(clock: Clock, peers: Peers = createPeers()) {
  const own = new Map<string, Own>();
  const remote = new Map<string, Remote>();
  const pending = new Map<string, (result: MethodResult) => void>();
  const waiters = new Set<() => void>();
  // An answer may pass by other processes, so requests of all have different ids.
  let nextRequest = randomInt(1, 2 ** 31);

  function wake(): void {
    for (const waiter of waiters) waiter();
  }

  function get(deviceId: string): DeviceConnection | undefined {
    const elsewhere = remote.get(deviceId);
    return own.get(deviceId)?.connection ?? (elsewhere && proxyOf(peers, elsewhere));
  }

  async function ready(
    deviceId: string,
    method: string,
    timeoutMs: number,
  ): Promise<DeviceConnection> {
    const deadline = clock.monotonic() + timeoutMs;
    for (;;) {
      const connection = get(deviceId);
      if (connection?.takesMethod(method)) return connection;
      const left = deadline - clock.monotonic();
      if (left <= 0) {
        throw new HubError("DeviceNotOnline", `Device ${deviceId} is not online for methods`);
      }
      await change(left);
    }
  }

  async function change(timeoutMs: number): Promise<void> {
    const gone = new AbortController();
    const woken = new Promise<void>((resolve) => {
      const waiter = () => {
        waiters.delete(waiter);
        gone.abort();
        resolve();
      };
      waiters.add(waiter);
    });
    await Promise.race([woken, sleep(clock, timeoutMs, gone.signal).catch(() => {})]);
  }

  function tell(deviceId: string, { connection, turn }: Own, to?: string): void {
    const { key, connectedSince: since, methods } = connection;
    peers.send("connected", { deviceId, key, turn, since, methods }, to);
  }

  function answer(deviceId: string, requestId: string, result: MethodResult): boolean {
    const resolve = pending.get(`${deviceId}/${requestId}`);
    resolve?.(result);
    return resolve !== undefined;
  }

  peers.on("up", ({ peer }) => {
    for (const [deviceId, each] of own) tell(deviceId, each, peer);
  });
  peers.on("down", ({ peer }) => {
    for (const [deviceId, each] of remote) if (each.peer === peer) remote.delete(deviceId);
  });
  peers.on("connected", (there, peer) => {
    const { deviceId } = there;
    const here = own.get(deviceId);
    // The other process hears of ours as well, and decides alike.
    if (here && !isLater(there, { turn: here.turn, key: here.connection.key })) return;
    here?.connection.close("replaced", "The device connected again.");
    const known = remote.get(deviceId);
    if (!known || known.key === there.key || isLater(there, known)) {
      remote.set(deviceId, { ...there, peer });
    }
    wake();
  });
  peers.on("disconnected", ({ deviceId, key }) => {
    if (remote.get(deviceId)?.key === key) remote.delete(deviceId);
  });
  const ownOf = (deviceId: string) => own.get(deviceId)?.connection;
  peers.on("desired", ({ deviceId, patch }) => ownOf(deviceId)?.sendDesired(patch));
  peers.on("method", ({ deviceId, requestId, name, payload }) =>
    ownOf(deviceId)?.sendMethod(requestId, name, payload),
  );
  peers.on("answer", ({ deviceId, requestId, result }) => {
    answer(deviceId, requestId, result);
  });
  peers.on("deliver", ({ deviceId }) => ownOf(deviceId)?.deliverMessages());
  peers.on("close", ({ deviceId, reason, detail }) => ownOf(deviceId)?.close(reason, detail));

  return {
    get,
    count: () => own.size + remote.size,
    /** Whether the connection with this key is the device's own at present, here or elsewhere. */
    isCurrent: (deviceId: string, key: string): boolean =>
      ownOf(deviceId)?.key === key || remote.get(deviceId)?.key === key,
    /** A newer connection of the same device closes the older one. */
    add(deviceId: string, connection: OwnConnection): void {
      const before = own.get(deviceId);
      const turn = 1 + Math.max(before?.turn ?? 0, remote.get(deviceId)?.turn ?? 0);
      before?.connection.close("replaced", "The device connected again.");
      remote.delete(deviceId);
      own.set(deviceId, { connection, turn });
      tell(deviceId, { connection, turn });
      wake();
    },
    remove(deviceId: string, connection: OwnConnection): void {
      if (ownOf(deviceId) !== connection) return;
      own.delete(deviceId);
      peers.send("disconnected", { deviceId, key: connection.key });
    },
    /** It takes other direct methods than before. */
    subscriptionsChanged(deviceId: string): void {
      const here = own.get(deviceId);
      if (here) tell(deviceId, here);
      wake();
    },
    /** @throws HubError DeviceNotOnline, GatewayTimeout */
    async invoke(deviceId: string, request: MethodRequest): Promise<MethodResult> {
      const connection = await ready(deviceId, request.methodName, request.connectTimeoutMs);
      const requestId = (nextRequest++).toString(16);
      const answered = new AbortController();
      try {
        return await Promise.race([
          new Promise<MethodResult>((resolve) => {
            pending.set(`${deviceId}/${requestId}`, resolve);
            connection.sendMethod(requestId, request.methodName, request.payload);
          }),
          sleep(clock, request.responseTimeoutMs, answered.signal).then(() => {
            const seconds = request.responseTimeoutMs / 1000;
            throw new HubError(
              "GatewayTimeout",
              `Device ${deviceId} did not answer in ${seconds} s`,
            );
          }),
        ]);
      } finally {
        answered.abort();
        pending.delete(`${deviceId}/${requestId}`);
      }
    },
    answer(deviceId: string, requestId: string, result: MethodResult): void {
      if (!answer(deviceId, requestId, result)) {
        peers.send("answer", { deviceId, requestId, result });
      }
    },
  };
}

type Place = Pick<Remote, "turn" | "key">;

/** Two processes that let a device in at the same time have to agree on which one stays. */
function isLater(one: Place, other: Place): boolean {
  return one.turn === other.turn ? one.key > other.key : one.turn > other.turn;
}

function proxyOf(peers: Peers, { deviceId, since, methods, peer }: Remote): DeviceConnection {
  return {
    takesMethod: (name) => takesMethod(methods, name),
    connectedSince: since,
    sendDesired: (patch) => peers.send("desired", { deviceId, patch }, peer),
    sendMethod: (requestId, name, payload) =>
      peers.send("method", { deviceId, requestId, name, payload }, peer),
    deliverMessages: () => peers.send("deliver", { deviceId }, peer),
    close: (reason, detail) => peers.send("close", { deviceId, reason, detail }, peer),
  };
}

/** Whether a method is among those that are taken. */
export function takesMethod(methods: readonly string[], name: string): boolean {
  return methods.includes("*") || methods.includes(name);
}
