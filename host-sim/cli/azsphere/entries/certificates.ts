import { readBytes } from "../../../lab/package-app.ts";
import { usage } from "../errors.ts";
import { aligned } from "../output.ts";
import { type Entry, type Given, type Options, optional, text } from "../table.ts";

interface Certificate {
  readonly id: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly subjectName: string;
  readonly issuerName: string;
}

const ID: Options = {
  "!-c, --certificate --cert-id --certid <id>": "identifier, 1 to 16 of A-Z a-z 0-9 . _ -",
};
const STORE = "/certstore/certs";

const pathOf = (given: Given) => `${STORE}/${encodeURIComponent(text(given, "certificate"))}`;

const fileText = (file: string | undefined) =>
  file === undefined ? undefined : Buffer.from(readBytes(file)).toString("utf8");

/** Certificates for Wi-Fi in the store of the attached device. */
export const certificateEntries: readonly Entry[] = [
  {
    words: "device certificate add",
    summary: "put a certificate into the store of the attached device",
    options: {
      ...ID,
      "!-p, --public-key-file --publickeyfilepath --public-key-filepath <file>": "PEM",
      "!-t, --cert-type --certtype <type>": "client or rootca",
      "--private-key-file --privatekeyfilepath --private-key-filepath <file>": "PEM; for client",
      "-w, --private-key-password --privatekeypassword <password>": "of an encrypted key",
    },
    needs: ["device"],
    examples: ["--certificate CorporateCA --cert-type rootca --public-key-file ca.pem"],
    async run(context, given) {
      const certType = text(given, "certType").toLowerCase();
      if (!["client", "rootca"].includes(certType)) {
        throw usage(`--cert-type is '${certType}'.`, "Choose client or rootca.");
      }
      const body = {
        certType,
        publicCert: fileText(text(given, "publicKeyFile")),
        privateKey: fileText(optional(given, "privateKeyFile")),
        password: optional(given, "privateKeyPassword"),
      };
      await (await context.device(given)).send("POST", pathOf(given), body);
      return {
        text: `Successfully added certificate '${text(given, "certificate")}' to the device.`,
      };
    },
  },
  {
    words: "device certificate delete",
    summary: "take a certificate out of the store",
    options: ID,
    needs: ["device"],
    examples: ["--certificate CorporateCA"],
    async run(context, given) {
      await (await context.device(given)).send("DELETE", pathOf(given));
      return { text: `Successfully deleted certificate '${text(given, "certificate")}'.` };
    },
  },
  {
    words: "device certificate show",
    summary: "print a certificate's names and dates",
    options: ID,
    needs: ["device"],
    examples: ["--certificate CorporateCA"],
    async run(context, given) {
      const value = await (await context.device(given)).get<Certificate>(pathOf(given));
      const rows: [string, string][] = [
        ["ID", value.id],
        ["Not before", value.notBefore],
        ["Not after", value.notAfter],
        ["Subject name", value.subjectName],
        ["Issuer name", value.issuerName],
      ];
      return { value, text: aligned(rows) };
    },
  },
  {
    words: "device certificate list",
    summary: "print the identifiers of all certificates on the attached device",
    needs: ["device"],
    examples: [""],
    async run(context, given) {
      const device = await context.device(given);
      const { identifiers } = await device.get<{ identifiers: readonly string[] }>(STORE);
      const text = identifiers.length === 0 ? "No certificates on the device." : identifiers;
      return { value: identifiers, text };
    },
  },
  {
    words: "device certificate show-quota",
    summary: "print how much room the store has",
    needs: ["device"],
    examples: [""],
    async run(context, given) {
      const device = await context.device(given);
      const value = await device.get<{ AvailableSpace: string }>("/certstore/space");
      return { value, text: `Available space: ${value.AvailableSpace} bytes.` };
    },
  },
];
