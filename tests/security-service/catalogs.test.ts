import { X509Certificate } from "node:crypto";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LAB_SUBSCRIPTION, manufactureDevice } from "../../host-sim/security-service/index.ts";
import { startService, type TestService } from "./support.ts";

const test = suite<{ lab: TestService }>("Security Service over HTTPS: catalogs, certificates");
test.before.each(async (context) => {
  context.lab = await startService();
});
test.after.each(({ lab }) => lab.stop());

const YEAR_MS = 365 * 86_400_000;
const PROVIDER = "providers/Microsoft.AzureSphere";
const SCOPE = `/subscriptions/${LAB_SUBSCRIPTION}`;

test("lists the operations of the provider", async ({ lab }) => {
  const { status, body } = await lab.arm("GET", `/${PROVIDER}/operations`);
  assert.is(status, 200);
  // 44 with a resource, and this list itself.
  assert.is(body.value.length, 44);
  const names = body.value.map(({ name }: { name: string }) => name);
  assert.ok(names.includes("Microsoft.AzureSphere/catalogs/products/deviceGroups/write"));
});

test("gets, lists, changes and deletes catalogs", async ({ lab }) => {
  const { body } = await lab.arm("GET", lab.catalog);
  assert.is(body.id, lab.catalog);
  assert.is(body.type, "Microsoft.AzureSphere/catalogs");
  assert.equal(body.properties, { tenantId: lab.tenantId, provisioningState: "Succeeded" });

  const other = `${SCOPE}/resourceGroups/field/${PROVIDER}/catalogs/fabrikam`;
  const made = await lab.done("PUT", other, { location: "global", tags: { cost: "7" } });
  assert.is(made.status, 201);
  assert.is((await lab.arm("PUT", other, { tags: { cost: "8" } })).status, 200);
  assert.is.not(made.body.properties.tenantId, lab.tenantId);
  const changed = await lab.arm("PATCH", other, { tags: { cost: "9" } });
  assert.equal(changed.body.tags, { cost: "9" });
  const names = async (path: string) =>
    (await lab.arm("GET", path)).body.value.map(({ name }: { name: string }) => name).sort();
  assert.equal(await names(`${SCOPE}/${PROVIDER}/catalogs`), ["contoso", "fabrikam"]);
  assert.equal(await names(`${SCOPE}/resourceGroups/FIELD/${PROVIDER}/catalogs`), ["fabrikam"]);
  assert.is((await lab.done("DELETE", other)).accepted, 202);
  assert.is((await lab.arm("DELETE", other)).status, 204);
  assert.is((await lab.arm("GET", other)).status, 404);
});

test("refuses bad names, bad tags, other subscriptions, and a catalog with devices", async ({
  lab,
}) => {
  const problem = async (method: string, path: string, body?: unknown) => {
    const reply = await lab.arm(method, path, body);
    return [reply.status, reply.body.error.code];
  };
  const catalogs = `${SCOPE}/resourceGroups/lab/${PROVIDER}/catalogs`;
  assert.equal(await problem("PUT", `${catalogs}/a.b`), [400, "InvalidResourceName"]);
  assert.equal(await problem("PUT", `${catalogs}/ok`, { tags: [1] }), [
    400,
    "InvalidRequestContent",
  ]);
  assert.equal(await problem("GET", `${catalogs}/nobody`), [404, "ResourceNotFound"]);
  const elsewhere = lab.catalog.replace(LAB_SUBSCRIPTION, manufactureDevice().deviceId);
  assert.equal(await problem("GET", elsewhere), [404, "SubscriptionNotFound"]);
  lab.claimed();
  assert.equal(await problem("DELETE", lab.catalog), [409, "ResourceInUse"]);
});

test("counts and lists the devices, groups, deployments and insights of a catalog", async ({
  lab,
}) => {
  lab.claimed();
  lab.claimed();
  lab.service.products.put(lab.tenantId, "Fridge", "");
  const [device] = lab.service.devices.list(lab.tenantId);
  lab.service.insights.record(lab.tenantId, device?.deviceId ?? "", {
    description: "the app ended with exit code 64",
    eventCategory: "AppCrash",
    eventClass: "Application",
    eventType: "64",
  });
  const post = (name: string, body?: unknown) => lab.arm("POST", `${lab.catalog}/${name}`, body);
  assert.equal((await post("countDevices")).body, { value: 2 });
  assert.is((await post("listDevices")).body.value.length, 2);
  assert.is((await post("listDeviceGroups", {})).body.value.length, 5);
  const field = await post("listDeviceGroups", { deviceGroupName: "field test" });
  assert.equal(
    field.body.value.map(({ name }: { name: string }) => name),
    ["Field Test"],
  );
  assert.equal((await post("listDeployments")).body, { value: [] });
  const [insight] = (await post("listDeviceInsights")).body.value;
  assert.is(insight.eventCount, 1);
  assert.is(insight.startTimestampUtc, "2026-06-01T00:00:00.000Z");
});

test("gives certificate, chain and proof of possession under all names of a certificate", async ({
  lab,
}) => {
  const certificates = `${lab.catalog}/certificates`;
  const list = (await lab.arm("GET", certificates)).body.value;
  assert.is(list.length, 1);
  for (const name of ["active", ".default", list[0].name, list[0].name.toLowerCase()]) {
    const { status, body } = await lab.arm("GET", `${certificates}/${name}`);
    assert.is(status, 200);
    const parsed = new X509Certificate(Buffer.from(body.properties.certificate, "base64"));
    assert.is(parsed.serialNumber, body.name);
    assert.is(body.properties.status, "Active");
  }
  const chain = await lab.arm("POST", `${certificates}/active/retrieveCertChain`);
  const bundle = Buffer.from(chain.body.certificateChain, "base64");
  const [ca] = lab.service.certificates(lab.tenantId);
  assert.ok(bundle.includes(new X509Certificate(ca?.pem ?? "").raw));
  const proof = await lab.arm("POST", `${certificates}/active/retrieveProofOfPossessionNonce`, {
    proofOfPossessionNonce: "AB12",
  });
  const certificate = new X509Certificate(Buffer.from(proof.body.certificate, "base64"));
  assert.is(certificate.subject, "CN=AB12");
  assert.ok(certificate.verify(new X509Certificate(ca?.pem ?? "").publicKey));
  const missing = await lab.arm("GET", `${certificates}/00`);
  assert.is(missing.status, 404);
  const noCode = await lab.arm("POST", `${certificates}/active/retrieveProofOfPossessionNonce`);
  assert.is(noCode.body.error.code, "InvalidRequestContent");
});

test("the next CA is issued 60 days ahead, signs 30 days ahead, and an expired one is only listed", async ({
  lab,
}) => {
  const states = () => lab.service.certificates(lab.tenantId).map(({ status }) => status);
  const first = Date.parse(lab.service.certificates(lab.tenantId)[0]?.notAfter ?? "");
  const at = (days: number) => lab.clock.setTime(first + days * 86_400_000);
  at(-61);
  assert.equal(states(), ["Active"]);
  at(-59);
  assert.equal(states(), ["Active", "Inactive"]);
  at(-29);
  assert.equal(states(), ["Inactive", "Active"]);
  at(1);
  assert.equal(states(), ["Expired", "Active"]);
  const token = lab.server.tokens.issue(YEAR_MS).accessToken;
  const headers = { authorization: `Bearer ${token}` };
  const certificates = `${lab.catalog}/certificates`;
  const [old] = (await lab.arm("GET", certificates, undefined, headers)).body.value;
  assert.is(old.properties.certificate, undefined);
  const chain = `${certificates}/${old.name}/retrieveCertChain`;
  const refused = await lab.arm("POST", chain, undefined, headers);
  assert.equal([refused.status, refused.body.error.code], [409, "CertificateExpired"]);
});

test.run();
