/** A room that warms up and cools down: a random walk between 16 and 26 °C, the same on each run. */
let state: u32 = 0x2545f491;
let temperature: f64 = 21;

/** Degrees Celsius with a resolution of 0.1. */
export function readTemperature(): f64 {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  const step = f64(state % 11) / 10 - 0.5;
  temperature = Math.min(26, Math.max(16, temperature + step));
  return Math.round(temperature * 10) / 10;
}
