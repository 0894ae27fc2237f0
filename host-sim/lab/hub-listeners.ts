import type { Server } from "node:net";
import {
  createListeners,
  LISTENERS,
  type ListenerAddresses,
  type ListenerOptions,
  type Listeners,
} from "../hub/listeners.ts";
import type { HubPool } from "../hub/processes/pool.ts";

/** The endpoints of a hub, those of its other processes included. */
export async function startHubListeners(options: ListenerOptions, pool: HubPool | undefined) {
  let server: Server | undefined;
  let listeners: Listeners;
  let ports = options.ports;

  async function start(): Promise<ListenerAddresses> {
    listeners = createListeners({
      ...{ ...options, ports },
      onMqttListening: (listening) => {
        server = listening;
      },
    });
    const addresses = await listeners.start();
    try {
      if (server) await pool?.start(server);
    } catch (error) {
      await stop();
      throw error;
    }
    return addresses;
  }

  async function stop(): Promise<void> {
    await Promise.all([pool?.stop(), listeners.stop()]);
  }

  const addresses = await start();
  ports = Object.fromEntries(LISTENERS.map((name) => [name, addresses[name].port]));
  return {
    addresses,
    /** All connections end; the ports stay the same. */
    async restart(): Promise<void> {
      await stop();
      await start();
    },
    stop,
  };
}
