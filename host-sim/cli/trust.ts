import { basename } from "node:path";
import type { TrustStore } from "../imagepackage/index.ts";

/**
 * Whom a command trusts: the development key of the state folder, and certificates that were named.
 * @throws LabError file-unreadable, certificate-invalid
 */
export async function trustStoreOf(
  stateFolder: string,
  files: readonly string[] = [],
): Promise<TrustStore> {
  const { labTrustStore } = await import("../lab/signing-key.ts");
  const { readBytes } = await import("../lab/package-app.ts");
  const others = files.map((file) => ({
    name: basename(file),
    certificate: Buffer.from(readBytes(file)).toString("utf8"),
  }));
  return labTrustStore(stateFolder, others);
}
