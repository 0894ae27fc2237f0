import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readFrame } from "../../host-sim/imagepackage/frame.ts";
import {
  packImage,
  readImage,
  readMetadata,
  sectionOf,
  toCloudForm,
  writeFilesystem,
  writeMetadata,
} from "../../host-sim/imagepackage/index.ts";
import { decodeLzma } from "../../host-sim/imagepackage/lzma/decoder.ts";
import { developmentSections } from "../../host-sim/imagepackage/pack.ts";
import {
  BUILD_TIME,
  DEVELOPMENT,
  fromHex,
  IMAGE_ID,
  MANIFEST_ONE,
  PRODUCTION,
  packOne,
  pattern,
  sha256,
  text,
} from "./support.ts";

const test = suite("image packages, byte for byte");

const MANIFEST_TWO =
  '{"SchemaVersion":1,"Name":"A name that is longer than 31 bytes","ComponentId":' +
  '"01234567-89AB-4CDE-8F01-23456789ABCD","EntryPoint":"/bin/app","CmdArgs":["-x"],' +
  '"Capabilities":{"Gpio":[8]},"ApplicationType":"Default","TargetApplicationRuntimeVersion":16}';

test("the inputs of the vectors are what they should be", () => {
  const all = [pattern(5000), MANIFEST_ONE, MANIFEST_TWO].map(sha256);
  assert.equal(all, [
    "69dbee893909fa17d1be397e0c07691336fe42049c29d403467d3d4a1fc3b5a1",
    "50f3ebea5bc72586ad950c8ce725bf4fa9d30ad150f97362c9e41970a650dc4f",
    "c78a7fa979d7175f47fd786bdcde42227f484ffc450b58660288ffcbf62e63f7",
  ]);
});

test("two files: the file system", () => {
  const { payload } = readFrame(packOne());
  assert.is(payload.length, 0x4000);
  assert.is(Buffer.from(payload).readUInt32LE(32), 0x29422ef6);
  assert.is(sha256(payload), "bc7bbd524ae03c83315af17260b52c8545ce73215956256ac6b7134eefefc292");
});

test("two files: superblock and tables", () => {
  const { payload } = readFrame(packOne());
  const expected = fromHex(`
    45 3d cd 28 00 40 00 00 03 00 00 00 00 00 00 00 43 6f 6d 70 72 65 73 73 65 64 20 52 4f 4d 46 53
    f6 2e 42 29 00 00 00 00 00 00 00 00 04 00 00 00 43 6f 6d 70 72 65 73 73 65 64 00 00 00 00 00 00
    ed 41 00 00 30 00 00 00 c0 04 00 00 a4 83 00 00 d3 00 00 00 05 00 01 00 61 70 70 5f 6d 61 6e 69
    66 65 73 74 2e 6a 73 6f 6e 00 00 00 ed 41 00 00 10 00 00 00 c1 07 00 00 62 69 6e 00 ed 83 00 00
    88 13 00 00 01 00 02 00 61 70 70 00 00`);
  assert.equal(Buffer.from(payload.subarray(0, expected.length)), expected);
});

test("two files: the metadata and the whole before the signature", () => {
  const image = packOne();
  const { metadata, signed } = readFrame(image);
  assert.is(metadata.length, 148);
  assert.is(sha256(metadata), "c25e160dc6f81108e09d52e6b8b0bd105e0bf3c9f801519c865dd380f3216581");
  assert.is(signed.length, 16_532);
  assert.is(sha256(signed), "6d1270e2aed5f78fafbc9b9ff353491f6596e6029980e492ff05232b65d0b44e");
  assert.is(image.length, 16_596);
});

test("sorted names, a name of four letters, an empty file, a full page, a name that is cut", () => {
  const image = packImage({
    manifest: MANIFEST_TWO,
    files: [
      { path: "www/index.html", content: text("<p>hi</p>\n") },
      { path: "www/empty", content: text("") },
      { path: "README", content: text("r") },
      { path: "bin/app", content: pattern(4096) },
      { path: "abcd", content: text("four") },
      { path: "www/Style.css", content: pattern(4097) },
    ],
    signer: DEVELOPMENT,
    imageId: IMAGE_ID,
    buildTime: BUILD_TIME,
    apiSet: 16,
  });
  const { payload, metadata, signed, sections } = readFrame(image);
  assert.is(payload.length, 0x8000);
  const table = fromHex(`
    ed 41 00 00 64 00 00 00 c0 04 00 00 a4 83 00 00 01 00 00 00 02 00 01 00 52 45 41 44 4d 45 00 00
    a4 83 00 00 04 00 00 00 01 00 02 00 61 62 63 64 a4 83 00 00 fb 00 00 00 05 00 03 00 61 70 70 5f
    6d 61 6e 69 66 65 73 74 2e 6a 73 6f 6e 00 00 00 ed 41 00 00 10 00 00 00 01 0b 00 00 62 69 6e 00
    ed 41 00 00 44 00 00 00 01 0c 00 00 77 77 77 00 ed 83 00 00 00 10 00 00 01 00 04 00 61 70 70 00
    a4 83 00 00 01 10 00 00 03 00 05 00 53 74 79 6c 65 2e 63 73 73 00 00 00 a4 83 00 00 00 00 00 00
    02 00 00 00 65 6d 70 74 79 00 00 00 a4 83 00 00 0a 00 00 00 03 00 07 00 69 6e 64 65 78 2e 68 74
    6d 6c 00 00`);
  assert.equal(Buffer.from(payload.subarray(0x40, 0x104)), table);
  assert.is(Buffer.from(payload).readUInt32LE(32), 0x105f78fc);
  assert.is(Buffer.from(payload).readUInt32LE(44), 10);
  assert.is(sha256(payload), "cd94efce1a871a6f4467c4e7301b441c31ac22a9a0418161bd0d4aa2ea83e2b8");
  assert.is(sectionOf(sections, "Debug")?.name, "A name that is longer than 31 b");
  assert.is(sha256(metadata), "b8b2fa0c208e8c62d65ac8cba8a0f2770f8f77363172c912b4c6672ff2c4cd7b");
  assert.is(sha256(signed), "c33fa5c85f68bb462b1ab932154d5211f93f8b03d9bf83e29755dbc8badcac30");
});

test("a real-time capable application depends on no ABI", () => {
  const sections = developmentSections({
    componentId: "01234567-89ab-4cde-8f01-23456789abcd",
    imageId: IMAGE_ID,
    name: "VectorRT",
    buildTime: BUILD_TIME,
  });
  const signed = sections.map((section) =>
    section.kind === "Signature" ? { ...section, thumbprint: DEVELOPMENT.thumbprint } : section,
  );
  const metadata = writeMetadata(signed);
  assert.is(metadata.length, 140);
  assert.is(sha256(metadata), "265dd7d713e32c7478742553cb7a63f76779bb92107a398cd3f12d0ce9118b58");
});

test("the form of the Security Service", () => {
  const cloud = toCloudForm(packOne(), { signer: PRODUCTION, signingTime: 1_700_000_600 });
  const outer = readFrame(cloud);
  assert.is(outer.payload.length % 4, 0);
  assert.is(outer.metadata.length, 152);
  assert.is(
    sha256(outer.metadata),
    "10aab39dddd21bce5e26e0509a0c1955b851471369541e5b8bd49734d25e3666",
  );
  const { content } = decodeLzma(outer.payload, 0x40cc);
  assert.is(content.length, 16_588);
  assert.is(sha256(content), "dad4f601a5c140267555d32ea957b61101135300255bbb7e73b87fe8b89f2657");
  assert.equal(
    readFrame(content).sections.map(({ kind }) => kind),
    ["Identity", "Signature", "Debug", "AbiDepends"],
  );
});

test("an LZMA stream of liblzma", () => {
  const stream = fromHex(
    "5a 00 10 00 00 ff ff ff ff ff ff ff ff 00 34 19 a4 20 6f 2d 8e 9f ff ff a9 d6 00 00",
  );
  const { content, consumed } = decodeLzma(stream, 5);
  assert.is(Buffer.from(content).toString(), "hello");
  assert.ok(stream.length - consumed <= 3);
});

test("metadata of a real-time capable application as one finds it in the wild", () => {
  const block = fromHex(`
    34 58 34 4d 05 00 00 00 49 44 24 00 0a 00 00 00 f8 4a 68 9b b9 21 aa 42 91 e4 62 1d 54 28 e4 97
    24 c9 f8 0a 34 4c 53 44 96 12 02 56 0e 02 90 6d 53 47 18 00 a8 d5 cc 69 58 f4 87 10 14 0d 7a 26
    16 0f c1 cf c3 1f 5d f0 01 00 00 00 44 42 28 00 21 25 4a 62 00 00 00 00 41 6c 74 61 69 72 52 54
    5f 64 69 66 66 65 72 65 6e 63 65 5f 64 69 73 6b 5f 73 65 72 76 69 63 00 54 50 04 00 02 00 00 00
    4e 44 04 00 00 00 00 00 8c 00 00 00`);
  const sections = readMetadata(block);
  const identity = sectionOf(sections, "Identity");
  assert.is(identity?.componentId, "9b684af8-21b9-42aa-91e4-621d5428e497");
  assert.is(identity?.imageId, "0af8c924-4c34-4453-9612-02560e02906d");
  const built = sectionOf(sections, "Debug")?.buildTime ?? 0;
  assert.is(new Date(built * 1000).toISOString(), "2022-04-03T22:52:17.000Z");
  assert.equal(Buffer.from(writeMetadata(sections)), block);
});

test("superblock and tables of a package with three folders as one finds it in the wild", () => {
  const file = (path: string, size: number) => ({
    path,
    content: new Uint8Array(size),
    executable: path === "bin/app",
  });
  const filesystem = writeFilesystem([
    file("bin/app", 0x163a8),
    file("app_manifest.json", 0x373),
    file("Disks/altair_basic.bin", 0x2000),
    file("Disks/88dskrom.bin", 0x100),
    file("AppSamples/riddle.c", 0x37b),
    file("AppSamples/loopy.bas", 0x6a),
  ]);
  const expected = fromHex(`
    ed 41 00 00 5c 00 00 00 c0 04 00 00 ed 41 00 00 2c 00 00 00 83 0a 00 00 41 70 70 53 61 6d 70 6c
    65 73 00 00 ed 41 00 00 34 00 00 00 42 0d 00 00 44 69 73 6b 73 00 00 00 a4 83 00 00 73 03 00 00
    05 00 06 00 61 70 70 5f 6d 61 6e 69 66 65 73 74 2e 6a 73 6f 6e 00 00 00 ed 41 00 00 10 00 00 00
    81 10 00 00 62 69 6e 00 a4 83 00 00 6a 00 00 00 03 00 01 00 6c 6f 6f 70 79 2e 62 61 73 00 00 00
    a4 83 00 00 7b 03 00 00 02 00 02 00 72 69 64 64 6c 65 2e 63 a4 83 00 00 00 01 00 00 03 00 03 00
    38 38 64 73 6b 72 6f 6d 2e 62 69 6e a4 83 00 00 00 20 00 00 04 00 04 00 61 6c 74 61 69 72 5f 62
    61 73 69 63 2e 62 69 6e ed 83 00 00 a8 63 01 00 01 00 07 00 61 70 70 00`);
  assert.is(filesystem.length, 0x1e000);
  assert.equal(Buffer.from(filesystem.subarray(0x40, 0x40 + expected.length)), expected);
});

test("what is read is what was packed", () => {
  const image = readImage(packOne());
  assert.is(image.name, "VectorOne");
  assert.is(image.componentId, "01234567-89ab-4cde-8f01-23456789abcd");
  assert.is(image.imageId, IMAGE_ID);
  assert.is(image.apiSet, 16);
  assert.ok(image.underDevelopment);
  assert.equal(
    image.files.map(({ path, executable, offset }) => [path, executable, offset]),
    [
      ["app_manifest.json", false, 0x1000],
      ["bin/app", true, 0x2000],
    ],
  );
  assert.equal(Buffer.from(image.files[1]?.content ?? []), Buffer.from(pattern(5000)));
});

test("a board configuration is recognised", () => {
  const tree = Buffer.alloc(64);
  tree.writeUInt32BE(0xd00dfeed, 0);
  tree.writeUInt32BE(64, 4);
  const identity = { kind: "Identity" as const, imageType: 21 };
  const metadata = writeMetadata([
    { ...identity, componentId: IMAGE_ID, imageId: IMAGE_ID },
    { kind: "Signature", thumbprint: DEVELOPMENT.thumbprint, signingType: 1 },
    { kind: "Debug", buildTime: BUILD_TIME, name: "board" },
    { kind: "TemporaryImage", flags: 2 },
  ]);
  assert.equal([...metadata.subarray(-8)], [2, 0, 0, 0, 0x84, 0, 0, 0]);
  const image = readImage(Buffer.concat([tree, metadata, Buffer.alloc(64)]));
  assert.is(image.content.kind, "board-configuration");
  assert.is(image.imageType, 21);
});

test.run();
