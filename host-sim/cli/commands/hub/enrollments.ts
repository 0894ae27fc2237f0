import { LabError } from "../../../errors.ts";
import type { JsonObject } from "../../../hub/json.ts";
import { parseJson } from "../../options.ts";
import { dpsRest } from "../../rest.ts";
import { readBase64 } from "./certificates.ts";
import { type Entry, type Given, text } from "./table.ts";

const PROVISIONING = {
  "--ps, --provisioning-status <status>": "enabled or disabled",
  "--allocation-policy <policy>": "hashed, geoLatency, static or custom",
  "--webhook-url <url>": "with custom: what chooses the hub",
  "--initial-twin-tags <json>": "tags of a device's new twin",
  "--initial-twin-properties <json>": "its desired properties",
  "--rp, --reprovision-policy <policy>":
    "reprovisionandmigratedata, reprovisionandresetdata, never",
};
const PROOF = {
  "--cp, --certificate-path <file>": "certificate, PEM or DER",
  "--ca-name <name>": "a verified CA of the service in its place",
  "--pk, --primary-key <base64>": "symmetric key in place of certificates",
  "--sk, --secondary-key <base64>": "the second one",
};

/** `dps enrollment …`, `dps enrollment-group …`, `dps registration …`. */
export const enrollmentEntries: readonly Entry[] = [
  ...(["enrollment", "enrollment-group"] as const).flatMap((noun): Entry[] => {
    const path = noun === "enrollment" ? "/enrollments" : "/enrollmentGroups";
    const id = { "!--eid, --enrollment-id <id>": "the enrollment" };
    const one = (given: Given) => `${path}/${encodeURIComponent(text(given, "enrollmentId"))}`;
    return [
      {
        words: `${noun} create`,
        description:
          noun === "enrollment" ? "enroll one device" : "enroll all devices of a CA or key",
        options: {
          ...id,
          ...PROOF,
          ...PROVISIONING,
          ...(noun === "enrollment" ? { "--device-id <id>": "its name in the hub" } : {}),
        },
        run: (lab, given) => dpsRest(lab)("PUT", one(given), { body: enrollmentFrom(given, noun) }),
      },
      {
        words: `${noun} show`,
        description: "print an enrollment",
        options: id,
        run: (lab, given) => dpsRest(lab)("GET", one(given)),
      },
      {
        words: `${noun} list`,
        description: "print all enrollments",
        options: {},
        run: (lab) => dpsRest(lab)("POST", `${path}/query`, { body: { query: "SELECT *" } }),
      },
      {
        words: `${noun} update`,
        description: "change an enrollment",
        options: { ...id, ...PROVISIONING },
        run: async (lab, given) => {
          const before = await dpsRest(lab)<JsonObject>("GET", one(given));
          const body = { ...before, ...provisioningFrom(given) };
          return dpsRest(lab)("PUT", one(given), { body, headers: { "if-match": '"*"' } });
        },
      },
      {
        words: `${noun} delete`,
        description: "remove an enrollment; devices that are in a hub stay there",
        options: id,
        run: (lab, given) => dpsRest(lab)("DELETE", one(given)),
      },
    ];
  }),
  {
    words: "registration show",
    description: "print where a device was assigned",
    options: { "!--rid, --registration-id <id>": "the registration" },
    run: (lab, given) => dpsRest(lab)("GET", registrationPath(given)),
  },
  {
    words: "registration delete",
    description: "forget an assignment",
    options: { "!--rid, --registration-id <id>": "the registration" },
    run: (lab, given) => dpsRest(lab)("DELETE", registrationPath(given)),
  },
  {
    words: "registration list",
    description: "print the registrations of an enrollment group",
    options: { "!--eid, --enrollment-id <id>": "the group" },
    run: (lab, given) =>
      dpsRest(lab)("POST", `/registrations/${text(given, "enrollmentId")}/query`),
  },
  {
    words: "show",
    description: "print the id scope and the names of the service",
    options: {},
    run: (lab) => lab.endpoints.dps,
  },
];

function registrationPath(given: Given): string {
  return `/registrations/${encodeURIComponent(text(given, "registrationId"))}`;
}

function enrollmentFrom(given: Given, noun: "enrollment" | "enrollment-group"): JsonObject {
  const body = { attestation: attestationFrom(given, noun), ...provisioningFrom(given) };
  const { deviceId } = given;
  return (deviceId === undefined ? body : { ...body, deviceId }) as JsonObject;
}

function attestationFrom(given: Given, noun: "enrollment" | "enrollment-group"): JsonObject {
  const { certificatePath, caName, primaryKey } = given;
  if (caName !== undefined) {
    return { type: "x509", x509: { caReferences: { primary: text(given, "caName") } } };
  }
  if (certificatePath !== undefined) {
    const pair = { primary: { certificate: readBase64(text(given, "certificatePath")) } };
    const name = noun === "enrollment" ? "clientCertificates" : "signingCertificates";
    return { type: "x509", x509: { [name]: pair } };
  }
  if (primaryKey === undefined && noun === "enrollment-group") {
    throw new LabError(
      "option-missing",
      "Nothing says how the devices of the group prove themselves.",
      "Give --certificate-path, --ca-name or --primary-key.",
    );
  }
  const keys = { primaryKey: text(given, "primaryKey"), secondaryKey: text(given, "secondaryKey") };
  return { type: "symmetricKey", symmetricKey: keys };
}

const REPROVISION: Readonly<Record<string, JsonObject>> = {
  reprovisionandmigratedata: { updateHubAssignment: true, migrateDeviceData: true },
  reprovisionandresetdata: { updateHubAssignment: true, migrateDeviceData: false },
  never: { updateHubAssignment: false, migrateDeviceData: false },
};

function provisioningFrom(given: Given): JsonObject {
  const { provisioningStatus, allocationPolicy, webhookUrl, reprovisionPolicy } = given;
  const twin = (name: string) =>
    given[name] === undefined ? {} : parseJson(text(given, name), "The initial twin");
  const withTwin = given.initialTwinTags ?? given.initialTwinProperties;
  const body = {
    provisioningStatus,
    allocationPolicy,
    customAllocationDefinition:
      webhookUrl === undefined ? undefined : { webhookUrl, apiVersion: "2021-10-01" },
    initialTwin:
      withTwin === undefined
        ? undefined
        : {
            tags: twin("initialTwinTags"),
            properties: { desired: twin("initialTwinProperties") },
          },
    reprovisionPolicy:
      reprovisionPolicy === undefined ? undefined : REPROVISION[text(given, "reprovisionPolicy")],
  };
  return Object.fromEntries(
    Object.entries(body).filter(([, value]) => value !== undefined),
  ) as JsonObject;
}
