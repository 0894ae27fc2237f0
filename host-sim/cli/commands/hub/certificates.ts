import { readGiven } from "../../options.ts";
import { managementRest } from "../../rest.ts";
import { type Entry, ETAG, ifMatch, text } from "./table.ts";

const NAME = { "!-n, --name <name>": "the certificate" };
const FILE = { "!-p, --path <file>": "certificate, PEM or DER" };

/** `certificate …` of a hub or a provisioning service, as `az iot hub certificate` has it. */
export function certificateEntries(resource: "hub" | "dps"): readonly Entry[] {
  const at = (name: string) => `/certificates/${encodeURIComponent(name)}`;
  return [
    ...(["create", "update"] as const).map(
      (verb): Entry => ({
        words: `certificate ${verb}`,
        description:
          verb === "create"
            ? "register a CA certificate"
            : "put another certificate under a name; its possession has to be proved again",
        options: {
          ...NAME,
          ...FILE,
          "-v, --verified": "vouch for it without a proof of possession",
          ...(verb === "update" ? ETAG : {}),
        },
        run: (lab, given) =>
          managementRest(lab, resource)("PUT", at(text(given, "name")), {
            body: {
              properties: {
                certificate: readGiven(text(given, "path")).toString("base64"),
                isVerified: given.verified !== undefined,
              },
            },
            headers: verb === "update" ? ifMatch(given) : {},
          }),
      }),
    ),
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
      options: { ...NAME, ...ETAG },
      run: (lab, given) =>
        managementRest(lab, resource)("DELETE", at(text(given, "name")), {
          headers: ifMatch(given),
        }),
    },
    {
      words: "certificate generate-verification-code",
      description: "begin a proof of possession",
      options: { ...NAME, ...ETAG },
      run: (lab, given) =>
        managementRest(lab, resource)(
          "POST",
          `${at(text(given, "name"))}/generateVerificationCode`,
          { headers: ifMatch(given) },
        ),
    },
    {
      words: "certificate verify",
      description: "finish it with a certificate for the code, signed by the CA",
      options: { ...NAME, ...FILE, ...ETAG },
      run: (lab, given) =>
        managementRest(lab, resource)("POST", `${at(text(given, "name"))}/verify`, {
          body: { certificate: readGiven(text(given, "path")).toString("base64") },
          headers: ifMatch(given),
        }),
    },
  ];
}
