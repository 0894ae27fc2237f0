import type { Server } from "node:net";
import { RealClock } from "../../clock/index.ts";
import { LabError, messageWithHint } from "../../errors.ts";
import { createLogger } from "../../log.ts";
import { watchSockets } from "../../server-service.ts";
import { openFolderStore } from "../../store/index.ts";
import { createDps } from "../dps/dps.ts";
import { createRegistrationEndpoint } from "../dps/mqtt.ts";
import { createHub } from "../hub.ts";
import { tlsProblemsOf } from "../listeners.ts";
import { createAcceptor } from "../mqtt/acceptor.ts";
import { acceptOn } from "../mqtt/server.ts";
import { createPeers, MAIN } from "../peers.ts";
import type { FromHubProcess, HubProcessOptions, ToHubProcess } from "./messages.ts";

type Running = ReturnType<typeof start>;

/** The entry of a process that serves devices over MQTT beside the lab's own. */
let running: Running | undefined;

process.on("message", (message: ToHubProcess, server: Server | undefined) => {
  switch (message.kind) {
    case "start":
      running = start(message.options);
      return;
    case "listen":
      if (server) running?.listen(server);
      return;
    case "peer":
      running?.line.receive(message.envelope);
      return;
    case "clock":
      running?.clock.follow(message.change);
      return;
    case "stop":
      void running?.stop().then(() => process.disconnect());
  }
});
// The lab is gone: nothing that it held is held on to.
process.on("disconnect", () => process.exit());
// Such as a store that cannot be written, because the disk is full.
process.on("uncaughtException", (error) => {
  const text = error instanceof LabError ? messageWithHint(error, "\n") : error.stack;
  process.stderr.write(`${text}\n`);
  process.exit(1);
});

function tell(message: FromHubProcess): void {
  if (process.connected) process.send?.(message);
}

function start(options: HubProcessOptions) {
  const { name, storeFolder, hostName, dpsHostName, credentials, limits } = options;
  const clock = RealClock.from(options.clock);
  const store = openFolderStore(storeFolder);
  const logger = createLogger(
    `hub-${name}`,
    () => clock.now(),
    (line) => tell({ kind: "log", line }),
  );
  const peers = createPeers(name);
  const hub = createHub({ hostName, store, clock, logger, limits, peers, onlyDevices: true });
  const line = peers.join(MAIN, (envelope) => tell({ kind: "peer", envelope }));
  const dps = createDps({ hostName: dpsHostName, store, clock, logger, hubs: [hub] });
  const transportClock = new RealClock();
  const registrations = createRegistrationEndpoint(dps, transportClock);
  const accept = createAcceptor({ hubs: [hub], registrations, transportClock });
  let stopListening = async () => {};

  return {
    ...{ line, clock },
    listen(server: Server): void {
      const endSockets = watchSockets(server);
      acceptOn(server, accept, { credentials, transportClock, onTlsProblem: tlsProblemsOf(hub) });
      stopListening = () => {
        server.close();
        return endSockets();
      };
      tell({ kind: "listening" });
    },
    /** Ends all connections; when it returns they have noted their end in the store. */
    async stop(): Promise<void> {
      await stopListening();
      await hub.stop();
      await store.close();
    },
  };
}
