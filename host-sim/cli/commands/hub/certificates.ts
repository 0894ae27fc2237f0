import { readFileSync } from "node:fs";
import { LabError, messageOf } from "../../../errors.ts";
import { managementRest } from "../../rest.ts";
import { type Entry, text } from "./table.ts";

const NAME = { "!-n, --name <name>": "the certificate" };
const FILE = { "!-p, --path <file>": "certificate, PEM or DER" };

/** `certificate …` of a hub or a provisioning service, as `az iot hub certificate` has it. */
export function certificateEntries(resource: "hub" | "dps"): readonly Entry[] {
  const at = (name: string) => `/certificates/${encodeURIComponent(name)}`;
  return [
    {
      words: "certificate create",
      description: "register a CA certificate",
      options: { ...NAME, ...FILE, "-v, --verified": "vouch for it without a proof of possession" },
      run: (lab, given) =>
        managementRest(lab, resource)("PUT", at(text(given, "name")), {
          body: {
            properties: {
              certificate: readBase64(text(given, "path")),
              isVerified: given.verified !== undefined,
            },
          },
          headers: { "if-match": '"*"' },
        }),
    },
    {
      words: "certificate list",
      description: "print all CA certificates",
      options: {},
      run: (lab) => managementRest(lab, resource)("GET", "/certificates"),
    },
    {
      words: "certificate show",
      description: "print a CA certificate",
      options: NAME,
      run: (lab, given) => managementRest(lab, resource)("GET", at(text(given, "name"))),
    },
    {
      words: "certificate delete",
      description: "remove a CA; its devices are refused from their next connection on",
      options: NAME,
      run: (lab, given) =>
        managementRest(lab, resource)("DELETE", at(text(given, "name")), {
          headers: { "if-match": '"*"' },
        }),
    },
    {
      words: "certificate generate-verification-code",
      description: "begin a proof of possession",
      options: NAME,
      run: (lab, given) =>
        managementRest(lab, resource)(
          "POST",
          `${at(text(given, "name"))}/generateVerificationCode`,
        ),
    },
    {
      words: "certificate verify",
      description: "finish it with a certificate for the code, signed by the CA",
      options: { ...NAME, ...FILE },
      run: (lab, given) =>
        managementRest(lab, resource)("POST", `${at(text(given, "name"))}/verify`, {
          body: { certificate: readBase64(text(given, "path")) },
        }),
    },
  ];
}

/** A file's bytes as the services take certificates. */
export function readBase64(file: string): string {
  try {
    return readFileSync(file).toString("base64");
  } catch (error) {
    throw new LabError(
      "file-unreadable",
      `The file ${file} cannot be read: ${messageOf(error)}.`,
      "Check its name.",
    );
  }
}
