import type { Resource } from "../arm.ts";
import { shown } from "../cloud.ts";
import { notFound, usage } from "../errors.ts";
import { type Context, type Entry, type Given, type Options, optional, text } from "../table.ts";
import { writeFile } from "../write-file.ts";

type Certificate = Resource<{
  readonly certificate?: string;
  readonly status: string;
  readonly subject: string;
  readonly thumbprint: string;
  readonly expiryUtc: string;
  readonly notBeforeUtc: string;
}>;

const V2_WHICH: Options = {
  "!--destination --output-file -of <file>": "the file to write",
  "--index <n>": "which one, from `ca-certificate list`; the active one if absent",
};
const AZ_WHICH: Options = {
  "!--output-file --destination -of <file>": "the file to write",
  "-n, --name <serial>": "its serial number, or active",
};

const fileOf = (given: Given) => optional(given, "destination") ?? text(given, "outputFile");

async function certificates(context: Context, given: Given) {
  const arm = await context.arm();
  const catalog = await arm.catalog(given);
  return { arm, catalog, all: await arm.list<Certificate>(`${catalog.id}/certificates`) };
}

/** Path of the certificate that is meant. @throws LabError azsphere-not-found */
async function chosen(context: Context, given: Given) {
  const { arm, catalog, all } = await certificates(context, given);
  const index = optional(given, "index");
  const at = index === undefined ? undefined : all[Number(index) - 1];
  if (index !== undefined && !at) {
    throw notFound(
      `There is no CA certificate with the index ${index}.`,
      `Type \`ca-certificate list\`; there are ${all.length}.`,
    );
  }
  const name = at?.name ?? optional(given, "name") ?? "active";
  return { arm, id: `${catalog.id}/certificates/${name}` };
}

/** `.pem` gets text, anything else the bytes. */
function writeCertificate(file: string, base64: string): void {
  const lines = base64.match(/.{1,64}/g) ?? [];
  const pem = ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
  writeFile(file, /\.pem$/i.test(file) ? pem : Buffer.from(base64, "base64"));
}

async function download(context: Context, given: Given) {
  const { arm, id } = await chosen(context, given);
  const { properties } = await arm.call<Certificate>("GET", id);
  if (properties.certificate === undefined) {
    throw notFound("The CA certificate is expired, and only listed.", "Download the active one.");
  }
  writeCertificate(fileOf(given), properties.certificate);
  return { text: `Successfully downloaded the CA certificate to '${fileOf(given)}'.` };
}

async function downloadChain(context: Context, given: Given) {
  const { arm, id } = await chosen(context, given);
  const { certificateChain } = await arm.call<{ certificateChain: string }>(
    "POST",
    `${id}/retrieveCertChain`,
  );
  writeFile(fileOf(given), Buffer.from(certificateChain, "base64"));
  return { text: `Successfully downloaded the certificate chain to '${fileOf(given)}'.` };
}

async function downloadProof(context: Context, given: Given) {
  const code = text(given, "verificationCode");
  if (code === "") {
    throw usage("--verification-code is empty.", "Give the code that the hub shows for the CA.");
  }
  const { arm, id } = await chosen(context, given);
  const { certificate } = await arm.call<{ certificate: string }>(
    "POST",
    `${id}/retrieveProofOfPossessionNonce`,
    { proofOfPossessionNonce: code },
  );
  writeCertificate(fileOf(given), certificate);
  return { text: `Successfully downloaded the validation certificate to '${fileOf(given)}'.` };
}

async function listAll(context: Context, given: Given) {
  const { all } = await certificates(context, given);
  if (context.grammar === "az") return { value: all.map((each) => shown(context, each)) };
  const value = all.map(({ properties }, index) => ({
    index: index + 1,
    status: properties.status,
    subjectName: properties.subject,
    thumbprint: properties.thumbprint,
    notBefore: properties.notBeforeUtc,
    notAfter: properties.expiryUtc,
  }));
  return { value };
}

export const caCertificateEntries: readonly Entry[] = [
  {
    words: "ca-certificate list",
    summary: "print the CA certificates of a tenant",
    needs: ["cloud"],
    examples: [""],
    run: listAll,
  },
  {
    words: "ca-certificate download",
    aliases: ["tenant download-ca-certificate"],
    summary: "write a tenant's CA certificate, which a hub has to know",
    v2: V2_WHICH,
    az: AZ_WHICH,
    needs: ["cloud"],
    examples: ["--destination CAcertificate.cer"],
    azExamples: ["--output-file CAcertificate.cer"],
    run: download,
  },
  {
    words: "ca-certificate download-chain",
    aliases: ["tenant download-ca-certificate-chain"],
    summary: "write a tenant's certificate chain, PKCS #7 in DER",
    v2: V2_WHICH,
    az: AZ_WHICH,
    needs: ["cloud"],
    examples: ["--destination chain.p7b"],
    azExamples: ["--output-file chain.p7b"],
    run: downloadChain,
  },
  {
    words: "ca-certificate download-proof",
    aliases: ["tenant download-validation-certificate"],
    summary: "write a certificate that proves the possession of the CA",
    options: { "!-v, --verification-code --verificationcode <code>": "what the hub gave" },
    v2: V2_WHICH,
    az: AZ_WHICH,
    needs: ["cloud"],
    examples: ["--destination validation.cer --verification-code 1A2B3C"],
    azExamples: ["--output-file validation.cer --verification-code 1A2B3C"],
    run: downloadProof,
  },
];
