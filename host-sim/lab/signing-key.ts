import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { LabError, messageOf, systemErrorCode } from "../errors.ts";
import { createSigner, createTrustStore, type Signer } from "../imagepackage/index.ts";
import { ALWAYS_VALID, createSelfSigned, splitPem } from "../pki/index.ts";
import { makeFolder } from "./make-folder.ts";
import { readIfThere } from "./read-if-there.ts";

/** The folder of signing keys in a state folder. */
export const SIGNING_FOLDER = "signing";

export const DEVELOPMENT_SIGNER = "Spherule lab development signing";

/** A lab's key for packages of its developers. Real devices do not know it. */
export interface DevelopmentKey {
  readonly signer: Signer;
  /** PEM. */
  readonly certificate: string;
  /** PEM file with key and certificate. */
  readonly file: string;
}

/**
 * The development key of a state folder, made at the first use. It is a file of its own and not in
 * the store, because packages are made while a lab, which holds the store, runs.
 */
export function developmentKey(stateFolder: string): DevelopmentKey {
  return keyOf(stateFolder, readIfThere(fileIn(stateFolder)) ?? make(stateFolder));
}

const fileIn = (stateFolder: string) => join(stateFolder, SIGNING_FOLDER, "development.pem");

function keyOf(stateFolder: string, text: string): DevelopmentKey {
  const [certificate = ""] = splitPem(text);
  const file = fileIn(stateFolder);
  try {
    return { signer: createSigner(text, certificate), certificate, file };
  } catch (error) {
    throw new LabError(
      "signing-key-damaged",
      `The lab's signing key cannot be used: ${file}: ${messageOf(error)}`,
      "Remove the file; the next `spherule package` makes another, which signs new packages.",
    );
  }
}

/**
 * Whom the lab's device trusts: the lab's own developers, once they have a key, and certificates
 * from outside. Makes nothing.
 */
export function labTrustStore(
  stateFolder: string,
  others: readonly { readonly name: string; readonly certificate: string }[] = [],
) {
  const text = readIfThere(fileIn(stateFolder));
  if (text === undefined) return createTrustStore(others);
  const { certificate } = keyOf(stateFolder, text);
  return createTrustStore([{ name: DEVELOPMENT_SIGNER, certificate }, ...others]);
}

function make(stateFolder: string): string {
  const file = fileIn(stateFolder);
  const subject = { O: "Spherule lab", CN: DEVELOPMENT_SIGNER };
  const { certificate, privateKey } = createSelfSigned(subject, ALWAYS_VALID);
  makeFolder(stateFolder);
  makeFolder(dirname(file), 0o700);
  const temporary = `${file}.${process.pid}.new`;
  writeFileSync(temporary, privateKey + certificate, { mode: 0o600 });
  try {
    // Fails when another process was quicker; then its key counts.
    linkSync(temporary, file);
  } catch (error) {
    if (systemErrorCode(error) !== "EEXIST") throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
  return readFileSync(file, "utf8");
}
