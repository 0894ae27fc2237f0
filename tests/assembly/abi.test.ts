import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packageFolder } from "../../host-sim/paths.ts";
import { compileFixture } from "./support.ts";

const test = suite("host ABI");
const folder = join(packageFolder(), "assembly/sphere/host");

/** `subject.name` of every `export declare function`. */
function declared(): string[] {
  return readdirSync(folder).flatMap((file) => {
    const text = readFileSync(join(folder, file), "utf8");
    const names = [...text.matchAll(/^export declare function (\w+)\(/gm)];
    return names.map(([, name]) => `${file.replace(".ts", "")}.${name}`);
  });
}

test("a module that uses every import imports just what the ABI declares", async () => {
  const { wasm } = await compileFixture("all-imports");
  const imported = WebAssembly.Module.imports(new WebAssembly.Module(wasm))
    .map(({ module, name }) => `${module}.${name}`)
    .filter((name) => name !== "env.abort");
  assert.equal(imported.sort(), declared().sort());
});

test("the ABI's declarations hold no logic and no managed objects", () => {
  for (const file of readdirSync(folder)) {
    const text = readFileSync(join(folder, file), "utf8");
    assert.not.match(text, /: (string|boolean|f32|f64)\b|^import|^export function/m, file);
  }
});

test("the release build of the thermometer is under 40 KB", async () => {
  const { compileApp } = await import("../../host-sim/compiler/compile.ts");
  const { wasm } = await compileApp({ projectFolder: packageFolder(), target: "release" });
  assert.ok(wasm.length < 40_960, `${wasm.length} bytes`);
});

test("an app that does not compile is an error that names the line", async () => {
  const { compileApp } = await import("../../host-sim/compiler/compile.ts");
  const request = { projectFolder: packageFolder(), entry: "tests/fixtures/assembly/broken.ts" };
  const error = await compileApp(request).catch((problem) => problem);
  assert.is(error.code, "app-does-not-compile");
  assert.match(error.message, "tests/fixtures/assembly/broken.ts(3,");
});

test("a folder without asconfig.json is no project", async () => {
  const { compileApp } = await import("../../host-sim/compiler/compile.ts");
  const error = await compileApp({ projectFolder: "/nowhere" }).catch((problem) => problem);
  assert.is(error.code, "project-missing");
});

test.run();
