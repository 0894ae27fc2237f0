import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SteppedClock } from "../../host-sim/clock/index.ts";

const test = suite("stepped clock");

test("fires timers in order of their due time, equal ones in setting order", () => {
  const clock = new SteppedClock(0);
  const fired: string[] = [];
  clock.setTimer(20, () => fired.push(`b@${clock.now()}`));
  clock.setTimer(10, () => fired.push(`a@${clock.now()}`));
  clock.setTimer(20, () => fired.push(`c@${clock.now()}`));
  clock.advance(30);
  assert.equal(fired, ["a@10", "b@20", "c@20"]);
  assert.is(clock.now(), 30);
});

test("fires a timer that another timer sets within the same advance", () => {
  const clock = new SteppedClock(0);
  const fired: number[] = [];
  const tick = () => {
    fired.push(clock.monotonic());
    clock.setTimer(10, tick);
  };
  clock.setTimer(10, tick);
  clock.advance(35);
  assert.equal(fired, [10, 20, 30]);
  assert.is(clock.untilNext(), 5);
});

test("setting the time backwards moves no timer", () => {
  const clock = new SteppedClock(1_000_000);
  let fired = false;
  clock.setTimer(10, () => {
    fired = true;
  });
  clock.setTime(0);
  assert.is(clock.now(), 0);
  clock.advance(10);
  assert.ok(fired);
});

test("a cleared timer does not fire", () => {
  const clock = new SteppedClock(0);
  clock.clearTimer(clock.setTimer(5, () => assert.unreachable()));
  clock.advance(10);
});

test.run();
