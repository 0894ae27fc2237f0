import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileFixture, stubImports } from "./support.ts";

const test = suite("JSON and text in the SDK");

interface Json {
  readonly memory: WebAssembly.Memory;
  room(): number;
  out(): number;
  valid(length: number): number;
  number(length: number): number;
  text(length: number): number;
  member(length: number, nameLength: number): number;
  item(length: number, index: number): number;
  writeNumber(value: number): number;
  iso(time: bigint): number;
  property(nameLength: number, valueLength: number): number;
  bagLength(): number;
  collect(): void;
  start(): void;
}

const { wasm } = await compileFixture("json");
const module = new WebAssembly.Module(wasm);
const instance = new WebAssembly.Instance(module, stubImports(module));
const sdk = instance.exports as unknown as Json;
sdk.start();

/** Places texts one after another, after what earlier calls left was freed. */
function put(...texts: string[]): number[] {
  sdk.collect();
  let at = sdk.room();
  return texts.map((text) => {
    const bytes = Buffer.from(text, "utf8");
    new Uint8Array(sdk.memory.buffer).set(bytes, at);
    at += bytes.length;
    return bytes.length;
  });
}

const read = (length: number) => Buffer.from(sdk.memory.buffer, sdk.out(), length).toString("utf8");

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const value = fc.json({ maxDepth: 4 }).filter((text) => Buffer.byteLength(text) < 2000);

test("the reader takes whatever JSON.parse takes", () => {
  fc.assert(
    fc.property(value, (text) => {
      const [length = 0] = put(text);
      assert.ok(sdk.valid(length), text);
    }),
    { numRuns: 150 },
  );
});

test("the reader refuses whatever JSON.parse refuses", () => {
  const damage = fc.tuple(value, fc.nat(), fc.constantFrom(...'{}[]",:0e-.\\tnx \u0001'));
  fc.assert(
    fc.property(damage, ([text, at, insert]) => {
      const cut = at % (text.length + 1);
      const damaged = text.slice(0, cut) + insert + text.slice(cut + 1);
      const [length = 0] = put(damaged);
      assert.is(Boolean(sdk.valid(length)), isJson(damaged), damaged);
    }),
    { numRuns: 300 },
  );
});

test("endless nesting is refused and does not exhaust the stack", () => {
  const [length = 0] = put("[".repeat(2000));
  assert.not(sdk.valid(length));
});

test("a text comes back as it was, whatever characters it has", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 60 }), (text) => {
      const [length = 0] = put(JSON.stringify(text));
      assert.is(JSON.parse(read(sdk.text(length))), text.toWellFormed());
    }),
    { numRuns: 100 },
  );
});

test("numbers survive writing", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
      assert.is(JSON.parse(read(sdk.writeNumber(number))), number === 0 ? 0 : number);
    }),
  );
  assert.is(read(sdk.writeNumber(21)), "21");
  assert.is(read(sdk.writeNumber(Number.NaN)), "null");
});

const numberOf = (text: string) => sdk.number(put(text)[0] ?? 0);

test("numbers of up to 15 digits are read exactly", () => {
  const digits = fc.integer({ min: -(10 ** 15) + 1, max: 10 ** 15 - 1 });
  fc.assert(
    fc.property(digits, fc.integer({ min: -22, max: 22 }), (mantissa, exponent) => {
      const text = `${mantissa}e${exponent}`;
      assert.is(numberOf(text) + 0, JSON.parse(text) + 0, text);
    }),
  );
  for (const text of ["0", "-0.5", "21.25", "1E+2", "0.000001", "123456.789e-3"]) {
    assert.is(numberOf(text), JSON.parse(text), text);
  }
});

test("any other number is read to the last few bits", () => {
  // Down to the smallest normal number; below, fewer bits are there to be right.
  const normal = fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .filter((number) => number === 0 || Math.abs(number) > 1e-290);
  fc.assert(
    fc.property(normal, (number) => {
      const error = Math.abs(numberOf(JSON.stringify(number)) - number);
      assert.ok(error <= Math.abs(number) * 2 ** -47, `${number}`);
    }),
  );
  assert.is(numberOf("1e999"), Number.POSITIVE_INFINITY);
  assert.is(numberOf("1e-999"), 0);
});

test("members and items are found, with escapes in names", () => {
  const [length = 0, name = 0] = put('{"a":{"b":[1,2]}, "q\\"u\\u00e9" : "x" }', 'q"ué');
  assert.is(read(sdk.member(length, name)), '"x"');
  const [list = 0] = put('[1, [2,3] ,"]"]');
  assert.is(read(sdk.item(list, 1)), "[2,3]");
  assert.is(read(sdk.item(list, 2)), '"]"');
  assert.is(sdk.item(list, 3), -1);
  const [empty = 0, missing = 0] = put("{}", "a");
  assert.is(sdk.member(empty, missing), -1);
});

test("times are written as Date writes them", () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date(0), max: new Date("2200-01-01"), noInvalidDate: true }),
      (date) => {
        assert.is(read(sdk.iso(BigInt(date.getTime()))), date.toISOString());
      },
    ),
  );
});

test("properties are percent-encoded and come back", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 40 }).filter((each) => each.isWellFormed());
  fc.assert(
    fc.property(text, text, (name, content) => {
      fc.pre(name !== "first" && name !== "");
      const [nameLength = 0, contentLength = 0] = put(name, content);
      assert.ok(sdk.property(nameLength, contentLength));
      const bag = read(sdk.bagLength());
      assert.match(bag, /^[\w\-.~%&=]*$/);
      assert.is(new URLSearchParams(bag.replaceAll("+", "%2B")).get(name), content);
    }),
    { numRuns: 100 },
  );
});

test.run();
