import { LabError } from "../../../errors.ts";
import type { JsonObject } from "../../../hub/json.ts";
import { parseJsonOrFile, readGiven } from "../../options.ts";
import { dpsRest } from "../../rest.ts";
import {
  type Entry,
  ETAG,
  type Given,
  ifMatch,
  oneOf,
  present,
  text,
  wholeNumberOf,
} from "./table.ts";

const PROVISIONING = {
  "--ps, --provisioning-status <status>": "enabled or disabled",
  "--ap, --allocation-policy <policy>": "hashed, geoLatency, static or custom",
  "--ih, --iot-hubs <names>": "the hubs to choose from, with spaces between; all when absent",
  "--wh, --webhook-url <url>": "with custom: what chooses the hub",
  "--av, --api-version <version>": "with custom: of the webhook",
  "--its, --initial-twin-tags <json>": "tags of a device's new twin",
  "--itp, --initial-twin-properties <json>": "its desired properties",
  "--ee, --edge-enabled": "IoT Edge devices",
  "--rp, --reprovision-policy <policy>":
    "reprovisionandmigratedata, reprovisionandresetdata or never",
};
const PROOF = {
  "--at, --attestation-type <type>": "x509 or symmetrickey; what the other options say when absent",
  "--cp, --certificate-path <file>": "certificate, PEM or DER",
  "--scp, --secondary-certificate-path <file>": "the second one",
  "--ca-name <name>": "a verified CA of the service in its place",
  "--scn, --secondary-ca-name <name>": "the second one",
  "--pk, --primary-key <base64>": "symmetric key in place of certificates; made when absent",
  "--sk, --secondary-key <base64>": "the second one",
};
const ATTESTATIONS = ["x509", "symmetrickey", "tpm"] as const;

/** `dps enrollment …` and `dps enrollment-group …`. */
export const enrollmentEntries: readonly Entry[] = (
  ["enrollment", "enrollment-group"] as const
).flatMap((noun): Entry[] => {
  const path = noun === "enrollment" ? "/enrollments" : "/enrollmentGroups";
  const id = { "!--eid, --enrollment-id <id>": "the enrollment" };
  const own: Record<string, string> =
    noun === "enrollment" ? { "-d, --device-id <id>": "its name in the hub" } : {};
  const one = (given: Given) => `${path}/${encodeURIComponent(text(given, "enrollmentId"))}`;
  return [
    {
      words: `${noun} create`,
      description:
        noun === "enrollment" ? "enroll one device" : "enroll all devices of a CA or key",
      options: { ...id, ...PROOF, ...PROVISIONING, ...own },
      run: (lab, given) =>
        dpsRest(lab)("PUT", one(given), {
          body: { attestation: attestationFrom(given, noun), ...provisioningFrom(given) },
        }),
    },
    {
      words: `${noun} show`,
      description: "print an enrollment",
      options: { ...id, "--keys, --show-keys": "with its symmetric keys" },
      async run(lab, given) {
        const shown = await dpsRest(lab)<JsonObject>("GET", one(given));
        if (!given.showKeys) return shown;
        const attestation = await dpsRest(lab)("POST", `${one(given)}/attestationmechanism`);
        return { ...shown, attestation };
      },
    },
    {
      words: `${noun} list`,
      description: "print all enrollments",
      options: { "--top <count>": "at most so many" },
      run: (lab, given) =>
        dpsRest(lab).rows(`${path}/query`, "SELECT *", wholeNumberOf(given, "top")),
    },
    {
      words: `${noun} update`,
      description: "change an enrollment; what is not named stays",
      options: { ...id, ...PROOF, ...PROVISIONING, ...own, ...ETAG },
      async run(lab, given) {
        const before = await dpsRest(lab)<JsonObject>("GET", one(given));
        const attestation = provesAnew(given) ? attestationFrom(given, noun) : before.attestation;
        const body = { ...before, ...provisioningFrom(given, before), attestation };
        return dpsRest(lab)("PUT", one(given), { body, headers: ifMatch(given) });
      },
    },
    {
      words: `${noun} delete`,
      description: "remove an enrollment; devices that are in a hub stay there",
      options: { ...id, ...ETAG },
      run: (lab, given) => dpsRest(lab)("DELETE", one(given), { headers: ifMatch(given) }),
    },
  ];
});

const PROOFS = [
  ...["attestationType", "certificatePath", "secondaryCertificatePath", "caName"],
  ...["secondaryCaName", "primaryKey", "secondaryKey"],
];

const provesAnew = (given: Given) => PROOFS.some((name) => given[name] !== undefined);

function attestationFrom(given: Given, noun: "enrollment" | "enrollment-group"): JsonObject {
  const { certificatePath, secondaryCertificatePath, caName, primaryKey } = given;
  const x509 = certificatePath ?? secondaryCertificatePath ?? caName;
  const type =
    oneOf(given, "attestationType", ATTESTATIONS) ??
    (x509 !== undefined
      ? "x509"
      : primaryKey !== undefined || noun === "enrollment"
        ? "symmetrickey"
        : undefined);
  if (type === undefined || (type === "x509" && x509 === undefined)) {
    throw new LabError(
      "option-missing",
      "Nothing says how the devices prove themselves.",
      "Give --certificate-path, --ca-name or --primary-key.",
    );
  }
  // The service has the words for what it does not have.
  if (type === "tpm") return { type: "tpm" };
  if (type === "x509") return { type, x509: x509From(given, noun) };
  const keys = { primaryKey: text(given, "primaryKey"), secondaryKey: text(given, "secondaryKey") };
  return { type: "symmetricKey", symmetricKey: keys };
}

function x509From(given: Given, noun: "enrollment" | "enrollment-group"): JsonObject {
  if (given.caName !== undefined) {
    const { caName: primary, secondaryCaName: secondary } = given;
    return { caReferences: present({ primary, secondary }) };
  }
  const certificate = (name: string) =>
    given[name] === undefined
      ? undefined
      : { certificate: readGiven(text(given, name)).toString("base64") };
  const pair = present({
    primary: certificate("certificatePath"),
    secondary: certificate("secondaryCertificatePath"),
  });
  return { [noun === "enrollment" ? "clientCertificates" : "signingCertificates"]: pair };
}

const REPROVISION: Readonly<Record<string, JsonObject>> = {
  reprovisionandmigratedata: { updateHubAssignment: true, migrateDeviceData: true },
  reprovisionandresetdata: { updateHubAssignment: true, migrateDeviceData: false },
  never: { updateHubAssignment: false, migrateDeviceData: false },
};

function provisioningFrom(given: Given, before: JsonObject = {}): JsonObject {
  const policies = Object.keys(REPROVISION);
  const reprovision = oneOf(given, "reprovisionPolicy", policies);
  const { provisioningStatus, allocationPolicy, webhookUrl, deviceId } = given;
  const apiVersion = text(given, "apiVersion") || "2021-10-01";
  return present({
    ...{ provisioningStatus, allocationPolicy, deviceId },
    iotHubs: text(given, "iotHubs") === "" ? undefined : text(given, "iotHubs").split(/\s+/),
    customAllocationDefinition: webhookUrl === undefined ? undefined : { webhookUrl, apiVersion },
    initialTwin: initialTwinFrom(given, (before.initialTwin ?? {}) as JsonObject),
    capabilities: given.edgeEnabled ? { iotEdge: true } : undefined,
    reprovisionPolicy: reprovision === undefined ? undefined : REPROVISION[reprovision],
  });
}

function initialTwinFrom(given: Given, before: JsonObject): JsonObject | undefined {
  const { initialTwinTags: tags, initialTwinProperties: desired } = given;
  if (tags === undefined && desired === undefined) return undefined;
  const twin = (name: string) =>
    parseJsonOrFile(text(given, name), "The initial twin") as JsonObject;
  return present({
    tags: tags === undefined ? before.tags : twin("initialTwinTags"),
    properties:
      desired === undefined ? before.properties : { desired: twin("initialTwinProperties") },
  });
}
