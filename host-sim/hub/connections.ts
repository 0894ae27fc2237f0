import { type Clock, sleep } from "../clock/index.ts";
import { HubError } from "./errors.ts";
import type { JsonObject } from "./json.ts";

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

/** Who is connected, and the direct methods that wait for their answers. */
export function createConnections(clock: Clock) {
  const connected = new Map<string, DeviceConnection>();
  const pending = new Map<string, (result: MethodResult) => void>();
  const waiters = new Set<() => void>();
  let nextRequest = 1;

  function wake(): void {
    for (const waiter of waiters) waiter();
  }

  async function ready(
    deviceId: string,
    method: string,
    timeoutMs: number,
  ): Promise<DeviceConnection> {
    const deadline = clock.monotonic() + timeoutMs;
    for (;;) {
      const connection = connected.get(deviceId);
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

  return {
    get: (deviceId: string) => connected.get(deviceId),
    count: () => connected.size,
    /** A newer connection of the same device closes the older one. */
    add(deviceId: string, connection: DeviceConnection): void {
      connected.get(deviceId)?.close("replaced", "The device connected again.");
      connected.set(deviceId, connection);
      wake();
    },
    remove(deviceId: string, connection: DeviceConnection): void {
      if (connected.get(deviceId) === connection) connected.delete(deviceId);
    },
    subscriptionsChanged: wake,
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
      pending.get(`${deviceId}/${requestId}`)?.(result);
    },
  };
}
