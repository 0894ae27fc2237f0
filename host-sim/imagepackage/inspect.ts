import { buildMismatch, isArmProgram } from "./arm-program.ts";
import { type Image, readImage, verifyImage } from "./image.ts";
import { APPLICATION } from "./metadata.ts";
import { MANIFEST_FILE, WASM_FILE } from "./pack.ts";
import type { TrustStore, Verification } from "./signature.ts";

export interface Inspection {
  readonly image: Image;
  readonly verification: Verification;
  /** What a device or a reader would stumble over; empty for a sound package. */
  readonly findings: readonly string[];
}

/** Reads a package and checks what its parts say about each other. @throws as `readImage` */
export function inspectImage(bytes: Uint8Array, trusted: TrustStore): Inspection {
  const image = readImage(bytes);
  const findings = image.imageType === APPLICATION ? applicationFindings(image) : [];
  return { image, verification: verifyImage(bytes, trusted), findings };
}

function applicationFindings(image: Image): string[] {
  const manifest = manifestOf(image);
  if (!manifest) return [`${MANIFEST_FILE} is missing or no JSON object`];
  const { ComponentId: component, Name: name } = manifest;
  const { EntryPoint: entry, TargetApplicationRuntimeVersion: apiSet } = manifest;
  return [
    ...(String(component).toLowerCase() === image.componentId
      ? []
      : [`the manifest's ComponentId ${component} is not the metadata's ${image.componentId}`]),
    ...(String(name).startsWith(image.name)
      ? []
      : [`the manifest's Name ${name} is not the metadata's ${image.name}`]),
    ...(apiSet === image.apiSet ? [] : [apiSets(apiSet, image.apiSet)]),
    ...entryPointFindings(image, String(entry)),
  ];
}

const apiSets = (manifest: unknown, metadata: unknown): string =>
  `the manifest is for API set ${manifest ?? "none"}, the metadata for ${metadata ?? "none"}`;

/** The manifest of an application's image as JSON; undefined when there is none. */
export function manifestOf(image: Image): Record<string, unknown> | undefined {
  const file = image.files.find(({ path }) => path === MANIFEST_FILE);
  try {
    const value = JSON.parse(Buffer.from(file?.content ?? []).toString("utf8"));
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function entryPointFindings({ files }: Image, entryPoint: string): string[] {
  const entry = files.find(({ path }) => `/${path}` === entryPoint);
  if (!entry) {
    const wasm = files.some(({ path }) => path === WASM_FILE);
    const which = wasm ? "; the package runs in the lab only" : "";
    return [`the entry point ${entryPoint} is not in the image${which}`];
  }
  const findings = entry.executable ? [] : [`the entry point ${entryPoint} is not executable`];
  const others = files.filter(({ executable, path }) => executable && path !== entry.path);
  if (others.length > 0) {
    findings.push(`also executable: ${others.map(({ path }) => `/${path}`).join(", ")}`);
  }
  if (!isArmProgram(entry.content)) findings.push(`${entryPoint} is no 32-bit ARM program (ELF)`);
  const mismatch = buildMismatch(files, entryPoint, WASM_FILE);
  if (mismatch !== undefined) findings.push(mismatch);
  return findings;
}
