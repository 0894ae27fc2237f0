import { basename } from "node:path";
import type { TrustStore } from "../imagepackage/index.ts";

/** Certificates in PEM by the names of their files. @throws LabError file-unreadable */
export async function certificatesOf(files: readonly string[] = []) {
  const { readBytes } = await import("../lab/package-app.ts");
  return files.map((file) => ({
    name: basename(file),
    certificate: Buffer.from(readBytes(file)).toString("utf8"),
  }));
}

/**
 * Whom a command trusts: the development key of the state folder, and certificates that were named.
 * @throws LabError file-unreadable, certificate-invalid
 */
export async function trustStoreOf(
  stateFolder: string,
  files: readonly string[] = [],
): Promise<TrustStore> {
  const { labTrustStore } = await import("../lab/signing-key.ts");
  return labTrustStore(stateFolder, await certificatesOf(files));
}
