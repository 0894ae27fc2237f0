export { buildIdOf, buildMismatch, buildsDiffer, isArmProgram } from "./arm-program.ts";
export { type ImageFile, keptFile } from "./asxipfs.ts";
export { isFilesystem, type PlacedFile, readFilesystem } from "./asxipfs-reader.ts";
export { writeFilesystem } from "./asxipfs-writer.ts";
export { type CloudFormOptions, fromCloudForm, toCloudForm } from "./cloud-form.ts";
export {
  type HardwareDefinition,
  manifestValue,
  type Peripheral,
  readHardwareDefinition,
  refuseConflicts,
  resolveManifest,
} from "./hardware-definition.ts";
export {
  generateAssemblyScript,
  generateHeader,
  headerPath,
  testHeader,
} from "./hardware-header.ts";
export { type Content, type Image, readImage, verifyImage } from "./image.ts";
export { type Inspection, inspectImage, manifestOf } from "./inspect.ts";
export {
  type ImageContext,
  type InstallContext,
  imageRefusal,
  installRefusal,
} from "./install-refusal.ts";
export { type Capabilities, type Manifest, parseManifest } from "./manifest.ts";
export {
  ABI_TYPES,
  APPLICATION,
  BOARD_CONFIGURATION,
  IMAGE_TYPES,
  type Section,
  sectionOf,
  shortName,
  writeMetadata,
} from "./metadata.ts";
export { readMetadata } from "./metadata-reader.ts";
export {
  type AppContent,
  applicationFiles,
  FLASH_LIMIT,
  MANIFEST_FILE,
  type PackedFile,
  type PackRequest,
  packImage,
  WASM_FILE,
} from "./pack.ts";
export { PERIPHERAL_KINDS, pinsOf } from "./pins.ts";
export { type Refusal, refusalError } from "./refusal.ts";
export { type RewriteOptions, rewriteManifest } from "./rewrite-manifest.ts";
export {
  createSigner,
  createTrustStore,
  type Signer,
  signImage,
  type TrustStore,
  type Verdict,
  type Verification,
} from "./signature.ts";
export {
  type Difference,
  differences,
  sectionTexts,
  signerText,
  summaryOf,
  treeLines,
} from "./summary.ts";
