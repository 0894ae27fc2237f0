import { suite } from "uvu";
import * as assert from "uvu/assert";
import { RealClock } from "../../host-sim/clock/index.ts";

const HOUR_MS = 3_600_000;
const test = suite("real clock");

/** Resolves with the names of the timers in the order in which they fired. */
function fired(clock: RealClock, delays: Readonly<Record<string, number>>) {
  const order: string[] = [];
  let wake = () => {};
  const handles = new Map(
    Object.entries(delays).map(([name, delay]) => [
      name,
      clock.setTimer(delay, () => {
        order.push(name);
        wake();
      }),
    ]),
  );
  const all = async (count: number) => {
    while (order.length < count) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return order;
  };
  return { handles, all };
}

test("timers fire in the order in which they fall due, however they were set", async () => {
  const clock = new RealClock();
  const { all } = fired(clock, { second: 2 * HOUR_MS, first: HOUR_MS, third: 3 * HOUR_MS });
  clock.jump(4 * HOUR_MS);
  assert.equal(await all(3), ["first", "second", "third"]);
});

test("a timer that is cleared does not fire, and those behind it do", async () => {
  const clock = new RealClock();
  const { handles, all } = fired(clock, { gone: HOUR_MS, late: 2 * HOUR_MS, early: HOUR_MS + 1 });
  clock.clearTimer(handles.get("gone"));
  clock.jump(3 * HOUR_MS);
  assert.equal(await all(2), ["early", "late"]);
});

test("a timer that is set while another fires is not forgotten", async () => {
  const clock = new RealClock();
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    clock.setTimer(HOUR_MS, () => {
      order.push("outer");
      clock.setTimer(HOUR_MS, () => {
        order.push("inner");
        resolve();
      });
      clock.jump(HOUR_MS);
    });
    clock.jump(HOUR_MS);
  });
  assert.equal(order, ["outer", "inner"]);
});

test("a clock of another process follows: the same time, pace, jumps and settings", () => {
  const clock = new RealClock({ start: Date.UTC(2030, 0, 1), speed: 60 });
  const other = RealClock.from(clock.reading());
  const near = () => Math.abs(other.now() - clock.now()) < HOUR_MS / 2;
  assert.ok(near());
  const unfollow = clock.subscribe((change) => other.follow(change));
  clock.jump(100 * HOUR_MS);
  assert.ok(near());
  clock.setTime(Date.UTC(2020, 0, 1));
  assert.ok(near());
  clock.setSpeed(0);
  assert.is(other.speed, 0);
  unfollow();
  clock.jump(HOUR_MS);
  assert.not.ok(near());
});

test.run();
