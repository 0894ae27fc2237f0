import { createHash, randomUUID } from "node:crypto";
import { LabError } from "../errors.ts";
import { writeFilesystem } from "./asxipfs-writer.ts";
import { refuseConflicts } from "./hardware-definition.ts";
import { type Capabilities, parseManifest } from "./manifest.ts";
import {
  APPLICATION,
  APPLICATION_RUNTIME,
  type Section,
  shortName,
  TEMPORARY,
} from "./metadata.ts";
import { type RewriteOptions, rewriteManifest } from "./rewrite-manifest.ts";
import { type Signer, sealImage } from "./signature.ts";

export const MANIFEST_FILE = "app_manifest.json";
/** The app of the lab's wasm body. */
export const WASM_FILE = "app.wasm";
/** Flash of a device for all its application packages. */
export const FLASH_LIMIT = 1024 * 1024;

export interface PackedFile {
  /** Relative to the root of the image. */
  readonly path: string;
  readonly content: Uint8Array;
}

export interface PackRequest extends RewriteOptions {
  /** The text of the source's app_manifest.json. */
  readonly manifest: string;
  /** All files but the manifest; any order. */
  readonly files: readonly PackedFile[];
  /** Paths of files that are executable beside the entry point. */
  readonly executables?: readonly string[];
  readonly signer: Signer;
  /** Seconds since the Unix epoch. */
  readonly buildTime: number;
  /** A GUID; a random one when absent. */
  readonly imageId?: string;
  /** Takes an image id that follows from the content: the same input gives the same bytes. */
  readonly reproducible?: boolean;
}

/**
 * Packs a development package: what `pack-application` writes, signed with a lab's key.
 * @throws LabError manifest-invalid, peripheral-unknown, target-api-set-missing,
 *   entry-point-missing, executable-missing, image-over-limit, image-path-…
 */
export function packImage(request: PackRequest): Uint8Array {
  const source = parseManifest(request.manifest);
  const realTime = source.ApplicationType === "RealTimeCapable";
  const apiSet = realTime ? undefined : requiredApiSet(request, source);
  const text = rewriteManifest(request.manifest, { ...request, apiSet });
  refuseConflicts(source.Capabilities, parseCapabilities(text));
  const payload = writeFilesystem(executablesMarked(request, text, source.EntryPoint));
  const sections = developmentSections({
    componentId: source.ComponentId,
    name: source.Name,
    imageId: request.imageId ?? (request.reproducible ? idOf(payload) : randomUUID()),
    buildTime: request.buildTime,
    apiSet,
  });
  const image = sealImage(payload, sections, request.signer);
  if (image.length > FLASH_LIMIT) throw overLimit(image.length);
  return image;
}

const parseCapabilities = (manifest: string): Capabilities =>
  JSON.parse(manifest.replace(/^\uFEFF/, "")).Capabilities;

interface SectionValues {
  readonly componentId: string;
  readonly imageId: string;
  readonly name: string;
  readonly buildTime: number;
  /** Absent for real-time capable applications. */
  readonly apiSet?: number;
}

/** Sections of a development package in their order; sealing fills the signer in. */
export function developmentSections(values: SectionValues): Section[] {
  const { componentId, imageId, name, buildTime, apiSet } = values;
  const abis = apiSet === undefined ? [] : [{ version: apiSet, type: APPLICATION_RUNTIME }];
  return [
    { kind: "Identity", imageType: APPLICATION, componentId, imageId },
    { kind: "Signature", thumbprint: "0".repeat(40), signingType: 1 },
    { kind: "Debug", buildTime, name: shortName(name) },
    { kind: "TemporaryImage", flags: TEMPORARY.underDevelopment },
    { kind: "AbiDepends", abis },
  ];
}

function requiredApiSet(
  { apiSet }: PackRequest,
  manifest: { readonly TargetApplicationRuntimeVersion?: number },
): number {
  const chosen = apiSet ?? manifest.TargetApplicationRuntimeVersion;
  if (chosen !== undefined) return chosen;
  throw new LabError(
    "target-api-set-missing",
    "A high-level application needs a target API set.",
    "Give --target-api-set, for example 16.",
  );
}

function executablesMarked(request: PackRequest, manifest: string, entryPoint: string) {
  const entry = entryPoint.slice(1);
  const paths = new Set(request.files.map(({ path }) => path));
  // Without a binary a package can only run in the lab, whose device takes the wasm instead.
  if (!paths.has(entry) && !paths.has(WASM_FILE)) {
    throw new LabError(
      "entry-point-missing",
      `The package has no ${entryPoint}, the manifest's EntryPoint, and no ${WASM_FILE} either.`,
      `Put the application's binary at ${entry} of the package directory.`,
    );
  }
  const others = (request.executables ?? []).map((path) => path.replace(/^\.?\//, ""));
  const missing = others.find((path) => !paths.has(path));
  if (missing !== undefined) {
    throw new LabError(
      "executable-missing",
      `${missing} is to be executable and is not in the package.`,
      "Paths of --executables are relative to the package directory.",
    );
  }
  const executable = new Set([entry, ...others]);
  return [
    { path: MANIFEST_FILE, content: Buffer.from(manifest, "utf8"), executable: false },
    ...request.files.map((file) => ({ ...file, executable: executable.has(file.path) })),
  ];
}

function overLimit(size: number): LabError {
  return new LabError(
    "image-over-limit",
    `The package would have ${size} bytes; a device has ${FLASH_LIMIT} for all its applications.`,
    "Leave resources out, or build with less.",
  );
}

/** A GUID, version 8 (own scheme), from a digest. */
function idOf(payload: Uint8Array): string {
  const digest = createHash("sha256").update(payload).digest("hex");
  const parts = [
    digest.slice(0, 8),
    digest.slice(8, 12),
    `8${digest.slice(13, 16)}`,
    `8${digest.slice(17, 20)}`,
    digest.slice(20, 32),
  ];
  return parts.join("-");
}

export interface AppContent {
  /** The application's ARM binary; without one the package runs in the lab only. */
  readonly binary?: Uint8Array;
  readonly wasm?: Uint8Array;
  /** False leaves the wasm out when there is a binary; true when absent. */
  readonly embedWasm?: boolean;
  readonly resources?: readonly PackedFile[];
}

/** The files of an application's package but the manifest. @param entryPoint of the manifest */
export function applicationFiles(content: AppContent, entryPoint = "/bin/app"): PackedFile[] {
  const { binary, wasm, embedWasm = true, resources = [] } = content;
  return [
    ...(binary ? [{ path: entryPoint.slice(1), content: binary }] : []),
    ...(wasm && embedWasm ? [{ path: WASM_FILE, content: wasm }] : []),
    ...resources,
  ];
}
