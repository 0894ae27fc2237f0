import { readFileSync } from "node:fs";
import { request } from "node:https";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileApp } from "../../host-sim/compiler/compile.ts";
import { createTrustStore, resolveManifest } from "../../host-sim/imagepackage/index.ts";
import { readHardware, readManifest } from "../../host-sim/lab/app-image.ts";
import { type Lab, startLab } from "../../host-sim/lab.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { newSigningKey } from "../../host-sim/security-service/index.ts";
import { compileFixture } from "../assembly/support.ts";
import { makePackage } from "../security-service/support.ts";

const test = suite("the Security Service of a lab");
const HOUR_MS = 3_600_000;
const signer = newSigningKey("a developer", 0);
const updates = await compileFixture("updates");

async function start(): Promise<{ lab: Lab; lines: string[] }> {
  const folder = packageFolder();
  const hardware = readHardware(folder);
  const manifest = resolveManifest(readManifest(folder), hardware);
  const { wasm } = await compileApp({ projectFolder: folder, target: "debug" });
  const lines: string[] = [];
  const { certificate } = signer;
  const lab = await startLab({
    app: { manifest, hardware, wasm, file: "" },
    developers: () => createTrustStore([{ name: "a developer", certificate }]),
    onEvent: (event) => {
      if (event.type === "log") lines.push(event.line.text);
    },
  });
  return { lab, lines };
}

/** A request below the catalog with the token that the lab gives its users. */
function arm({ description }: Lab, method: string, path: string, body?: object) {
  const { url, catalogId, token } = description.securityService;
  const target = `${url}${catalogId}${path}?api-version=2024-04-01`.replaceAll(" ", "%20");
  const options = {
    ...{ method, agent: false, ca: readFileSync(description.caFile) },
    headers: { authorization: `Bearer ${token}` },
  };
  return new Promise<number>((resolve, reject) => {
    const outgoing = request(target, options, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    });
    outgoing.on("error", reject);
    outgoing.end(body && JSON.stringify(body));
  });
}

type Answer = Readonly<Record<string, string | null>>;

async function post({ description }: Lab, path: string, body: object = {}): Promise<Answer> {
  const response = await fetch(`${description.api}${path}`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  return response.status === 204 ? {} : ((await response.json()) as Answer);
}

test("an app is deployed over the air to the lab's device, by its API alone", async () => {
  const { lab, lines } = await start();
  const { deviceId } = lab.device;
  const imageId = "33333333-aaaa-4bbb-8ccc-444444444444";
  const image = makePackage({ signer, imageId, wasm: updates.wasm, args: ["v9", "deaf"] });
  const group = "/products/Fridge/deviceGroups/Field Test";
  const unassigned = `/products/.default/deviceGroups/.unassigned/devices/${deviceId}`;
  const { catalogId } = lab.description.securityService;
  const deployedImages = [{ properties: { imageId } }];
  const steps = [
    await arm(lab, "PUT", "/products/Fridge", {}),
    await arm(lab, "PATCH", unassigned, { properties: { deviceGroupId: catalogId + group } }),
    await arm(lab, "POST", "/uploadImage", { properties: { image: image.toString("base64") } }),
    await arm(lab, "PUT", `${group}/deployments/.default`, { properties: { deployedImages } }),
  ];
  assert.equal(steps, [201, 202, 202, 201]);
  await lab.device.updates?.check();
  const leftAlone = lines.filter((line) => line.includes("the device may develop applications"));
  assert.is(leftAlone.length, 1, "a device for development keeps what came by cable");
  assert.not.ok(lines.includes("v9 started"));
  lab.device.system.manufacturing.setCapabilities([]);
  await post(lab, "/device/updates/check");
  await lab.device.updates?.check();
  assert.ok(lines.includes("v9 started"), lines.join("\n"));
  const response = await fetch(`${lab.description.api}/device/updates`);
  const status = (await response.json()) as Answer;
  assert.is(status.osVersion, "24.03");
  assert.is(status.lastProblem, null);
  await lab.stop();
});

test("the lab gives tokens, brings out releases and starts generations of the CA", async () => {
  const { lab } = await start();
  const token = await post(lab, "/token", { seconds: 60 });
  assert.ok(Date.parse(token.expiresOn ?? "") - lab.clock.now() <= 60_000);
  assert.is((await post(lab, "/token", { seconds: -1 })).code, "body-invalid");
  const release = await post(lab, "/os-releases", { version: "24.09", retailNow: true });
  assert.is(release.version, "24.09");
  assert.is((await post(lab, "/os-releases", { version: "24.09" })).code, "os-version-invalid");
  const { tenantId } = lab.description.securityService;
  const next = await post(lab, `/tenants/${tenantId}/rotate`);
  assert.is(next.status, "Active");
  const states = lab.service.certificates(tenantId).map(({ status }) => status);
  assert.equal(states, ["Inactive", "Active"]);
  assert.is((await post(lab, "/tenants/none/rotate")).code, "tenant-unknown");
  await lab.stop();
});

test("a hub that does not know the next generation of the CA refuses the device until it does", async () => {
  const { lab, lines } = await start();
  const { hub, service, clock } = lab;
  const { tenantId } = lab.description.securityService;
  /** Time goes on in large steps while sockets work. */
  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      clock.jump(5_000);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  await until(() => hub.connections.count() === 1);
  await post(lab, `/tenants/${tenantId}/rotate`);
  const certificates = () =>
    lines.filter((line) => line.startsWith("device authentication ready")).length;
  clock.jump(17 * HOUR_MS);
  await until(() => certificates() === 2);
  await lab.restartHub();
  const refused = () => hub.refusals.list().some(({ reason }) => reason === "unknown-authority");
  await until(refused);
  assert.is(hub.connections.count(), 0);
  const next = service.certificates(tenantId).at(-1);
  hub.certificates.add("next", next?.pem ?? "");
  const code = hub.certificates.generateVerificationCode("next");
  hub.certificates.verify("next", service.proofOfPossession(tenantId, code));
  await until(() => hub.connections.count() === 1);
  await lab.stop();
});

test.run();
