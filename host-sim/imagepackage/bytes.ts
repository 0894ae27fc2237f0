import { LabError } from "../errors.ts";

/** A page of flash; files start on one, so that the kernel can map them where they are. */
export const PAGE = 4096;

/** No image that any device takes comes near; what is larger is not looked into. */
export const LARGEST_INPUT = 8 * 1024 * 1024;

/** Little-endian view of bytes without a copy. */
export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export const roundUp = (size: number, unit: number): number => Math.ceil(size / unit) * unit;

/** The error of everything that a reader of image packages finds wrong. */
export function damaged(code: string, message: string): LabError {
  return new LabError(
    code,
    message,
    "The file is damaged or no image package: pack or fetch it again. " +
      "docs/image-package.md explains the format.",
  );
}

/** Offset of the first byte in [from, to) that is not zero, or -1. */
export function firstNonZero(bytes: Uint8Array, from: number, to: number): number {
  for (let at = from; at < to; at++) if (bytes[at] !== 0) return at;
  return -1;
}

/** `0x` and hexadecimal digits, as offsets are told. */
export const hex = (value: number): string => `0x${value.toString(16)}`;

const GUID = /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4}-[0-9a-f]{12})$/i;

/**
 * 16 bytes of a GUID in Microsoft's order: three groups little-endian, the rest as written.
 * @throws LabError guid-invalid
 */
export function guidToBytes(text: string): Uint8Array {
  const groups = GUID.exec(text);
  if (!groups) {
    throw new LabError(
      "guid-invalid",
      `${JSON.stringify(text)} is no GUID.`,
      "A GUID looks like 01234567-89ab-4cde-8f01-23456789abcd.",
    );
  }
  const [, first = "", second = "", third = "", rest = ""] = groups;
  const reversed = [first, second, third].map((group) => Buffer.from(group, "hex").reverse());
  return Buffer.concat([...reversed, Buffer.from(rest.replace("-", ""), "hex")]);
}

/** The GUID at an offset, in lower case. */
export function guidAt(bytes: Uint8Array, offset: number): string {
  const part = (from: number, to: number) =>
    Buffer.from(bytes.subarray(offset + from, offset + to)).toString("hex");
  const reversed = (from: number, to: number) =>
    Buffer.from(bytes.subarray(offset + from, offset + to))
      .reverse()
      .toString("hex");
  return [reversed(0, 4), reversed(4, 6), reversed(6, 8), part(8, 10), part(10, 16)].join("-");
}
