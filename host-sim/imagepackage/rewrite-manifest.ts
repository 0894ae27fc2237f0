import { LabError } from "../errors.ts";
import { type HardwareDefinition, resolveManifest } from "./hardware-definition.ts";
import { type Manifest, parseManifest } from "./manifest.ts";

export interface RewriteOptions {
  readonly hardware?: HardwareDefinition;
  /** API set of a high-level application; becomes TargetApplicationRuntimeVersion. */
  readonly apiSet?: number;
  /** E.g. `Beta1905`, of an API set such as `2+Beta1905`. */
  readonly betaApis?: string;
}

/**
 * The manifest as it goes into the package. With an API set or a hardware definition: compact,
 * `$NAME` replaced, the API set as last key. With neither: as it is, byte for byte.
 * @throws LabError manifest-invalid, peripheral-unknown
 */
export function rewriteManifest(source: string, options: RewriteOptions): string {
  const { hardware, apiSet, betaApis } = options;
  // Checked in both cases; a package with a manifest that no device takes is of no use.
  parseManifest(source);
  const manifest = JSON.parse(source.replace(/^\uFEFF/, "")) as Manifest;
  if (!hardware) refuseNames(manifest);
  if (!hardware && apiSet === undefined) return source;
  const resolved = hardware ? resolveManifest(manifest, hardware) : manifest;
  if (apiSet === undefined) return JSON.stringify(resolved);
  const { TargetApplicationRuntimeVersion: _version, TargetBetaApis: _beta, ...rest } = resolved;
  return JSON.stringify({
    ...rest,
    TargetApplicationRuntimeVersion: apiSet,
    ...(betaApis === undefined ? {} : { TargetBetaApis: betaApis }),
  });
}

/** Without a hardware definition nothing can take the place of a name, and no device knows it. */
function refuseNames({ Capabilities: capabilities }: Manifest): void {
  const names = Object.values(capabilities)
    .flatMap((list) => (Array.isArray(list) ? list : []))
    .filter((item) => typeof item === "string" && item.startsWith("$"));
  if (names.length === 0) return;
  throw new LabError(
    "peripheral-unknown",
    `app_manifest.json names ${names.join(", ")}, and no hardware definition is given.`,
    "Name the board's definition: --hardware-definition hardware-definitions/mt3620_rdb.json.",
  );
}
