import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type OsRelease, osRelease } from "../../host-sim/device/system/os-release.ts";
import { createRecovery } from "../../host-sim/device-rest/index.ts";
import { ONE, packApp, TRUSTING } from "./packages.ts";
import { startRest, type TestRest } from "./support.ts";

interface Context {
  rest: TestRest;
  path: string;
  recovery: ReturnType<typeof createRecovery>;
  recovered: OsRelease[];
}

const test = suite<Context>("the boot loader's private socket");
const RELEASE = osRelease("24.06");

test.before.each(async (context) => {
  context.rest = await startRest(TRUSTING);
  const { os, logger } = context.rest;
  context.recovered = [];
  const installed = (release: OsRelease) => context.recovered.push(release);
  context.recovery = createRecovery({ os, logger, newest: () => RELEASE, installed });
  context.path = await context.recovery.start();
});
test.after.each(async ({ rest, recovery }) => {
  await recovery.stop();
  await rest.stop();
});

async function open(path: string) {
  const socket = connect(path);
  await once(socket, "connect");
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  return {
    async raw(text: string) {
      socket.write(`${text}\n`);
      return JSON.parse((await lines.next()).value);
    },
    ask(command: string, more: object = {}) {
      return this.raw(JSON.stringify({ command, ...more }));
    },
    async end() {
      socket.end();
      await once(socket, "close");
    },
  };
}

test("only its user can open it, and it goes with the lab", async ({ path, recovery }) => {
  assert.is(statSync(path).mode & 0o777, 0o600);
  assert.is(statSync(dirname(path)).mode & 0o777, 0o700);
  await recovery.stop();
  await recovery.stop();
  assert.not.ok(existsSync(dirname(path)));
});

test("a recovery that was cut short leaves a dark device, and the next one ends it", async ({
  rest,
  path,
}) => {
  await rest.call("PUT", "/update/stage", packApp(), {
    "content-type": "application/octet-stream",
  });
  await rest.call("POST", "/update/install");
  const first = await open(path);
  assert.is((await first.ask("begin")).images.length, RELEASE.components.length);
  assert.ok(rest.os.on);
  assert.equal(await first.ask("erase"), {});
  assert.not.ok(rest.os.on);
  await first.ask("write", { componentId: RELEASE.components[0]?.componentId });
  assert.match((await first.ask("reboot")).error, "9 images are missing");
  await first.end();
  assert.not.ok(rest.os.on);

  const second = await open(path);
  await second.ask("begin");
  await second.ask("erase");
  for (const { componentId } of RELEASE.components) {
    assert.equal(await second.ask("write", { componentId }), {});
  }
  assert.equal(await second.ask("reboot"), { deviceId: rest.deviceId });
  assert.ok(rest.os.on);
  assert.is(rest.os.applications.find(ONE), undefined);
  await second.end();
});

test("an image may take the place of the release's; what is none leaves the device dark", async ({
  rest,
  path,
  recovered,
}) => {
  const session = await open(path);
  await session.ask("begin");
  await session.ask("erase");
  const [first, ...others] = RELEASE.components;
  assert.ok(first);
  const componentId = first.componentId;
  const imageId = "6415a939-c098-48cf-8e5c-02b52a9f0ffb";
  for (const wrong of [{ imageId: "x", bytes: 1 }, { imageId }, { imageId, bytes: "1" }]) {
    assert.ok((await session.ask("write", { componentId, ...wrong })).error);
  }
  assert.equal(await session.ask("write", { componentId, imageId, bytes: 7 }), {});
  assert.match((await session.ask("write", { componentId })).error, "is expected");
  for (const each of others) await session.ask("write", { componentId: each.componentId });
  assert.not.ok(rest.os.on);
  await session.ask("reboot");
  assert.equal(recovered[0]?.components[0], { ...first, imageId, bytes: 7 });
  assert.equal(recovered[0]?.components.slice(1), others);
  await session.end();
});

test("nonsense, a wrong order and a second session are refused, and nothing is erased", async ({
  rest,
  path,
}) => {
  const session = await open(path);
  for (const text of ["", "{", "7", "null", '{"command":"constructor"}', '{"command":"burn"}']) {
    assert.ok((await session.raw(text)).error, text);
  }
  assert.match((await session.ask("erase")).error, "nothing was begun");
  assert.match((await session.ask("write")).error, "was not erased");
  assert.match((await session.ask("reboot")).error, "nothing was written");
  const other = await open(path);
  assert.is((await other.ask("begin")).error, "another recovery goes on");
  assert.ok(rest.os.on);
  await other.end();
  await session.end();
  const next = await open(path);
  assert.is((await next.ask("begin")).release, "24.06");
  await next.end();
});

test.run();
