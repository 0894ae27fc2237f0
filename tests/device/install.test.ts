import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LabError } from "../../host-sim/errors.ts";
import { compileFixture } from "../assembly/support.ts";
import { CAPABILITIES, manifest, startDevice } from "./support.ts";

const test = suite("what the device installs");
const app = await compileFixture("json");

test("an app with a manifest that a device refuses is not installed, and the former one stays", async () => {
  const device = await startDevice();
  await device.os.install({ manifest: manifest(), ...app });
  const { starts } = device.os.status();
  const wrong = { ...manifest(), Capabilities: { ...CAPABILITIES, Gpio: [99] } };
  let problem: unknown;
  await device.os.install({ manifest: wrong, ...app }).catch((error: unknown) => {
    problem = error;
  });
  assert.instance(problem, LabError);
  assert.is((problem as LabError).code, "install-refused");
  assert.match((problem as LabError).message, "Gpio 99 does not exist (error 5242883)");
  assert.is(device.os.status().starts, starts);
  assert.is(device.os.status().name, "TestApp");
  await device.stop();
});

test.run();
