import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { LabError } from "../../host-sim/errors.ts";
import {
  openFolderStore,
  openMemoryStore,
  type Store,
  storePart,
} from "../../host-sim/store/index.ts";

const folder = mkdtempSync(join(tmpdir(), "spherule-store-"));
let folders = 0;
const kinds: Record<string, () => Store> = {
  memory: openMemoryStore,
  folder: () => openFolderStore(join(folder, String(folders++))),
};

for (const [kind, open] of Object.entries(kinds)) {
  const test = suite(`store in ${kind}`);

  test("gives back what was put, as a copy", async () => {
    const store = open();
    const value = { list: [1, 2] };
    store.put("hub/devices/a", value);
    value.list.push(3);
    assert.equal(store.get("hub/devices/a"), { list: [1, 2] });
    assert.is(store.get("hub/devices/b"), undefined);
    store.delete("hub/devices/a");
    assert.is(store.get("hub/devices/a"), undefined);
    await store.close();
  });

  test("lists by prefix in key order", async () => {
    const store = open();
    for (const key of ["a/2", "b/1", "a/1", "a/é"]) store.put(key, key);
    assert.equal(
      [...store.entries("a/")].map(([key]) => key),
      ["a/1", "a/2", "a/é"],
    );
    await store.close();
  });

  test("keeps nothing of a transaction that throws", async () => {
    const store = open();
    store.put("n", 1);
    assert.throws(() =>
      store.transaction(() => {
        store.put("n", 2);
        throw new Error("stop");
      }),
    );
    assert.is(store.get("n"), 1);
    await store.close();
  });

  test("lists from a key on, and keys alone", async () => {
    const store = open();
    for (const key of ["a/2", "b/1", "a/1", "a/3"]) store.put(key, key);
    assert.equal(
      [...store.entries("a/", "a/2")].map(([key]) => key),
      ["a/2", "a/3"],
    );
    assert.equal([...store.entries("a/", "a/25")].length, 1);
    assert.equal([...store.entries("a/", "a/4")], []);
    assert.equal([...store.keys("a/")], ["a/1", "a/2", "a/3"]);
    await store.close();
  });

  test("a part of a store lists its own keys", async () => {
    const store = open();
    const part = storePart(store, "p/");
    for (const key of ["a/1", "a/2", "b"]) part.put(key, key);
    store.put("p0", 1);
    assert.equal([...part.keys("")], ["a/1", "a/2", "b"]);
    assert.equal([...part.entries("a/", "a/2")], [["a/2", "a/2"]]);
    await store.close();
  });

  test("what is put soon is there when that resolves, in the order of the calls", async () => {
    const store = open();
    store.put("gone", 1);
    const written = await Promise.all([
      store.putSoon([
        ["n", 1],
        ["gone", undefined],
      ]),
      store.putSoon([["n", 2]]),
    ]);
    assert.equal(written, [true, true]);
    assert.is(store.get("n"), 2);
    assert.is(store.get("gone"), undefined);
    await store.close();
  });

  test("what is put soon unless a key is there is not put when it is, and says so", async () => {
    const store = open();
    const put = (value: number) =>
      store.putSoon(
        [
          ["claimed", value],
          ["more", value],
        ],
        "claimed",
      );
    assert.equal(await Promise.all([put(1), put(2)]), [true, false]);
    assert.is(await put(3), false);
    assert.equal(
      [...store.entries("")],
      [
        ["claimed", 1],
        ["more", 1],
      ],
    );
    await store.close();
  });

  test("a copy holds what was there", async () => {
    const store = open();
    store.put("kept", { value: 1 });
    const target = join(folder, `copy-of-${kind}`);
    mkdirSync(target);
    await store.copyTo(target);
    await store.close();
    const copy = openFolderStore(target);
    assert.equal(copy.get("kept"), { value: 1 });
    await copy.close();
  });

  test.after(() => {
    if (kind === "folder") rmSync(folder, { recursive: true });
  });
  test.run();
}

const durability = suite("store in folder, killed");

durability("a value put before SIGKILL is there afterwards", async () => {
  const place = mkdtempSync(join(tmpdir(), "spherule-store-"));
  const script = `import { open } from "lmdb";
    const db = open({ path: ${JSON.stringify(place)}, encoding: "json", noSubdir: false });
    db.putSync("kept", 42);
    process.kill(process.pid, "SIGKILL");`;
  const child = spawnSync(process.execPath, ["--input-type=module", "-e", script]);
  assert.is(child.signal, "SIGKILL");
  const store = openFolderStore(place);
  assert.is(store.get("kept"), 42);
  await store.close();
  rmSync(place, { recursive: true });
});

async function filledStore(): Promise<string> {
  const place = mkdtempSync(join(tmpdir(), "spherule-store-"));
  const store = openFolderStore(place);
  store.transaction(() => {
    for (let index = 0; index < 1000; index++) store.put(`k${index}`, "x".repeat(100));
  });
  await store.close();
  return place;
}

durability(
  "nothing is written on a disk that is nearly full, and what was there is kept",
  async () => {
    const place = mkdtempSync(join(tmpdir(), "spherule-store-"));
    let free = 1e9;
    const failures: LabError[] = [];
    const onFailure = (error: LabError) => void failures.push(error);
    const store = openFolderStore(place, { freeBytes: () => free, onFailure });
    store.put("kept", 1);
    free = 5 * 1024 * 1024;
    const full = (error: LabError) => {
      assert.is(error.code, "state-not-written");
      assert.match(error.message, "cannot be written: its disk has only 5.0 MB left.");
      return true;
    };
    assert.throws(() => store.put("more", 2), full);
    assert.throws(() => store.delete("kept"), full);
    assert.throws(() => store.transaction(() => store.put("more", 2)), full);
    await store.putSoon([["more", 2]]).then(() => assert.unreachable(), full);
    assert.is(failures.length, 4);
    assert.is(store.get("kept"), 1);
    assert.is(store.get("more"), undefined);
    free = 1e9;
    await store.putSoon([["more", 2]]);
    assert.is(store.get("more"), 2);
    await store.close();
    rmSync(place, { recursive: true });
  },
);

durability("a file that is no database is refused and kept", async () => {
  const place = await filledStore();
  writeFileSync(join(place, "data.mdb"), Buffer.alloc(20_000, 0x41));
  assert.throws(
    () => openFolderStore(place),
    (error: LabError) => error.code === "state-corrupt",
  );
  rmSync(place, { recursive: true });
});

durability("a file that was cut short is refused instead of ending the process", async () => {
  const place = await filledStore();
  truncateSync(join(place, "data.mdb"), 40_960);
  assert.throws(
    () => openFolderStore(place),
    (error: LabError) => error.message.includes("cut short"),
  );
  rmSync(place, { recursive: true });
});

durability.run();
