// A process of `bench-hub.mjs`: the hub, or one run of the load generator.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const [kind, folder, ...given] = process.argv.slice(2);
if (kind === "hub") {
  const { serveHub } = await import(join(folder, "server.js"));
  const [store, file] = given;
  const { devices, ...credentials } = JSON.parse(readFileSync(file, "utf8"));
  await serveHub(
    store,
    credentials,
    devices.map((device) => device.deviceId),
  );
} else {
  const load = await import(join(folder, "load.js"));
  const [name, file, ...numbers] = given;
  const result = await load[name](file, ...numbers.map(Number));
  // `holdIdle` has told its parent itself and stays until that goes.
  if (result !== undefined) process.send(result, () => process.disconnect());
}
