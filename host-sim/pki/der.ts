import { createHash, type KeyObject } from "node:crypto";
import forge from "node-forge";

const { asn1 } = forge;
type Node = forge.asn1.Asn1;

/** DER of the pieces that certificates and PKCS#7 are built from; node-forge has no elliptic curves. */
export const universal = (type: forge.asn1.Type, constructed: boolean, value: string | Node[]) =>
  asn1.create(asn1.Class.UNIVERSAL, type, constructed, value as never);

export const sequence = (...items: Node[]) => universal(asn1.Type.SEQUENCE, true, items);
export const set = (...items: Node[]) => universal(asn1.Type.SET, true, items);
export const octets = (bytes: string) => universal(asn1.Type.OCTETSTRING, false, bytes);
export const boolean = (value: boolean) =>
  universal(asn1.Type.BOOLEAN, false, value ? "\u00ff" : "\u0000");
export const nothing = () => universal(asn1.Type.NULL, false, "");

/** A bit string without unused bits at its end. */
export const bits = (bytes: string, unused = 0) =>
  universal(asn1.Type.BITSTRING, false, String.fromCharCode(unused) + bytes);

export const identifier = (dotted: string) =>
  universal(asn1.Type.OID, false, asn1.oidToDer(dotted).getBytes());

/** A positive integer from big-endian bytes. */
export function integer(bytes: string): Node {
  const trimmed = bytes.replace(/^\0+(?!$)/, "");
  const signed = trimmed.charCodeAt(0) & 0x80 ? `\0${trimmed}` : trimmed;
  return universal(asn1.Type.INTEGER, false, signed);
}

/** A context-specific tag, constructed around `items` or primitive with `bytes`. */
export const context = (tag: number, content: Node[] | string) =>
  asn1.create(
    asn1.Class.CONTEXT_SPECIFIC,
    tag as forge.asn1.Type,
    typeof content !== "string",
    content as never,
  );

/** X.509 takes UTCTime until 2049 and GeneralizedTime from then on. */
export function time(epochMs: number): Node {
  const digits = new Date(epochMs).toISOString().replace(/[-:T]|\.\d+/g, "");
  return Number(digits.slice(0, 4)) < 2050
    ? universal(asn1.Type.UTCTIME, false, digits.slice(2))
    : universal(asn1.Type.GENERALIZEDTIME, false, digits);
}

export const utf8 = (text: string) => universal(asn1.Type.UTF8, false, forge.util.encodeUtf8(text));

/** `PrintableString`, which country names must be. */
export const printable = (text: string) => universal(asn1.Type.PRINTABLESTRING, false, text);

export const fromDer = (der: Buffer): Node => asn1.fromDer(der.toString("binary"));
export const toDer = (node: Node): Buffer => Buffer.from(asn1.toDer(node).getBytes(), "binary");

/** SubjectPublicKeyInfo of a key. */
export function publicKeyInfo(key: KeyObject): Buffer {
  return key.export({ type: "spki", format: "der" });
}

/** RFC 5280's first method: SHA-1 over the bits of the public key. */
export function keyIdentifier(key: KeyObject): string {
  const info = fromDer(publicKeyInfo(key)).value as Node[];
  const encoded = info[1] as unknown as { bitStringContents?: string; value: string | Node[] };
  const raw = encoded.bitStringContents ?? (encoded.value as string);
  return createHash("sha1")
    .update(Buffer.from(raw.slice(1), "binary"))
    .digest("binary");
}

export type DerNode = Node;
