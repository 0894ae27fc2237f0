// deadline: 240 s
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { newProject, spherule } from "./support.ts";

const test = suite("spherule exec --body");
const { folder, remove } = newProject();
test.after(remove);

for (const body of ["native", "arm"]) {
  test(`${body}: the app is built, runs and sends telemetry`, async () => {
    const lab = ["exec", "--in-memory", "--verbose", "--body", body, "--"];
    const telemetry = ["spherule", "telemetry", "--count", "1", "--timeout", "30"];
    const { code, stdout, stderr } = await spherule(folder, ...lab, ...telemetry);
    assert.is(code, 0, stderr);
    assert.match(stdout, /"temperature":/);
    assert.match(stderr, /thermometer started/);
    assert.match(stderr, /goodbye[\s\S]*the app ended with exit code 0/);
  });
}

test("a body that does not exist is refused", async () => {
  const { code, stderr } = await spherule(folder, "exec", "--body", "jvm", "--", "true");
  assert.is(code, 1);
  assert.match(stderr, /Allowed choices are wasm, native, arm/);
});

test.run();
