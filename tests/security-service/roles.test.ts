import { randomUUID } from "node:crypto";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { manufactureDevice } from "../../host-sim/security-service/index.ts";
import { makePackage, startService, type TestService } from "./support.ts";

const test = suite<{ lab: TestService }>("Security Service over HTTPS: who may do what");
test.before.each(async (context) => {
  context.lab = await startService();
});
test.after.each(({ lab }) => lab.stop());

const OWNER = "Azure Sphere Owner";
const CONTRIBUTOR = "Azure Sphere Contributor";
const READER = "Azure Sphere Reader";
const AUTHORIZATION = "providers/Microsoft.Authorization/roleAssignments";
const VERSION = "api-version=2022-04-01";

const codeOf = (reply: { status: number; body: { error: { code: string } } }) => [
  reply.status,
  reply.body.error.code,
];

/** Requests of a user of that name. */
function as(lab: TestService, user: string) {
  const authorization = `Bearer ${lab.server.tokens.issue(3_600_000, user).accessToken}`;
  return (method: string, path: string, body?: unknown) =>
    lab.arm(method, path, body, { authorization });
}

const assignments = (lab: TestService, id = "") =>
  `${lab.catalog}/${AUTHORIZATION}${id && `/${id}`}?${VERSION}`;

/** @param ask whose request it is; the lab's own when absent */
function give(
  lab: TestService,
  user: string,
  role: string,
  ask = lab.arm,
  id: string = randomUUID(),
) {
  const properties = { principalId: user, roleDefinitionId: role };
  return ask("PUT", assignments(lab, id), { properties });
}

test("a user without a role sees no catalog, and is told what is missing", async ({ lab }) => {
  const eve = as(lab, "eve@example.com");
  const refused = await eve("GET", lab.catalog);
  assert.equal(codeOf(refused), [403, "AuthorizationFailed"]);
  assert.match(refused.body.error.message, "The client 'eve@example.com' does not have auth");
  assert.match(refused.body.error.message, "'Microsoft.AzureSphere/catalogs/read'");
  assert.match(refused.body.error.additionalInfo[0].info.hint, "azsphere role add");
  const subscription = lab.catalog.split("/").slice(0, 3).join("/");
  const listed = await eve("GET", `${subscription}/providers/Microsoft.AzureSphere/catalogs`);
  assert.equal(listed.body, { value: [] });
});

test("a reader reads, a contributor changes, an administrator gives roles", async ({ lab }) => {
  await lab.done("PUT", `${lab.catalog}/products/Fridge`, {});
  const { deviceId } = lab.claimed();
  const group = `${lab.catalog}/products/Fridge/deviceGroups/Development`;
  const image = makePackage({ signer: lab.developer }).toString("base64");
  const reads = [
    ["GET", lab.catalog],
    ["GET", `${group}/devices`],
    ["POST", `${lab.catalog}/listDevices`],
    ["POST", `${lab.catalog}/countDevices`],
    ["POST", `${lab.catalog}/certificates/active/retrieveCertChain`],
    ["GET", assignments(lab)],
  ] as const;
  const changes = [
    ["PUT", `${lab.catalog}/products/Oven`, {}],
    ["PATCH", `${lab.catalog}/products/Fridge`, { properties: { description: "x" } }],
    ["POST", `${lab.catalog}/uploadImage`, { properties: { image } }],
    ["POST", `${group}/claimDevices`, { deviceIdentifiers: [manufactureDevice().deviceId] }],
    [
      "POST",
      `${lab.catalog}/certificates/active/retrieveProofOfPossessionNonce`,
      { proofOfPossessionNonce: "A1" },
    ],
    [
      "POST",
      `${lab.catalog}/products/.default/deviceGroups/.unassigned/devices/${deviceId}/generateCapabilityImage`,
      { capabilities: [] },
    ],
    ["DELETE", `${group}/deployments/${randomUUID()}`],
    ["POST", `${lab.catalog}/products/Fridge/generateDefaultDeviceGroups`],
    ["GET", `${lab.catalog}/products/Fridge/generateDefaultDeviceGroups`],
  ] as const;
  const ownersOnly = [
    ["PATCH", lab.catalog, { tags: {} }],
    ["PUT", assignments(lab, randomUUID()), {}],
    ["DELETE", assignments(lab, randomUUID())],
    ["DELETE", lab.catalog],
  ] as const;
  type Request = readonly [method: string, path: string, body?: unknown];
  const allowed = async (user: string, requests: readonly Request[]) => {
    const results = [];
    for (const [method, path, body] of requests) {
      results.push((await as(lab, user)(method, path, body)).status !== 403);
    }
    return results;
  };
  const all = (requests: readonly Request[], value: boolean) => requests.map(() => value);
  for (const [user, role, may] of [
    ["reader@example.com", READER, [true, false, false]],
    ["contributor@example.com", CONTRIBUTOR, [true, true, false]],
    ["owner@example.com", OWNER, [true, true, true]],
  ] as const) {
    assert.is((await give(lab, user, role)).status, 201);
    assert.equal(await allowed(user, reads), all(reads, may[0]), `${role} reads`);
    assert.equal(await allowed(user, changes), all(changes, may[1]), `${role} changes`);
    assert.equal(await allowed(user, ownersOnly), all(ownersOnly, may[2]), `${role} owns`);
  }
});

test("who makes a catalog owns it; the lab's own user owns all", async ({ lab }) => {
  const alice = as(lab, "alice@example.com");
  const own = lab.catalog.replace("contoso", "fabrikam");
  assert.is((await alice("PUT", own, {})).status, 201);
  assert.is((await alice("GET", own)).status, 200);
  assert.is((await lab.arm("GET", own)).status, 200);
  assert.equal(codeOf(await as(lab, "bob@example.com")("GET", own)), [403, "AuthorizationFailed"]);
  assert.is((await alice("DELETE", own)).status, 202);
  assert.is((await alice("PUT", own, {})).status, 201, "a new one of that name");
  assert.is(lab.service.tenants.list().length, 2);
});

test("roles are listed, taken away, and given once; the highest counts", async ({ lab }) => {
  const bob = as(lab, "bob@example.com");
  const id = randomUUID();
  await give(lab, "Bob@Example.com", READER, lab.arm, id);
  assert.equal(codeOf(await give(lab, "bob@example.com", READER)), [409, "RoleAssignmentExists"]);
  assert.equal(codeOf(await give(lab, "lab", READER)), [409, "RoleAssignmentExists"]);
  await give(lab, "bob@example.com", "c8ae6279-5a0b-4cb2-b3f0-d4d62845742c").then((reply) =>
    assert.equal(codeOf(reply), [409, "RoleAssignmentExists"]),
  );
  const second = (await give(lab, "bob@example.com", OWNER)).body;
  assert.is(second.properties.roleDefinitionName, OWNER);
  const { body } = await lab.arm("GET", assignments(lab));
  assert.equal(
    body.value.map(({ properties }: { properties: { roleDefinitionName: string } }) => {
      return properties.roleDefinitionName;
    }),
    [OWNER, READER],
  );
  assert.is((await bob("PATCH", lab.catalog, {})).status, 200);
  assert.is((await lab.arm("DELETE", assignments(lab, second.name))).status, 200);
  assert.is((await lab.arm("DELETE", assignments(lab, second.name))).status, 204);
  assert.equal(codeOf(await bob("PATCH", lab.catalog, {})), [403, "AuthorizationFailed"]);
  await lab.arm("DELETE", assignments(lab, id));
  assert.equal(codeOf(await bob("GET", lab.catalog)), [403, "AuthorizationFailed"]);
});

test("roles that are none, users that are none, and the wrong version are refused", async ({
  lab,
}) => {
  const problem = async (user: unknown, role: unknown, id: string = randomUUID()) =>
    codeOf(
      await lab.arm("PUT", assignments(lab, id), {
        properties: { principalId: user, roleDefinitionId: role },
      }),
    );
  assert.equal(await problem("a@b", "King"), [400, "InvalidRequestContent"]);
  assert.equal(await problem("a b", READER), [400, "InvalidPrincipalId"]);
  assert.equal(await problem(7, READER), [400, "InvalidRequestContent"]);
  assert.equal(await problem("a@b", READER, "x"), [400, "InvalidResourceName"]);
  const path = `${lab.catalog}/${AUTHORIZATION}?api-version=2024-04-01`;
  assert.equal(codeOf(await lab.arm("GET", path)), [400, "InvalidApiVersionParameter"]);
  assert.throws(() => lab.server.tokens.issue(1_000, "a b"), "is no name of a user");
});

test("nobody is told of the operations of another user", async ({ lab }) => {
  const alice = as(lab, "alice@example.com");
  const made = await alice("PUT", lab.catalog.replace("contoso", "fabrikam"), {});
  const poll = String(made.headers["azure-asyncoperation"]);
  assert.is((await alice("GET", poll)).body.status, "Succeeded");
  assert.equal(codeOf(await lab.arm("GET", poll)), [404, "OperationNotFound"]);
});

test.run();
