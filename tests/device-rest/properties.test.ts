import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DeviceError } from "../../host-sim/device/system/device-error.ts";
import { createCertificate, generateKeyPair } from "../../host-sim/pki/index.ts";
import { DEVELOPMENT, ONE, packApp, STRANGER, TRUSTING, TWO } from "./packages.ts";
import { createDevice, REBOOT_MS } from "./support.ts";

const test = suite("the state machines of a device");
const JOINED_MS = 250;

/** Runs one step; a refusal must leave what `snapshot` sees as it was. */
async function step(run: () => unknown, snapshot: () => unknown): Promise<boolean> {
  const before = JSON.stringify(snapshot());
  try {
    await run();
    return true;
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    assert.is(JSON.stringify(snapshot()), before);
    return false;
  }
}

const lab = { ssid: "Spherule Lab", securityState: "psk" };
const hidden = { ssid: "Hidden Attic", securityState: "psk", psk: "in-the-attic" };
const network = fc.constantFrom(
  ...[
    { ...lab, psk: "spherule-lab" },
    { ...lab, psk: "wrong-key" },
    { ...lab, psk: "short" },
  ],
  ...[hidden, { ...hidden, targetedScan: true }, { ssid: "Contoso Guest", securityState: "open" }],
  ...[
    { ssid: "nowhere", securityState: "open" },
    { ssid: "", securityState: "wep" },
  ],
);
const psk = fc.constantFrom("spherule-lab", "in-the-attic", "wrong-key", "short");
const id = fc.integer({ min: -1, max: 3 });
const wifiCommand = fc.oneof(
  fc.record({
    kind: fc.constant("add" as const),
    network,
  }),
  fc.record({ kind: fc.constant("remove" as const), id }),
  fc.record({
    kind: fc.constant("change" as const),
    id,
    change: fc.record({
      psk: fc.option(psk, { nil: undefined }),
      configState: fc.constantFrom("enabled", "disabled", "temp-disabled", undefined),
    }),
  }),
  fc.record({ kind: fc.constant("reload" as const) }),
  fc.record({ kind: fc.constant("radio" as const), on: fc.boolean() }),
  fc.record({ kind: fc.constant("silence" as const), on: fc.boolean() }),
  fc.record({ kind: fc.constant("wait" as const) }),
);

test("Wi-Fi: one connection at most, to a network that lets the device in; refusals change nothing", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(wifiCommand, { minLength: 10, maxLength: 40 }), async (commands) => {
      const { os, clock, system } = createDevice();
      const { wifi, air, interfaces } = system;
      os.start();
      for (const command of commands) {
        await step(
          () => {
            if (command.kind === "add") wifi.add(command.network);
            if (command.kind === "remove") wifi.remove(command.id);
            if (command.kind === "change") wifi.change(command.id, command.change);
            if (command.kind === "reload") wifi.reload();
            if (command.kind === "radio") interfaces.change("wlan0", { interfaceUp: command.on });
            if (command.kind === "silence") air.setSilent(command.on);
            if (command.kind === "wait") clock.advance(JOINED_MS);
          },
          () => [wifi.list(), wifi.failures()],
        );
        checkWifi(os, clock.now());
      }
      clock.advance(JOINED_MS);
      const waiting = wifi.list().filter(({ configState }) => configState === "enabled");
      const radioOn = interfaces.get("wlan0").interfaceUp;
      // With time to try, an enabled network is connected or its failure is known.
      if (radioOn && !wifi.connection) assert.is(wifi.failures().length >= waiting.length, true);
      await os.stop();
    }),
    { numRuns: 150 },
  );
});

function checkWifi({ system, network }: ReturnType<typeof createDevice>["os"], now: number): void {
  const { wifi, air, interfaces } = system;
  const list = wifi.list();
  const ids = list.map((one) => one.id);
  assert.equal(
    ids,
    [...new Set(ids)].sort((a, b) => a - b),
  );
  const connected = list.filter(({ connectionState }) => connectionState === "connected");
  assert.is(connected.length, wifi.connection ? 1 : 0);
  const [joined] = connected;
  const { interfaceUp, connectedToNetwork } = interfaces.get("wlan0");
  assert.is(connectedToNetwork, joined !== undefined);
  assert.is(network.up, joined !== undefined);
  assert.ok(wifi.failures().every(({ networkId, time }) => ids.includes(networkId) && time <= now));
  if (!joined) return;
  assert.ok(interfaceUp);
  assert.is(joined.configState, "enabled");
  assert.ok(air.accessPoints.some((one) => one.ssid === joined.ssid));
  assert.not(wifi.failures().some(({ networkId }) => networkId === joined.id));
}

const key = generateKeyPair();
const pems = ["short", "x".repeat(2000)].map((CN) =>
  createCertificate({
    ...{ subject: { CN }, issuer: { CN }, publicKey: key.publicKey, issuerKey: key },
    ...{ notBefore: 0, notAfter: 1e12 },
  }),
);
const certificateCommand = fc.record({
  remove: fc.constantFrom(false, false, false, true),
  id: fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "h", "i", "not good", "x".repeat(17)),
  publicCert: fc.constantFrom(...pems, pems[1] as string, "nonsense"),
  certType: fc.constantFrom("rootca", "ROOTCA", "client"),
});

test("certificates: space is what they do not take; refusals change nothing", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(certificateCommand, { minLength: 10, maxLength: 40 }),
      async (commands) => {
        const { certificates } = createDevice().system;
        const model = new Map<string, string>();
        for (const { remove, id: name, ...certificate } of commands) {
          const done = await step(
            () => (remove ? certificates.remove(name) : certificates.add(name, certificate)),
            () => [certificates.identifiers(), certificates.availableSpace],
          );
          if (done && remove) assert.ok(model.delete(name));
          if (done && !remove) model.set(name, certificate.publicCert);
          assert.equal(certificates.identifiers(), [...model.keys()].sort());
          const taken = [...model].reduce(
            (sum, [each, pem]) => sum + 62 + each.length + pem.length,
            0,
          );
          assert.is(certificates.availableSpace, 24_514 - taken);
          assert.ok(taken <= 24_514);
        }
      },
    ),
    { numRuns: 150 },
  );
});

const THREE = "11111111-2222-4333-8444-555555555555";
const components = [ONE, TWO, THREE];
/** Each component has two images; some want the same pin, one is large, one is by a stranger. */
const packages = components.flatMap((component, index) => {
  const files = [{ path: "bin/app", content: new Uint8Array(index === 0 ? 5_000 : 600_000) }];
  const make = (pin: number, signer = DEVELOPMENT) =>
    packApp({ component, files, capabilities: { Gpio: [pin] }, signer });
  return [make(8 + index), make(8), ...(index === 0 ? [make(9, STRANGER)] : [])];
});
const installCommand = fc.oneof(
  { weight: 3, arbitrary: fc.record({ stage: fc.nat({ max: packages.length - 1 }) }) },
  { weight: 3, arbitrary: fc.record({ install: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ remove: fc.constantFrom(...components) }) },
  { weight: 1, arbitrary: fc.record({ start: fc.constantFrom(...components) }) },
  { weight: 1, arbitrary: fc.record({ stop: fc.constantFrom(...components) }) },
  { weight: 1, arbitrary: fc.record({ debug: fc.constantFrom(...components) }) },
  { weight: 1, arbitrary: fc.record({ restart: fc.constant(true) }) },
);

test("installation: no pin twice, no package too many; refusals change nothing", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(installCommand, { minLength: 5, maxLength: 20 }),
      async (commands) => {
        const { os, clock } = createDevice(TRUSTING);
        const { applications, images } = os;
        os.start();
        for (const command of commands) {
          await step(
            async () => {
              if ("stage" in command) images.stage(packages[command.stage] as Buffer);
              if ("install" in command) await images.install(command.install);
              if ("remove" in command) await images.remove(command.remove);
              if ("start" in command) await applications.start(command.start);
              if ("stop" in command) await applications.stop(command.stop);
              if ("debug" in command) await applications.debug(command.debug);
              if ("restart" in command) {
                await os.restart();
                clock.advance(REBOOT_MS);
                await new Promise((resolve) => setImmediate(resolve));
              }
            },
            () => [applications.list(), components.map(applications.state)],
          );
          if ("install" in command || "restart" in command) assert.not(images.anyStaged);
          checkApplications(os);
        }
        await os.stop();
      },
    ),
    { numRuns: 80 },
  );
});

function checkApplications({ applications }: ReturnType<typeof createDevice>["os"]): void {
  const list = applications.list();
  const present = components.filter((component) => applications.state(component) !== "notPresent");
  assert.equal(list.map(({ componentId }) => componentId).sort(), [...present].sort());
  assert.ok(list.reduce((sum, { bytes }) => sum + bytes, 0) <= 1024 * 1024);
  const pins = applications
    .firewalled()
    .filter(({ manifest }) => applications.state(manifest.ComponentId) !== "stopped")
    .flatMap(({ manifest }) => manifest.Capabilities.Gpio ?? []);
  assert.is(new Set(pins).size, pins.length);
  const uids = applications.firewalled().map(({ uid }) => uid);
  assert.is(new Set(uids).size, uids.length);
}

test.run();
