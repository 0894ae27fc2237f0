import { LabError } from "../errors.ts";
import { capabilityRefusal } from "./capability-refusal.ts";
import { type Image, readImage, verifyImage } from "./image.ts";
import { APPLICATION } from "./metadata.ts";
import { MANIFEST_FILE, WASM_FILE } from "./pack.ts";
import { APP, IMAGE_UPDATE, type Refusal, refuse } from "./refusal.ts";
import type { TrustStore } from "./signature.ts";

export interface InstallContext {
  /** Paths of the image's files; entry point and manifest are looked for when given. */
  readonly files?: readonly string[];
  /** Pins that other applications hold. */
  readonly pinsInUse?: ReadonlySet<number>;
}

/**
 * What a device says to an application's manifest at installation.
 * @param manifest the text of app_manifest.json, or the parsed value
 * @returns undefined when it takes the application
 */
export function installRefusal(
  manifest: unknown,
  context: InstallContext = {},
): Refusal | undefined {
  const parsed = typeof manifest === "string" ? parse(manifest) : manifest;
  if (!isObject(parsed)) return refuse(APP, 1, "app_manifest.json is not JSON");
  return (
    headRefusal(parsed) ??
    entryPointRefusal(String(parsed.EntryPoint), context.files) ??
    capabilityRefusal(parsed.Capabilities as Record<string, unknown>, context.pinsInUse)
  );
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parse(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch {
    return undefined;
  }
}

function headRefusal(manifest: Record<string, unknown>): Refusal | undefined {
  const { SchemaVersion: version, EntryPoint: entry, ApplicationType: type } = manifest;
  const { CmdArgs: args, Capabilities: capabilities, MallocVersion: malloc } = manifest;
  if (version === undefined) return refuse(APP, 4, "SchemaVersion is missing", "SchemaVersion");
  if (version !== 1) return refuse(APP, 17, "SchemaVersion is not 1", "SchemaVersion");
  if (typeof entry !== "string") {
    return refuse(APP, 3, "EntryPoint is missing or no text", "EntryPoint");
  }
  if (!/^(\/[^/]+)+$/.test(entry) || entry.split("/").includes("..")) {
    return refuse(APP, 16, "EntryPoint is no absolute path", "EntryPoint");
  }
  const types = [undefined, "Default", "RealTimeCapable", "Debugger"];
  if (!types.includes(type as string | undefined)) {
    return refuse(APP, 26, `ApplicationType ${JSON.stringify(type)} is unknown`, "ApplicationType");
  }
  const texts = Array.isArray(args) && args.every((item) => typeof item === "string");
  if (!texts && !(args === undefined && type === "RealTimeCapable")) {
    return refuse(APP, 5, "CmdArgs is no list of texts", "CmdArgs");
  }
  if (!isObject(capabilities)) {
    return refuse(APP, 6, "Capabilities is missing or no object", "Capabilities");
  }
  if (malloc !== undefined && malloc !== 1 && malloc !== 2) {
    return refuse(APP, 59, "MallocVersion is neither 1 nor 2", "MallocVersion");
  }
  return undefined;
}

function entryPointRefusal(
  entryPoint: string,
  files: readonly string[] | undefined,
): Refusal | undefined {
  if (!files) return undefined;
  const path = entryPoint.slice(1);
  // The lab's own body of an application; a real device would ask for the binary.
  if (files.includes(path) || files.includes(WASM_FILE)) return undefined;
  if (files.some((file) => file.startsWith(`${path}/`))) {
    return refuse(APP, 23, `EntryPoint ${entryPoint} is no file`, "EntryPoint");
  }
  return refuse(APP, 22, `EntryPoint ${entryPoint} is not in the image`, "EntryPoint");
}

export interface ImageContext extends InstallContext {
  readonly trusted: TrustStore;
  /** Newest API set of the device; any is taken when absent. */
  readonly apiSet?: number;
  /** Bytes of flash that are free for packages; not checked when absent. */
  readonly freeBytes?: number;
}

/**
 * What a device says to a whole package: its form, its signature, its manifest.
 * @returns undefined when it takes the package
 */
export function imageRefusal(bytes: Uint8Array, context: ImageContext): Refusal | undefined {
  let image: Image;
  try {
    image = readImage(bytes);
    const { verdict, thumbprint } = verifyImage(bytes, context.trusted);
    if (verdict !== "valid") {
      const why = `its signature is ${verdict === "invalid" ? "wrong" : `by ${thumbprint}`}`;
      return refuse(IMAGE_UPDATE, 15, `the image is not trusted by the device: ${why}`);
    }
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    return refuse(IMAGE_UPDATE, 18, `this is no valid image package: ${error.message}`);
  }
  const { freeBytes = Number.POSITIVE_INFINITY } = context;
  if (bytes.length > freeBytes) {
    const needed = `the package has ${bytes.length} bytes, ${freeBytes} are free`;
    return refuse(IMAGE_UPDATE, 2, `there is not enough space: ${needed}`);
  }
  return image.imageType === APPLICATION ? applicationRefusal(image, context) : undefined;
}

function applicationRefusal(image: Image, context: ImageContext): Refusal | undefined {
  const { apiSet = Number.POSITIVE_INFINITY } = context;
  if ((image.apiSet ?? 0) > apiSet) {
    const text = `it needs API set ${image.apiSet}, the device has ${apiSet}`;
    return refuse(IMAGE_UPDATE, 40, `the ABI version is not available: ${text}`);
  }
  const file = image.files.find(({ path }) => path === MANIFEST_FILE);
  if (!file) return refuse(APP, 25, "the image has no app_manifest.json");
  const text = Buffer.from(file.content).toString("utf8");
  const files = image.files.map(({ path }) => path);
  const refusal = installRefusal(text, { ...context, files });
  if (refusal) return refusal;
  const { ComponentId: component } = parse(text) as { ComponentId?: unknown };
  if (String(component).toLowerCase() !== image.componentId) {
    const difference = `${component} in the manifest, ${image.componentId} in the metadata`;
    return refuse(IMAGE_UPDATE, 20, `the identity is inconsistent: ${difference}`, "ComponentId");
  }
  return undefined;
}
