import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseAddr2line, parseFramesLine } from "../../host-sim/device/native/frames-line.ts";

const test = suite("lines about the way to a stop");
const BUILD = "0123456789abcdef";

test("machine, build and addresses are read, and nothing else is taken for it", () => {
  assert.equal(parseFramesLine(`[frames] arm ${BUILD} 1a2 ffff`), {
    ...{ machine: "arm", build: BUILD, addresses: ["1a2", "ffff"] },
  });
  assert.equal(parseFramesLine(`[frames] native ${BUILD}`)?.addresses, []);
  for (const line of [
    `[frames] mips ${BUILD} 1`,
    "[frames] arm 0123 1",
    `[frames] arm ${BUILD} 1; rm`,
    `[frames] arm ${BUILD}${" 1".repeat(33)}`,
    `x [frames] arm ${BUILD} 1`,
  ]) {
    assert.is(parseFramesLine(line), undefined, line);
  }
});

test("what addr2line says becomes frames; only the app's own functions and lines count", () => {
  const text = [
    ...["wasm_trap", "/x/native/runtime/trap.c:24"],
    ...["w12_lib_rt_tlsf_growMemory.part.0", "./~lib/rt/tlsf.ts:431 (discriminator 2)"],
    ...["w3_abort", "/x/build/generated/app_wasm.c:80"],
    ...["w99_assembly_app_main_sample", "assembly/app/main.ts:12"],
    ...["w100_assembly_app_main_start", "assembly/app/main.ts:?"],
    ...["??", "??:0", ""],
  ].join("\n");
  assert.equal(parseAddr2line(text), [
    { name: "lib_rt_tlsf_growMemory", place: "~lib/rt/tlsf.ts:431" },
    { name: "assembly_app_main_sample", place: "assembly/app/main.ts:12" },
  ]);
});

test("any text is read without a fault", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      parseAddr2line(text);
      parseFramesLine(`[frames] arm ${BUILD} ${text}`);
    }),
  );
});

test.run();
