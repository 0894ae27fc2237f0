import { suite } from "uvu";
import * as assert from "uvu/assert";
import { translate } from "../../../native/aot/index.ts";
import { assemble, differences, runNative, runV8, type Signature } from "./support.ts";

const test = suite("aot: tests of bounds are left out only where they are needless");

interface Case {
  readonly what: string;
  /** Body of a function (param $p i32) (param $q i32) (result i32) (local $x i32). */
  readonly body: string;
  /** Tests that have to be left in the C. */
  readonly tests: number;
}

const load = (address: string, offset = 0) => `(i32.load offset=${offset} ${address})`;
const P = "(local.get $p)";
const Q = "(local.get $q)";
const bump = "(local.set $p (i32.add (local.get $p) (local.get $q)))";

const CASES: readonly Case[] = [
  {
    what: "the same address, the smaller end later",
    body: `(i32.add ${load(P, 8)} (i32.add ${load(P)} ${load(P, 4)}))`,
    tests: 1,
  },
  { what: "the larger end later", body: `(i32.add ${load(P)} ${load(P, 4)})`, tests: 2 },
  {
    what: "a copy in another local",
    body: `(local.set $x ${P}) (i32.add ${load(P, 4)} ${load("(local.get $x)")})`,
    tests: 1,
  },
  {
    what: "the local changed in between",
    body: `(drop ${load(P, 4)}) ${bump} ${load(P)}`,
    tests: 2,
  },
  {
    what: "a sum with a constant, within what is known",
    body: `(i32.add ${load(P, 12)} ${load(`(i32.add ${P} (i32.const 8))`, 4)})`,
    tests: 1,
  },
  {
    what: "a sum that is more than what is known",
    body: `(i32.add ${load(P, 12)} ${load(`(i32.add ${P} (i32.const 16))`)})`,
    tests: 2,
  },
  {
    what: "a negative sum",
    body: `(i32.add ${load(P, 12)} ${load(`(i32.add ${P} (i32.const -4))`)})`,
    tests: 2,
  },
  {
    what: "known in one branch only",
    body: `(if ${Q} (then (drop ${load(P)}))) ${load(P)}`,
    tests: 2,
  },
  {
    what: "known in the other branch only",
    body: `(if ${Q} (then (nop)) (else (drop ${load(P)}))) ${load(P)}`,
    tests: 2,
  },
  {
    what: "known before both branches",
    body: `(drop ${load(P)}) (if ${Q} (then (drop ${load(P)})) (else (drop ${load(P)}))) ${load(P)}`,
    tests: 1,
  },
  {
    what: "changed in one of the branches",
    body: `(drop ${load(P)}) (if ${Q} (then ${bump}) (else (nop))) ${load(P)}`,
    tests: 2,
  },
  {
    what: "changed in the first half, the former value in the second",
    body: `(drop ${load(P)}) (if ${Q} (then ${bump}) (else (drop ${load(P)}))) (i32.const 1)`,
    tests: 1,
  },
  {
    what: "changed in a loop, behind its first round",
    body: `(drop ${load(P)}) (local.set $x (i32.const 3))
      (loop $again (drop ${load(P)}) ${bump}
        (br_if $again (local.tee $x (i32.sub (local.get $x) (i32.const 1)))))
      (i32.const 1)`,
    tests: 2,
  },
  {
    what: "not changed in a loop",
    body: `(drop ${load(P)}) (local.set $x (i32.const 3))
      (loop $again (drop ${load(P)})
        (br_if $again (local.tee $x (i32.sub (local.get $x) (i32.const 1)))))
      ${load(P)}`,
    tests: 1,
  },
  {
    what: "a branch that leads past the test",
    body: `(block $out (br_if $out ${Q}) (drop ${load(P)})) ${load(P)}`,
    tests: 2,
  },
  {
    what: "a test before the branch",
    body: `(block $out (drop ${load(P)}) (br_if $out ${Q}) (drop ${load(P)})) ${load(P)}`,
    tests: 2,
  },
  {
    what: "a constant inside the static data",
    body: `(i32.add ${load("(i32.const 4)")} ${load("(i32.const 65532)")})`,
    tests: 1,
  },
  {
    what: "a test in code that never runs",
    body: `(block $out (br $out) (drop ${load(P)})) ${load(P)}`,
    tests: 1,
  },
];

const ADDRESSES = [0n, 4n, 65_516n, 65_520n, 65_524n, 65_528n, 65_532n, 65_533n, 0xffff_fffcn];
const OTHERS = [0n, 1n, 4n, 65_530n, 0xffff_fffcn];

test("each case traps as V8 does, and has just the tests that it needs", async () => {
  const functions = CASES.map(
    ({ body }, index) =>
      `(func (export "f${index}") (param $p i32) (param $q i32) (result i32) (local $x i32) ${body})`,
  );
  const memory = '(memory (export "memory") 1 1) (data (i32.const 0) "0123456789")';
  const wasm = await assemble(`(module ${memory} ${functions.join("\n")})`);
  const signature: Signature = { params: ["i32", "i32"], result: "i32" };
  const signatures = Object.fromEntries(CASES.map((_, index) => [`f${index}`, signature]));
  const calls = CASES.flatMap((_, index) =>
    ADDRESSES.flatMap((p) => OTHERS.map((q) => ({ name: `f${index}`, args: [p, q] }))),
  );
  const native = runNative(wasm, calls, signatures, { defines: ["WASM_MEMORY_CAPACITY=65536"] });
  assert.equal(differences(calls, native, runV8(wasm, calls, signatures)), []);
  const { source } = translate(wasm);
  CASES.forEach(({ what, tests }, index) => {
    const [, text = ""] = source.split(new RegExp(`\\bw${index}\\(uint32_t l0.*\\{\n`));
    const [own = ""] = text.split("\n\n");
    assert.is(own.match(/WASM_TRAP_OUT_OF_BOUNDS/g)?.length ?? 0, tests, what);
  });
});

test.run();
