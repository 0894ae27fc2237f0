import type { JsonObject } from "../../../hub/json.ts";
import type { LabContext } from "../../context.ts";
import { dpsRest, fieldsOf, managementRest } from "../../rest.ts";
import { policies, policyConnectionString } from "./resource.ts";
import { type Entry, ETAG, type Given, ifMatch, text } from "./table.ts";

const REGISTRATION = { "!--rid, --registration-id <id>": "the registration" };

const SHOW: Omit<Entry, "words"> = {
  description: "print where a device was assigned",
  options: REGISTRATION,
  run: (lab, given) => dpsRest(lab)("GET", registrationPath(given)),
};
const DELETE: Omit<Entry, "words"> = {
  description: "forget an assignment",
  options: { ...REGISTRATION, ...ETAG },
  run: (lab, given) => dpsRest(lab)("DELETE", registrationPath(given), { headers: ifMatch(given) }),
};
const LIST: Omit<Entry, "words"> = {
  description: "print the registrations of an enrollment group",
  options: { "!--eid, --enrollment-id <id>": "the group" },
  run: (lab, given) =>
    dpsRest(lab).rows(
      `/registrations/${encodeURIComponent(text(given, "enrollmentId"))}/query`,
      "*",
    ),
};

/** Registrations and the provisioning service itself; registrations under `az`'s words, too. */
export const provisioningEntries: readonly Entry[] = [
  ...["registration", "enrollment registration", "enrollment-group registration"].flatMap(
    (noun): Entry[] => [
      { words: `${noun} show`, ...SHOW },
      { words: `${noun} delete`, ...DELETE },
      ...(noun === "enrollment registration" ? [] : [{ words: `${noun} list`, ...LIST }]),
    ],
  ),
  {
    words: "enrollment-group compute-device-key",
    description: "print the key of one device of a group",
    options: {
      ...REGISTRATION,
      "--eid, --enrollment-id <id>": "the group",
      "--key, --symmetric-key <base64>": "its key in place of its name",
    },
    run: computeKey,
  },
  {
    words: "show",
    description: "print the id scope and the names of the service",
    options: {},
    run: (lab) => lab.endpoints.dps,
  },
  {
    words: "list",
    description: "print all provisioning services: the one that there is",
    options: {},
    run: async (lab) => [await managementRest(lab, "dps")("GET", "")],
  },
  {
    words: "linked-hub list",
    description: "print the hubs that devices are assigned to",
    options: {},
    run: async (lab) => {
      const { properties } = await managementRest(lab, "dps")<JsonObject>("GET", "");
      return (properties as JsonObject).iotHubs;
    },
  },
  {
    words: "policy list",
    description: "print all shared access policies",
    options: {},
    run: (lab) => policies(managementRest(lab, "dps")),
  },
  {
    words: "connection-string",
    optionalWord: "show",
    description: "print a connection string for service clients",
    options: {
      "--pn, --policy-name <name>": "provisioningserviceowner when absent",
      "--kt, --key-type <type>": "primary or secondary; primary when absent",
    },
    run: (lab, given) => {
      const { HostName = "" } = fieldsOf(lab.endpoints.dps.serviceConnectionString);
      const name = text(given, "policyName") || "provisioningserviceowner";
      return policyConnectionString(managementRest(lab, "dps"), HostName, name, given);
    },
  },
];

function registrationPath(given: Given): string {
  return `/registrations/${encodeURIComponent(text(given, "registrationId"))}`;
}

async function computeKey(lab: LabContext, given: Given): Promise<unknown> {
  // Loaded here, not above: `--help` has to be quick.
  const { derivedKey } = await import("../../../hub/dps/attestation.ts");
  const registrationId = text(given, "registrationId").toLowerCase();
  const groupKey = text(given, "symmetricKey") || (await keyOfGroup(lab, given));
  return { deviceKey: derivedKey(groupKey, registrationId) };
}

async function keyOfGroup(lab: LabContext, given: Given): Promise<string> {
  const group = encodeURIComponent(text(given, "enrollmentId"));
  const path = `/enrollmentGroups/${group}/attestationmechanism`;
  const { symmetricKey } = await dpsRest(lab)<JsonObject>("POST", path);
  return String((symmetricKey as JsonObject | undefined)?.primaryKey ?? "");
}
