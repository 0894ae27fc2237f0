import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileFixture, stubImports } from "./support.ts";

const test = suite("outbox");

interface Outbox {
  readonly memory: WebAssembly.Memory;
  start(): void;
  open(): void;
  append(number: number, length: number): number;
  connection(connected: number): void;
  settled(sequence: number, result: number): void;
  waiting(): number;
}

class PowerLoss extends Error {}

const { wasm } = await compileFixture("outbox");
const module = new WebAssembly.Module(wasm);

/** A device with flash that can lose power in the middle of a write, and a hub that notes. */
class World {
  readonly flash: Uint8Array;
  readonly received: number[] = [];
  inFlight: number[] = [];
  powerLossAfter = Number.POSITIVE_INFINITY;
  outbox: Outbox;
  refuseSends = false;

  constructor(bytes: number) {
    this.flash = new Uint8Array(bytes);
    this.outbox = this.boot();
  }

  boot(): Outbox {
    this.inFlight = [];
    const imports = stubImports(module, {
      storage: {
        capacity: () => this.flash.length,
        read: (offset: number, at: number, length: number) => {
          const bytes = this.flash.subarray(offset, offset + length);
          new Uint8Array(this.outbox.memory.buffer).set(bytes, at);
          return bytes.length;
        },
        write: (offset: number, at: number, length: number) => this.write(offset, at, length),
      },
      iothub: { send: (id: number, body: number) => this.send(id, body) },
    });
    const instance = new WebAssembly.Instance(module, imports);
    this.outbox = instance.exports as unknown as Outbox;
    this.outbox.start();
    this.outbox.open();
    return this.outbox;
  }

  write(offset: number, at: number, length: number): number {
    const kept = Math.min(length, this.powerLossAfter);
    this.flash.set(new Uint8Array(this.outbox.memory.buffer, at, kept), offset);
    if (kept < length) throw new PowerLoss();
    this.powerLossAfter -= length;
    return length;
  }

  send(id: number, body: number): number {
    if (this.refuseSends || this.inFlight.length >= 32) return -11;
    this.inFlight.push(id);
    this.received.push(new DataView(this.outbox.memory.buffer).getInt32(body, true));
    return 0;
  }

  acknowledge(): void {
    const id = this.inFlight.shift();
    if (id !== undefined) this.outbox.settled(id, 0);
  }

  /** @returns false when the power went; the device has booted again then */
  survive(run: () => void): boolean {
    try {
      run();
      return true;
    } catch (error) {
      if (!(error instanceof PowerLoss)) throw error;
      this.powerLossAfter = Number.POSITIVE_INFINITY;
      this.boot();
      return false;
    }
  }

  drain(): void {
    this.boot();
    this.outbox.connection(1);
    while (this.inFlight.length > 0) this.acknowledge();
    assert.is(this.outbox.waiting(), 0);
  }
}

const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("append"), size: fc.integer({ min: 4, max: 60 }) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("acknowledge"), size: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("connect"), size: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("disconnect"), size: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reboot"), size: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("power"), size: fc.nat(90) }) },
);

/** The order in which each message came first. */
const firsts = (numbers: readonly number[]) => [...new Set(numbers)];

function play(world: World, operations: readonly { kind: string; size: number }[]) {
  const kept: number[] = [];
  let number = 0;
  let online = false;
  for (const { kind, size } of operations) {
    const whole = world.survive(() => {
      if (kind === "append") {
        number += 1;
        assert.is(world.outbox.append(number, size), 0);
        kept.push(number);
      } else if (kind === "acknowledge") world.acknowledge();
      else if (kind === "reboot") world.boot();
      else if (kind === "power") world.powerLossAfter = size;
      else {
        world.inFlight = [];
        world.outbox.connection(kind === "connect" ? 1 : 0);
      }
      if (kind === "reboot") online = false;
      else if (kind === "connect" || kind === "disconnect") online = kind === "connect";
    });
    if (!whole) online = false;
  }
  world.powerLossAfter = Number.POSITIVE_INFINITY;
  world.drain();
  return { kept, online, last: number };
}

test("no kept message is lost and the order holds, whatever power, network and hub do", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      // Roomy enough for all of them: nothing has to give way.
      const world = new World(16_384);
      const { kept } = play(world, operations);
      const received = firsts(world.received);
      assert.equal(
        kept.filter((number) => !received.includes(number)),
        [],
      );
      assert.equal(
        received,
        [...received].sort((a, b) => a - b),
      );
    }),
    { numRuns: 300 },
  );
});

test("a small ring gives up the oldest messages only, in order, and works on", () => {
  fc.assert(
    fc.property(fc.array(operation, { minLength: 20, maxLength: 120 }), (operations) => {
      const world = new World(700);
      const { kept, last } = play(world, operations);
      const received = firsts(world.received);
      assert.equal(
        received,
        [...received].sort((a, b) => a - b),
      );
      if (kept.at(-1) === last && last > 0) assert.is(received.at(-1), last);
    }),
    { numRuns: 300 },
  );
});

test("a file of random bytes is taken for an empty outbox or harmless records", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 400, maxLength: 2000 }), (bytes) => {
      const world = new World(bytes.length);
      world.flash.set(bytes);
      world.boot();
      assert.is(world.outbox.append(1, 20), 0);
      world.drain();
      assert.is(world.received.at(-1), 1);
    }),
  );
});

test("a message that can never fit is refused and what waits stays", () => {
  const world = new World(400);
  world.outbox.append(1, 20);
  assert.ok(world.outbox.append(2, 390) < 0);
  world.drain();
  assert.equal(world.received, [1]);
});

test("32 messages are under way at most, and the rest follows the acknowledgements", () => {
  const world = new World(16_384);
  world.outbox.connection(1);
  for (let number = 1; number <= 100; number++) world.outbox.append(number, 10);
  assert.is(world.inFlight.length, 32);
  while (world.inFlight.length > 0) world.acknowledge();
  assert.equal(
    world.received,
    Array.from({ length: 100 }, (_, index) => index + 1),
  );
});

test("a message that the hub refused to take is sent once more", () => {
  const world = new World(4096);
  world.outbox.connection(1);
  world.outbox.append(1, 10);
  const id = world.inFlight.shift() as number;
  world.outbox.settled(id, -107);
  world.outbox.connection(0);
  world.outbox.connection(1);
  while (world.inFlight.length > 0) world.acknowledge();
  assert.equal(world.received, [1, 1]);
  assert.is(world.outbox.waiting(), 0);
});

test.run();
