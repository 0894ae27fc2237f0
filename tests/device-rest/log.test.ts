import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createDeviceLog, guidBytes } from "../../host-sim/device/system/device-log.ts";
import { openMemoryStore } from "../../host-sim/store/index.ts";
import { refusal, startRest } from "./support.ts";

const test = suite("the device's binary log");
const BANK = 4096;

interface Entry {
  readonly priority: number;
  readonly category: number;
  readonly message: number;
  readonly milliseconds: number;
  readonly parameters: Buffer;
}

/** Reads a log by the public description of its format; fails where a reader would be lost. */
function decode(log: Buffer): Entry[] {
  assert.is(log.length % BANK, 0);
  const banks = Array.from({ length: log.length / BANK }, (_, at) =>
    log.subarray(at * BANK, (at + 1) * BANK),
  );
  banks.sort((a, b) => a.readUInt16LE(BANK - 4) - b.readUInt16LE(BANK - 4));
  return banks.flatMap((bank) => {
    const entries: Entry[] = [];
    for (let at = 0; at < BANK - 16; ) {
      const length = bank.readUInt16LE(at);
      if (length === 0xffff) break;
      assert.ok(length >= 12 && at + length <= BANK - 4, `entry of ${length} at ${at}`);
      entries.push({
        priority: bank.readUInt8(at + 3),
        category: bank.readUInt16LE(at + 4),
        message: bank.readUInt16LE(at + 6),
        milliseconds: bank.readUInt32LE(at + 8),
        parameters: bank.subarray(at + 12, at + length),
      });
      at += length;
    }
    return entries;
  });
}

test("tells the system's version, the device and each request", async () => {
  const device = await startRest();
  device.clock.advance(1_500);
  await device.get("/abi_versions");
  const { bytes, headers } = await device.get("/log");
  assert.is(headers["content-type"], "application/octet-stream");
  const entries = decode(bytes);
  const shown = entries.map(({ category, message, parameters }) => [
    ...[category, message, parameters.toString("utf8")],
  ]);
  assert.equal(shown, [
    [6, 169, "24.06\0"],
    [12, 16, `${device.deviceId}\0`],
    [6, 153, "GET\0/abi_versions\0"],
    [6, 153, "GET\0/log\0"],
  ]);
  assert.is(entries[2]?.milliseconds, 1_500);
  assert.equal(refusal(await device.get("/logs")), [404, 15728642]);
  await device.stop();
});

test("a GUID has the first three groups reversed", () => {
  assert.is(
    guidBytes("01234567-89ab-4cde-8f01-23456789abcd").toString("hex"),
    "67452301ab89de4c8f0123456789abcd",
  );
});

test("any entries can be read back; the oldest go when the ring is full", () => {
  const parameter = fc.oneof(
    fc.record({ type: fc.constantFrom("integer", "unsigned", "error"), value: fc.integer() }),
    fc.record({ type: fc.constant("string"), value: fc.string({ maxLength: 400 }) }),
    fc.record({ type: fc.constant("address"), value: fc.ipV4() }),
  );
  fc.assert(
    fc.property(fc.array(fc.array(parameter, { maxLength: 4 }), { maxLength: 120 }), (all) => {
      let now = 0;
      const log = createDeviceLog(openMemoryStore(), () => now);
      for (const parameters of all) {
        log.add("info", "request", parameters as Parameters<typeof log.add>[2]);
        now += 1;
      }
      const times = decode(log.bytes()).map(({ milliseconds }) => milliseconds);
      const first = all.length - times.length;
      assert.equal(
        times,
        times.map((_, index) => first + index),
      );
      assert.ok(log.bytes().length <= 4 * BANK);
      if (all.length > 0) assert.ok(times.length > 0);
    }),
    { numRuns: 60 },
  );
});

test.run();
