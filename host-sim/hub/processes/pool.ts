import { type ChildProcess, fork } from "node:child_process";
import type { Server } from "node:net";
import { join } from "node:path";
import type { ClockChange, RealClock } from "../../clock/index.ts";
import { LabError } from "../../errors.ts";
import type { Logger } from "../../log.ts";
import { packageFolder } from "../../paths.ts";
import { createPeers, type PeerLink } from "../peers.ts";
import type { FromHubProcess, HubProcessOptions, ToHubProcess } from "./messages.ts";

export interface PoolOptions
  extends Pick<
    HubProcessOptions,
    "storeFolder" | "hostName" | "dpsHostName" | "credentials" | "limits"
  > {
  /** How many processes beside this one. */
  readonly count: number;
  readonly clock: RealClock;
  readonly logger: Logger;
}

export type HubPool = ReturnType<typeof createHubPool>;

interface Member {
  readonly name: string;
  readonly child: ChildProcess;
  readonly gone: Promise<void>;
}

/**
 * More processes for the MQTT endpoint of a hub, which share its store. Each accepts on the same
 * server; the operating system shares the connections out.
 */
export function createHubPool({ count, clock, logger, ...shared }: PoolOptions) {
  const peers = createPeers();
  let members: Member[] = [];
  let unfollow = () => {};

  function send({ child }: Member, message: ToHubProcess, server?: Server): void {
    // One that is just ending takes nothing more; its end is told by itself.
    if (child.connected) child.send(message, server, undefined, () => {});
  }

  async function begin(name: string, server: Server): Promise<void> {
    // Standard input and output are the lab's.
    const child = fork(join(packageFolder(), "dist/hub-process.js"), {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    const member = { name, child, gone };
    members.push(member);
    const options = { name, ...shared, clock: clock.reading() };
    // Before it is joined: whoever joins is told at once who is connected.
    send(member, { kind: "start", options });
    const link = peers.join(name, (envelope) => send(member, { kind: "peer", envelope }));
    const ready = listening(child, link, logger);
    child.once("exit", (code, signal) => {
      link.down();
      if (!members.includes(member)) return;
      members = members.filter((each) => each !== member);
      logger.error(`process ${name} of the hub ended (${signal ?? code}); its devices come again`);
    });
    send(member, { kind: "listen" }, server);
    await ready;
  }

  return {
    peers,
    processIds: (): number[] => members.flatMap(({ child }) => child.pid ?? []),
    /** Resolves when all of them accept on the server. @throws LabError hub-process-ended */
    async start(server: Server): Promise<void> {
      const names = Array.from({ length: count }, (_, index) => String(index + 2));
      await Promise.all(names.map((name) => begin(name, server)));
      unfollow = clock.subscribe((change: ClockChange) => {
        for (const member of members) send(member, { kind: "clock", change });
      });
    },
    /** Ends all of their connections. May be called any number of times. */
    async stop(): Promise<void> {
      unfollow();
      const leaving = members;
      members = [];
      for (const member of leaving) send(member, { kind: "stop" });
      await Promise.all(leaving.map(({ gone }) => gone));
    },
  };
}

function listening(child: ChildProcess, link: PeerLink, logger: Logger): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("exit", (code, signal) => reject(ended(signal ?? code)));
    child.on("message", (message: FromHubProcess) => {
      if (message.kind === "listening") resolve();
      else if (message.kind === "peer") link.receive(message.envelope);
      else logger[message.line.level](message.line.text);
    });
  });
}

function ended(how: string | number | null): LabError {
  return new LabError(
    "hub-process-ended",
    `A process of the hub ended with ${how} before it served anybody.`,
    "What it printed says why. Without --hub-processes the lab's own process serves all devices.",
  );
}
