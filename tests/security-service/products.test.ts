import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  createSigner,
  createTrustStore,
  readImage,
  verifyImage,
} from "../../host-sim/imagepackage/index.ts";
import { manufactureDevice, newSigningKey } from "../../host-sim/security-service/index.ts";
import { openFolderStore } from "../../host-sim/store/index.ts";
import {
  COMPONENT,
  IMAGE,
  makePackage,
  send,
  startService,
  type TestPackage,
  type TestService,
} from "./support.ts";

const test = suite<{ lab: TestService }>("Security Service over HTTPS: products to devices");
test.before.each(async (context) => {
  context.lab = await startService();
});
test.after.each(({ lab }) => lab.stop());

const SECOND = "55555555-aaaa-4bbb-8ccc-666666666666";
const DEPLOYMENT = "77777777-aaaa-4bbb-8ccc-888888888888";
const error = (reply: { status: number | string; body: { error: { code: string } } }) => [
  reply.status,
  reply.body.error.code,
];

const product = (lab: TestService, name = "Fridge") => `${lab.catalog}/products/${name}`;
const group = (lab: TestService, name = "Field Test") => `${product(lab)}/deviceGroups/${name}`;

async function withProduct(lab: TestService) {
  assert.is((await lab.done("PUT", product(lab), {})).status, 201);
}

const pack = (lab: TestService, options: Partial<TestPackage> = {}) =>
  makePackage({ signer: lab.developer, ...options });

const upload = (lab: TestService, bytes: Buffer, more: object = {}) =>
  lab.done("POST", `${lab.catalog}/uploadImage`, {
    properties: { image: bytes.toString("base64"), ...more },
  });

const deploy = (lab: TestService, imageIds: readonly string[], name = ".default") =>
  lab.done("PUT", `${group(lab)}/deployments/${name}`, {
    properties: { deployedImages: imageIds.map((imageId) => ({ properties: { imageId } })) },
  });

test("a product comes with its five device groups", async ({ lab }) => {
  const made = await lab.done("PUT", product(lab), { properties: { description: "cold" } });
  assert.is(made.status, 201);
  const { body } = await lab.arm("GET", `${product(lab)}/deviceGroups`);
  const settings = body.value.map(
    ({
      name,
      properties: { osFeedType, updatePolicy },
    }: {
      name: string;
      properties: Record<string, string>;
    }) => [name, osFeedType, updatePolicy].join(", "),
  );
  assert.equal(settings.sort(), [
    "Development, Retail, No3rdPartyAppUpdates",
    "Field Test OS Evaluation, RetailEval, UpdateAll",
    "Field Test, Retail, UpdateAll",
    "Production OS Evaluation, RetailEval, UpdateAll",
    "Production, Retail, UpdateAll",
  ]);
});

test("products are read, changed, listed, counted and deleted", async ({ lab }) => {
  await withProduct(lab);
  const changed = await lab.done("PATCH", product(lab), { properties: { description: "colder" } });
  assert.is(changed.body.properties.description, "colder");
  assert.is((await lab.done("PUT", product(lab), {})).status, 200);
  assert.is((await lab.arm("GET", `${lab.catalog}/products`)).body.value.length, 1);
  assert.equal((await lab.arm("POST", `${product(lab)}/countDevices`)).body, { value: 0 });
  assert.is((await lab.done("DELETE", product(lab))).accepted, 202);
  assert.is((await lab.done("DELETE", product(lab))).accepted, undefined);
  assert.equal(error(await lab.arm("GET", product(lab))), [404, "ResourceNotFound"]);
  assert.equal(error(await lab.done("PATCH", product(lab), {})), [404, "ResourceNotFound"]);
  assert.equal(error(await lab.arm("GET", `${product(lab)}/deviceGroups`)), [
    404,
    "ResourceNotFound",
  ]);
});

test("default groups that were deleted come back, those that are there stay", async ({ lab }) => {
  await withProduct(lab);
  await lab.done("DELETE", group(lab));
  await lab.done("PATCH", group(lab, "Production"), { properties: { description: "mine" } });
  const { body } = await lab.arm("POST", `${product(lab)}/generateDefaultDeviceGroups`);
  assert.is(body.value.length, 5);
  const kept = await lab.arm("GET", group(lab, "Production"));
  assert.is(kept.body.properties.description, "mine");
});

test("names with dots, spaces at the ends and the system's own are refused", async ({ lab }) => {
  for (const name of ["a.b", "%20x", "x".repeat(51)]) {
    assert.equal(error(await lab.done("PUT", product(lab, name), {})), [
      400,
      "InvalidResourceName",
    ]);
  }
  assert.equal(error(await lab.done("PUT", product(lab, ".default"), {})), [
    400,
    "ReservedResourceName",
  ]);
  assert.equal(error(await lab.done("DELETE", product(lab, ".default"))), [
    400,
    "ReservedResourceName",
  ]);
  await withProduct(lab);
  assert.equal(error(await lab.done("PUT", group(lab, "a_b"), {})), [400, "InvalidResourceName"]);
});

test("device groups are made, read, changed and deleted", async ({ lab }) => {
  await withProduct(lab);
  const path = group(lab, "Pilot 1");
  const made = await lab.done("PUT", path, {
    properties: { osFeedType: "RetailEval", allowCrashDumpsCollection: "Enabled" },
  });
  assert.is(made.status, 201);
  assert.equal(made.body.properties, {
    description: "",
    osFeedType: "RetailEval",
    updatePolicy: "UpdateAll",
    allowCrashDumpsCollection: "Enabled",
    regionalDataBoundary: "None",
    hasDeployment: false,
    provisioningState: "Succeeded",
  });
  const changed = await lab.done("PATCH", path, {
    properties: { updatePolicy: "No3rdPartyAppUpdates" },
  });
  assert.is(changed.body.properties.osFeedType, "RetailEval");
  assert.is(changed.body.properties.updatePolicy, "No3rdPartyAppUpdates");
  const wrong = await lab.done("PATCH", path, { properties: { updatePolicy: "Never" } });
  assert.equal(error(wrong), [400, "InvalidRequestContent"]);
  assert.is((await lab.done("DELETE", path)).accepted, 202);
  assert.is((await lab.done("DELETE", path)).accepted, undefined);
  assert.equal(error(await lab.arm("GET", path)), [404, "ResourceNotFound"]);
});

test("a group and a product with a device in them cannot be deleted", async ({ lab }) => {
  await withProduct(lab);
  const { deviceId } = lab.claimed();
  lab.service.devices.assign(lab.tenantId, deviceId, { product: "fridge", group: "field test" });
  for (const path of [group(lab), product(lab)]) {
    assert.equal(error(await lab.done("DELETE", path)), [409, "ResourceInUse"]);
  }
  assert.is((await lab.arm("GET", `${group(lab)}/devices/${deviceId}`)).status, 200);
});

test("claims many devices at once or none, and never one of another tenant", async ({ lab }) => {
  await withProduct(lab);
  const ids = [manufactureDevice().deviceId, manufactureDevice().deviceId];
  const claim = (deviceIdentifiers: readonly unknown[]) =>
    lab.done("POST", `${group(lab)}/claimDevices`, { deviceIdentifiers });
  const foreign = manufactureDevice().deviceId;
  lab.service.claim(lab.service.createTenant("fabrikam").tenantId, foreign);
  const refused = await claim([...ids, foreign]);
  assert.equal(error(refused), [409, "DeviceAlreadyClaimed"]);
  assert.match(refused.body.error.message, "has already been claimed into another tenant");
  assert.is(lab.service.tenantOf(ids[0] ?? ""), undefined);
  assert.is((await claim(ids.map((id) => id.toUpperCase()))).status, 204);
  assert.equal((await lab.arm("POST", `${group(lab)}/countDevices`)).body, { value: 2 });
  assert.equal((await lab.arm("POST", `${product(lab)}/countDevices`)).body, { value: 2 });
  assert.equal(error(await claim(["abc"])), [400, "InvalidResourceName"]);
  assert.equal(error(await claim([7])), [400, "InvalidRequestContent"]);
});

test("devices are claimed, moved, read and taken out of a group, but not unclaimed", async ({
  lab,
}) => {
  await withProduct(lab);
  const { deviceId } = manufactureDevice();
  const none = `${lab.catalog}/products/.default/deviceGroups/.unassigned/devices/${deviceId}`;
  assert.is((await lab.done("PUT", none, {})).status, 201);
  assert.is((await lab.done("PUT", none, {})).status, 200);
  const moved = await lab.done("PATCH", none, { properties: { deviceGroupId: group(lab) } });
  assert.is(moved.body.id, `${group(lab)}/devices/${deviceId}`);
  assert.is(moved.body.properties.chipSku, "MT3620AN");
  assert.equal(error(await lab.arm("GET", none)), [404, "ResourceNotFound"]);
  const there = `${group(lab)}/devices/${deviceId}`;
  assert.is((await lab.arm("GET", `${group(lab)}/devices`)).body.value.length, 1);
  const wrong = await lab.done("PATCH", there, { properties: { deviceGroupId: "/elsewhere" } });
  assert.equal(error(wrong), [400, "InvalidRequestContent"]);
  const nowhere = { properties: { deviceGroupId: group(lab, "Nobody") } };
  assert.equal(error(await lab.done("PATCH", there, nowhere)), [404, "ResourceNotFound"]);
  assert.is((await lab.done("DELETE", there)).accepted, 202);
  assert.equal(error(await lab.done("DELETE", none)), [409, "ClaimIsPermanent"]);
  assert.is(lab.service.tenantOf(deviceId), lab.tenantId);
});

test("a capability image is for one device and signed for production", async ({ lab }) => {
  const { deviceId } = lab.claimed();
  const path = `${lab.catalog}/products/.default/deviceGroups/.unassigned/devices/${deviceId}`;
  const { accepted, body } = await lab.done("POST", `${path}/generateCapabilityImage`, {
    capabilities: ["ApplicationDevelopment"],
  });
  assert.is(accepted, 202);
  const bytes = Buffer.from(body.image, "base64");
  const certificate = lab.service.signing.productionCertificate;
  const trusted = createTrustStore([{ name: "production", certificate }]);
  assert.is(verifyImage(bytes, trusted).verdict, "valid");
  const { payload } = readImage(bytes);
  assert.equal(JSON.parse(Buffer.from(payload).toString()), { deviceId, capabilities: [11] });
  const wrong = await lab.arm("POST", `${path}/generateCapabilityImage`, { capabilities: ["All"] });
  assert.equal(error(wrong), [400, "InvalidParameter"]);
});

test("an uploaded image is signed for production and can be downloaded by its link alone", async ({
  lab,
}) => {
  const { accepted, body } = await upload(lab, pack(lab), { description: "first" });
  assert.is(accepted, 202);
  assert.is(body.name, IMAGE);
  assert.is(body.properties.componentId, COMPONENT);
  assert.is(body.properties.imageName, "TestApp");
  assert.is(body.properties.imageType, "Applications");
  const { bytes } = await send(body.properties.uri, "GET");
  const certificate = lab.service.signing.productionCertificate;
  const trusted = createTrustStore([{ name: "production", certificate }]);
  assert.is(verifyImage(bytes, trusted).verdict, "valid");
  const forged = body.properties.uri.replace(/sig=./, "sig=_");
  assert.equal(error(await send(forged, "GET")), [403, "LinkNotValid"]);
  lab.clock.advance(86_400_001);
  assert.equal(error(await send(body.properties.uri, "GET")), [403, "LinkNotValid"]);
});

test("images are put by their id, listed, read and deleted", async ({ lab }) => {
  const image = pack(lab).toString("base64");
  const path = `${lab.catalog}/images/${IMAGE}`;
  assert.is((await lab.done("PUT", path, { properties: { image } })).status, 201);
  assert.is((await lab.done("PUT", path, { properties: { image } })).status, 200);
  const other = `${lab.catalog}/images/${SECOND}`;
  assert.equal(error(await lab.done("PUT", other, { properties: { image } })), [
    "Failed",
    "ImageIdMismatch",
  ]);
  assert.is((await lab.arm("GET", `${lab.catalog}/images`)).body.value.length, 1);
  assert.is((await lab.arm("GET", path)).body.properties.imageId, IMAGE);
  assert.is((await lab.done("DELETE", path)).accepted, 202);
  assert.is((await lab.done("DELETE", path)).accepted, undefined);
  assert.equal(error(await lab.arm("GET", path)), [404, "ResourceNotFound"]);
});

test("damaged, foreign, too large and wrongly named packages are refused, nothing is kept", async ({
  lab,
}) => {
  const good = pack(lab);
  const cut = good.subarray(0, 50);
  const changed = Buffer.from(good);
  changed[good.length - 1] = (changed[good.length - 1] ?? 0) ^ 1;
  const stranger = newSigningKey("a stranger", lab.clock.now());
  assert.equal(error(await upload(lab, cut)), [400, "ImageNotValid"]);
  assert.equal(error(await upload(lab, changed)), [400, "ImageNotTrusted"]);
  const foreign = await upload(lab, pack(lab, { signer: stranger }));
  assert.equal(error(foreign), [400, "ImageNotTrusted"]);
  const { thumbprint } = createSigner(stranger.privateKey, stranger.certificate);
  assert.match(foreign.body.error.message, thumbprint);
  const large = await upload(lab, Buffer.alloc(1024 * 1024 + 1));
  assert.equal(error(large), [400, "ImageTooLarge"]);
  const text = await lab.done("POST", `${lab.catalog}/uploadImage`, { properties: { image: "§" } });
  assert.equal(error(text), [400, "InvalidRequestContent"]);
  assert.equal(lab.service.images.list(lab.tenantId), []);
  lab.known.push(stranger);
  assert.is((await upload(lab, pack(lab, { signer: stranger }))).status, 200);
});

test("a name belongs to one component of a catalog", async ({ lab }) => {
  await upload(lab, pack(lab));
  const taken = await upload(lab, pack(lab, { componentId: SECOND, imageId: SECOND }));
  assert.equal(error(taken), [409, "ImageNameConflict"]);
  assert.is((await upload(lab, pack(lab, { imageId: SECOND }))).status, 200);
});

test("a temporary image is gone after two days and cannot be deployed", async ({ lab }) => {
  await withProduct(lab);
  await upload(lab, pack(lab), { temporary: true });
  assert.equal(error(await deploy(lab, [IMAGE])), ["Failed", "DeploymentConflict"]);
  lab.clock.advance(2 * 86_400_000);
  assert.equal(lab.service.images.list(lab.tenantId), []);
});

test("deployments are made, read, listed and deleted; the newest counts", async ({ lab }) => {
  await withProduct(lab);
  await upload(lab, pack(lab));
  await upload(lab, pack(lab, { imageId: SECOND }));
  const first = await deploy(lab, [IMAGE]);
  assert.is(first.status, 201);
  assert.is((await deploy(lab, [SECOND], DEPLOYMENT)).status, 201);
  const current = await lab.arm("GET", `${group(lab)}/deployments/.default`);
  assert.is(current.body.name, DEPLOYMENT);
  assert.is(current.body.properties.deployedImages[0].properties.imageId, SECOND);
  assert.is((await lab.arm("GET", `${group(lab)}/deployments`)).body.value.length, 2);
  assert.is((await lab.arm("GET", group(lab))).body.properties.hasDeployment, true);
  assert.is((await lab.arm("POST", `${lab.catalog}/listDeployments`)).body.value.length, 2);
  assert.equal(error(await deploy(lab, [SECOND], DEPLOYMENT)), [
    "Failed",
    "DeploymentAlreadyExists",
  ]);
  assert.equal(error(await lab.done("DELETE", `${lab.catalog}/images/${SECOND}`)), [
    409,
    "ImageInUse",
  ]);
  const path = `${group(lab)}/deployments/${DEPLOYMENT}`;
  assert.is((await lab.done("DELETE", path)).accepted, 202);
  assert.is((await lab.done("DELETE", path)).accepted, undefined);
  assert.equal(error(await lab.arm("GET", path)), [404, "ResourceNotFound"]);
});

test("unknown, conflicting and too many images are not deployed", async ({ lab }) => {
  await withProduct(lab);
  assert.equal(error(await deploy(lab, [IMAGE])), ["Failed", "ResourceNotFound"]);
  const noise = (seed: number) =>
    Buffer.from(Uint8Array.from({ length: 600_000 }, (_, at) => (at * seed) >> 7));
  await upload(lab, pack(lab, { program: noise(7919) }));
  await upload(lab, pack(lab, { imageId: SECOND }));
  const conflict = await deploy(lab, [IMAGE, SECOND]);
  assert.equal(error(conflict), ["Failed", "DeploymentConflict"]);
  assert.match(conflict.body.error.message, COMPONENT);
  const other = { name: "Other", componentId: SECOND, imageId: DEPLOYMENT, program: noise(104729) };
  await upload(lab, pack(lab, { ...other, realTime: true }));
  assert.equal(error(await deploy(lab, [IMAGE, DEPLOYMENT])), ["Failed", "DeploymentTooLarge"]);
  const kernel = { name: "Kernel", componentId: DEPLOYMENT, imageId: COMPONENT, imageType: 7 };
  await upload(lab, pack(lab, kernel));
  assert.equal(error(await deploy(lab, [COMPONENT])), ["Failed", "DeploymentConflict"]);
  const nobody = `${lab.catalog}/products/.default/deviceGroups/.unassigned/deployments/.default`;
  const body = { properties: { deployedImages: [{ id: IMAGE }] } };
  assert.equal(error(await lab.done("PUT", nobody, body)), [400, "ReservedResourceName"]);
  assert.equal(error(await lab.done("PUT", `${group(lab)}/deployments/x`, body)), [
    400,
    "InvalidResourceName",
  ]);
  const missing = await lab.done("PUT", `${group(lab)}/deployments/.default`, { properties: {} });
  assert.equal(error(missing), [400, "InvalidRequestContent"]);
  assert.equal(lab.service.deployments.listAll(lab.tenantId), []);
});

test("a deployment has one high-level application, two for real-time cores, and a board", async ({
  lab,
}) => {
  await withProduct(lab);
  const ids: string[] = [];
  const add = async (options: Partial<TestPackage>) => {
    const [componentId, imageId] = [randomUUID(), randomUUID()];
    const name = `Image ${ids.push(imageId)}`;
    await upload(lab, pack(lab, { name, componentId, imageId, ...options }));
    return imageId;
  };
  const high = [await add({}), await add({})];
  const real = [
    await add({ realTime: true }),
    await add({ realTime: true }),
    await add({ realTime: true }),
  ];
  const board = await add({ imageType: 21 });
  const two = await deploy(lab, high);
  assert.equal(error(two), ["Failed", "DeploymentConflict"]);
  assert.match(two.body.error.message, "'Image 1' and 'Image 2' are both high-level applications");
  const three = await deploy(lab, real);
  assert.equal(error(three), ["Failed", "DeploymentConflict"]);
  assert.match(three.body.error.message, "3 real-time applications for 2 cores");
  const fits = [high[0] ?? "", ...real.slice(1), board];
  assert.is((await deploy(lab, fits)).status, 201);
});

test("what fails half-way leaves nothing behind in a store on disk either", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spherule-service-"));
  const store = openFolderStore(folder);
  const lab = await startService({ store });
  await withProduct(lab);
  const foreign = manufactureDevice().deviceId;
  lab.service.claim(lab.service.createTenant("fabrikam").tenantId, foreign);
  const own = manufactureDevice().deviceId;
  const deviceIdentifiers = [own, foreign];
  const refused = await lab.done("POST", `${group(lab)}/claimDevices`, { deviceIdentifiers });
  assert.equal(error(refused), [409, "DeviceAlreadyClaimed"]);
  assert.is(lab.service.tenantOf(own), undefined);
  await upload(lab, pack(lab));
  assert.is((await deploy(lab, [IMAGE])).status, 201);
  assert.is((await lab.arm("GET", `${product(lab)}/deviceGroups`)).body.value.length, 5);
  assert.is((await lab.done("DELETE", product(lab))).accepted, 202);
  assert.equal([...store.entries(`security-service/groups/${lab.tenantId}`)], []);
  assert.equal(lab.service.deployments.listAll(lab.tenantId), []);
  await lab.stop();
  await store.close();
  rmSync(folder, { recursive: true });
});

test.run();
