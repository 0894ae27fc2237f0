import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  createSecurityServer,
  createSecurityService,
  manufactureDevice,
} from "../../host-sim/security-service/index.ts";
import { openFolderStore, openMemoryStore } from "../../host-sim/store/index.ts";
import {
  credentials,
  makePackage,
  type Reply,
  send,
  startService,
  type TestService,
} from "./support.ts";

const test = suite("Security Service over HTTPS: long-running operations");
const LONG = { operationMs: 5_000 };
const group = (lab: TestService, name = "Field Test") =>
  `${lab.catalog}/products/Fridge/deviceGroups/${name}`;
const statusOf = ({ headers }: Reply) => String(headers["azure-asyncoperation"]);
const resultOf = ({ headers }: Reply) => String(headers.location);

test("is polled in both ways, and its work is done when it says so, not before", async () => {
  const lab = await startService(LONG);
  const { deviceId } = manufactureDevice();
  const path = `${lab.catalog}/products/.default/deviceGroups/.unassigned/claimDevices`;
  const accepted = await lab.arm("POST", path, { deviceIdentifiers: [deviceId] });
  assert.equal([accepted.status, accepted.headers["retry-after"]], [202, "1"]);
  assert.is((await lab.arm("GET", statusOf(accepted))).body.status, "InProgress");
  assert.is((await lab.arm("GET", resultOf(accepted))).status, 202);
  assert.is(lab.service.tenantOf(deviceId), undefined);
  lab.clock.advance(5_000);
  const { body } = await lab.arm("GET", statusOf(accepted));
  assert.equal(
    [body.status, body.startTime, body.endTime],
    ["Succeeded", "2026-06-01T00:00:00.000Z", "2026-06-01T00:00:05.000Z"],
  );
  assert.is((await lab.arm("GET", resultOf(accepted))).status, 204);
  assert.is(lab.service.tenantOf(deviceId), lab.tenantId);
  const gone = await lab.arm("GET", `${resultOf(accepted).split("?")[0]}0`);
  assert.equal([gone.status, gone.body.error.code], [404, "OperationNotFound"]);
  await lab.stop();
});

test("what a PUT makes is accepted first, and there later", async () => {
  const lab = await startService(LONG);
  const product = `${lab.catalog}/products/Fridge`;
  const made = await lab.arm("PUT", product, { properties: { description: "cold" } });
  assert.is(made.status, 201);
  assert.equal(made.body.properties, { description: "cold", provisioningState: "Accepted" });
  assert.is((await lab.arm("GET", product)).status, 404);
  lab.clock.advance(5_000);
  assert.is((await lab.arm("GET", product)).body.properties.provisioningState, "Succeeded");
  const { body } = await lab.arm("GET", statusOf(made));
  assert.is(body.properties.name, "Fridge");
  // Changing it again has nothing to wait for.
  const again = await lab.arm("PUT", product, { properties: { description: "colder" } });
  assert.equal([again.status, again.headers["azure-asyncoperation"]], [200, undefined]);
  await lab.stop();
});

test("everything that the API calls long-running is: PUT, PATCH, DELETE and POST", async () => {
  const lab = await startService();
  const { deviceId } = manufactureDevice();
  const device = `${group(lab)}/devices/${deviceId}`;
  const image = makePackage({ signer: lab.developer }).toString("base64");
  const other = lab.catalog.replace("contoso", "fabrikam");
  const imageId = "33333333-aaaa-4bbb-8ccc-444444444444";
  const deployment = `${group(lab)}/deployments/77777777-aaaa-4bbb-8ccc-888888888888`;
  const steps = [
    ["PUT", other, {}],
    ["DELETE", other],
    ["PUT", `${lab.catalog}/products/Fridge`, {}],
    ["PATCH", `${lab.catalog}/products/Fridge`, { properties: { description: "cold" } }],
    ["PUT", group(lab, "Pilots"), {}],
    ["PATCH", group(lab, "Pilots"), { properties: { osFeedType: "RetailEval" } }],
    ["DELETE", group(lab, "Pilots")],
    ["POST", `${lab.catalog}/uploadImage`, { properties: { image } }],
    ["DELETE", `${lab.catalog}/images/${imageId}`],
    ["PUT", `${lab.catalog}/images/${imageId}`, { properties: { image } }],
    ["PUT", deployment, { properties: { deployedImages: [{ properties: { imageId } }] } }],
    ["DELETE", deployment],
    ["PUT", device, {}],
    ["POST", `${device}/generateCapabilityImage`, { capabilities: ["FieldServicing"] }],
    ["PATCH", device, { properties: { deviceGroupId: group(lab, "Production") } }],
    ["DELETE", `${group(lab, "Production")}/devices/${deviceId}`],
    ["POST", `${group(lab)}/claimDevices`, { deviceIdentifiers: [deviceId] }],
  ] as const;
  for (const [method, path, body] of steps) {
    const { accepted, status } = await lab.done(method, path, body);
    assert.is(accepted, method === "PUT" ? 201 : 202, `${method} ${path}`);
    assert.is.not(status, "Failed", `${method} ${path}`);
  }
  assert.equal(lab.service.devices.get(lab.tenantId, deviceId).group, {
    product: "Fridge",
    group: "Field Test",
  });
  await lab.stop();
});

test("a refusal of the work is told to who polls, in both ways, and changes nothing", async () => {
  const lab = await startService(LONG);
  const deviceIdentifiers = [manufactureDevice().deviceId, manufactureDevice().deviceId];
  const path = `${lab.catalog}/products/.default/deviceGroups/.unassigned/claimDevices`;
  const accepted = await lab.arm("POST", path, { deviceIdentifiers });
  // Somebody else is faster.
  lab.service.claim(lab.service.createTenant("fabrikam").tenantId, deviceIdentifiers[1] ?? "");
  lab.clock.advance(5_000);
  const { body } = await lab.arm("GET", statusOf(accepted));
  assert.equal([body.status, body.error.code], ["Failed", "DeviceAlreadyClaimed"]);
  assert.match(body.error.additionalInfo[0].info.hint, "cannot be undone");
  const result = await lab.arm("GET", resultOf(accepted));
  assert.equal([result.status, result.body.error.code], [409, "DeviceAlreadyClaimed"]);
  assert.is(lab.service.tenantOf(deviceIdentifiers[0] ?? ""), undefined);
  await lab.stop();
});

test("what is wrong with the request itself is refused at once", async () => {
  const lab = await startService(LONG);
  lab.service.products.put(lab.tenantId, "Fridge", "");
  const { deviceId } = lab.claimed();
  lab.service.devices.assign(lab.tenantId, deviceId, { product: "Fridge", group: "Field Test" });
  const at = (path: string) => `${lab.catalog}/${path}`;
  const none = ".default/deviceGroups/.unassigned";
  const given = (properties: object) => ({ properties });
  for (const [method, path, body, status] of [
    ["PUT", lab.catalog.replace("contoso", "a.b"), {}, 400],
    ["PUT", at("products/a.b"), {}, 400],
    ["PATCH", at("products/.default"), {}, 400],
    ["DELETE", at("products/Fridge"), undefined, 409],
    ["DELETE", at("products/.default"), undefined, 400],
    ["PUT", at("products/Oven/deviceGroups/A"), {}, 404],
    ["PUT", group(lab, "a_b"), {}, 400],
    ["PUT", group(lab, "A"), given({ osFeedType: "None" }), 400],
    ["PATCH", at(`products/${none}`), {}, 400],
    ["PATCH", group(lab, "Nobody"), {}, 404],
    ["DELETE", group(lab), undefined, 409],
    ["DELETE", at(`products/${none}`), undefined, 400],
    ["POST", at("uploadImage"), given({}), 400],
    ["PUT", at("images/x"), given({ image: "AAAA" }), 400],
    ["PUT", `${group(lab)}/deployments/x`, given({ deployedImages: [] }), 400],
    ["PUT", `${group(lab)}/deployments/.default`, given({}), 400],
    ["PUT", `${group(lab)}/devices/x`, {}, 400],
    ["PATCH", `${group(lab)}/devices/${deviceId}`, given({ deviceGroupId: "/x" }), 400],
    ["PATCH", `${group(lab)}/devices/${deviceId}`, given({ deviceGroupId: group(lab, "X") }), 404],
    ["POST", `${group(lab)}/claimDevices`, { deviceIdentifiers: ["x"] }, 400],
    [
      "POST",
      `${group(lab)}/devices/${deviceId}/generateCapabilityImage`,
      { capabilities: ["X"] },
      400,
    ],
    ["DELETE", lab.catalog, undefined, 409],
  ] as const) {
    const reply = await lab.arm(method, path, body);
    assert.is(reply.status, status, `${method} ${path}: ${reply.bytes}`);
  }
  await lab.stop();
});

test("what was accepted is done after a restart, in its order, from a store on disk", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spherule-operations-"));
  const store = openFolderStore(folder);
  const lab = await startService({ ...LONG, store });
  const image = makePackage({ signer: lab.developer }).toString("base64");
  const uploaded = await lab.arm("POST", `${lab.catalog}/uploadImage`, { properties: { image } });
  lab.clock.advance(1_000);
  await lab.arm("PUT", `${lab.catalog}/products/Fridge`, {});
  lab.clock.advance(1_000);
  const doomed = await lab.arm("DELETE", `${lab.catalog}/images/${"0".repeat(8)}`);
  assert.is(doomed.status, 204, "nothing is to do");
  await lab.stop();
  lab.clock.advance(60_000);
  assert.equal(lab.service.images.list(lab.tenantId), []);
  // Set back by a year: nobody has to wait for that.
  lab.clock.setTime(lab.clock.now() - 365 * 86_400_000);
  const again = createSecurityServer(lab.service, {
    ...{ host: "127.0.0.1", port: 0, credentials },
  });
  const { port } = await again.start();
  lab.clock.advance(5_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(lab.service.images.list(lab.tenantId).length, 1);
  assert.is(lab.service.products.list(lab.tenantId).length, 1);
  const token = again.tokens.issue().accessToken;
  const poll = statusOf(uploaded).replace(lab.url, `https://127.0.0.1:${port}`);
  const { body } = await send(poll, "GET", undefined, {
    headers: { authorization: `Bearer ${token}` },
  });
  assert.is(body.properties.properties.imageName, "TestApp");
  await again.stop();
  const kept = [...store.entries<object>("security-service/operations/")];
  assert.not.ok(
    kept.some(([, operation]) => "request" in operation),
    "no package is kept twice",
  );
  await store.close();
  rmSync(folder, { recursive: true });
});

test("a kill between work and outcome loses neither: they are one write", async () => {
  const store = openMemoryStore();
  const lab = await startService({ ...LONG, store });
  const path = `${group(lab)}/deployments/77777777-aaaa-4bbb-8ccc-888888888888`;
  lab.service.products.put(lab.tenantId, "Fridge", "");
  const accepted = await lab.arm("PUT", path, { properties: { deployedImages: [] } });
  const atKill = openMemoryStore();
  for (const [key, value] of store.entries("")) atKill.put(key, value);
  await lab.stop();
  const { clock } = lab;
  const service = createSecurityService({ store: atKill, clock, logger: lab.service.logger });
  for (let restart = 0; restart < 2; restart++) {
    const server = createSecurityServer(service, {
      ...{ host: "127.0.0.1", port: 0, credentials },
    });
    await server.start();
    clock.advance(5_000);
    await new Promise((resolve) => setImmediate(resolve));
    await server.stop();
    assert.is(service.deployments.listAll(lab.tenantId).length, 1);
  }
  const id = /operationStatuses\/([\w-]+)/.exec(statusOf(accepted))?.[1];
  const kept = atKill.get<{ failure?: object }>(`security-service/operations/${id}`);
  assert.ok(kept && kept.failure === undefined);
});

test("a store that cannot be written keeps the operation for the next start, and the service alive", async () => {
  const store = openMemoryStore();
  let full = false;
  const refusing = {
    ...store,
    put(key: string, value: unknown) {
      if (full) throw new Error("no space left on the device");
      store.put(key, value);
    },
  };
  const lab = await startService({ ...LONG, store: refusing });
  const made = await lab.arm("PUT", `${lab.catalog}/products/Fridge`, {});
  full = true;
  lab.clock.advance(5_000);
  assert.is((await lab.arm("GET", statusOf(made))).body.status, "InProgress");
  full = false;
  await lab.server.stop();
  await lab.server.start();
  lab.clock.advance(5_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(lab.service.products.list(lab.tenantId).length, 1);
  await lab.stop();
});

test("only so many outcomes are kept, and none that is still to come is dropped", async () => {
  const lab = await startService();
  lab.service.products.put(lab.tenantId, "Fridge", "");
  lab.server.setOperationTime(60_000);
  const pending = await lab.arm("PUT", group(lab, "Slow"), {});
  lab.server.setOperationTime(0);
  for (let index = 0; index < 210; index++) {
    lab.clock.advance(1);
    await lab.arm("PATCH", group(lab), { properties: { description: String(index) } });
  }
  const kept = [...lab.store.entries("security-service/operations/")].length;
  assert.is(kept, 201);
  assert.is((await lab.arm("GET", statusOf(pending))).body.status, "InProgress");
  await lab.stop();
});

test.run();
