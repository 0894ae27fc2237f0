import { compileFixture } from "../assembly/support.ts";
import { deployApp, FIELD_TEST, makeDevice } from "../security-service/device.ts";
import { startService } from "../security-service/support.ts";

const DAYS = 30;
const DAY_MS = 86_400_000;

/**
 * Thirty days of a device with its Security Service: a certificate and a look for updates each day,
 * and an app over the air in the middle. @returns milliseconds of real time
 */
export async function thirtyDays(): Promise<number> {
  const { wasm } = await compileFixture("updates");
  const service = await startService();
  const device = makeDevice(service, { group: FIELD_TEST });
  const started = performance.now();
  deployApp(service, { wasm, args: ["v1", "deaf"] });
  await device.device.begin();
  await device.settle();
  for (let day = 1; day <= DAYS; day++) {
    if (day === DAYS / 2) deployApp(service, { wasm, args: ["v2", "deaf"] });
    await device.run(DAY_MS);
  }
  const milliseconds = performance.now() - started;
  const credentials = device.deviceAuth.current();
  if (!device.log().includes("v2 started")) throw new Error("the update was not installed");
  if (!credentials) throw new Error("the device has no certificate of today");
  await device.stop();
  await service.stop();
  return milliseconds;
}
