// deadline: 240 s
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseManifest } from "../../host-sim/imagepackage/index.ts";
import { readHardware } from "../../host-sim/lab/app-image.ts";
import { startLab } from "../../host-sim/lab.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { manifestText, ONE, packApp, TRUST, TRUSTING, TWO, WASM } from "./packages.ts";
import { CA, startRest, type TestRest } from "./support.ts";

const test = suite("bad input to the device REST API");
const THREE = "0d0b3d54-7d9b-4b7f-9f3c-6f0b9a4d6f10";
const DOCUMENTED = documentedNumbers();

let device: TestRest;
test.before.each(async () => {
  device = await startRest(TRUSTING);
});
test.after.each(() => device.stop());

/** The numbers of the table of refusals; a range of manifests' numbers is one of its rows. */
function documentedNumbers(): (number: number) => boolean {
  const page = readFileSync(join(packageFolder(), "docs/device-rest.md"), "utf8");
  const [, section = ""] = page.split("\n## Refusals\n");
  const rows = [...section.matchAll(/^\| ([\d /]+) \|/gm)].map(([, cell = ""]) => cell);
  const numbers = new Set(rows.flatMap((cell) => cell.split(" / ").map(Number)));
  const manifest = (number: number) =>
    (number > 2_097_152 && number < 2_097_203) || (number >= 5_242_883 && number <= 5_242_896);
  return (number) => numbers.has(number) || manifest(number);
}

/** Everything that a request could have changed. */
async function snapshot(): Promise<string> {
  const paths = ["/images", "/wifi/config/networks", "/certstore/certs", "/net/proxy"];
  paths.push("/net/interfaces", "/device/manufacturing_state", "/device/capabilities");
  paths.push(`/app/status/${ONE}`);
  const answers = await Promise.all(paths.map((path) => device.get(path)));
  return answers.map(({ text }) => text).join("\n");
}

const whole = packApp();
const damaged = fc
  .record({
    at: fc.nat({ max: whole.length - 1 }),
    bytes: fc.uint8Array({ maxLength: 8 }),
    taken: fc.nat({ max: 64 }),
  })
  .map(({ at, bytes, taken }) =>
    Buffer.concat([whole.subarray(0, at), Buffer.from(bytes), whole.subarray(at + taken)]),
  )
  .filter((bytes) => !bytes.equals(whole));

test("any bytes to stage: a documented refusal, and nothing is staged", async () => {
  const random = fc.uint8Array({ maxLength: 9_000 }).map((bytes) => Buffer.from(bytes));
  await fc.assert(
    fc.asyncProperty(fc.oneof(random, damaged), async (bytes) => {
      const { status, json } = await device.call("PUT", "/update/stage", bytes);
      assert.is(status, 400);
      assert.ok(DOCUMENTED(json.error), String(json.error));
      assert.is((await device.get("/images")).json.has_staged_updates, false);
    }),
    { numRuns: 150 },
  );
});

const BODIES: Readonly<Record<string, object>> = {
  "PUT /device/manufacturing_state": { manufacturingState: "Module1Complete" },
  "POST /update/install": { appControlMode: "Manual" },
  [`PATCH /app/status/${ONE}`]: { trigger: "stop" },
  "POST /certstore/certs/one": { certType: "client", publicCert: "-", privateKey: "-" },
  "PATCH /net/interfaces/wlan0": { hardwareAddress: "02:00:00:00:00:01" },
  "POST /net/proxy": {
    ...{ enabled: true, address: "proxy", port: 8080, authenticationType: "basic" },
    ...{ username: "me", password: "secret", noProxyAddresses: ["localhost"] },
  },
  "POST /wifi/config/networks": { ssid: "a", securityState: "psk", psk: "12345678" },
  "PATCH /wifi/config/networks/0": { configState: "disabled", psk: "12345678" },
  "PATCH /wifi/interface": { enablePowerSavings: true, reloadConfig: true },
};

/** A good body in which one field has another value, or is not there. */
const wrongBody = fc.constantFrom(...Object.keys(BODIES)).chain((operation) => {
  const good = BODIES[operation] ?? {};
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constant(undefined));
  const changed = fc
    .record({ name: fc.constantFrom(...Object.keys(good)), value })
    .map(({ name, value: other }) => ({ ...good, [name]: other }));
  return fc.record({
    operation: fc.constant(operation),
    body: fc.oneof(changed, fc.jsonValue({ maxDepth: 3 }), fc.string()),
  });
});

test("any JSON to any operation: done, or a documented refusal that changes nothing", async () => {
  await fc.assert(
    fc.asyncProperty(wrongBody, async ({ operation, body }) => {
      const [method = "", path = ""] = operation.split(" ");
      const before = await snapshot();
      const answer = await device.call(method, path, JSON.stringify(body));
      if (answer.status < 300) return;
      assert.ok([400, 404, 409].includes(answer.status), `${operation} ${answer.status}`);
      assert.ok(DOCUMENTED(answer.json.error), `${operation} ${answer.json.error}`);
      assert.is(await snapshot(), before);
    }),
    { numRuns: 300 },
  );
});

/** An upload in pieces, as somebody sends it who takes his time. */
async function beginUpload(bytes: Buffer, sent: number) {
  const options = { host: "127.0.0.1", port: device.port, ca: CA, servername: "localhost" };
  const socket = connect(options);
  await new Promise<void>((resolve) => socket.once("secureConnect", () => resolve()));
  const head = `PUT /update/stage HTTP/1.1\r\nHost: d\r\nContent-Length: ${bytes.length}\r\n\r\n`;
  socket.write(Buffer.concat([Buffer.from(head), bytes.subarray(0, sent)]));
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  return { socket, rest: bytes.subarray(sent), text: () => text };
}

test("a slow upload holds nobody up, and is taken when it is there", async () => {
  const { socket, rest, text } = await beginUpload(whole, 100);
  assert.is((await device.get("/status")).status, 200);
  assert.is((await device.call("PUT", "/update/stage", packApp({ component: TWO }))).status, 200);
  for (let at = 0; at < rest.length; at += 4096) {
    socket.write(rest.subarray(at, at + 4096));
    assert.is((await device.get("/osversion")).status, 200);
  }
  while (!text().includes("{}")) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.match(text(), "HTTP/1.1 200 OK");
  socket.destroy();
  await device.call("POST", "/update/install");
  assert.is(device.os.applications.list().length, 2);
});

test("an upload that is cut short leaves nothing, wherever that happens", async () => {
  for (const sent of [0, 1, 4096, whole.length - 1]) {
    const { socket } = await beginUpload(whole, sent);
    socket.destroy();
    assert.is((await device.get("/images")).json.has_staged_updates, false);
  }
  assert.is((await device.call("PUT", "/update/stage", whole)).status, 200);
});

test("staging, installing, starting and deleting all at once end in one order or another", async () => {
  for (let round = 0; round < 10; round++) {
    const components = [ONE, TWO, THREE];
    const gpio = { capabilities: { Gpio: [8] } };
    const packages = components.map((component) => packApp({ component, ...gpio }));
    const install = () => device.call("POST", "/update/install");
    const answers = await Promise.all([
      ...packages.map((bytes) => device.call("PUT", "/update/stage", bytes)),
      ...[install(), install()],
      ...components.map((component) =>
        device.call("PATCH", `/app/status/${component}`, { trigger: "start" }),
      ),
      ...[install(), device.call("DELETE", `/app/image/${ONE}`), install()],
    ]);
    for (const { status, json } of answers) {
      if (status !== 200) assert.ok(DOCUMENTED(json.error), String(json.error));
    }
    const { applications } = device.os;
    const running = components.filter((each) => applications.state(each) === "running");
    assert.ok(running.length <= 1, "they want the same pin");
    assert.not(device.os.images.anyStaged);
    for (const each of components) await device.call("DELETE", `/app/image/${each}`);
    assert.equal(applications.list(), []);
  }
});

test("a loss of power at any write of an installation leaves all of it or nothing", async () => {
  const own = manifestText({ component: THREE });
  const app = {
    ...{ manifest: parseManifest(own), wasm: WASM, file: "app.wasm" },
    hardware: readHardware(packageFolder()),
  };
  const pack = (component: string, name: string) => packApp({ component, name });
  const seen = new Set<string>();
  for (let writes = 0; !seen.has("through"); writes++) {
    const lab = await startLab({ app, developers: TRUST.development });
    const [board] = lab.devices;
    assert.ok(board);
    const names = () =>
      board.os.applications
        .list()
        .filter(({ componentId }) => componentId !== THREE)
        .map(({ name }) => name)
        .sort();
    board.os.images.stage(pack(TWO, "before"));
    await board.os.images.install(true);
    board.failPowerAfter(writes);
    board.os.images.stage(pack(TWO, "after"));
    board.os.images.stage(pack(ONE, "beside"));
    const done = await board.os.images.install(true).then(
      () => true,
      () => false,
    );
    await new Promise((resolve) => setImmediate(resolve));
    if (done && board.powered) seen.add("through");
    await board.cutPower();
    await board.powerOn();
    const now = names().join();
    assert.ok(["before", "after,beside"].includes(now), now);
    seen.add(now);
    while (board.os.applications.state(TWO) !== "running") {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await lab.stop();
  }
  assert.equal([...seen].sort(), ["after,beside", "before", "through"]);
});

test.run();
