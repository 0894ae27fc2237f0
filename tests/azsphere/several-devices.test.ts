import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseManifest } from "../../host-sim/imagepackage/index.ts";
import { readHardware } from "../../host-sim/lab/app-image.ts";
import { clientEnvironment } from "../../host-sim/lab/environment.ts";
import { startLab } from "../../host-sim/lab.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { manifestText, WASM } from "../device-rest/packages.ts";
import { createTool, temporaryFolder } from "./support.ts";

const test = suite("azsphere: several devices of a lab");
const { folder, remove } = temporaryFolder();
const lab = await startLab({
  app: {
    ...{ manifest: parseManifest(manifestText()), wasm: WASM, file: "app.wasm" },
    hardware: readHardware(packageFolder()),
  },
  devices: 2,
});
const [first, second] = lab.devices;
process.env.SPHERULE_API = lab.description.api;
const env = { SPHERULE_SETTINGS: join(folder, "settings.json") };
const tool = createTool({ env });
const {
  SPHERULE_DEVICE_CA = "",
  SPHERULE_DEVICE_DISCOVERY = "",
  SPHERULE_DEVICE_RECOVERY = "",
} = clientEnvironment(lab.description, {});
const inside = createTool({
  env: { ...env, SPHERULE_DEVICE_CA, SPHERULE_DEVICE_DISCOVERY, SPHERULE_DEVICE_RECOVERY },
});

test.after(async () => {
  await lab.stop();
  remove();
});

test("a recovery needs a name among several, and reaches each of them", async () => {
  const refused = await tool.azsphere("device", "recover");
  assert.equal([refused.code, refused.error.includes("--device: 1, 2.")], [2, true]);
  const recovered = await tool.json("device", "recover", "-d", "2");
  assert.is(recovered.deviceId, second?.deviceId);
  assert.is((await tool.json("device", "recover", "-d", "1")).deviceId, first?.deviceId);
  const within = await inside.json("device", "recover", "--device", "224");
  assert.is(within.deviceId, second?.deviceId);
});

test("a device that was without power is recovered as well, also where another one is off", async () => {
  await second?.cutPower();
  await second?.powerOn();
  const recovered = await tool.json("device", "recover", "-d", second?.deviceId ?? "");
  assert.is(recovered.deviceId, second?.deviceId);
  await first?.cutPower();
  const path = clientEnvironment(lab.description, {}).SPHERULE_DEVICE_RECOVERY ?? "";
  const now = createTool({
    env: {
      ...{ ...env, SPHERULE_DEVICE_CA, SPHERULE_DEVICE_DISCOVERY },
      SPHERULE_DEVICE_RECOVERY: path,
    },
  });
  assert.is((await now.json("device", "recover")).deviceId, second?.deviceId);
  await first?.powerOn();
});

test("a device of a lab in memory is made ready from any folder, and nothing is left there", async () => {
  const before = process.cwd();
  const elsewhere = join(folder, "elsewhere");
  mkdirSync(elsewhere);
  process.chdir(elsewhere);
  try {
    await tool.ok("product", "create", "--name", "Fridge");
    for (const command of ["enable-cloud-test", "enable-development"]) {
      const made = await tool.azsphere(
        ...["device", command, "-d", "2", "--product", "Fridge", "-o", "json"],
      );
      assert.is(made.code, 0, made.error);
      const { id, productId, deviceGroupId } = await tool.json("device", "show", "-d", "2");
      assert.equal(JSON.parse(made.out), { deviceId: id, productId, deviceGroupId });
    }
  } finally {
    process.chdir(before);
  }
  assert.match(await tool.ok("device", "image", "list-installed", "-d", "2"), " --> gdbserver\n");
  assert.equal(existsSync(join(elsewhere, ".spherule")), false);
});

test("an update check is for the device that is named, and asks which among several", async () => {
  const refused = await tool.azsphere("device", "update-check");
  assert.equal([refused.code, refused.error.includes("--device: 1, 2.")], [2, true]);
  const checks: string[] = [];
  for (const device of lab.devices) {
    const { updates } = device.os;
    if (!updates) throw new Error("the lab's devices are updated");
    const check = updates.check;
    Object.assign(updates, {
      check() {
        checks.push(device.deviceId);
        return check();
      },
    });
  }
  await tool.ok("device", "update-check", "-d", "2");
  await tool.ok("device", "update-check", "-d", first?.deviceId ?? "");
  assert.equal(checks, [second?.deviceId, first?.deviceId]);
});

test.run();
