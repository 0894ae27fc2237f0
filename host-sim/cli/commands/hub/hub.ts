import type { Command } from "commander";
import { certificateEntries } from "./certificates.ts";
import { enrollmentEntries } from "./enrollments.ts";
import { fleetEntries } from "./fleet.ts";
import { identityEntries } from "./identities.ts";
import { messageEntries } from "./messages.ts";
import { provisioningEntries } from "./provisioning.ts";
import { resourceEntries } from "./resource.ts";
import { registerEntries } from "./table.ts";
import { twinEntries } from "./twins.ts";

const NOUNS = {
  "device-identity": "devices in the registry",
  "module-identity": "modules of devices",
  "device-twin": "twins of devices",
  "module-twin": "twins of modules",
  "c2d-message": "messages from the cloud to devices",
  configuration: "desired properties for many devices",
  job: "twin updates and methods on many devices",
  certificate: "CA certificates and proofs of possession",
  policy: "shared access policies",
  "consumer-group": "names under which readers of events attach",
  enrollment: "individual enrollments",
  "enrollment-group": "enrollments of all devices of a CA or key",
  registration: "assignments of devices to hubs",
  "linked-hub": "hubs that devices are assigned to",
};

/** `hub …` in the grammar of `az iot hub`, and `dps …` in that of `az iot dps`. */
export function register(program: Command): void {
  const hub = program
    .command("hub")
    .description("the lab's IoT Hub: registry, twins, messages, certificates");
  registerEntries(hub, NOUNS, [
    ...identityEntries,
    ...twinEntries,
    ...messageEntries,
    ...fleetEntries,
    ...certificateEntries("hub"),
    ...resourceEntries,
  ]);
  const dps = program.command("dps").description("the lab's Device Provisioning Service");
  registerEntries(dps, NOUNS, [
    ...enrollmentEntries,
    ...certificateEntries("dps"),
    ...provisioningEntries,
  ]);
}
