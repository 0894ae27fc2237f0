import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LabError } from "../../host-sim/errors.ts";
import { readFrame } from "../../host-sim/imagepackage/frame.ts";
import {
  fromCloudForm,
  readFilesystem,
  readImage,
  toCloudForm,
  verifyImage,
  writeFilesystem,
} from "../../host-sim/imagepackage/index.ts";
import { decodeLzma } from "../../host-sim/imagepackage/lzma/decoder.ts";
import { encodeLzma } from "../../host-sim/imagepackage/lzma/encoder.ts";
import { sealImage } from "../../host-sim/imagepackage/signature.ts";
import { BUILD_TIME, changed, newKey, PRODUCTION, packOne, pattern } from "./support.ts";

const test = suite("image packages, properties");
const MUTATIONS = 10_000;
const { signer, trust } = newKey("lab");

/** Names of the kinds that matter: short, long, of four letters, upper case, not ASCII. */
const name = fc.oneof(
  fc.constantFrom("bin", "app", "abcd", "Z", "é", "README", "x".repeat(252)),
  fc
    .string({ minLength: 1, maxLength: 12, unit: "grapheme" })
    .filter((part) => !/[/\0]|^\.\.?$/.test(part)),
);
const content = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.integer({ min: 4090, max: 8200 }).map(pattern),
);
const file = fc.record({
  path: fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/")),
  content,
  executable: fc.boolean(),
});

/** Files without a path that is also a folder, or that is there twice. */
const files = fc
  .array(file, { maxLength: 12 })
  .map((list) =>
    list.filter(({ path }, index) =>
      list.every(
        (other, place) =>
          place === index ||
          !(
            (place < index && other.path === path) ||
            other.path.startsWith(`${path}/`) ||
            path.startsWith(`${other.path}/`)
          ),
      ),
    ),
  );

test("pack, unpack, pack gives the same bytes, whatever the order of the files", () => {
  fc.assert(
    fc.property(files, fc.integer(), (list, seed) => {
      const first = writeFilesystem(list);
      const read = readFilesystem(first);
      const found = new Map(read.map((each) => [each.path, each]));
      assert.is(found.size, list.length);
      for (const { path, content: bytes, executable } of list) {
        assert.ok(Buffer.from(found.get(path)?.content ?? []).equals(bytes), path);
        assert.is(found.get(path)?.executable, executable);
      }
      const shuffled = read.toSorted((a, b) => ((a.offset * seed) % 7) - ((b.offset * seed) % 7));
      assert.ok(Buffer.from(writeFilesystem(shuffled)).equals(first));
    }),
    { numRuns: 300 },
  );
});

test("a whole package, unpacked and sealed again, is the same up to its signature", () => {
  const image = packOne({ signer });
  const { payload, sections } = readFrame(image);
  const again = sealImage(writeFilesystem(readFilesystem(payload)), sections, signer);
  assert.ok(readFrame(again).signed.length > 0);
  assert.ok(Buffer.from(readFrame(again).signed).equals(readFrame(image).signed));
});

test("LZMA: what was encoded is decoded", () => {
  const repetitive = fc
    .array(
      fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.integer({ min: 1, max: 60 })),
    )
    .map((runs) => Buffer.concat(runs.flatMap(([run, count]) => Array(count).fill(run))));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 5000 }), repetitive), (bytes) => {
      const stream = encodeLzma(bytes);
      const decoded = decodeLzma(stream, bytes.length);
      assert.ok(Buffer.from(decoded.content).equals(bytes));
      assert.is(decoded.consumed, stream.length);
    }),
    { numRuns: 500 },
  );
});

test("to the cloud's form and back keeps the payload and drops what is temporary", () => {
  const image = packOne();
  const cloud = toCloudForm(image, { signer: PRODUCTION, signingTime: BUILD_TIME });
  assert.ok(cloud.length < image.length / 2);
  const inner = fromCloudForm(cloud);
  assert.ok(Buffer.from(readFrame(inner).payload).equals(readFrame(image).payload));
  assert.is(readImage(inner).underDevelopment, false);
  assert.is(readImage(cloud).imageId, readImage(image).imageId);
  assert.ok(Buffer.from(fromCloudForm(inner)).equals(inner));
});

interface Change {
  readonly at: number;
  readonly value: number;
  readonly bytes: number;
}

/** Half of the changes hit tables and metadata, where they matter most. */
const place = fc.oneof(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.double({ min: 0, max: 0.01, noNaN: true }),
  fc.double({ min: 0.985, max: 1, noNaN: true }),
);
const change: fc.Arbitrary<Change> = fc.record({
  at: place,
  value: fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0xffffffff, 0x7fffffff, 0x1000)),
  bytes: fc.constantFrom(1, 2, 4),
});

function mutate(bytes: Buffer, { at, value, bytes: count }: Change): void {
  const offset = Math.floor(at * (bytes.length - 4));
  if (count === 1) bytes.writeUInt8(value & 0xff, offset);
  else if (count === 2) bytes.writeUInt16LE(value & 0xffff, offset);
  else bytes.writeUInt32LE(value >>> 0, offset);
}

test("no mutated package makes a reader crash, hang or take more memory than 16 MiB", () => {
  const plain = packOne({ signer });
  const cloud = toCloudForm(plain, { signer, signingTime: BUILD_TIME });
  const changes = fc.array(change, { minLength: 1, maxLength: 6 });
  const cut = fc.oneof(fc.constant(0), fc.nat(300));
  let refusals = 0;
  let largest = 0;
  fc.assert(
    fc.property(fc.boolean(), fc.boolean(), changes, cut, (compressed, resealed, list, less) => {
      const source = compressed ? cloud : plain;
      const apply = (bytes: Buffer) => {
        for (const each of list) mutate(bytes, each);
      };
      // With a checksum that fits, the checks behind it are reached.
      const mutated =
        resealed && !compressed ? changed(source, apply, 0x4000) : Buffer.from(source);
      if (!resealed || compressed) apply(mutated);
      const bytes = mutated.subarray(0, mutated.length - less);
      for (const read of [() => readImage(bytes), () => verifyImage(bytes, trust)]) {
        const before = process.memoryUsage().arrayBuffers;
        try {
          read();
        } catch (error) {
          if (!(error instanceof LabError)) throw error;
          refusals += 1;
        }
        largest = Math.max(largest, process.memoryUsage().arrayBuffers - before);
      }
    }),
    { numRuns: MUTATIONS },
  );
  assert.ok(refusals > MUTATIONS / 2, `${refusals} refusals`);
  assert.ok(largest <= 16 * 1024 * 1024, `${largest} bytes`);
});

test.run();
