import { liveThirtyDays } from "../security-service/month.ts";

/** Thirty days of a device with hub and Security Service. @returns milliseconds of real time */
export async function thirtyDays(): Promise<number> {
  const started = performance.now();
  await liveThirtyDays();
  return performance.now() - started;
}
