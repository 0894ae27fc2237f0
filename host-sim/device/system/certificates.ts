import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { Store } from "../../store/index.ts";
import { DeviceError, ERRORS, refuseIf } from "./device-error.ts";
import { createSignal, kept } from "./kept.ts";

export type CertificateType = "client" | "rootca";

/** A certificate as a caller brings it. */
export interface NewCertificate {
  /** `client` or `rootca`, in any letter case. */
  readonly certType: string;
  /** PEM. */
  readonly publicCert: string;
  /** PEM; for a client only. */
  readonly privateKey?: string;
  /** Of an encrypted private key. */
  readonly password?: string;
}

/** What anybody may see of a certificate. */
export interface CertificateDetails {
  readonly id: string;
  /** `2022-06-17T09:12:46`, UTC. */
  readonly notBefore: string;
  readonly notAfter: string;
  /** `/C=US/CN=name`. */
  readonly subjectName: string;
  readonly issuerName: string;
}

interface StoredCertificate extends NewCertificate {
  readonly certType: CertificateType;
}

type Stored = Readonly<Record<string, StoredCertificate>>;

/** 24 KiB less what the empty store itself takes. */
const CAPACITY = 24_514;
/** Header of an entry. The real store's is not documented. */
const ENTRY_BYTES = 62;
const LONGEST_ID = 16;
const LONGEST_PEM = 8_192;
const LONGEST_PASSWORD = 256;

export type CertificateStore = ReturnType<typeof createCertificateStore>;

/** The certificates for enterprise Wi-Fi. Private keys and passwords go in and never come out. */
export function createCertificateStore(store: Store) {
  const state = kept<Stored>(store, "certificates", () => ({}));
  const changed = createSignal();

  function set(next: Stored): void {
    state.set(next);
    changed.emit();
  }

  function find(id: string): StoredCertificate {
    requireId(id);
    const found = Object.hasOwn(state.value, id) ? state.value[id] : undefined;
    if (found) return found;
    throw new DeviceError(ERRORS.certificateNotFound, "absent");
  }

  return {
    /** In the order of their names. */
    identifiers: (): string[] => Object.keys(state.value).sort(),
    /** @throws DeviceError certificateNotFound and those of identifiers */
    details: (id: string): CertificateDetails => detailsOf(id, find(id).publicCert),
    /** The PEM of a stored certificate of this type, for the system's own use. */
    find(id: string, type: CertificateType): string | undefined {
      const entry = Object.hasOwn(state.value, id) ? state.value[id] : undefined;
      return entry?.certType === type ? entry.publicCert : undefined;
    },
    /** Adds a certificate, or puts it in place of the one with this identifier. */
    add(id: string, candidate: NewCertificate): void {
      requireId(id);
      const entry = checked(candidate);
      const next = { ...state.value, [id]: entry };
      refuseIf(bytesOf(next) > CAPACITY, ERRORS.certificateStoreFull);
      set(next);
    },
    /** @throws DeviceError certificateNotFound */
    remove(id: string): void {
      find(id);
      const { [id]: _removed, ...rest } = state.value;
      set(rest);
    },
    /** Bytes. */
    get availableSpace(): number {
      return CAPACITY - bytesOf(state.value);
    },
    onChange: changed.subscribe,
  };
}

function requireId(id: string): void {
  refuseIf(id.length > LONGEST_ID, ERRORS.certificateIdTooLong);
  refuseIf(!/^[A-Za-z0-9._-]+$/.test(id), ERRORS.certificateIdCharacters);
}

function bytesOf(certificates: Stored): number {
  return Object.entries(certificates).reduce((sum, [id, entry]) => {
    const texts = [id, entry.publicCert, entry.privateKey ?? "", entry.password ?? ""];
    return sum + ENTRY_BYTES + texts.reduce((bytes, text) => bytes + Buffer.byteLength(text), 0);
  }, 0);
}

function checked(candidate: NewCertificate): StoredCertificate {
  const { publicCert, privateKey, password } = candidate;
  const certType = candidate.certType.toLowerCase();
  if (certType !== "client" && certType !== "rootca") {
    throw new DeviceError(ERRORS.certificateType);
  }
  refuseIf(Buffer.byteLength(publicCert) > LONGEST_PEM, ERRORS.certificateTooLong);
  const certificate = parsed(publicCert);
  if (certType === "rootca") {
    refuseIf(privateKey !== undefined, ERRORS.keyNotAllowed);
    refuseIf(password !== undefined, ERRORS.passwordNotAllowed);
    return { certType, publicCert };
  }
  const key = keyOf(privateKey ?? "", password);
  refuseIf(!certificate.checkPrivateKey(key), ERRORS.keyMismatch);
  return { certType, publicCert, privateKey, ...(password === undefined ? {} : { password }) };
}

function parsed(pem: string): X509Certificate {
  // OpenSSL would take the DER of a certificate too, and the device does not.
  refuseIf(!pem.includes("-----BEGIN CERTIFICATE-----"), ERRORS.certificateInvalid);
  try {
    return new X509Certificate(pem);
  } catch {
    throw new DeviceError(ERRORS.certificateInvalid);
  }
}

function keyOf(pem: string, password: string | undefined): KeyObject {
  refuseIf(Buffer.byteLength(pem) > LONGEST_PEM, ERRORS.keyTooLong);
  refuseIf(Buffer.byteLength(password ?? "") > LONGEST_PASSWORD, ERRORS.passwordTooLong);
  const encrypted = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem);
  if (!encrypted) readKey(pem, undefined);
  refuseIf(!encrypted && password !== undefined, ERRORS.passwordForPlainKey);
  return readKey(pem, password ?? "");
}

function readKey(pem: string, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey({ key: pem, format: "pem", passphrase });
  } catch {
    // OpenSSL's own words may quote the key.
    throw new DeviceError(ERRORS.keyInvalid);
  }
}

function detailsOf(id: string, pem: string): CertificateDetails {
  const certificate = new X509Certificate(pem);
  return {
    id,
    notBefore: dateOf(certificate.validFrom),
    notAfter: dateOf(certificate.validTo),
    subjectName: oneLineName(certificate.subject),
    issuerName: oneLineName(certificate.issuer),
  };
}

/** OpenSSL's one-line form: `/C=US/CN=name`. */
export function oneLineName(name: string | undefined): string {
  return (name ?? "")
    .split("\n")
    .filter((part) => part !== "")
    .map((part) => `/${part}`)
    .join("");
}

const dateOf = (text: string) => new Date(text).toISOString().slice(0, 19);
