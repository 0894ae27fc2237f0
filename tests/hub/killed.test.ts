import { spawn } from "node:child_process";
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SteppedClock } from "../../host-sim/clock/index.ts";
import { createDps } from "../../host-sim/hub/dps/dps.ts";
import { createHub } from "../../host-sim/hub/hub.ts";
import { createSasToken } from "../../host-sim/hub/service/sas.ts";
import { silentLogger } from "../../host-sim/log.ts";
import { openFolderStore, type Store } from "../../host-sim/store/index.ts";
import { makeAuthority } from "./support.ts";

const FOLDER = "SPHERULE_TEST_KILLED_HUB";
const ROUNDS = 8;
const HOST = "contoso.azure-devices.net";
const KEY = Buffer.from("a key for enrollments").toString("base64");
const FAR = Date.UTC(2090, 0, 1);

/** What each subject is after a change; an empty text for what is not there. */
type Changes = Record<string, string>;

/** One change of a service or a device, and what it does to the subjects: all of it or nothing. */
interface Operation {
  readonly changes: Changes;
  run(): unknown;
}

function open(store: Store, start: number) {
  const clock = new SteppedClock(start);
  const hub = createHub({ hostName: HOST, store, clock, logger: silentLogger });
  const dps = createDps({ hostName: "dps", store, clock, logger: silentLogger, hubs: [hub] });
  return { hub, dps, clock };
}

type Opened = ReturnType<typeof open>;
const pick = <Item>(list: readonly Item[]): Item =>
  list[Math.floor(Math.random() * list.length)] as Item;

const DEVICES = ["a", "b", "c"];
const authority = makeAuthority(new SteppedClock(), "CA under test");

/** Ids of all messages of a device, also of those that a kill left locked. */
function queueOf({ store }: Opened["hub"], id: string): string[] {
  const entries = store.entries<{ messageId: string }>(`hub/c2d/${id}/`);
  return [...entries].map(([, { messageId }]) => messageId);
}

const feedbackAfter = ({ store }: Opened["hub"], more: number): Changes => ({
  feedback: String([...store.entries("hub/feedback/")].length + more),
});

/** Operations, each made for its turn `n`; those that make no sense now are left out. */
const MAKERS: readonly ((opened: Opened, n: number) => Operation | undefined)[] = [
  ({ hub }, n) => {
    const deviceId = pick(DEVICES);
    const request = { deviceId, statusReason: String(n) };
    const exists = hub.devices.find(deviceId);
    return {
      changes: { [`device/${deviceId}`]: String(n) },
      run: () => (exists ? hub.devices.update(request, "*") : hub.devices.create(request)),
    };
  },
  ({ hub }) => {
    const id = pick(DEVICES);
    if (!hub.devices.find(id) || Math.random() < 0.5) return undefined;
    const gone = { [`device/${id}`]: "", [`twin/${id}`]: "", [`reported/${id}`]: "" };
    const feedback = feedbackAfter(hub, queueOf(hub, id).length);
    return {
      changes: { ...gone, ...feedback, [`queue/${id}`]: "" },
      run: () => hub.devices.delete(id),
    };
  },
  ({ hub }, n) => {
    const id = pick(DEVICES);
    if (!hub.devices.find(id)) return undefined;
    return {
      changes: { [`twin/${id}`]: `${n} ${n}` },
      run: () => hub.twins.patch(id, { tags: { n }, desired: { n } }),
    };
  },
  ({ hub }, n) => {
    const id = pick(DEVICES);
    if (!hub.devices.find(id)) return undefined;
    return {
      changes: { [`reported/${id}`]: String(n) },
      run: () => hub.twins.patchReported(id, { n }),
    };
  },
  ({ hub }, n) => {
    const id = pick(DEVICES);
    if (!hub.devices.find(id) || hub.c2d.count(id) > 5) return undefined;
    const message = { body: Buffer.from("x"), messageId: String(n), ack: "full" } as const;
    return {
      changes: { [`queue/${id}`]: [...queueOf(hub, id), n].join(" ") },
      run: () => hub.c2d.enqueue(id, { ...message, expires: hub.clock.now() + 86_400_000 }),
    };
  },
  ({ hub }) => {
    const id = pick(DEVICES);
    const [first] = hub.c2d.waiting(id);
    if (!first) return undefined;
    const queue = queueOf(hub, id).filter((messageId) => messageId !== first.messageId);
    return {
      changes: { [`queue/${id}`]: queue.join(" "), ...feedbackAfter(hub, 1) },
      run: () => hub.c2d.complete(id, hub.c2d.receive(id)?.token ?? ""),
    };
  },
  ({ hub, dps }, n) => {
    const name = pick(["one", "two"]);
    const room = pick(["hub", "dps"] as const);
    const { certificates } = room === "hub" ? hub : dps;
    return {
      changes: { [`certificate/${room}/${name}`]: String(n % 2 === 0) },
      run: () => certificates.add(name, authority.certificate, n % 2 === 0),
    };
  },
  ({ hub }, n) => {
    const id = pick(["one", "two"]);
    return {
      changes: { [`configuration/${id}`]: String(n) },
      run: () => hub.configurations.put(id, { priority: n }, "*"),
    };
  },
  ({ hub }, n) => {
    const jobId = `job${n}`;
    const job = { jobId, type: "scheduleUpdateTwin", queryCondition: "*" } as const;
    return {
      changes: { [`job/${jobId}`]: "scheduled" },
      run: () =>
        hub.jobs.create({ ...job, startTime: FAR, maxExecutionTimeInSeconds: 60, updateTwin: {} }),
    };
  },
  ({ hub }) => {
    const job = hub.jobs.list().find(({ status }) => status === "scheduled");
    if (!job) return undefined;
    const { jobId } = job;
    return { changes: { [`job/${jobId}`]: "cancelled" }, run: () => hub.jobs.cancel(jobId) };
  },
  ({ hub }, n) => {
    const maxDeliveryCount = (n % 100) + 1;
    return {
      changes: { settings: String(maxDeliveryCount) },
      run: () => hub.settings.change({ cloudToDevice: { maxDeliveryCount } }),
    };
  },
  ({ hub }) => {
    const exists = hub.consumerGroups.find("mine") !== undefined;
    return {
      changes: { group: exists ? "" : "mine" },
      run: () => (exists ? hub.consumerGroups.delete("mine") : hub.consumerGroups.add("mine")),
    };
  },
  ({ dps }, n) => {
    const id = pick(["r1", "r2"]);
    const body = { deviceId: `${id}-device`, initialTwin: { tags: { n } } };
    const symmetricKey = { primaryKey: KEY, secondaryKey: KEY };
    const attestation = { type: "symmetricKey", symmetricKey };
    return {
      changes: { [`enrollment/${id}`]: String(n) },
      run: () => dps.enrollments.put(id, { ...body, attestation }, dps.enrollments.find(id) && "*"),
    };
  },
  ({ dps }, n) => {
    const found = dps.groups.find("g");
    const symmetricKey = { primaryKey: KEY, secondaryKey: KEY };
    const body = {
      attestation: { type: "symmetricKey", symmetricKey },
      initialTwin: { tags: { n } },
    };
    if (found && n % 3 === 0) {
      return { changes: { "enrollment/g": "" }, run: () => dps.groups.delete("g") };
    }
    return {
      changes: { "enrollment/g": String(n) },
      run: () => dps.groups.put("g", body, found && "*"),
    };
  },
  ({ dps, clock }) => {
    const id = pick(["r1", "r2"]);
    if (!dps.enrollments.find(id)) return undefined;
    const resource = `${dps.idScope}/registrations/${id}`;
    const token = createSasToken(resource, KEY, FAR / 1000, "registration");
    const credentials = { leaf: undefined, presented: [], token, registrationId: id };
    return {
      changes: { [`registration/${id}`]: new Date(clock.now()).toISOString() },
      async run() {
        const { operationId } = dps.register(credentials, undefined).body;
        while (!dps.operation(credentials, String(operationId)).done) {
          await new Promise(setImmediate);
        }
      },
    };
  },
  ({ dps }) => {
    const [found] = dps.registrations.list();
    if (!found || Math.random() < 0.7) return undefined;
    const { registrationId } = found;
    return {
      changes: { [`registration/${registrationId}`]: "" },
      run: () => dps.registrations.delete(registrationId),
    };
  },
];

/** All subjects as a hub that opens the store finds them. */
function observe({ hub, dps }: Opened): Changes {
  const seen: Changes = {
    settings: String(hub.settings.get().maxDeliveryCount),
    group: hub.consumerGroups.find("mine") ?? "",
    ...feedbackAfter(hub, 0),
  };
  for (const id of DEVICES) {
    const { tags, desired, reported } = hub.twins.get(id);
    seen[`device/${id}`] = hub.devices.find(id)?.statusReason ?? "";
    seen[`twin/${id}`] = tags.n === undefined ? "" : `${tags.n} ${desired.values.n}`;
    seen[`reported/${id}`] = String(reported.values.n ?? "");
    seen[`queue/${id}`] = queueOf(hub, id).join(" ");
  }
  for (const [room, { certificates }] of Object.entries({ hub, dps })) {
    for (const { name, isVerified } of certificates.list()) {
      seen[`certificate/${room}/${name}`] = String(isVerified);
    }
  }
  for (const { id, priority } of hub.configurations.list())
    seen[`configuration/${id}`] = String(priority);
  for (const { jobId, status } of hub.jobs.list()) seen[`job/${jobId}`] = status;
  for (const { id, initialTwin } of [...dps.enrollments.list(), ...dps.groups.list()]) {
    seen[`enrollment/${id}`] = String((initialTwin.tags as { n?: number }).n);
  }
  for (const { registrationId, lastUpdatedDateTimeUtc, deviceId } of dps.registrations.list()) {
    seen[`registration/${registrationId}`] = lastUpdatedDateTimeUtc;
    assert.ok(hub.devices.find(deviceId), `${deviceId} is registered and in no hub`);
  }
  return seen;
}

/** The process that is killed: it notes what it begins and what it was told is done. */
async function changeUntilKilled(folder: string): Promise<void> {
  const log = join(folder, "log");
  const opened = open(openFolderStore(join(folder, "state")), Date.now());
  for (let n = 1; ; n++) {
    opened.clock.advance(1);
    const operation = pick(MAKERS)(opened, (Date.now() % 1_000_000_000) + n);
    if (!operation) continue;
    appendFileSync(log, `${JSON.stringify(operation.changes)}\n`);
    await operation.run();
    appendFileSync(log, "done\n");
    if (n % 20 === 0) await new Promise(setImmediate);
  }
}

async function killAtRandom(folder: string): Promise<void> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url)], {
    env: { ...process.env, [FOLDER]: folder },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<NodeJS.Signals | null>((resolve) =>
    child.once("close", (_code, signal) => resolve(signal)),
  );
  const log = join(folder, "log");
  const enough = 300 + Math.random() * 2_500;
  while (statSync(log).size < enough && child.exitCode === null) {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
  }
  child.kill("SIGKILL");
  assert.is(await ended, "SIGKILL", stderr);
}

const test = suite("registry, twins, queues and the DPS");

test("are whole after a SIGKILL at any moment, with all that was done", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spherule-killed-"));
  const log = join(folder, "log");
  let expected: Changes = {};
  let done = 0;
  const kinds = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    writeFileSync(log, "");
    await killAtRandom(folder);
    let underWay: Changes | undefined;
    for (const line of readFileSync(log, "utf8").trim().split("\n")) {
      if (line === "done") {
        expected = { ...expected, ...underWay };
        for (const name of Object.keys(underWay ?? {})) kinds.add(name.split("/")[0] ?? "");
        underWay = undefined;
        done += 1;
      } else underWay = JSON.parse(line);
    }
    const store = openFolderStore(join(folder, "state"));
    const opened = open(store, Date.now());
    const seen = observe(opened);
    const differing = Object.keys({ ...seen, ...expected, ...underWay }).filter(
      (name) => (seen[name] ?? "") !== (expected[name] ?? DEFAULTS[name] ?? ""),
    );
    const changed = Object.entries(underWay ?? {});
    const happened = changed.every(([name, value]) => (seen[name] ?? "") === value);
    // What was under way has happened as a whole, or not at all.
    const allowed = happened ? changed.map(([name]) => name) : [];
    assert.equal(
      differing.filter((name) => !allowed.includes(name)),
      [],
      JSON.stringify({ seen, expected, underWay }),
    );
    expected = seen;
    await opened.hub.stop();
    await store.close();
  }
  assert.ok(done > 60, `${done} operations were done`);
  assert.ok(kinds.size >= 11, [...kinds].join(" "));
  rmSync(folder, { recursive: true });
});

const DEFAULTS: Changes = { settings: "10", feedback: "0" };

const folder = process.env[FOLDER];
if (folder === undefined) test.run();
else void changeUntilKilled(folder);
