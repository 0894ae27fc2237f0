import { connect } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { toCloudForm } from "../../host-sim/imagepackage/index.ts";
import {
  capabilityImage,
  DEVELOPMENT,
  manifestText,
  ONE,
  PRODUCTION,
  packApp,
  packOther,
  packRaw,
  STRANGER,
  TRUSTING,
  TWO,
  WASM,
} from "./packages.ts";
import { refusal, startRest, type TestRest } from "./support.ts";

const test = suite("images and applications over the device REST API");

let device: TestRest;
test.before.each(async () => {
  device = await startRest(TRUSTING);
});
test.after.each(() => device.stop());

const stage = (bytes: Buffer, on = device) => on.call("PUT", "/update/stage", bytes);
const install = (mode?: unknown, on = device) =>
  on.call("POST", "/update/install", mode === undefined ? undefined : { appControlMode: mode });
const state = async (component = ONE, on = device) =>
  (await on.get(`/app/status/${component}`)).json.state;
const trigger = (name: unknown, component = ONE) =>
  device.call("PATCH", `/app/status/${component}`, { trigger: name });
const applications = async (on = device) =>
  (await on.get("/images")).json.components.filter(
    (one: { image_type: number }) => one.image_type === 10,
  );
async function deploy(bytes: Buffer, mode?: unknown): Promise<void> {
  assert.equal((await stage(bytes)).json, {});
  assert.equal((await install(mode)).json, {});
}

test("a package is staged, then installed, and runs", async () => {
  const bytes = packApp({ name: "Blink" });
  assert.is(await state(), "notPresent");
  assert.is((await stage(bytes)).text, "{}");
  assert.is(await state(), "notPresent");
  assert.is((await device.get("/images")).json.has_staged_updates, true);
  assert.is((await install()).text, "{}");
  assert.is(await state(), "running");
  assert.is(await state(ONE.toUpperCase()), "running");
  const images = (await device.get("/images")).json;
  assert.is(images.has_staged_updates, false);
  const [app] = await applications();
  assert.is(app.uid, ONE);
  assert.is(app.name, "Blink");
  assert.is(app.does_image_type_require_restart, false);
  assert.is(app.images[0].length_in_bytes, bytes.length);
  const { memoryStats } = (await device.get("/stats/memory/groups/applications")).json;
  assert.ok(memoryStats.currentMemoryUsageInBytes >= 65_536);
});

for (const [what, headers, status] of [
  ["no media type", {}, 200],
  ["application/octet-stream", { "content-type": "application/octet-stream" }, 200],
  ["application/json", { "content-type": "application/json" }, 415],
] as const) {
  test(`staging with ${what} answers ${status}`, async () => {
    const answer = await device.call("PUT", "/update/stage", packApp(), headers);
    assert.is(answer.status, status);
    assert.is((await device.get("/images")).json.has_staged_updates, status === 200);
  });
}

test("Manual leaves the app stopped; Auto, no mode and no body start it", async () => {
  for (const [body, expected] of [
    [{ appControlMode: "Manual" }, "stopped"],
    [{ appControlMode: "Auto" }, "running"],
    [{}, "running"],
  ] as const) {
    await stage(packApp());
    await device.call("POST", "/update/install", body);
    assert.is(await state(), expected);
  }
  for (const wrong of ["manual", 1, null]) {
    assert.equal(refusal(await install(wrong)), [400, 10485761]);
  }
});

test("nothing staged is nothing to install", async () => {
  assert.is((await install()).text, "{}");
  assert.equal(await applications(), []);
});

test("an app is stopped, started, and debugged; a trigger that is unknown is refused", async () => {
  await deploy(packApp(), "Manual");
  assert.is((await trigger("start")).text, '{"state":"running"}');
  assert.is((await trigger("start")).text, '{"state":"running"}');
  assert.is((await trigger("stop")).text, '{"state":"stopped"}');
  const debug = await trigger("startDebug");
  const { outPort } = debug.json;
  assert.is(debug.text, `{"state":"debugging","gdbPort":2345,"outPort":${outPort}}`);
  assert.is(await state(), "debugging");
  assert.is((await trigger("start")).text, '{"state":"running"}');
  assert.equal(refusal(await trigger("dance")), [400, 14680073]);
  assert.equal(refusal(await trigger(7)), [400, 10485761]);
  assert.is(await state(), "running");
});

test("a trigger for an app that is not there is a conflict, a malformed id is refused", async () => {
  for (const name of ["start", "stop", "startDebug"]) {
    assert.equal(refusal(await trigger(name, TWO)), [409, 14680076], name);
  }
  assert.equal(refusal(await device.get(`/app/quota/${TWO}`)), [404, 14680076]);
  for (const path of ["/app/status/x", "/app/quota/x"]) {
    assert.equal(refusal(await device.get(path)), [400, 14680079]);
  }
  assert.equal(refusal(await device.call("DELETE", "/app/image/x")), [400, 14680079]);
});

test("the output of a debugged app can be read as plain text", async () => {
  await deploy(packApp(), "Manual");
  const { outPort } = (await trigger("startDebug")).json;
  const socket = connect(outPort, "127.0.0.1");
  const [text] = await new Promise<[string]>((resolve) =>
    socket.once("data", (data) => resolve([data.toString("utf8")])),
  );
  assert.is(text, "fault nothing\n");
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await trigger("stop");
  await closed;
});

test("an app is removed with its storage; one that is not there as well", async () => {
  await deploy(packApp({ capabilities: { MutableStorage: { SizeKB: 8 } } }));
  device.storages.get(ONE)?.write(0, new Uint8Array(1025));
  assert.is((await device.get(`/app/quota/${ONE}`)).text, '{"UsageKB":2,"LimitKB":8}');
  assert.is((await device.call("DELETE", `/app/image/${ONE.toUpperCase()}`)).text, "{}");
  assert.is(await state(), "notPresent");
  assert.equal(await applications(), []);
  assert.is(device.storages.get(ONE)?.read(0, 10).length, 0);
  assert.is((await device.call("DELETE", `/app/image/${ONE}`)).text, "{}");
});

test("another image of the same component replaces it and keeps its storage", async () => {
  const capabilities = { MutableStorage: { SizeKB: 8 } };
  await deploy(packApp({ capabilities }));
  device.storages.get(ONE)?.write(0, Buffer.from("kept"));
  const before = (await applications())[0].images[0].uid;
  await stage(packApp({ capabilities, name: "Second" }));
  assert.is((await applications())[0].is_update_staged, true);
  assert.is((await applications())[0].images[0].uid, before);
  await install();
  const [app] = await applications();
  assert.not.equal(app.images[0].uid, before);
  assert.is(app.name, "Second");
  assert.is(await state(), "running");
  assert.is(Buffer.from(device.storages.get(ONE)?.read(0, 4) ?? []).toString(), "kept");
});

test("the same image again changes nothing", async () => {
  const bytes = packApp();
  await deploy(bytes);
  const { starts } = device.os.applications.runner(ONE)?.status() ?? { starts: 0 };
  await deploy(bytes);
  assert.is(device.os.applications.runner(ONE)?.status().starts, starts);
});

test("an app without mutable storage has a quota of nothing", async () => {
  await deploy(packApp());
  assert.is((await device.get(`/app/quota/${ONE}`)).text, '{"UsageKB":0,"LimitKB":0}');
});

test("what is no package is refused, whatever it is", async () => {
  const good = packApp();
  for (const bytes of [
    Buffer.from("hello"),
    Buffer.alloc(0),
    good.subarray(0, good.length - 1),
    Buffer.concat([good, Buffer.from("x")]),
  ]) {
    assert.equal(refusal(await stage(bytes)), [400, 7340050]);
  }
  assert.is((await device.get("/images")).json.has_staged_updates, false);
});

test("a package is trusted by its signer and the device's capability", async () => {
  const changed = packApp();
  changed[5000] = (changed[5000] ?? 0) ^ 1;
  const untrusted = [400, 7340047];
  assert.equal(refusal(await stage(packApp({ signer: STRANGER }))), untrusted);
  assert.ok([7340047, 7340050].includes((await stage(changed)).json.error));
  assert.is((await stage(packApp({ signer: PRODUCTION }))).status, 200);
  device.system.manufacturing.setCapabilities([]);
  assert.equal(refusal(await stage(packApp({ signer: DEVELOPMENT }))), untrusted);
  assert.is((await stage(packApp({ signer: PRODUCTION }))).status, 200);
});

test("the Security Service's compressed form is taken", async () => {
  const cloud = toCloudForm(packApp(), { signer: PRODUCTION, signingTime: 1 });
  await deploy(Buffer.from(cloud));
  const [{ length_in_bytes: bytes, uncompressed_length_in_bytes: whole }] = (
    await applications()
  )[0].images;
  assert.is(bytes, cloud.length);
  assert.ok(whole > bytes);
  assert.is(await state(), "running");
});

test("without application development nothing is started, stopped, debugged or removed", async () => {
  await deploy(packApp());
  device.system.manufacturing.setCapabilities([]);
  for (const name of ["start", "stop", "startDebug"]) {
    assert.equal(refusal(await trigger(name)), [400, 1048596]);
  }
  assert.equal(refusal(await device.call("DELETE", `/app/image/${ONE}`)), [400, 1048596]);
  assert.is(await state(), "running");
});

test("without the debug server nothing is debugged, until development is enabled again", async () => {
  await deploy(packApp());
  await device.call("DELETE", "/app/image/dc7f135c-6074-4d49-aa3a-160e4eed884f");
  assert.equal(refusal(await trigger("startDebug")), [400, 3145738]);
  device.system.manufacturing.setCapabilities([11]);
  assert.is((await trigger("startDebug")).status, 200);
});

test("a package that needs a newer system is refused", async () => {
  assert.equal(refusal(await stage(packApp({ apiSet: 18 }))), [400, 7340056]);
});

test("all packages together have 1 MiB, staged ones too; a replaced one gives its part back", async () => {
  const big = (component: string, kilobytes: number) =>
    packApp({
      component,
      files: [
        { path: "app.wasm", content: WASM },
        { path: "data", content: new Uint8Array(kilobytes * 1024) },
      ],
    });
  await deploy(big(ONE, 400));
  assert.is((await stage(big(TWO, 300))).status, 200);
  const third = "11111111-2222-4333-8444-555555555555";
  assert.equal(refusal(await stage(big(third, 200))), [400, 14680082]);
  assert.is((await stage(big(ONE, 500))).status, 200);
  await install();
  assert.is(await state(TWO), "running");
  assert.equal(refusal(await stage(big(third, 200))), [400, 14680082]);
});

const having = (capabilities: object) => packRaw(manifestText({ capabilities }));
for (const [what, bytes, number] of [
  ["a package without a manifest", packRaw(undefined), 2097177],
  ["a manifest that is no JSON", packRaw("[{"), 2097153],
  ["another schema", packRaw(manifestText({ manifest: { SchemaVersion: 7 } })), 2097169],
  ["arguments that are no texts", packRaw(manifestText({ manifest: { CmdArgs: [1] } })), 2097157],
  ["a pin that is a text", having({ Gpio: ["8"] }), 2097162],
  ["a pin that the chip has not", having({ Gpio: [99] }), 5242883],
  ["a pin of two peripherals", having({ Gpio: [26], Uart: ["ISU0"] }), 2097187],
  ["more storage than there is", having({ MutableStorage: { SizeKB: 65 } }), 2097186],
  ["another component in the manifest", packRaw(manifestText({ component: TWO })), 7340079],
] as const) {
  test(`${what} is refused at installation with ${number}, and what ran before runs on`, async () => {
    await deploy(packApp({ component: TWO, name: "Before" }));
    assert.is((await stage(bytes)).status, 200);
    assert.equal(refusal(await install()), [400, number]);
    assert.is(await state(TWO), "running");
    assert.is((await applications()).length, 1);
    assert.is((await device.get("/images")).json.has_staged_updates, false);
  });
}

test("images of other kinds, or for no component, are refused", async () => {
  const payload = Buffer.from("kernel");
  assert.equal(refusal(await stage(packOther(7, ONE, payload))), [400, 7340069]);
  const nobody = "00000000-0000-0000-0000-000000000000";
  assert.equal(refusal(await stage(packOther(10, nobody, payload))), [400, 7340079]);
});

test("two apps run side by side, but not on the same pin", async () => {
  await deploy(packApp({ capabilities: { Gpio: [8, 9] } }));
  await deploy(packApp({ component: TWO, capabilities: { Gpio: [10] } }));
  assert.is(await state(), "running");
  assert.is(await state(TWO), "running");
  const rival = packApp({ component: TWO, name: "Rival", capabilities: { Gpio: [9] } });
  await stage(rival);
  assert.equal(refusal(await install()), [400, 1048601]);
  assert.is((await applications())[1].name, "TestApp");
  assert.is(await state(TWO), "running");
  await deploy(rival, "Manual");
  assert.equal(refusal(await trigger("start", TWO)), [400, 1048601]);
  assert.equal(refusal(await trigger("startDebug", TWO)), [400, 1048601]);
  assert.is(await state(TWO), "stopped");
  await trigger("stop");
  assert.is((await trigger("start", TWO)).status, 200);
});

test("two apps that come together must not want the same pin either", async () => {
  await stage(packApp({ capabilities: { Gpio: [8] } }));
  await stage(packApp({ component: TWO, capabilities: { Gpio: [8] } }));
  assert.equal(refusal(await install()), [400, 1048601]);
  assert.equal(await applications(), []);
});

test("a real-time app is debugged on its core", async () => {
  const files = [{ path: "bin/app", content: Buffer.from("\x7fELF for an M4") }];
  const manifest = { ApplicationType: "RealTimeCapable" };
  await deploy(packApp({ files, manifest, apiSet: undefined }));
  assert.is((await trigger("startDebug")).text, '{"state":"debugging","realTimeCore":0}');
});

test("an app without code that the lab can run is installed, and the log says so", async () => {
  const files = [{ path: "bin/app", content: Buffer.from("\x7fELF for an A7") }];
  await deploy(packApp({ files }));
  assert.is(await state(), "running");
  assert.ok(device.lines.some(({ text }) => /ARM code runs with --body arm only/.test(text)));
});

test("an app that ends by itself leaves an error report with its ids", async () => {
  await device.call("DELETE", "/telemetry");
  await deploy(packApp({ fault: "exit" }));
  await deploy(packApp({ component: TWO, fault: "bounds" }));
  const imageOf = async (index: number) => (await applications())[index].images[0].uid;
  const reports = (await device.get("/telemetry")).bytes.subarray(5).toString("utf8");
  assert.equal(reports.split("\n"), [
    `AppExit (exit_code=5; component_id=${ONE}; image_id=${await imageOf(0)})`,
    "AppCrash (exit_status=139; signal_status=11; signal_code=1; " +
      `component_id=${TWO}; image_id=${await imageOf(1)})`,
    "",
  ]);
});

test("the firewall lets through what the manifests of installed apps name, and nothing else", async () => {
  const output = async () => {
    const { rulesets } = (await device.get("/net/firewall/rulesets")).json;
    return rulesets[3].rules.filter(({ uid }: { uid: number }) => uid > 1000 && uid < 2000);
  };
  assert.equal(await output(), []);
  const capabilities = { AllowedConnections: ["10.1.2.3", "contoso.com"] };
  await deploy(packApp({ capabilities }));
  const rules = await output();
  assert.is(rules.length, 2);
  assert.is(rules[0].destinationIP, "10.1.2.3");
  assert.is(rules[0].destinationMask, "255.255.255.255");
  assert.match(rules[1].destinationIP, /^198\.1[89]\./);
  assert.equal(Object.keys(rules[0]), [
    ...["sourceIP", "sourceMask", "destinationIP", "destinationMask", "uid", "action"],
    ...["interfaceInName", "interfaceOutName", "state", "tcpMask", "tcpCmp", "tcpInv"],
    ...["protocol", "sourcePortRange", "destinationPortRange", "packets", "bytes"],
  ]);
  await device.call("DELETE", `/app/image/${ONE}`);
  assert.equal(await output(), []);
});

test("a board configuration brings Ethernet after a restart, and takes it again", async () => {
  const tree = Buffer.alloc(64);
  tree.writeUInt32BE(0xd00dfeed, 0);
  tree.writeUInt32BE(64, 4);
  tree.write("microchip,enc28j60", 8);
  assert.equal(refusal(await device.get("/net/interfaces/eth0")), [404, 31457294]);
  await stage(packOther(21, TWO, tree));
  assert.is((await install()).text, '{"restartingSystem":true}');
  await device.restarted();
  assert.is((await device.get("/net/interfaces/eth0")).status, 200);
  const { components } = (await device.get("/images")).json;
  const board = components.find((one: { image_type: number }) => one.image_type === 21);
  assert.is(board.uid, TWO);
  const removed = await device.call("DELETE", `/app/image/${TWO}`);
  assert.is(removed.text, '{"restartingSystem":true}');
  await device.restarted();
  assert.is((await device.get("/net/interfaces/eth0")).status, 404);
});

test("a capability image changes what its own device may do, even a locked one", async () => {
  const locked = await startRest({
    ...TRUSTING,
    manufacturing: { state: "DeviceComplete", capabilities: [] },
  });
  const { deviceId } = locked;
  assert.equal(refusal(await stage(packApp({ signer: PRODUCTION }), locked)), [403, 13]);
  for (const bytes of [
    capabilityImage(device.deviceId, [11]),
    capabilityImage(deviceId, ["11"]),
    capabilityImage(deviceId, [11], DEVELOPMENT),
  ]) {
    assert.equal(refusal(await stage(bytes, locked)), [400, 7340047]);
  }
  assert.is((await stage(capabilityImage(deviceId, [11]), locked)).status, 200);
  assert.is((await install(undefined, locked)).text, '{"restartingSystem":true}');
  await locked.restarted();
  assert.is((await locked.get("/device/capabilities")).text, '{"device_capabilities":[11]}');
  assert.is((await locked.get("/images")).status, 200);
  assert.is((await stage(capabilityImage(deviceId, []), locked)).status, 200);
  await install(undefined, locked);
  await locked.restarted();
  assert.equal(refusal(await locked.get("/images")), [403, 13]);
  await locked.stop();
});

test("a capability image of a session counts until the next restart, and no longer", async () => {
  const locked = await startRest({
    ...TRUSTING,
    manufacturing: { state: "DeviceComplete", capabilities: [] },
  });
  const capabilities = async () => (await locked.get("/device/capabilities")).text;
  const begin = async () => {
    assert.is((await stage(capabilityImage(locked.deviceId, [11]), locked)).status, 200);
    const answer = await locked.call("POST", "/update/install", { capabilityMode: "Session" });
    assert.is(answer.text, "{}");
    assert.is(await capabilities(), '{"device_capabilities":[11]}');
  };
  await begin();
  assert.is((await stage(packApp(), locked)).status, 200);
  assert.is((await locked.call("POST", "/update/install", { capabilityMode: "None" })).text, "{}");
  assert.is(await capabilities(), '{"device_capabilities":[]}');
  assert.equal(refusal(await locked.get("/images")), [403, 13]);
  await begin();
  await locked.call("POST", "/restart");
  await locked.restarted();
  assert.is(await capabilities(), '{"device_capabilities":[]}');
  const wrong = await locked.call("POST", "/update/install", { capabilityMode: "session" });
  assert.equal(refusal(wrong), [400, 10485761]);
  await locked.stop();
});

test("an application is no capability image: it is refused, and nothing of it is installed", async () => {
  for (const capabilityMode of ["Update", "Session"]) {
    await stage(packApp());
    await stage(capabilityImage(device.deviceId, [13]));
    const answer = await device.call("POST", "/update/install", { capabilityMode });
    assert.equal(refusal(answer), [400, 7340069]);
    assert.is((await device.get("/images")).json.has_staged_updates, false);
  }
  assert.equal(await applications(), []);
  assert.equal((await device.get("/device/capabilities")).json.device_capabilities, [11]);
});

test("after a restart all installed apps run, and what was only staged is gone", async () => {
  await deploy(packApp(), "Manual");
  await stage(packApp({ component: TWO }));
  await device.call("POST", "/restart");
  await device.restarted();
  assert.is(await state(), "running");
  assert.is((await device.get("/images")).json.has_staged_updates, false);
});

test("installed packages outlive the process", async () => {
  await deploy(packApp({ name: "Kept" }));
  const { store, storages } = device;
  const again = await startRest({ ...TRUSTING, store, storages });
  assert.is((await applications(again))[0].name, "Kept");
  assert.is(await state(ONE, again), "running");
  await again.call("DELETE", `/app/image/${ONE}`);
  await again.stop();
  const last = await startRest({ ...TRUSTING, store, storages });
  assert.equal(await applications(last), []);
  await last.stop();
});

test.run();
