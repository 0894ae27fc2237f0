// deadline: 300 s
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { manifest, startDevice } from "../device/support.ts";
import { packApp, TRUSTING, WASM } from "../device-rest/packages.ts";
import { startRest } from "../device-rest/support.ts";
import { buildFolder, buildLibraryTests } from "./support.ts";

const test = suite("files of the image package, as a program finds them");
const ENOENT = 2;
const PRESETS = ["linux-release", "arm-lab"] as const;
const programs = new Map(
  await Promise.all(
    PRESETS.map(async (preset) => {
      const folder = buildFolder(`package-files-${preset}`);
      return [preset, await buildLibraryTests(folder, preset)] as const;
    }),
  ),
);

for (const preset of PRESETS) {
  test(`${preset}: what an installed package holds can be opened and read, and not be written`, async () => {
    const device = await startRest({
      ...TRUSTING,
      packagedProgram: () => programs.get(preset),
    });
    const files = [
      { path: "app.wasm", content: WASM },
      { path: "data/words.txt", content: Buffer.from("so it goes") },
    ];
    await device.call("PUT", "/update/stage", packApp({ files, fault: "package" }));
    await device.call("POST", "/update/install");
    const log = () => device.lines.map(({ text }) => text);
    while (!log().some((line) => line.startsWith("other "))) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const lines = ["open 0 0", "writable 0 0", "read 10 0", "text so it goes", "manifest 0 0"];
    for (const line of [...lines, `other -1 ${ENOENT}`]) {
      assert.ok(log().includes(line), `${line}\n${log().join("\n")}`);
    }
    await device.stop();
  });
}

test("the app of a project, which is in no package, has its manifest and no file of others", async () => {
  const device = await startDevice();
  const native = programs.get("linux-release");
  await device.os.install({ manifest: manifest(["arguments"]), wasm: WASM, native });
  await device.until(() => device.log().includes(`missing -1 ${ENOENT}`));
  await device.stop();
});

test.run();
