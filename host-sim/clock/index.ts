export { type Clock, sleep, type TimerHandle } from "./clock.ts";
export { type ClockChange, type ClockReading, RealClock } from "./real.ts";
export { SteppedClock } from "./stepped.ts";
