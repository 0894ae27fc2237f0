export { type Clock, sleep, type TimerHandle } from "./clock.ts";
export { RealClock } from "./real.ts";
export { SteppedClock } from "./stepped.ts";
