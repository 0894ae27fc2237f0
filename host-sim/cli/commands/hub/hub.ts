import type { Command } from "commander";
import { LabError } from "../../../errors.ts";
import type { JsonObject } from "../../../hub/json.ts";
import { callLab, type LabContext } from "../../context.ts";
import { hubRest, managementRest } from "../../rest.ts";
import { certificateEntries } from "./certificates.ts";
import { enrollmentEntries } from "./enrollments.ts";
import { identityEntries } from "./identities.ts";
import { type Entry, type Given, registerEntries, text } from "./table.ts";
import { twinEntries } from "./twins.ts";

const NOUNS = {
  "device-identity": "devices in the registry",
  "module-identity": "modules of devices",
  "device-twin": "twins of devices",
  "module-twin": "twins of modules",
  "c2d-message": "messages from the cloud to devices",
  certificate: "CA certificates and proofs of possession",
  enrollment: "individual enrollments",
  "enrollment-group": "enrollments of all devices of a CA or key",
  registration: "assignments of devices to hubs",
};

const ownEntries: readonly Entry[] = [
  {
    words: "connection-string",
    description: "print a connection string for service clients or readers of events",
    options: {
      "--pn, --policy-name <name>": "iothubowner, service, device, registryRead, registryReadWrite",
      "--eh, --default-eventhub": "of the Event Hub-compatible endpoint",
    },
    run: connectionString,
  },
  {
    words: "refusals",
    description: "print refused and closed connections, each with its exact reason",
    options: {},
    run: (lab) => callLab(lab, "GET", "/refusals"),
  },
  {
    words: "statistics",
    description: "count devices",
    options: {},
    run: async (lab) => ({
      ...(await hubRest(lab)<object>("GET", "/statistics/devices")),
      ...(await hubRest(lab)<object>("GET", "/statistics/service")),
    }),
  },
  {
    words: "show",
    description: "print the hub's names, ports and limits",
    options: {},
    run: (lab) => managementRest(lab, "hub")("GET", ""),
  },
];

async function connectionString(lab: LabContext, given: Given) {
  if (given.defaultEventhub !== undefined) {
    return { connectionString: lab.endpoints.hub.eventHubConnectionString };
  }
  const name = text(given, "policyName") || "iothubowner";
  const { value } = await managementRest(lab, "hub")<{ value: JsonObject[] }>("POST", "/listkeys");
  const key = value.find(({ keyName }) => keyName === name)?.primaryKey;
  if (key === undefined) {
    throw new LabError(
      "policy-unknown",
      `The hub has no policy ${name}.`,
      `It has ${value.map(({ keyName }) => keyName).join(", ")}.`,
    );
  }
  const { hostName } = lab.endpoints.hub;
  return {
    connectionString: `HostName=${hostName};SharedAccessKeyName=${name};SharedAccessKey=${key}`,
  };
}

/** `hub …` in the grammar of `az iot hub`, and `dps …` in that of `az iot dps`. */
export function register(program: Command): void {
  const hub = program
    .command("hub")
    .description("the lab's IoT Hub: registry, twins, certificates");
  registerEntries(hub, NOUNS, [
    ...identityEntries,
    ...twinEntries,
    ...certificateEntries("hub"),
    ...ownEntries,
  ]);
  const dps = program.command("dps").description("the lab's Device Provisioning Service");
  registerEntries(dps, NOUNS, [...enrollmentEntries, ...certificateEntries("dps")]);
}
