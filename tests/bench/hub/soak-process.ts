import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { RealClock } from "../../../host-sim/clock/index.ts";
import { createEvents } from "../../../host-sim/hub/events.ts";
import { createServerRoot, issueServerCertificate } from "../../../host-sim/pki/index.ts";
import { openFolderStore } from "../../../host-sim/store/index.ts";
import { createDeviceAuthority, HUB_NAME } from "./credentials.ts";
import type { HubRequest } from "./server.ts";
import { type SoakCounts, soak } from "./soak.ts";

const LONGEST_PAUSE_MS = 10_000;

export type PreparedSoak = ReturnType<typeof prepareSoak>;

/** Certificates and names for a hub in a process of its own. */
export function prepareSoak(count: number) {
  const root = createServerRoot();
  const authority = createDeviceAuthority();
  const devices = Array.from({ length: count }, (_, number) => ({ deviceId: `soak-${number}` }));
  const server = issueServerCertificate(root, { dns: [HUB_NAME], ip: ["127.0.0.1"] });
  const deviceRoot = authority.certificate;
  const credentials = { serverRoot: root.certificate, server, deviceRoot, devices };
  return { authority, credentials };
}

/** Runs for so long, kills the hub, and reads what is left of it. */
export async function runSoak(
  child: ChildProcess,
  folder: string,
  { authority, credentials }: PreparedSoak,
  milliseconds: number,
): Promise<SoakCounts> {
  const { ask, port } = await talkTo(child);
  const clock = new RealClock();
  const { serverRoot, devices } = credentials;
  const started = clock.monotonic();
  let store = openFolderStore(folder);
  const goesOn = () => clock.monotonic() - started < milliseconds;
  try {
    return await soak(
      {
        ...{ target: { port, serverRoot }, hostName: HUB_NAME, authority },
        send: (deviceId, text) => ask({ ask: "send", deviceId, text }),
        read: (from) => createEvents(store, clock).read(from),
        beforeLastRead: async () => {
          child.kill("SIGKILL");
          await once(child, "exit");
          await store.close();
          store = openFolderStore(folder);
        },
        now: () => clock.now(),
      },
      {
        deviceIds: devices.map(({ deviceId }) => deviceId),
        ...{ goesOn, longestPauseMs: LONGEST_PAUSE_MS, random: Math.random },
      },
    );
  } finally {
    await store.close();
  }
}

type Question = { readonly ask: "send"; readonly deviceId: string; readonly text: string };

async function talkTo(child: ChildProcess) {
  const waiting = new Map<number, (answer: { result?: unknown; problem?: string }) => void>();
  let id = 0;
  const ready = new Promise<number>((resolve) => {
    waiting.set(0, ({ result }) => resolve(Number(result)));
  });
  child.on("message", (answer: { id: number; result?: unknown; problem?: string }) => {
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  const ask = (question: Question) => {
    id += 1;
    const request: HubRequest = { id, ...question };
    child.send(request);
    return new Promise<unknown>((resolve, reject) => {
      waiting.set(id, ({ result, problem }) =>
        problem === undefined ? resolve(result) : reject(new Error(problem)),
      );
    });
  };
  return { ask, port: await ready };
}
