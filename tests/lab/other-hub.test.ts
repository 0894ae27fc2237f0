import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SteppedClock } from "../../host-sim/clock/index.ts";
import { compileApp } from "../../host-sim/compiler/compile.ts";
import { LabError } from "../../host-sim/errors.ts";
import { resolveManifest } from "../../host-sim/imagepackage/index.ts";
import { readHardware, readManifest } from "../../host-sim/lab/app-image.ts";
import { type Identity, otherHubAt } from "../../host-sim/lab/other-hub.ts";
import { type Lab, startLab } from "../../host-sim/lab.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { openMemoryStore } from "../../host-sim/store/index.ts";
import { makeLeaf, startHub, type TestHub } from "../hub/support.ts";

const test = suite<{ elsewhere: TestHub }>("a lab whose device joins a hub elsewhere");
const HOUR_MS = 3_600_000;
const folder = packageFolder();
const hardware = readHardware(folder);
const manifest = resolveManifest(readManifest(folder), hardware);
const { wasm } = await compileApp({ projectFolder: folder, target: "debug" });

/** It stands for Azure: no lab gave its certificate, the computer trusts its root. */
test.before.each(async (context) => {
  context.elsewhere = await startHub(openMemoryStore(), { clock: new SteppedClock(Date.now()) });
});
test.after.each(({ elsewhere }) => elsewhere.stop());

async function startAt(elsewhere: TestHub, identity?: Identity): Promise<Lab> {
  const otherHub = otherHubAt(`localhost:${elsewhere.port}`, identity);
  return startLab({ app: { manifest, hardware, wasm, file: "" }, otherHub });
}

/** Time goes on in both worlds while sockets work. */
async function until(lab: Lab, { clock }: TestHub, condition: () => boolean): Promise<void> {
  while (!condition()) {
    lab.clock.jump(1_000);
    clock.advance(1_000);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What real-hub.md tells to do with the tenant's CA. */
function trustTenant({ service, description }: Lab, { hub }: TestHub): void {
  const { tenantId } = description.securityService;
  hub.certificates.add("lab", service.certificates(tenantId)[0]?.pem ?? "");
  const code = hub.certificates.generateVerificationCode("lab");
  hub.certificates.verify("lab", service.proofOfPossession(tenantId, code));
}

test("it is refused until that hub knows the tenant's CA and the device, then its telemetry arrives", async ({
  elsewhere,
}) => {
  const lab = await startAt(elsewhere);
  const { hub } = elsewhere;
  const { deviceId } = lab.device;
  const refused = (reason: string) => () =>
    hub.refusals.list().some((each) => each.reason === reason);
  hub.devices.create({ deviceId, authentication: { type: "certificateAuthority" } });
  await until(lab, elsewhere, refused("unknown-authority"));
  trustTenant(lab, elsewhere);
  await until(lab, elsewhere, () => [...hub.events.read()].length > 0);
  assert.is(hub.twins.get(deviceId).modelId, "dtmi:spherule:thermometer;1");
  assert.is(lab.hub.connections.count(), 0);
  assert.ok(lab.device.status().hubConnected);
  await lab.stop();
});

test("the next day it shows the next day's certificate", async ({ elsewhere }) => {
  const lab = await startAt(elsewhere);
  const { hub } = elsewhere;
  const { deviceId } = lab.device;
  hub.devices.create({ deviceId, authentication: { type: "certificateAuthority" } });
  trustTenant(lab, elsewhere);
  await until(lab, elsewhere, () => hub.connections.count() === 1);
  for (let hours = 0; hours < 30; hours += 6) {
    lab.clock.jump(6 * HOUR_MS);
    elsewhere.clock.advance(6 * HOUR_MS);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  lab.device.network.setUp(false);
  await until(lab, elsewhere, () => hub.connections.count() === 0);
  const count = [...hub.events.read()].length;
  lab.device.network.setUp(true);
  await until(lab, elsewhere, () => [...hub.events.read()].length > count);
  assert.ok(hub.refusals.list().every(({ reason }) => reason !== "expired"));
  await lab.stop();
});

test("with a certificate from outside it is another device, which only that hub's owner knows", async ({
  elsewhere,
}) => {
  const deviceId = "my-device";
  elsewhere.device(deviceId);
  const { key, cert } = makeLeaf(elsewhere.authority, deviceId, elsewhere.clock.now() - HOUR_MS);
  const lab = await startAt(elsewhere, { deviceId, certificate: cert, key });
  await until(lab, elsewhere, () => [...elsewhere.hub.events.read()].length > 0);
  assert.is(lab.device.deviceId, deviceId);
  assert.is(lab.device.updates, undefined);
  await lab.stop();
});

test("a hub is named by its host, perhaps with a port", () => {
  assert.equal(otherHubAt("Contoso.azure-devices.net"), {
    ...{ hostName: "contoso.azure-devices.net", port: 8883, identity: undefined },
  });
  for (const bad of ["", "https://h", "h:0", "h:70000", "h:x", "a b", "h/x"]) {
    assert.throws(
      () => otherHubAt(bad),
      (error: unknown) => error instanceof LabError && error.code === "option-invalid",
      bad,
    );
  }
});

test.run();
