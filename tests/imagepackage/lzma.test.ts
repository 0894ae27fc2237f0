import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decodeLzma } from "../../host-sim/imagepackage/lzma/decoder.ts";
import { encodeLzma } from "../../host-sim/imagepackage/lzma/encoder.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { pattern, refused, text } from "./support.ts";

/** Its declarations are its sources, which are not strict enough for ours. */
const OTHER: string = "lzma1";
const other: {
  compress(bytes: Uint8Array, mode: number): Uint8Array;
  decompress(bytes: Uint8Array): Uint8Array;
} = await import(OTHER);

const test = suite("LZMA beside another implementation");

const samples: readonly (readonly [string, Uint8Array])[] = [
  ["nothing", new Uint8Array()],
  ["one byte", text("x")],
  ["one byte many times", new Uint8Array(70_000).fill(7)],
  ["a long pattern", pattern(20_000)],
  ["source text", readFileSync(join(packageFolder(), "package-lock.json"))],
  ["machine code", readFileSync(process.execPath).subarray(4_000_000, 4_120_000)],
];

for (const [what, bytes] of samples) {
  test(`${what}: the other decoder reads what ours writes`, () => {
    assert.ok(Buffer.from(other.decompress(encodeLzma(bytes))).equals(bytes));
  });
  test(`${what}: ours reads what the other encoder writes`, () => {
    const { content } = decodeLzma(Buffer.from(other.compress(bytes, 5)), bytes.length);
    assert.ok(Buffer.from(content).equals(bytes));
  });
}

test("a stream that has more content than it may is ended at the limit", () => {
  const stream = encodeLzma(new Uint8Array(100_000));
  refused("lzma-too-long", () => decodeLzma(stream, 99_999));
});

test("every cut of a stream is told as such", () => {
  const stream = encodeLzma(pattern(3000));
  for (let length = 0; length < stream.length - 5; length += 7) {
    refused("lzma-truncated", () => decodeLzma(stream.subarray(0, length), 3000));
  }
});

test.run();
