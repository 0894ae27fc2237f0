import { parseCertificate } from "./certificate.ts";
import { context, fromDer, identifier, integer, sequence, set, toDer } from "./der.ts";

const SIGNED_DATA = "1.2.840.113549.1.7.2";
const DATA = "1.2.840.113549.1.7.1";

/** A `.p7b`: certificates in a PKCS#7 SignedData (RFC 2315) without content or signers, in DER. */
export function certificateBundle(certificates: readonly string[]): Buffer {
  const all = certificates.map((pem) => fromDer(parseCertificate(pem).raw));
  const signedData = sequence(
    integer("\u0001"),
    set(),
    sequence(identifier(DATA)),
    context(0, all),
    set(),
  );
  return toDer(sequence(identifier(SIGNED_DATA), context(0, [signedData])));
}
