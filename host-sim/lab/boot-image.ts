import { LabError } from "../errors.ts";
import {
  buildMismatch,
  buildsDiffer,
  type HardwareDefinition,
  imageRefusal,
  isArmProgram,
  keptFile,
  MANIFEST_FILE,
  parseManifest,
  readImage,
  refusalError,
  type TrustStore,
  WASM_FILE,
} from "../imagepackage/index.ts";
import type { BuiltApp } from "./app-image.ts";
import { readBytes } from "./package-app.ts";

/**
 * The app of an image package, as the virtual device boots it: manifest and wasm are the package's.
 * @param hardware the board; packages have numbers and no names of peripherals
 * @throws LabError file-unreadable, install-refused, builds-differ, image-not-bootable
 */
export function bootableApp(
  file: string,
  hardware: HardwareDefinition,
  trusted: TrustStore,
): BuiltApp {
  const bytes = readBytes(file);
  const refusal = imageRefusal(bytes, { trusted });
  if (refusal) throw refusalError(refusal);
  const files = readImage(bytes).files.map(keptFile);
  const content = (name: string) => files.find(({ path }) => path === name)?.content;
  const manifest = parseManifest(Buffer.from(content(MANIFEST_FILE) ?? []).toString("utf8"));
  const wasm = content(WASM_FILE);
  const mismatch = buildMismatch(files, manifest.EntryPoint, WASM_FILE);
  if (mismatch !== undefined) throw buildsDiffer(mismatch);
  if (wasm && manifest.ApplicationType !== "RealTimeCapable") {
    const entry = content(manifest.EntryPoint.slice(1));
    const program = entry && isArmProgram(entry) ? { program: entry } : {};
    return { manifest, hardware, wasm, file, files, ...program };
  }
  throw new LabError(
    "image-not-bootable",
    `${file} holds no ${WASM_FILE} of a high-level application, which the virtual device runs.`,
    "Make it with `spherule package`, without --no-embed-wasm.",
  );
}
