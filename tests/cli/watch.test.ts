import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { watchProject } from "../../host-sim/cli/watch.ts";
import { createCompilerProcess } from "../../host-sim/compiler/process.ts";
import { newProject } from "./support.ts";

const test = suite("watching a project");

/** A watched project; `next` waits for the result of the next build. */
function watched(since = Number.POSITIVE_INFINITY, prepare = (_folder: string) => {}) {
  const { folder, remove } = newProject();
  prepare(folder);
  const results: string[] = [];
  let wake = () => {};
  const compiler = createCompilerProcess();
  const stop = watchProject({
    projectFolder: folder,
    target: "debug",
    body: "wasm",
    compiler,
    built: async () => {},
    since,
    report: (text) => {
      results.push(text);
      wake();
    },
  });
  return {
    folder,
    async next(): Promise<string> {
      while (results.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return results.shift() ?? "";
    },
    end() {
      stop();
      compiler.stop();
      remove();
    },
  };
}

test("a source that an editor replaces is noticed every time", async () => {
  const { folder, next, end } = watched();
  const source = join(folder, "assembly/app/sensor.ts");
  for (let edit = 1; edit <= 3; edit++) {
    writeFileSync(
      `${source}.new`,
      `export function readTemperature(): f64 {\n  return ${edit};\n}\n`,
    );
    renameSync(`${source}.new`, source);
    assert.match(await next(), "built and started again");
  }
  end();
});

test("what was saved while the first build went on is built as well", async () => {
  const { next, end } = watched(0);
  assert.match(await next(), "built");
  end();
});

test("a lock of an editor, which is a link to nowhere, does not disturb the start", async () => {
  const lock = (folder: string) => symlinkSync("me@here.1", join(folder, "assembly/app/.#main.ts"));
  const { next, end } = watched(0, lock);
  assert.match(await next(), "built");
  end();
});

test("a new folder with sources is watched too", async () => {
  const { folder, next, end } = watched();
  const added = join(folder, "assembly/app/more");
  mkdirSync(added);
  assert.match(await next(), "built");
  writeFileSync(join(added, "extra.ts"), "export const extra = 1;\n");
  assert.match(await next(), "built");
  end();
});

test("a source that does not compile is told with its line, by the warm compiler too", async () => {
  const { folder, next, end } = watched();
  const source = join(folder, "assembly/app/sensor.ts");
  for (let edit = 0; edit < 2; edit++) {
    writeFileSync(source, `${"\n".repeat(edit)}export const nonsense: i32 = "text";\n`);
    assert.match(await next(), `assembly/app/sensor.ts(${edit + 1},`);
  }
  end();
});

test("a manifest that became wrong is told and the next right one is built", async () => {
  const { folder, next, end } = watched();
  writeFileSync(join(folder, "app_manifest.json"), "{");
  assert.match(await next(), "app_manifest.json is not correct");
  end();
});

test.run();
