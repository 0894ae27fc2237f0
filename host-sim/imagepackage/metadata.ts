import { LabError } from "../errors.ts";
import { guidToBytes } from "./bytes.ts";

export const METADATA_MAGIC = 0x4d345834;
/** Magic, count, and the length at the end. */
export const METADATA_FRAME = 12;
export const NAME_BYTES = 31;

/** Names of section ids; the number spells two letters in the file. */
export const SECTION_IDS = {
  Identity: 0x4449,
  Signature: 0x4753,
  Debug: 0x4244,
  TemporaryImage: 0x5054,
  AbiDepends: 0x444e,
  AbiProvides: 0x504e,
  Compression: 0x4d43,
  Revocation: 0x5652,
  RequiredFlashOffset: 0x4f52,
  ImagePolicy: 0x5049,
} as const;

export const IMAGE_TYPES: Readonly<Record<number, string>> = {
  0: "Invalid",
  1: "OneBL",
  2: "PlutonRuntime",
  3: "WifiFirmware",
  4: "SecurityMonitor",
  5: "NormalWorldLoader",
  6: "NormalWorldDTB",
  7: "NormalWorldKernel",
  8: "RootFs",
  9: "Services",
  10: "Applications",
  13: "FirmwareConfig",
  16: "BootManifest",
  17: "NormalWorldFileSystem",
  19: "TrustedKeystore",
  20: "Policy",
  21: "CustomerBoardConfig",
  22: "UpdateCertStore",
  23: "BaseSystemUpdateManifest",
  24: "FirmwareUpdateManifest",
  25: "CustomerUpdateManifest",
  26: "RecoveryManifest",
  27: "ManifestSet",
  28: "Other",
};

export const APPLICATION = 10;
export const BOARD_CONFIGURATION = 21;

export const ABI_TYPES = ["NoDependency", "SecureWorldRuntime", "OSRuntime", "ApplicationRuntime"];
export const APPLICATION_RUNTIME = 3;
export const SIGNING_TYPES = ["Invalid", "ECDsa256", "ECDsa384"];
export const LZMA = 1;
/** Flags of a temporary image. */
export const TEMPORARY = { removeAtBoot: 1, underDevelopment: 2 } as const;

export interface Abi {
  readonly version: number;
  /** Index into ABI_TYPES. */
  readonly type: number;
}

export interface IdentitySection {
  readonly kind: "Identity";
  /** Key of IMAGE_TYPES. */
  readonly imageType: number;
  /** GUIDs, lower case when they were read. */
  readonly componentId: string;
  readonly imageId: string;
}

export interface SignatureSection {
  readonly kind: "Signature";
  /** SHA-1 of the signer's certificate in DER, 40 hex digits in lower case. */
  readonly thumbprint: string;
  readonly signingType: number;
}

export interface DebugSection {
  readonly kind: "Debug";
  /** Seconds since the Unix epoch. */
  readonly buildTime: number;
  readonly name: string;
}

/** One section of the metadata; numbers are unsigned 32-bit where nothing else is said. */
export type Section =
  | IdentitySection
  | SignatureSection
  | DebugSection
  | { readonly kind: "TemporaryImage"; readonly flags: number }
  | { readonly kind: "AbiDepends" | "AbiProvides"; readonly abis: readonly Abi[] }
  | { readonly kind: "Compression"; readonly uncompressedSize: number; readonly type: number }
  | { readonly kind: "Revocation"; readonly securityVersion: number }
  | { readonly kind: "RequiredFlashOffset"; readonly offset: number }
  | { readonly kind: "ImagePolicy"; readonly flags: number }
  /** A section whose meaning is not known; kept as it is. */
  | { readonly kind: "Opaque"; readonly id: number; readonly body: Uint8Array };

export type SectionKind = Section["kind"];
export type SectionOf<Kind extends SectionKind> = Extract<Section, { kind: Kind }>;

/** The first section of a kind. */
export function sectionOf<Kind extends Exclude<SectionKind, "AbiDepends" | "AbiProvides">>(
  sections: readonly Section[],
  kind: Kind,
): SectionOf<Kind> | undefined;
export function sectionOf(
  sections: readonly Section[],
  kind: "AbiDepends" | "AbiProvides",
): { readonly kind: "AbiDepends" | "AbiProvides"; readonly abis: readonly Abi[] } | undefined;
export function sectionOf(sections: readonly Section[], kind: SectionKind): Section | undefined {
  return sections.find((section) => section.kind === kind);
}

/** The name as the metadata keeps it: 31 bytes at most, never half a character. */
export function shortName(name: string): string {
  let short = "";
  for (const character of name) {
    if (Buffer.byteLength(short + character) > NAME_BYTES) break;
    short += character;
  }
  return short;
}

/** Writes the whole block: magic, count, sections in the given order, length. */
export function writeMetadata(sections: readonly Section[]): Uint8Array {
  const parts = sections.map((section) => {
    const body = bodyOf(section);
    const head = Buffer.alloc(4);
    head.writeUInt16LE(section.kind === "Opaque" ? section.id : SECTION_IDS[section.kind], 0);
    head.writeUInt16LE(body.length, 2);
    return Buffer.concat([head, body]);
  });
  const length = METADATA_FRAME + parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([words(METADATA_MAGIC, sections.length), ...parts, words(length)]);
}

function bodyOf(section: Section): Uint8Array {
  switch (section.kind) {
    case "Identity":
      return Buffer.concat([
        words(section.imageType),
        guidToBytes(section.componentId),
        guidToBytes(section.imageId),
      ]);
    case "Signature":
      return Buffer.concat([thumbprintBytes(section.thumbprint), words(section.signingType)]);
    case "Debug":
      return debugBody(section);
    case "TemporaryImage":
    case "ImagePolicy":
      return words(section.flags);
    case "AbiDepends":
    case "AbiProvides":
      return words(
        section.abis.length,
        ...section.abis.flatMap(({ version, type }) => [version, type]),
      );
    case "Compression":
      return words(section.uncompressedSize, section.type);
    case "Revocation":
      return words(section.securityVersion);
    case "RequiredFlashOffset":
      return words(section.offset);
    case "Opaque":
      return section.body;
  }
}

function debugBody({ buildTime, name }: DebugSection): Uint8Array {
  const body = Buffer.alloc(40);
  body.writeBigUInt64LE(BigInt(buildTime), 0);
  body.write(shortName(name), 8, "utf8");
  return body;
}

function thumbprintBytes(thumbprint: string): Buffer {
  if (/^[0-9a-f]{40}$/i.test(thumbprint)) return Buffer.from(thumbprint, "hex");
  throw new LabError(
    "thumbprint-invalid",
    `${JSON.stringify(thumbprint)} is no thumbprint of a certificate.`,
    "A thumbprint is the SHA-1 of the certificate in DER: 40 hexadecimal digits.",
  );
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, 4 * index);
  return bytes;
}
