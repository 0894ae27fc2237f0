import { createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { generateKeyPair, keyPairFromPem, privateKeyPem } from "../pki/index.ts";

/** What a chip leaves the factory with: its id and the private key that only the chip holds. */
export interface ManufacturedDevice {
  /** 128 lower-case hex digits: the X and Y of the public attestation key. */
  readonly deviceId: string;
  /** PKCS#8 PEM; stays in the device. */
  readonly attestationKey: string;
}

/** Makes a chip. The id is its public key, so everybody may know it and nobody can borrow it. */
export function manufactureDevice(): ManufacturedDevice {
  const key = generateKeyPair("P-256");
  return { deviceId: deviceIdOf(key.publicKey), attestationKey: privateKeyPem(key.privateKey) };
}

/** What the device signs: the service's nonce, then the public key the certificate is asked for. */
function challenge(nonce: string, publicKey: Buffer): Buffer {
  return Buffer.concat([Buffer.from(nonce, "hex"), publicKey]);
}

/** The device's answer to a nonce. */
export function answerChallenge(
  attestationKey: string,
  nonce: string,
  publicKey: KeyObject,
): string {
  const spki = publicKey.export({ type: "spki", format: "der" });
  return sign("sha256", challenge(nonce, spki), keyPairFromPem(attestationKey).privateKey).toString(
    "base64",
  );
}

/** Whether the answer comes from the chip with this id. */
export function checkAnswer(
  deviceId: string,
  nonce: string,
  publicKey: KeyObject,
  signature: string,
): boolean {
  const spki = publicKey.export({ type: "spki", format: "der" });
  const key = publicKeyOf(deviceId);
  return (
    key !== undefined &&
    verify("sha256", challenge(nonce, spki), key, Buffer.from(signature, "base64"))
  );
}

function deviceIdOf(publicKey: KeyObject): string {
  const { x, y } = publicKey.export({ format: "jwk" });
  return Buffer.concat([
    Buffer.from(x ?? "", "base64url"),
    Buffer.from(y ?? "", "base64url"),
  ]).toString("hex");
}

/** Undefined when the id is no point of the curve. */
function publicKeyOf(deviceId: string): KeyObject | undefined {
  if (!/^[0-9a-f]{128}$/.test(deviceId)) return undefined;
  const bytes = Buffer.from(deviceId, "hex");
  const [x, y] = [bytes.subarray(0, 32), bytes.subarray(32)].map((half) =>
    half.toString("base64url"),
  );
  try {
    return createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" });
  } catch {
    return undefined;
  }
}
