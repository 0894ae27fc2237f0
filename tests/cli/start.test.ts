// deadline: 240 s
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packageFolder } from "../../host-sim/paths.ts";
import { FULL_DISK, follow, launch, newProject, spherule, startProcess } from "./support.ts";

const test = suite("spherule start");

const messages = (stdout: string) =>
  stdout
    .trim()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

test("the main job, as a newcomer meets it: telemetry, twin, method, message, outages, edits", async () => {
  const { folder, remove } = newProject();
  const lab = await startProcess(folder);
  await lab.shows(/telemetry\s+\{"temperature"/);

  const set = await spherule(folder, "twin", "set", "telemetryIntervalSeconds", "1");
  assert.is(set.code, 0, set.stderr);
  const { stdout } = await spherule(
    folder,
    ...["telemetry", "--count", "2", "--timeout", "60", "--output", "json"],
  );
  const [first] = messages(stdout);
  assert.type(first.body.temperature, "number");
  assert.is(first.systemProperties["content-type"], "application/json");
  assert.is(first.deviceId.length, 128);

  const wrong = await spherule(folder, "twin", "set", "telemetryIntervalSeconds", '"soon"');
  assert.is(wrong.code, 0);
  const twin = await spherule(folder, "twin", "get", "--query", "properties.reported");
  const { telemetryIntervalSeconds: answer } = JSON.parse(twin.stdout);
  assert.is(answer.value, 1);

  const alert = await spherule(folder, "method", "invoke", "displayAlert", "--payload", '"Hot"');
  assert.equal(JSON.parse(alert.stdout), { status: 200, payload: "alert displayed" });
  await lab.shows(/ALERT: Hot/);
  const sent = await spherule(folder, "message", "send", "Hello", "--property", "urgency=low");
  assert.is(sent.code, 0, sent.stderr);
  await lab.shows(/message from the cloud: Hello/);

  await lab.post("/hub/restart");
  await lab.post("/device/press", { peripheral: "BUTTON_B" });
  await lab.post("/device/network", { up: false });
  for (let press = 0; press < 3; press++) {
    await lab.post("/device/press", { peripheral: "BUTTON_B" });
  }
  await lab.post("/hub/restart");
  await lab.post("/device/network", { up: true });
  let received: ReturnType<typeof messages> = [];
  const presses = () => received.filter(({ body }) => body.event === "buttonB");
  const pressed = () => new Set(presses().map(({ body }) => body.timestamp)).size;
  // The timer sends meanwhile, more or less often: it is read on until the presses have come.
  for (let count = 14; pressed() < 4; count = received.length + 1) {
    const all = await spherule(
      folder,
      ...["telemetry", "--from", "0", "--count", String(count), "--timeout", "90"],
      ...["--output", "json"],
    );
    assert.is(all.code, 0, all.stderr);
    received = messages(all.stdout);
  }
  assert.is(pressed(), 4);
  const order = received.map(({ body }) => body.timestamp);
  const firsts = [...new Set(order)];
  assert.equal(firsts, [...firsts].sort());

  const source = join(folder, "assembly/app/main.ts");
  const edited = readFileSync(source, "utf8").replace("thermometer started", "second edition");
  writeFileSync(source, edited);
  await lab.shows(/app\s+second edition/);
  await lab.shows(/built and started again in \d+ ms/);
  writeFileSync(source, `${edited}\nconst broken: i32 = "text";\n`);
  await lab.shows(/assembly\/app\/main\.ts\(\d+,\d+\)/);
  const status = await spherule(folder, "status", "--query", "device.app.state");
  assert.is(status.stdout.trim(), "running");

  const { code, stderr } = await lab.stop();
  assert.is(code, 0, stderr);
  assert.not(existsSync(join(folder, ".spherule/lock")));
  remove();
});

test("the README shows what start prints", async () => {
  const { folder, remove } = newProject();
  const lab = await startProcess(folder);
  await lab.shows(/telemetry\s+\{"temperature"/);
  const { code, stderr } = await lab.stop();
  assert.is(code, 0, stderr);
  const readme = readFileSync(join(packageFolder(), "README.md"), "utf8");
  const [, block = ""] = /start\.test\.ts -->\n\n((?: {4}.*\n|\n)+)/.exec(readme) ?? [];
  assert.equal(shape(block.replace(/^ {4}/gm, "")), shape(lab.output()));
  remove();
});

/** Lines up to the first telemetry, with what differs from run to run taken out. */
function shape(text: string): string[] {
  const lines = text.trim().split("\n");
  const end = lines.findIndex((line) => /telemetry {2}\{/.test(line));
  const events = lines.slice(0, end + 1).map((line) =>
    line
      .replace(/^\d\d:\d\d:\d\d/, "TIME")
      .replace(/[0-9a-f]{12}…/g, "ID…")
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
      .replace(/127\.0\.0\.1:\d+/g, "ADDRESS")
      .replace(/\S*\.spherule/g, "STATE")
      .replace(/\d+ KB/, "SIZE"),
  );
  return events.filter((line) => line !== "");
}

test("with --devices each runs the app, and each gets the next build", async () => {
  const { folder, remove } = newProject();
  const lab = await startProcess(folder, "--devices", "3");
  await lab.shows(/the first of 3/);
  for (const source of ["app", "app-2", "app-3"]) {
    await lab.shows(new RegExp(`${source} +thermometer started`));
  }
  await lab.shows(/telemetry\s+\{"temperature"/);
  const source = join(folder, "assembly/app/main.ts");
  const edited = readFileSync(source, "utf8").replace("thermometer started", "second edition");
  writeFileSync(source, edited);
  for (const name of ["app", "app-2", "app-3"]) {
    await lab.shows(new RegExp(`${name} +second edition`));
  }
  const { code, stderr } = await lab.stop();
  assert.is(code, 0, stderr);
  remove();
});

test("the state outlives the lab: the same device, no second claim", async () => {
  const { folder, remove } = newProject();
  const device = async () => {
    const lab = await startProcess(folder, "--no-watch");
    const { stdout } = await spherule(folder, "status", "--query", "device.deviceId");
    await lab.stop();
    return stdout;
  };
  const first = await device();
  assert.is(await device(), first);
  const exported = join(folder, "copy");
  assert.is((await spherule(folder, "export", exported)).code, 0);
  assert.is((await spherule(folder, "reset")).code, 0);
  assert.is((await spherule(folder, "import", exported)).code, 0);
  assert.is(await device(), first);
  assert.is((await spherule(folder, "reset")).code, 0);
  assert.is.not(await device(), first);
  remove();
});

test("a second lab on the same state is refused and names the first", async () => {
  const { folder, remove } = newProject();
  const lab = await startProcess(folder, "--no-watch");
  const second = await spherule(folder, "start");
  assert.is(second.code, 1);
  assert.match(second.stderr, /error state-locked: Another lab \(process \d+\)/);
  await lab.stop();
  remove();
});

test("a port in use is an error that names its owner, and the state is free again", async () => {
  const { folder, remove } = newProject();
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  const { code, stderr } = await spherule(folder, "start", "--mqtt-port", String(port));
  assert.is(code, 1);
  assert.match(stderr, new RegExp(`error port-in-use: .*${port}.*process ${process.pid}`));
  assert.not(existsSync(join(folder, ".spherule/lock")));
  server.close();
  remove();
});

test("a damaged state is refused, kept, and the way out is told", async () => {
  const { folder, remove } = newProject();
  await (await startProcess(folder, "--no-watch")).stop();
  const file = join(folder, ".spherule/store/data.mdb");
  writeFileSync(file, "this is no database");
  const { code, stderr } = await spherule(folder, "start");
  assert.is(code, 1);
  assert.match(stderr, /error state-corrupt[\s\S]*spherule reset/);
  assert.is(readFileSync(file, "utf8"), "this is no database");
  remove();
});

for (const [what, manifest, pattern] of [
  ["no JSON", '{"SchemaVersion": 1,', /manifest-invalid[\s\S]*no JSON[\s\S]*line 1/],
  [
    "a misspelled capability",
    capability("AllowedConections", []),
    /did you mean AllowedConnections/,
  ],
  ["a pin that the board does not have", capability("Gpio", ["$LED_STATE"]), /\$LED_STATUS/],
  [
    "too much storage",
    capability("MutableStorage", { SizeKB: 65 }),
    /line \d+, column \d+.*SizeKB/,
  ],
] as const) {
  test(`a manifest with ${what} is refused with the place`, async () => {
    const { folder, remove } = newProject();
    writeFileSync(join(folder, "app_manifest.json"), manifest);
    const { code, stderr } = await spherule(folder, "start");
    assert.is(code, 1);
    assert.match(stderr, pattern);
    assert.not(existsSync(join(folder, ".spherule")));
    remove();
  });
}

function capability(name: string, value: unknown): string {
  const file = join(packageFolder(), "app_manifest.json");
  const manifest = JSON.parse(readFileSync(file, "utf8"));
  return JSON.stringify({ ...manifest, Capabilities: { [name]: value } }, null, 2);
}

test("a disk that is full while it runs ends the lab with what to do, and keeps what was acknowledged", async () => {
  const { folder, remove } = newProject();
  const lab = await follow(launch(folder, ["start"], FULL_DISK));
  await lab.shows(/telemetry\s+\{"temperature"/);
  writeFileSync(join(folder, "disk-full"), "");
  const { code, stderr } = await lab.ended();
  assert.is(code, 1);
  assert.match(stderr, /error state-not-written: The lab's state in .* cannot be written/);
  assert.match(stderr, "Make room on the disk");

  const again = await startProcess(folder);
  const { stdout } = await spherule(folder, "telemetry", "--from", "0", "--count", "1");
  assert.match(stdout, "temperature");
  await again.stop();
  remove();
});

test("a folder without an app is an error that says where to go", async () => {
  const { folder, remove } = newProject();
  const { code, stderr } = await spherule(folder, "start", "--project", join(folder, "assembly"));
  assert.is(code, 1);
  assert.match(stderr, /error manifest-missing/);
  remove();
});

test("a property without a value is refused before anything is sent", async () => {
  const { folder, remove } = newProject();
  const lab = await startProcess(folder, "--no-watch");
  const { code, stderr } = await spherule(folder, "message", "send", "x", "--property", "urgency");
  assert.is(code, 1);
  assert.match(stderr, /error option-invalid: --property urgency has no name and value/);
  await lab.stop();
  remove();
});

test("commands that need a lab say so when none runs", async () => {
  const { folder, remove } = newProject();
  const { code, stderr } = await spherule(folder, "status");
  assert.is(code, 1);
  assert.match(stderr, /error no-lab[\s\S]*spherule start/);
  remove();
});

test.run();
