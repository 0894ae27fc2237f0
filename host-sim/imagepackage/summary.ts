import { createHash } from "node:crypto";
import type { PlacedFile } from "./asxipfs-reader.ts";
import type { Image } from "./image.ts";
import type { Inspection } from "./inspect.ts";
import { ABI_TYPES, IMAGE_TYPES, type Section, SIGNING_TYPES, TEMPORARY } from "./metadata.ts";
import { isKnownSigner, type Verification } from "./signature.ts";

/** One section as people read it: title, then label and value of each line. */
export interface SectionText {
  readonly title: string;
  readonly rows: readonly (readonly [label: string, value: string])[];
}

const named = (names: Readonly<Record<number, string>> | readonly string[], value: number) =>
  (names as Readonly<Record<number, string>>)[value] ?? String(value);

const yes = (flag: boolean) => (flag ? "True" : "False");

/** The sections of an image in the words of Microsoft's tools. */
export function sectionTexts(sections: readonly Section[]): SectionText[] {
  return sections.map(sectionText);
}

function sectionText(section: Section): SectionText {
  switch (section.kind) {
    case "Identity":
      return text("Identity", [
        ["Image Type:", named(IMAGE_TYPES, section.imageType)],
        ["Component ID:", section.componentId],
        ["Image ID:", section.imageId],
      ]);
    case "Signature":
      return text("Signature", [
        ["Signing Type:", named(SIGNING_TYPES, section.signingType)],
        ["Cert:", section.thumbprint],
      ]);
    case "Debug":
      return text("Debug", [
        ["Image Name:", section.name],
        ["Built On (UTC):", time(section.buildTime)],
      ]);
    case "TemporaryImage":
      return text("Temporary Image", [
        ["Remove image at boot:", yes((section.flags & TEMPORARY.removeAtBoot) !== 0)],
        ["Under development:", yes((section.flags & TEMPORARY.underDevelopment) !== 0)],
      ]);
    case "AbiDepends":
    case "AbiProvides":
      return abiText(section);
    case "Compression":
      return text("Compression", [
        ["Type:", section.type === 1 ? "Lzma" : String(section.type)],
        ["Uncompressed size:", `${section.uncompressedSize} bytes`],
      ]);
    case "Revocation":
      return text("Revocation", [["Security Version:", String(section.securityVersion)]]);
    case "RequiredFlashOffset":
      return text("Required Offset", [["Offset:", String(section.offset)]]);
    case "ImagePolicy":
      return text("Image Policy", [["Flags:", String(section.flags)]]);
    case "Opaque":
      return text(`Section 0x${section.id.toString(16)}`, [
        ["Content:", Buffer.from(section.body).toString("hex")],
      ]);
  }
}

const text = (title: string, rows: SectionText["rows"]): SectionText => ({ title, rows });

function abiText({ kind, abis }: Extract<Section, { abis: unknown }>): SectionText {
  const [title, label] =
    kind === "AbiDepends" ? ["ABI Depends", "Depends on:"] : ["ABI Provides", "Provides:"];
  return text(
    title,
    abis.map(({ version, type }) => [label, `${named(ABI_TYPES, type)}, version ${version}`]),
  );
}

const time = (seconds: number): string =>
  new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");

/** One sentence on who signed. */
export function signerText({ verdict, thumbprint, signer }: Verification): string {
  if (verdict === "unknown signer") {
    return signer === undefined
      ? `by an unknown signer ${thumbprint}`
      : `by ${signer}, ${thumbprint}; not checked, its certificate is not here (see --trust)`;
  }
  const note = isKnownSigner(thumbprint) ? "" : "; real devices do not accept lab keys";
  return `${verdict}, by ${signer} ${thumbprint}${note}`;
}

/** A package in a form for programs. */
export function summaryOf({ image, verification, findings }: Inspection) {
  return {
    name: image.name,
    componentId: image.componentId,
    imageId: image.imageId,
    imageType: named(IMAGE_TYPES, image.imageType),
    content: image.content.kind,
    builtOn: time(image.buildTime),
    apiSet: image.apiSet ?? null,
    underDevelopment: image.underDevelopment,
    bytes: image.size,
    signature: verification,
    sections: image.sections.map(plainSection),
    files: image.files.map(({ path, content, executable }) => ({
      path,
      bytes: content.length,
      executable,
    })),
    findings,
  };
}

const plainSection = (section: Section) =>
  section.kind === "Opaque"
    ? { ...section, body: Buffer.from(section.body).toString("hex") }
    : section;

/** The files as a tree, one line each. */
export function treeLines(files: readonly PlacedFile[]): string[] {
  const lines: string[] = [];
  let folders: readonly string[] = [];
  for (const { path, content, executable } of files) {
    const parts = path.split("/");
    const name = parts.pop() ?? "";
    const common = parts.findIndex((part, index) => part !== folders[index]);
    const first = common < 0 ? parts.length : common;
    for (let depth = first; depth < parts.length; depth++) {
      lines.push(`${"  ".repeat(depth)}${parts[depth]}/`);
    }
    folders = parts;
    const label = `${"  ".repeat(parts.length)}${name}${executable ? "*" : ""}`;
    lines.push(`${label.padEnd(32)} ${String(content.length).padStart(8)}`);
  }
  return lines;
}

export interface Difference {
  /** A field of the package, or a file with its path. */
  readonly what: string;
  readonly first: string;
  readonly second: string;
}

/** What differs between two packages; empty when only the signature's own bytes may. */
export function differences(first: Image, second: Image): Difference[] {
  const fields = (image: Image) =>
    new Map(
      sectionTexts(image.sections).flatMap(({ title, rows }) =>
        rows.map(([label, value]) => [`${title}: ${label.replace(/:$/, "")}`, value]),
      ),
    );
  return [
    ...compare(fields(first), fields(second)),
    ...compare(contents(first), contents(second)).map(({ what, ...rest }) => ({
      what: `/${what}`,
      ...rest,
    })),
  ];
}

/** Size, mode and a digest of each file. */
function contents({ files }: Image): Map<string, string> {
  return new Map(
    files.map(({ path, content, executable }) => {
      const digest = createHash("sha256").update(content).digest("hex").slice(0, 12);
      return [path, `${content.length} bytes${executable ? ", executable" : ""}, ${digest}`];
    }),
  );
}

function compare(
  first: ReadonlyMap<string, string>,
  second: ReadonlyMap<string, string>,
): Difference[] {
  const names = new Set([...first.keys(), ...second.keys()]);
  return [...names]
    .map((what) => ({ what, first: first.get(what) ?? "-", second: second.get(what) ?? "-" }))
    .filter((row) => row.first !== row.second);
}
