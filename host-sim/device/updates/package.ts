import { LabError } from "../../errors.ts";
import {
  buildMismatch,
  buildsDiffer,
  fromCloudForm,
  isArmProgram,
  MANIFEST_FILE,
  parseManifest,
  readImage,
  type TrustStore,
  verifyImage,
  WASM_FILE,
} from "../../imagepackage/index.ts";
import type { AppImage } from "../app.ts";
import { APPLICATION, type OfferedImage } from "./protocol.ts";

/**
 * Checks a download: that somebody signed it whom the device trusts, and that it is what was offered.
 * @returns the image as it is kept, decompressed
 * @throws LabError image-untrusted, image-mismatch and those of a damaged package
 */
export function checkDownload(
  offered: OfferedImage,
  bytes: Uint8Array,
  trusted: TrustStore,
): Uint8Array {
  const { verdict, thumbprint } = verifyImage(bytes, trusted);
  if (verdict !== "valid") {
    throw new LabError(
      "image-untrusted",
      `The image ${offered.name} is not trusted: its signature by ${thumbprint} is ${verdict}.`,
      "Only what the lab's Security Service signed is installed.",
    );
  }
  const { componentId, imageId } = readImage(bytes);
  if (componentId !== offered.componentId || imageId !== offered.imageId) {
    throw new LabError(
      "image-mismatch",
      `The Security Service offered image ${offered.imageId} and gave ${imageId}.`,
      "Upload the image again.",
    );
  }
  const image = fromCloudForm(bytes);
  // What cannot run must not take the place of what does.
  if (offered.imageType === APPLICATION) appOf(image);
  return image;
}

/**
 * The app inside an application image: its wasm, and its ARM program if it has one.
 * @throws LabError app-not-runnable, builds-differ, manifest-invalid
 */
export function appOf(image: Uint8Array): AppImage {
  const { files, name } = readImage(image);
  const contentOf = (path: string) => files.find((file) => file.path === path)?.content;
  const manifest = contentOf(MANIFEST_FILE);
  const wasm = contentOf(WASM_FILE);
  if (manifest && wasm) {
    const text = Buffer.from(manifest).toString("utf8");
    const parsed = parseManifest(text, `${MANIFEST_FILE} of ${name}`);
    const mismatch = buildMismatch(files, parsed.EntryPoint, WASM_FILE);
    if (mismatch !== undefined) throw buildsDiffer(mismatch);
    const entry = contentOf(parsed.EntryPoint.slice(1));
    const program = entry && isArmProgram(entry) ? { program: entry } : {};
    return { manifest: parsed, wasm, ...program };
  }
  throw new LabError(
    "app-not-runnable",
    `The image ${name} has no ${manifest ? WASM_FILE : MANIFEST_FILE}, so the lab cannot run it.`,
    "Pack the app with its wasm; a package with an ARM program alone is for real devices.",
  );
}
