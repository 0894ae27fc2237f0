import { LabError } from "../errors.ts";
import {
  APPLICATION,
  BOARD_CONFIGURATION,
  buildMismatch,
  type Image,
  installRefusal,
  isArmProgram,
  keptFile,
  MANIFEST_FILE,
  type Manifest,
  readImage,
  sectionOf,
  type TrustStore,
  verifyImage,
  WASM_FILE,
} from "../imagepackage/index.ts";
import type { AppImage } from "./app.ts";
import { type AppIdentity, pinConflict } from "./applications.ts";
import { DeviceError, ERRORS, refuseIf } from "./system/device-error.ts";
import type { Manufacturing } from "./system/manufacturing.ts";
import { ABI_VERSIONS } from "./system/os-release.ts";

/** Whose packages a device takes; asked for at each package. */
export interface ImageTrust {
  /** The Security Service: always. */
  production(): TrustStore;
  /** Developers: while the device has the application development capability. */
  development(): TrustStore;
}

/** A capability image: its payload names a device and what that device may do from now on. */
export const CAPABILITY_COMPONENT = "5b1c9a34-7c1f-4e7b-9a36-0c4d2e8f7a61";
const OTHER = 28;
const NO_COMPONENT = /^[0-]+$/;
const ABI_NAMES = [undefined, "SecureWorldRuntime", "OSRuntime", "ApplicationRuntime"] as const;
/** What every WebAssembly module begins with. */
const WASM_MAGIC = Buffer.from("\0asm");

/** @throws DeviceError notAPackage */
export function readPackage(bytes: Uint8Array): Image {
  try {
    return readImage(bytes);
  } catch (error) {
    if (error instanceof LabError) throw new DeviceError(ERRORS.notAPackage);
    throw error;
  }
}

/** @throws DeviceError invalidComponentId, imagePermission */
export function requireKind(image: Image): void {
  refuseIf(NO_COMPONENT.test(image.componentId), ERRORS.invalidComponentId);
  const kinds = [APPLICATION, BOARD_CONFIGURATION];
  refuseIf(!kinds.includes(image.imageType) && !isCapability(image), ERRORS.imagePermission);
}

export const isCapability = ({ imageType, componentId }: Image): boolean =>
  imageType === OTHER && componentId === CAPABILITY_COMPONENT;

/** @throws DeviceError installFailed when the image needs a newer system */
export function requireAbi({ sections }: Image): void {
  for (const { version, type } of sectionOf(sections, "AbiDepends")?.abis ?? []) {
    const name = ABI_NAMES[type];
    refuseIf(name !== undefined && version > ABI_VERSIONS[name], ERRORS.installFailed);
  }
}

/** @throws DeviceError with the number of what is wrong in the manifest */
export function requireManifest(
  image: Image,
  pinHolders: ReadonlyMap<number, string> | undefined,
): void {
  const text = manifestText(image);
  if (text === undefined) throw new DeviceError(ERRORS.manifestMissing);
  const files = image.files.map(({ path }) => path);
  const pinsInUse = pinHolders && new Set(pinHolders.keys());
  const refusal = installRefusal(text, { files, pinsInUse });
  if (refusal?.code === ERRORS.pinsInUse && pinHolders) {
    throw pinConflict(parsed(text), pinHolders) ?? new DeviceError(refusal.code);
  }
  if (refusal) throw new DeviceError(refusal.code);
  const { ComponentId: component } = parsed(text);
  const same = String(component).toLowerCase() === image.componentId;
  refuseIf(!same, ERRORS.invalidComponentId);
}

/** What speaks against the code of an application; undefined for nothing. */
export function codeMismatch(image: Image): string | undefined {
  const { EntryPoint: entryPoint } = JSON.parse(
    (manifestText(image) ?? "").replace(/^\uFEFF/, ""),
  ) as Manifest;
  return buildMismatch(image.files, entryPoint, WASM_FILE);
}

function manifestText({ files }: Image): string | undefined {
  const file = files.find(({ path }) => path === MANIFEST_FILE);
  return file && Buffer.from(file.content).toString("utf8");
}

/** A manifest that was found right, without the byte order mark that editors may put before it. */
const parsed = (text: string): Manifest => JSON.parse(text.replace(/^\uFEFF/, ""));

/** The app inside a package, with the code that the lab can run, if it has such. */
export function loaded(image: Image): AppImage {
  const manifest = parsed(manifestText(image) ?? "");
  const files = image.files.map(keptFile);
  const entry = files.find(({ path }) => `/${path}` === manifest.EntryPoint);
  const isWasm = entry && Buffer.from(entry.content).subarray(0, 4).equals(WASM_MAGIC);
  const wasm = files.find(({ path }) => path === WASM_FILE) ?? (isWasm ? entry : undefined);
  const program = entry && isArmProgram(entry.content) ? entry.content : undefined;
  return {
    manifest: { ...manifest, CmdArgs: manifest.CmdArgs ?? [] },
    files,
    ...(wasm ? { wasm: wasm.content } : {}),
    ...(program ? { program } : {}),
  };
}

export function identityOf({ componentId, imageId, name, size, sections }: Image): AppIdentity {
  const compression = sectionOf(sections, "Compression");
  const uncompressedBytes = compression?.uncompressedSize ?? size;
  return { componentId, imageId, name, bytes: size, uncompressedBytes };
}

/**
 * A board configuration is a device tree; the published ones for Ethernet name the ENC28J60.
 */
export function describesEthernet(image: Image): boolean {
  return /enc28j60|ethernet/i.test(Buffer.from(payloadOf(image)).toString("latin1"));
}

/** @throws DeviceError imageNotTrusted when the image is for another device */
export function capabilitiesOf(image: Image, ownId: string): number[] {
  try {
    const { deviceId, capabilities } = JSON.parse(Buffer.from(payloadOf(image)).toString("utf8"));
    const numbers = Array.isArray(capabilities) && capabilities.every(Number.isInteger);
    if (deviceId === ownId && numbers) return capabilities;
  } catch {
    // Signed, and yet no capability image: the same refusal.
  }
  throw new DeviceError(ERRORS.imageNotTrusted);
}

/**
 * Whether the device takes a package of this signer now.
 * @throws DeviceError imageNotTrusted, permission
 */
export function requireTrust(
  bytes: Uint8Array,
  image: Image,
  trust: ImageTrust,
  { mayDevelop, locked }: Pick<Manufacturing, "mayDevelop" | "locked">,
): void {
  const capability = isCapability(image);
  // A locked device takes nothing but what unlocks it.
  refuseIf(locked && !capability, ERRORS.permission, "forbidden");
  const signedBy = (signers: TrustStore) => verifyImage(bytes, signers).verdict === "valid";
  const developer = mayDevelop && !capability;
  const good = signedBy(trust.production()) || (developer && signedBy(trust.development()));
  refuseIf(!good, ERRORS.imageNotTrusted);
}

const payloadOf = ({ content, payload }: Image): Uint8Array =>
  content.kind === "compressed" ? content.inner.payload : payload;
