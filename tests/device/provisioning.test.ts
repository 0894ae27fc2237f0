import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileApp } from "../../host-sim/compiler/compile.ts";
import { DPS_HOST } from "../../host-sim/device/hub-client/provision.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { HUB_NAME } from "../hub/support.ts";
import { CAPABILITIES, manifest, startDevice, type TestDevice } from "./support.ts";

const test = suite<{ device: TestDevice }>("a virtual device that comes by the DPS");
const app = await compileApp({ projectFolder: packageFolder(), target: "debug" });

test.before.each(async (context) => {
  context.device = await startDevice({ withHub: true });
});
test.after.each(({ device }) => device.stop());

const ALLOWED = [DPS_HOST, HUB_NAME];

async function install(device: TestDevice, allowed: readonly string[] = ALLOWED, scope?: string) {
  const idScope = scope ?? device.lab?.dps.idScope ?? "";
  const capabilities = { ...CAPABILITIES, AllowedConnections: allowed };
  await device.os.install({ manifest: manifest(["--ScopeID", idScope], capabilities), ...app });
}

const logged = (device: TestDevice, part: string) =>
  device.log().some((line) => line.includes(part));

test("is registered by its tenant's enrollment group and sends telemetry", async ({ device }) => {
  device.lab?.hub.devices.delete(device.deviceId);
  await install(device);
  await device.until(() => device.telemetry().length > 0);
  assert.is(device.lab?.hub.devices.get(device.deviceId).authentication.type, "selfSigned");
  assert.ok(logged(device, `assigned to ${HUB_NAME}`));
});

test("registers again with its new certificate after a day", async ({ device }) => {
  await install(device);
  await device.until(() => device.telemetry().length > 0);
  const before = device.lab?.hub.devices.get(device.deviceId).authentication;
  device.clock.advance(23 * 3_600_000);
  await device.until(() => device.lab?.hub.connections.get(device.deviceId));
  device.network.setUp(false);
  device.network.setUp(true);
  const renewed = () =>
    JSON.stringify(device.lab?.hub.devices.get(device.deviceId).authentication) !==
    JSON.stringify(before);
  await device.until(() => renewed() && device.lab?.hub.connections.get(device.deviceId));
});

test("says when the service's name is not in AllowedConnections", async ({ device }) => {
  await install(device, [HUB_NAME]);
  await device.until(() => logged(device, `no connection to ${DPS_HOST}: it is not in Allowed`));
});

test("says when the assigned hub is not in AllowedConnections", async ({ device }) => {
  await install(device, [DPS_HOST]);
  await device.until(() => logged(device, `no connection to ${HUB_NAME}: it is not in Allowed`));
});

test("says that its scope is wrong, and tries again", async ({ device }) => {
  await install(device, ALLOWED, "0ne00000000");
  const refused = () =>
    device.lab?.hub.refusals.list().filter(({ reason }) => reason === "wrong-scope").length ?? 0;
  await device.until(() => refused() >= 2);
  assert.ok(logged(device, "no assignment:"));
});

test("a disabled enrollment is told, and enabling it lets the device in", async ({ device }) => {
  const { dps } = device.lab ?? {};
  const [group] = dps?.groups.list() ?? [];
  assert.ok(dps && group);
  const { caReferences } = group.attestation as unknown as { caReferences: string[] };
  const attestation = { type: "x509", x509: { caReferences: { primary: caReferences[0] ?? "" } } };
  dps.groups.put(group.id, { attestation, provisioningStatus: "disabled" }, "*");
  await install(device);
  await device.until(() => logged(device, "the enrollment is disabled"));
  dps.groups.put(group.id, { attestation }, "*");
  await device.until(() => device.telemetry().length > 0);
});

test.run();
