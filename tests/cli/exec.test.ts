import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packageFolder } from "../../host-sim/paths.ts";
import { FULL_DISK, finished, launch, newProject, spherule } from "./support.ts";

const test = suite("spherule exec");
const { folder, remove } = newProject();
test.after(remove);

const exec = (...command: string[]) => spherule(folder, "exec", "--in-memory", "--", ...command);
const script = (text: string) => exec(process.execPath, "-e", text);

test("passes the exit code of the command on", async () => {
  const { code, stderr } = await script("process.exit(42)");
  assert.is(code, 42, stderr);
});

/** A process that has ended and that nobody has asked about is a zombie. */
function runs(pid: string): boolean {
  const file = `/proc/${pid}/stat`;
  return existsSync(file) && !readFileSync(file, "utf8").includes(") Z ");
}

test("a lab that ends by itself takes the command with it", async () => {
  // The command fills the disk, and would go on for ever.
  const command = `console.log(process.pid);
    fs.writeFileSync("disk-full", "");
    setInterval(() => {}, 1000);`;
  const args = ["exec", "--state", "elsewhere", "--", process.execPath, "-e", command];
  const { code, stdout, stderr } = await finished(launch(folder, args, FULL_DISK));
  rmSync(join(folder, "disk-full"));
  assert.is(code, 1, stderr);
  assert.match(stderr, "error state-not-written");
  assert.match(stdout, /^\d+\n$/);
  while (runs(stdout.trim())) await new Promise((resolve) => setTimeout(resolve, 20));
});

test("tells when there is no such command", async () => {
  const { code, stderr } = await exec("no-such-command-here");
  assert.is(code, 1);
  assert.match(stderr, /error command-unknown: There is no command no-such-command-here/);
});

test("gives clients what they need to find and trust the lab", async () => {
  const { stdout, stderr, code } = await script(
    "for (const name of ['SPHERULE_API','IOTHUB_HOST','IOTHUB_CA_FILE'," +
      "'IOTHUB_SERVICE_CONNECTION_STRING','NODE_EXTRA_CA_CERTS'," +
      "'SPHERULE_SECURITY_SERVICE','SPHERULE_ARM_TOKEN'])" +
      "console.log(name, Boolean(process.env[name]))",
  );
  assert.is(code, 0, stderr);
  assert.not.match(stdout, "false");
});

test("spherule inside finds the running lab", async () => {
  const { stdout, stderr } = await exec("spherule", "twin", "get", "--query", "deviceId");
  assert.match(stdout, /^"[0-9a-f]{128}"$/m, stderr);
});

test("an unchanged client reaches the hub by its real name and port, with full verification", async () => {
  const { stdout, stderr } = await script(
    `const tls = require("node:tls");
     const host = process.env.IOTHUB_HOST;
     const socket = tls.connect(8883, host, { servername: host }, () => {
       console.log(socket.authorized, socket.getPeerCertificate().subject.CN);
       socket.destroy();
     });
     socket.on("error", (error) => { console.log(error.message); });`,
  );
  assert.is(stdout.trim(), "true spherule-lab.azure-devices.net", stderr);
});

test("a client inside reads the lab's catalog from the Security Service", async () => {
  const { stdout, stderr } = await script(
    `const { SPHERULE_API, SPHERULE_SECURITY_SERVICE, SPHERULE_ARM_TOKEN } = process.env;
     const get = async (url, headers) => (await fetch(url, { headers })).json();
     (async () => {
       const { securityService } = await get(SPHERULE_API + "/lab");
       const url = SPHERULE_SECURITY_SERVICE + securityService.catalogId;
       const headers = { authorization: "Bearer " + SPHERULE_ARM_TOKEN };
       const { properties } = await get(url + "?api-version=2024-04-01", headers);
       console.log(properties.tenantId === securityService.tenantId);
     })();`,
  );
  assert.is(stdout.trim(), "true", stderr);
});

test("a name that is not the lab's is not redirected", async () => {
  const { stdout } = await script(
    `require("node:net").connect(1, "127.0.0.1").on("error", (e) => console.log(e.code))`,
  );
  assert.is(stdout.trim(), "ECONNREFUSED");
});

test("an unclaimed device never connects", async () => {
  const inside = "spherule status --query device.tenant --output json";
  const { stdout, stderr } = await spherule(
    folder,
    ...["exec", "--in-memory", "--unclaimed", "--", "sh", "-c", inside],
  );
  assert.is(stdout.trim(), "null", stderr);
});

test("the devices look for updates as often as one wants", async () => {
  const looks = async (...options: string[]) => {
    const { stdout, stderr } = await spherule(
      folder,
      ...["exec", "--in-memory", ...options, "--", process.execPath, "-e"],
      `(async () => {
         const api = process.env.SPHERULE_API;
         const last = async () => (await (await fetch(api + "/device/updates")).json()).lastCheck;
         const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
         while ((await last()) === null) await pause(20);
         const first = await last();
         await fetch(api + "/clock", { method: "POST", body: '{"jumpSeconds":7300}' });
         for (let wait = 0; wait < 100 && (await last()) === first; wait++) await pause(20);
         console.log((await last()) !== first);
       })();`,
    );
    return stdout.trim() || stderr;
  };
  assert.is(await looks("--update-check-hours", "2"), "true");
  assert.is(await looks(), "false");
  const never = await spherule(folder, "exec", "--update-check-hours", "0", "--", "true");
  assert.is(never.code, 1);
});

test("half of the options for another hub are refused", async () => {
  const half = ["--hub", "h.azure-devices.net", "--device-id", "d"];
  const result = await spherule(folder, "start", ...half);
  assert.is(result.code, 1);
  assert.match(result.stderr, /error options-conflict/);
});

test("several processes of the hub serve a lab that has a state, and no other", async () => {
  const many = ["--hub-processes", "3"];
  const refused = await spherule(folder, "exec", "--in-memory", ...many, "--", "true");
  assert.match(refused.stderr, /error options-conflict: 3 processes/);
  const limited = await spherule(folder, "exec", ...many, "--enforce-limits", "--", "true");
  assert.match(limited.stderr, /error options-conflict: The limits/);
  const state = join(folder, "state-of-three");
  const inside = "spherule telemetry --count 2 --timeout 60";
  const result = await spherule(
    folder,
    ...["exec", "--state", state, ...many, "--", "sh", "-c", inside],
  );
  assert.is(result.code, 0, result.stderr);
  assert.is(result.stdout.trim().split("\n").length, 2);
});

test("a key that does not fit its certificate is refused before anything starts", async () => {
  const files = join(packageFolder(), "package.json");
  const result = await spherule(
    folder,
    ...["start", "--hub", "h", "--device-id", "d", "--cert", files, "--key", files],
  );
  assert.match(result.stderr, /error certificate-invalid/);
});

test.run();
