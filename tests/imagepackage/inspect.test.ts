import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  createTrustStore,
  differences,
  inspectImage,
  readImage,
  type Section,
  treeLines,
  writeFilesystem,
} from "../../host-sim/imagepackage/index.ts";
import { developmentSections } from "../../host-sim/imagepackage/pack.ts";
import { sealImage } from "../../host-sim/imagepackage/signature.ts";
import { BUILD_TIME, DEVELOPMENT, IMAGE_ID, MANIFEST_ONE, packOne, text } from "./support.ts";

const test = suite("what an inspection finds");
const nobody = createTrustStore([]);

/** The first bytes of a 32-bit ARM program. */
function arm(): Buffer {
  const header = Buffer.alloc(52);
  header.write("\x7fELF\x01\x01\x01", "latin1");
  header.writeUInt16LE(3, 16);
  header.writeUInt16LE(40, 18);
  return header;
}

/** An image of parts that need not fit together. */
function assembled(
  files: readonly (readonly [path: string, content: Uint8Array, executable: boolean])[],
  change: Partial<{ componentId: string; name: string; apiSet: number }> = {},
): Uint8Array {
  const list = files.map(([path, content, executable]) => ({ path, content, executable }));
  const sections: Section[] = developmentSections({
    componentId: "01234567-89ab-4cde-8f01-23456789abcd",
    imageId: IMAGE_ID,
    name: "VectorOne",
    buildTime: BUILD_TIME,
    apiSet: 16,
    ...change,
  });
  return sealImage(writeFilesystem(list), sections, DEVELOPMENT);
}

const manifest = ["app_manifest.json", text(MANIFEST_ONE), false] as const;
const findings = (image: Uint8Array) => inspectImage(image, nobody).findings;

test("nothing in a sound package", () => {
  assert.equal(findings(packOne({ files: [{ path: "bin/app", content: arm() }] })), []);
});

for (const [what, image, pattern] of [
  ["no manifest", assembled([["bin/app", arm(), true]]), /app_manifest\.json is missing/],
  ["a manifest of no object", assembled([["app_manifest.json", text("1"), false]]), /no JSON/],
  ["no entry point", assembled([manifest]), /\/bin\/app is not in the image$/],
  ["wasm only", assembled([manifest, ["app.wasm", arm(), false]]), /runs in the lab only/],
  ["not executable", assembled([manifest, ["bin/app", arm(), false]]), /is not executable/],
  [
    "two executables",
    assembled([manifest, ["bin/app", arm(), true], ["bin/b", arm(), true]]),
    /also executable: \/bin\/b/,
  ],
  ["no program", assembled([manifest, ["bin/app", text("#!"), true]]), /no 32-bit ARM program/],
  ["another id", assembled([manifest], { componentId: IMAGE_ID }), /ComponentId .* is not/],
  ["another name", assembled([manifest], { name: "Other" }), /Name VectorOne is not .* Other/],
  ["another API set", assembled([manifest], { apiSet: 13 }), /API set 16, the metadata for 13/],
] as const) {
  test(`${what} is found`, () => {
    assert.ok(
      findings(image).some((each) => pattern.test(each)),
      findings(image).join("\n"),
    );
  });
}

test("files are shown as a tree", () => {
  const { files } = readImage(
    assembled([
      manifest,
      ["bin/app", arm(), true],
      ["www/a/x", text("1"), false],
      ["www/a/y", text("12"), false],
      ["www/b", text(""), false],
    ]),
  );
  assert.equal(
    treeLines(files).map((line) => line.replace(/ +(\d+)$/, " $1")),
    ["app_manifest.json 211", "bin/", "  app* 52", "www/", "  a/", "    x 1", "    y 2", "  b 0"],
  );
});

test("differences are told by field and file, and equal packages have none", () => {
  const first = readImage(assembled([manifest, ["bin/app", arm(), true]]));
  assert.equal(differences(first, first), []);
  const second = readImage(assembled([manifest, ["bin/app", arm(), false]], { name: "Other" }));
  assert.equal(
    differences(first, second).map(({ what }) => what),
    ["Debug: Image Name", "/bin/app"],
  );
});

test.run();
