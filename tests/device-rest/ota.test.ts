import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createDeviceRestServer } from "../../host-sim/device-rest/index.ts";
import { parseManifest } from "../../host-sim/imagepackage/manifest.ts";
import { silentLogger } from "../../host-sim/log.ts";
import { compileFixture } from "../assembly/support.ts";
import { deployApp, FIELD_TEST, makeDevice } from "../security-service/device.ts";
import { COMPONENT, startService } from "../security-service/support.ts";
import { packApp } from "./packages.ts";
import { CREDENTIALS, client, refusal } from "./support.ts";

const test = suite("sideloading while an update comes over the air");
const MINUTE = 60_000;
const updates = await compileFixture("updates");
/** It hears of an update, which then waits a while for it. */
const NOTIFIED = parseManifest(
  JSON.stringify({
    ...{ SchemaVersion: 1, Name: "TestApp", ComponentId: COMPONENT, EntryPoint: "/bin/app" },
    ...{ CmdArgs: ["v1", "once"], Capabilities: { SystemEventNotifications: true } },
  }),
);

test("is refused from the download to the end of the installation, and tells why", async () => {
  const lab = await startService();
  const { device, settle, run, stop } = makeDevice(lab, { group: FIELD_TEST });
  const server = createDeviceRestServer({
    ...{ os: device, logger: silentLogger, host: "127.0.0.1", port: 0, credentials: CREDENTIALS },
  });
  const { port } = await server.start();
  const { call, close } = client(port);
  const begun = device.begin({ manifest: NOTIFIED, ...updates });
  await settle();
  await begun;
  const goesOn = async () => (await call("GET", "/images")).json.is_ota_update_in_progress;
  assert.is(await goesOn(), false);
  deployApp(lab, { wasm: updates.wasm, args: ["v2", "deaf"] });
  const checked = device.updates.check();
  while (device.updates.status().phase !== "pending") {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert.is(await goesOn(), true);
  const staged = await call("PUT", "/update/stage", packApp());
  assert.equal(refusal(staged), [400, 7_340_071]);
  await run(MINUTE);
  await checked;
  assert.is(await goesOn(), false);
  // Nobody's packages are trusted here, and that is what speaks against it now.
  assert.equal(refusal(await call("PUT", "/update/stage", packApp())), [400, 7_340_047]);
  close();
  await server.stop();
  await stop();
  await lab.stop();
});

test.run();
