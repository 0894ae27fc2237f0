import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openMemoryStore, type Store } from "../../host-sim/store/index.ts";
import { compileFixture } from "../assembly/support.ts";
import { deployApp, FIELD_TEST, makeDevice } from "./device.ts";
import { startService, type TestService } from "./support.ts";

const test = suite("a power cut during an update");
const { wasm } = await compileFixture("updates");
const app = (version: string) => ({ wasm, args: [version, "deaf"] });

/** What an update writes; the system's own notes are kept beside it. */
const ofUpdate = (key: string) => /^device\/(staged|installed|os)\//.test(key);

/** From the update's write with this number on, nothing reaches the flash any more. */
function cutStore(store: Store, lastWrite: number) {
  let writes = 0;
  const live = (key: string, run: () => void): void => {
    if (ofUpdate(key)) writes += 1;
    if (writes <= lastWrite) return run();
    if (ofUpdate(key)) throw new Error("the power is gone");
  };
  const cut: Store = {
    ...store,
    put: (key, value) => live(key, () => store.put(key, value)),
    delete: (key) => live(key, () => store.delete(key)),
  };
  return { cut, wasCut: () => writes > lastWrite };
}

async function copyOf(store: Store): Promise<Store> {
  const copy = openMemoryStore();
  for (const [key, value] of store.entries("")) copy.put(key, value);
  return copy;
}

/** A device that has v1, and a service that wants it to have v2 on a newer system. */
async function prepare(lab: TestService) {
  const first = makeDevice(lab, { group: FIELD_TEST });
  deployApp(lab, app("v1"));
  await first.device.begin();
  await first.run(5_000);
  await first.stop();
  lab.service.releases.publish("24.09", true);
  const imageId = deployApp(lab, app("v2"));
  return { base: first.store, manufactured: first.manufactured, imageId };
}

test("leaves the old or the new app whole, at whatever write it comes, and the update goes on", async () => {
  const lab = await startService();
  const { base, manufactured, imageId } = await prepare(lab);
  const group = FIELD_TEST;
  let cuts = 0;
  for (let lastWrite = 0; ; lastWrite++) {
    const store = await copyOf(base);
    const { cut, wasCut } = cutStore(store, lastWrite);
    const doomed = makeDevice(lab, { store: cut, manufactured, group });
    await doomed.device.begin();
    await doomed.run(8_000);
    await doomed.stop();

    const next = makeDevice(lab, { store, manufactured, group });
    next.network.setUp(false);
    await next.device.begin();
    const running = next.fresh().filter((line) => /^v\d started$/.test(line));
    assert.is(running.length, 1, `after ${lastWrite} writes one app runs`);
    assert.ok(["24.03", "24.09"].includes(next.device.updates.status().osVersion));
    next.network.setUp(true);
    await next.run(20_000);
    const told = `after ${lastWrite} writes:\n${next.log().join("\n")}`;
    assert.is(next.device.updates.appImage()?.imageId, imageId, told);
    assert.is(next.device.updates.status().osVersion, "24.09");
    assert.equal([...store.entries("device/staged/")], []);
    await next.stop();
    if (!wasCut()) break;
    cuts += 1;
  }
  await lab.stop();
  // Four images of the system and one app, each staged and installed: at least two writes each.
  assert.ok(cuts >= 10, `${cuts} cuts`);
});

test.run();
