import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readFrame } from "../../host-sim/imagepackage/frame.ts";
import {
  packImage,
  readFilesystem,
  readImage,
  readMetadata,
  signImage,
  toCloudForm,
  verifyImage,
  writeFilesystem,
  writeMetadata,
} from "../../host-sim/imagepackage/index.ts";
import { sealImage } from "../../host-sim/imagepackage/signature.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import {
  BUILD_TIME,
  changed,
  DEVELOPMENT,
  IMAGE_ID,
  MANIFEST_ONE,
  newKey,
  packOne,
  pattern,
  refused,
} from "./support.ts";

const test = suite("damaged and foreign image packages");
const image = packOne();
/** The metadata of `image` begins here. */
const METADATA = 0x4000;

/** Reading the image with one change throws this code. */
function damages(code: string, what: string, change: (bytes: Buffer) => void): void {
  test(`${what}: ${code}`, () => {
    refused(code, () => readImage(changed(image, change, METADATA)));
  });
}

damages("image-metadata-length", "the last word is off by 4", (bytes) => {
  bytes.writeUInt32LE(152, bytes.length - 68);
});
damages("image-metadata-magic", "the magic is broken", (bytes) => {
  bytes[METADATA] = 0x35;
});
damages("image-section-overflow", "a section runs past the length", (bytes) => {
  bytes.writeUInt16LE(200, METADATA + 10);
});
damages("image-section-empty", "a section of no bytes", (bytes) => {
  bytes.writeUInt16LE(0, METADATA + 10);
});
damages("image-section-size", "a section of another size", (bytes) => {
  bytes.writeUInt32LE(0x00244753, METADATA + 8);
});
damages("image-metadata-count", "a count that leaves sections out", (bytes) => {
  bytes.writeUInt32LE(4, METADATA + 4);
});
damages("image-section-value", "a name that is no UTF-8", (bytes) => {
  bytes[METADATA + 0x58] = 0xff;
});
damages("asxipfs-size", "a size that is not the payload's", (bytes) => {
  bytes.writeUInt32LE(0x3000, 4);
});
damages("asxipfs-gap", "a byte between files", (bytes) => {
  bytes[0x1ff0] = 1;
});
damages("asxipfs-alignment", "a file that begins within a page", (bytes) => {
  bytes.writeUInt32LE(((0x1004 / 4) << 6) | 5, 0x54);
});
damages("asxipfs-not-in-place", "a file without the sticky bit", (bytes) => {
  bytes.writeUInt16LE(0o100644, 0x4c);
});
damages("asxipfs-file-type", "a symbolic link", (bytes) => {
  bytes.writeUInt16LE(0o121777, 0x4c);
});
damages("asxipfs-order", "names out of order", (bytes) => {
  bytes.write("zpp_", 0x58);
});
damages("asxipfs-overlap", "two files at one place", (bytes) => {
  bytes.writeUInt32LE(((0x1000 / 4) << 6) | 1, 0x84);
});
damages("asxipfs-bounds", "a file beyond the end", (bytes) => {
  bytes.writeUInt32LE(((0x4000 / 4) << 6) | 1, 0x84);
});
damages("asxipfs-inode-count", "a count of inodes that is wrong", (bytes) => {
  bytes.writeUInt32LE(5, 44);
});
damages("asxipfs-owner", "a file with an owner", (bytes) => {
  bytes.writeUInt16LE(1000, 0x4e);
});
damages("asxipfs-name", "an empty name", (bytes) => {
  bytes.fill(0, 0x58, 0x6c);
});
damages("asxipfs-superblock", "flags that are not known", (bytes) => {
  bytes.writeUInt32LE(7, 8);
});

test("the checksum is flipped: asxipfs-crc", () => {
  const bytes = Buffer.from(image);
  bytes.writeUInt8(bytes.readUInt8(32) ^ 1, 32);
  refused("asxipfs-crc", () => readImage(bytes));
});

test("a table that contains itself ends in an error, not in a loop", () => {
  const nested = (bytes: Buffer) => {
    bytes.writeUInt32LE(0x30, 0x70);
    bytes.writeUInt32LE(((76 / 4) << 6) | 1, 0x74);
  };
  refused("asxipfs-depth", () => readImage(changed(image, nested, METADATA)));
});

test("tables that are shared a million times over end in an error at once", () => {
  const empty = { content: new Uint8Array(), executable: false };
  const files = Array.from({ length: 250 }, (_, at) => ({ path: `${100 + at}`, ...empty }));
  const width = 20;
  const levels = 10;
  const tangled = changed(writeFilesystem(files), (bytes) => {
    bytes.writeUInt32LE(16 * width, 68);
    for (let entry = 0; entry < width * levels; entry++) {
      const next = 76 + 16 * width * (Math.floor(entry / width) + 1);
      bytes.writeUInt16LE(0o040755, 76 + 16 * entry);
      bytes.writeUInt32LE(16 * width, 76 + 16 * entry + 4);
      bytes.writeUInt32LE(((next / 4) << 6) | 1, 76 + 16 * entry + 8);
    }
  });
  refused("asxipfs-overlap", () => readFilesystem(tangled));
});

test("the entry point is missing: entry-point-missing", () => {
  refused("entry-point-missing", () =>
    packOne({ files: [{ path: "bin/other", content: pattern(1) }] }),
  );
});

const { signer, trust } = newKey("lab development");

test("a good signature is valid, by P-256 and by P-384", () => {
  const signed = signImage(image, signer);
  assert.equal(verifyImage(signed, trust), {
    verdict: "valid",
    thumbprint: signer.thumbprint,
    signer: "lab development",
  });
  const other = newKey("larger", "P-384");
  const larger = signImage(image, other.signer);
  assert.is(larger.length, image.length + 32);
  assert.is(verifyImage(larger, other.trust).verdict, "valid");
});

test("a signature over one byte less is invalid", () => {
  const { payload, sections } = readFrame(image);
  const short = sealImage(payload, sections, {
    ...signer,
    sign: (bytes) => signer.sign(bytes.subarray(0, -1)),
  });
  assert.is(verifyImage(short, trust).verdict, "invalid");
});

test("one changed bit anywhere makes the signature invalid", () => {
  const signed = signImage(image, signer);
  for (const at of [0x1003, 0x2f00, METADATA + 0x60, signed.length - 1]) {
    const bytes = Buffer.from(signed);
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    assert.is(verifyImage(bytes, trust).verdict, "invalid", `byte ${at}`);
  }
});

test("an unknown thumbprint is told, and a publicly known one is named", () => {
  const { thumbprint } = DEVELOPMENT;
  assert.equal(verifyImage(image, trust), {
    verdict: "unknown signer",
    thumbprint,
    signer: undefined,
  });
  const known = { ...DEVELOPMENT, thumbprint: "a8d5cc6958f48710140d7a26160fc1cfc31f5df0" };
  const { verdict, signer: name } = verifyImage(signImage(image, known), trust);
  assert.is(verdict, "unknown signer");
  assert.match(name ?? "", "Microsoft");
});

test("of a compressed image both signatures count", () => {
  const cloud = toCloudForm(image, { signer, signingTime: BUILD_TIME });
  assert.is(verifyImage(cloud, trust).verdict, "valid");
  const outerOnly = signImage(toCloudForm(image, { signer: DEVELOPMENT, signingTime: 0 }), signer);
  assert.is(verifyImage(outerOnly, trust).verdict, "unknown signer");
});

/** A cloud image with another Compression section or payload. */
function cloudWith(change: { size?: number; type?: number; cut?: number; tail?: Uint8Array }) {
  const frame = readFrame(toCloudForm(image, { signer, signingTime: BUILD_TIME }));
  const sections = frame.sections.map((section) =>
    section.kind === "Compression"
      ? {
          ...section,
          uncompressedSize: change.size ?? section.uncompressedSize,
          type: change.type ?? section.type,
        }
      : section,
  );
  const payload = Buffer.concat([
    frame.payload.subarray(0, frame.payload.length - (change.cut ?? 0)),
    change.tail ?? new Uint8Array(),
  ]);
  return sealImage(payload, sections, signer);
}

for (const [what, code, change] of [
  ["a size that is too large", "image-uncompressed-size", { size: 16_589 }],
  ["a size that is too small", "lzma-too-long", { size: 16_587 }],
  ["a size beyond all images", "image-too-large", { size: 0xffffffff }],
  ["an unknown compression", "image-compression", { type: 2 }],
  ["a stream that is cut", "lzma-truncated", { cut: 200 }],
  ["bytes after the stream", "lzma-invalid", { tail: new Uint8Array(8).fill(1) }],
] as const) {
  test(`compressed, with ${what}: ${code}`, () => {
    refused(code, () => readImage(cloudWith(change)));
  });
}

test("the property byte and the first byte of an LZMA stream are checked", () => {
  for (const [at, value] of [
    [0, 0xff],
    [13, 1],
  ] as const) {
    const bytes = Buffer.from(cloudWith({}));
    bytes[at] = value;
    refused("lzma-invalid", () => readImage(bytes));
  }
});

test("what is no package at all is told apart", () => {
  refused("image-too-short", () => readImage(new Uint8Array(10)));
  refused("image-metadata-magic", () => readImage(new Uint8Array(4096)));
  refused("image-too-large", () => readImage(new Uint8Array(9 * 1024 * 1024)));
  refused("image-section-missing", () => {
    const metadata = writeMetadata([{ kind: "TemporaryImage", flags: 2 }]);
    readImage(Buffer.concat([metadata, Buffer.alloc(64)]));
  });
  refused("image-section-repeated", () => {
    const flags = { kind: "TemporaryImage", flags: 2 } as const;
    readMetadata(writeMetadata([flags, flags]));
  });
});

test("the packer refuses what would not fit or be found", () => {
  const files = (path: string, size: number) => [
    { path: "bin/app", content: pattern(1) },
    { path, content: new Uint8Array(size) },
  ];
  refused("image-over-limit", () => packOne({ files: files("big", 1024 * 1024) }));
  refused("image-file-too-large", () => packOne({ files: files("big", 0x1000000) }));
  for (const path of ["", "../up", "/root", "a//b", "x".repeat(253), "a\0b", "."]) {
    refused("image-path-invalid", () => packOne({ files: files(path, 1) }));
  }
  refused("image-path-repeated", () => packOne({ files: files("bin/app", 1) }));
  refused("image-path-repeated", () => packOne({ files: files("bin/app/x", 1) }));
  refused("image-path-repeated", () => packOne({ files: files("app_manifest.json", 1) }));
  refused("executable-missing", () => packOne({ executables: ["bin/tool"] }));
  refused("guid-invalid", () => packOne({ imageId: "no guid" }));
  refused("thumbprint-invalid", () => packOne({ signer: { ...DEVELOPMENT, thumbprint: "00" } }));
  refused("target-api-set-missing", () =>
    packImage({
      manifest: MANIFEST_ONE.replace(',"TargetApplicationRuntimeVersion":16', ""),
      files: files("x", 1),
      signer: DEVELOPMENT,
      imageId: IMAGE_ID,
      buildTime: BUILD_TIME,
    }),
  );
});

test("each error of the room, its commands and their helpers has a heading in docs/errors.md", () => {
  const headings = readFileSync(join(packageFolder(), "docs/errors.md"), "utf8");
  const codes = ["imagepackage", "imagepackage/lzma", "lab", "cli", "cli/commands"].flatMap(
    (room) =>
      readdirSync(join(packageFolder(), "host-sim", room))
        .filter((name) => name.endsWith(".ts"))
        .flatMap((name) => codesIn(join(packageFolder(), "host-sim", room, name))),
  );
  assert.ok(codes.length > 60, `${codes.length} codes`);
  for (const code of codes) assert.match(headings, `\n## ${code}\n`);
});

/** The first argument of each error that a source makes. */
function codesIn(file: string): string[] {
  const matches = readFileSync(file, "utf8").matchAll(/(?:LabError|damaged)\(\s*"([a-z0-9-]+)"/g);
  return [...matches].map(([, code = ""]) => code);
}

test.run();
