import { createHash } from "node:crypto";
import { LabError } from "../errors.ts";
import type { PackedFile } from "./pack.ts";

const ELF_MAGIC = 0x7f454c46;
const ELF_32_BIT = 1;
const ELF_ARM = 40;
/** What native/runtime/trap.c puts before the SHA-256 of the wasm. */
const MARK = "spherule-wasm:";
const BUILD_ID = /^[0-9a-f]{64}$/;
const BUILD_ID_LENGTH = 64;
const SHOWN = 16;

export function isArmProgram(content: Uint8Array): boolean {
  if (content.length < 20) return false;
  const bytes = bufferOf(content);
  return (
    bytes.readUInt32BE(0) === ELF_MAGIC &&
    bytes[4] === ELF_32_BIT &&
    bytes.readUInt16LE(18) === ELF_ARM
  );
}

/**
 * From which wasm a program was translated.
 * @returns SHA-256 of the wasm, 64 hex digits; undefined for a program that was made otherwise
 */
export function buildIdOf(program: Uint8Array): string | undefined {
  const bytes = bufferOf(program);
  for (let at = bytes.indexOf(MARK); at >= 0; at = bytes.indexOf(MARK, at + 1)) {
    const start = at + MARK.length;
    const id = bytes.toString("latin1", start, start + BUILD_ID_LENGTH);
    if (BUILD_ID.test(id)) return id;
  }
  return undefined;
}

/**
 * Compares an application's program with the wasm beside it.
 * @returns how they differ; undefined when they belong together, or nothing says that they should
 */
export function buildMismatch(
  files: readonly PackedFile[],
  entryPoint: string,
  wasmFile: string,
): string | undefined {
  const content = (path: string) => files.find((file) => file.path === path)?.content;
  const program = content(entryPoint.slice(1));
  const wasm = content(wasmFile);
  const built = program && buildIdOf(program);
  if (!wasm || built === undefined) return undefined;
  const packed = createHash("sha256").update(wasm).digest("hex");
  if (packed === built) return undefined;
  const [own, other] = [packed, built].map((id) => id.slice(0, SHOWN));
  return `${entryPoint} was made from build ${other} of the app, and ${wasmFile} is build ${own}`;
}

export function buildsDiffer(mismatch: string): LabError {
  return new LabError(
    "builds-differ",
    `Program and wasm do not belong together: ${mismatch}.`,
    "Pack both from one build: spherule package --with-binary.",
  );
}

const bufferOf = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
