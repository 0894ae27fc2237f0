import { RealClock } from "../../../host-sim/clock/index.ts";
import { createHub } from "../../../host-sim/hub/hub.ts";
import { createListeners } from "../../../host-sim/hub/listeners.ts";
import { silentLogger } from "../../../host-sim/log.ts";
import { openFolderStore, openMemoryStore } from "../../../host-sim/store/index.ts";
import { type BenchCredentials, HUB_NAME } from "./credentials.ts";

/** What a parent asks of the hub's process, and what it answers with the same `id`. */
export type HubRequest =
  | { readonly id: number; readonly ask: "memory" | "stop" }
  | {
      readonly id: number;
      readonly ask: "send";
      readonly deviceId: string;
      readonly text: string;
    };

export interface MemoryFigures {
  /** Bytes, after a garbage collection. */
  readonly rss: number;
  readonly heap: number;
  readonly connections: number;
}

/**
 * A hub in a process of its own.
 * @param folder of its store, as in a lab that keeps its state; empty for a store in memory
 */
export async function serveHub(
  folder: string,
  given: Omit<BenchCredentials, "devices">,
  deviceIds: readonly string[],
): Promise<void> {
  const store = folder === "" ? openMemoryStore() : openFolderStore(folder);
  const clock = new RealClock();
  const hub = createHub({ hostName: HUB_NAME, store, clock, logger: silentLogger });
  hub.certificates.add("bench", given.deviceRoot, true);
  store.transaction(() => {
    for (const deviceId of deviceIds) {
      if (hub.devices.find(deviceId)) continue;
      hub.devices.create({ deviceId, authentication: { type: "certificateAuthority" } });
    }
  });
  const listeners = createListeners({
    ...{ hub, host: "127.0.0.1", credentials: given.server },
  });
  const { mqtt } = await listeners.start();
  const answer = async (request: HubRequest): Promise<unknown> => {
    switch (request.ask) {
      case "memory":
        return { ...memory(), connections: hub.connections.count() };
      case "send":
        return hub.c2d.enqueue(request.deviceId, { body: Buffer.from(request.text) }).sequence;
      case "stop":
        await listeners.stop();
        await hub.stop();
        await store.close();
        return hub.refusals.list().length;
    }
  };
  process.on("message", (request: HubRequest) => {
    answer(request).then(
      (result) => process.send?.({ id: request.id, result }),
      (error) => process.send?.({ id: request.id, problem: String(error) }),
    );
  });
  process.on("disconnect", () => process.exit());
  process.send?.({ id: 0, result: mqtt.port });
}

function memory() {
  // The first collection lets finalizers run, the second takes what they held.
  globalThis.gc?.();
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heap: heapUsed + external };
}
