import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packageFolder } from "../../host-sim/paths.ts";
import {
  createSecurityServer,
  createSecurityService,
} from "../../host-sim/security-service/index.ts";
import { credentials, send, startService, type TestService } from "./support.ts";

const test = suite<{ lab: TestService }>("Security Service over HTTPS: rules of ARM");
test.before.each(async (context) => {
  context.lab = await startService();
});
test.after.each(({ lab }) => lab.stop());

const codeOf = (reply: { body: { error: { code: string } } }) => reply.body.error.code;

test("a request without, with a foreign, and with an expired token is refused", async ({ lab }) => {
  const url = `${lab.url}${lab.catalog}?api-version=2024-04-01`;
  const none = await send(url, "GET");
  assert.is(none.status, 401);
  assert.is(codeOf(none), "AuthenticationFailed");
  assert.match(String(none.headers["www-authenticate"]), "Bearer");
  const forged = await startService();
  const foreign = await lab.arm("GET", lab.catalog, undefined, {
    authorization: `Bearer ${forged.token}`,
  });
  await forged.stop();
  assert.is(codeOf(foreign), "InvalidAuthenticationToken");
  lab.clock.advance(3_600_001);
  assert.is(codeOf(await lab.arm("GET", lab.catalog)), "ExpiredAuthenticationToken");
});

test("a token whose claims were changed is refused", async ({ lab }) => {
  const [header, claims = "", signature] = lab.token.split(".");
  const changed = { ...JSON.parse(Buffer.from(claims, "base64url").toString()), exp: 4e9 };
  const text = Buffer.from(JSON.stringify(changed)).toString("base64url");
  const reply = await lab.arm("GET", lab.catalog, undefined, {
    authorization: `Bearer ${header}.${text}.${signature}`,
  });
  assert.is(codeOf(reply), "InvalidAuthenticationToken");
});

test("the api-version has to be there and known", async ({ lab }) => {
  const headers = { authorization: `Bearer ${lab.token}` };
  const bare = await send(`${lab.url}${lab.catalog}`, "GET", undefined, { headers });
  assert.equal([bare.status, codeOf(bare)], [400, "MissingApiVersionParameter"]);
  const old = await lab.arm("GET", `${lab.catalog}?api-version=2022-09-01-preview`);
  assert.equal([old.status, codeOf(old)], [400, "InvalidApiVersionParameter"]);
});

test("unknown paths, methods and bodies are refused", async ({ lab }) => {
  const unknown = await lab.arm("GET", `${lab.catalog}/fridges`);
  assert.equal([unknown.status, codeOf(unknown)], [404, "InvalidResourceType"]);
  const method = await lab.arm("POST", lab.catalog);
  assert.equal([method.status, codeOf(method)], [405, "MethodNotAllowed"]);
  assert.match(String(method.headers.allow), "PUT");
  for (const body of [Buffer.from("{"), [1], { properties: 3 }]) {
    const reply = await lab.arm("PUT", `${lab.catalog}/products/Fridge`, body);
    assert.equal([reply.status, codeOf(reply)], [400, "InvalidRequestContent"]);
  }
  const escaped = await lab.arm("GET", `${lab.catalog}/products/%ff`);
  assert.is(escaped.status, 400);
  const large = await lab.arm("PUT", `${lab.catalog}/products/F`, Buffer.alloc(5 << 20, 32));
  assert.equal([large.status, codeOf(large)], [413, "RequestContentTooLarge"]);
  assert.equal(lab.service.products.list(lab.tenantId), []);
});

test("fixed parts of a path and names are found in any letter case", async ({ lab }) => {
  await lab.arm("PUT", `${lab.catalog}/products/Fridge`, {});
  const reply = await lab.arm("GET", `${lab.catalog.toUpperCase()}/PRODUCTS/fridge`);
  assert.is(reply.status, 200);
  assert.is(reply.body.name, "Fridge");
});

test("pages hold together over nextLink, whatever method listed first", async ({ lab }) => {
  for (let index = 0; index < 7; index++) lab.claimed();
  const seen = new Set<string>();
  let reply = await lab.arm("POST", `${lab.catalog}/listDevices?$maxpagesize=3`);
  let pages = 1;
  for (; reply.body.nextLink; pages++) {
    for (const { name } of reply.body.value) seen.add(name);
    reply = await lab.arm("GET", reply.body.nextLink);
  }
  for (const { name } of reply.body.value) seen.add(name);
  assert.is(pages, 3);
  assert.is(seen.size, 7);
});

test("top, skip and filters choose from a list", async ({ lab }) => {
  for (const name of ["Fridge", "Freezer", "Oven and hob"]) {
    lab.service.products.put(lab.tenantId, name, `It's the ${name}`);
  }
  const names = async (query: string) => {
    const { body } = await lab.arm("GET", `${lab.catalog}/products?${query}`);
    return body.value?.map(({ name }: { name: string }) => name) ?? body.error.code;
  };
  assert.equal(await names("$top=1&$skip=1"), ["Fridge"]);
  assert.equal(await names("$filter=name eq 'Oven and hob'"), ["Oven and hob"]);
  assert.equal(await names("$filter=startswith(name,'Fr') and name ne 'Fridge'"), ["Freezer"]);
  assert.equal(await names("$filter=contains(properties/description,'It''s the F')"), [
    "Freezer",
    "Fridge",
  ]);
  assert.is(await names("$filter=name like 'x'"), "InvalidFilterInQueryString");
  assert.is(await names("$top=many"), "InvalidQueryParameter");
});

test("the list of OS versions is there without a token", async ({ lab }) => {
  const { status, body } = await send(`${lab.url}/versions/mt3620an.json`, "GET");
  assert.is(status, 200);
  assert.is(body.versions[0].name, "24.03");
  assert.match(body.versions[0].images[0].cid, /^[0-9a-f-]{36}$/);
});

test("everything is there again after a restart", async ({ lab }) => {
  await lab.arm("PUT", `${lab.catalog}/products/Fridge`, { properties: { description: "cold" } });
  lab.claimed();
  const again = await startServiceOn(lab);
  const { body } = await again.arm("GET", `${lab.catalog}/products/Fridge`);
  assert.is(body.properties.description, "cold");
  assert.equal((await again.arm("POST", `${lab.catalog}/countDevices`)).body, { value: 1 });
  await again.stop();
});

test("each error of the room and of the updater has a heading in docs/errors.md", () => {
  const headings = readFileSync(join(packageFolder(), "docs/errors.md"), "utf8");
  const rooms = ["host-sim/security-service", "host-sim/device/updates"];
  const files = rooms.flatMap((room) =>
    readdirSync(join(packageFolder(), room), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => readFileSync(join(packageFolder(), room, name), "utf8")),
  );
  const codes = files.flatMap((text) =>
    [...text.matchAll(/new LabError\(\s*"([\w-]+)"/g)].map(([, code]) => code),
  );
  assert.ok(codes.length > 25);
  const missing = codes.filter((code) => !headings.includes(`\n## ${code}\n`));
  assert.equal(missing, []);
});

/** A second service on the same store, as after a restart of the lab. */
async function startServiceOn(lab: TestService) {
  const server = createSecurityServer(createSecurityService(lab.service), {
    ...{ host: "127.0.0.1", port: 0, credentials },
  });
  const { port } = await server.start();
  const arm = (method: string, path: string) => lab.arm(method, `https://127.0.0.1:${port}${path}`);
  return { arm, stop: () => server.stop() };
}

test.run();
