import { randomBytes, type X509Certificate } from "node:crypto";
import type { Clock } from "../clock/index.ts";
import { commonName, parseCertificate, thumbprint } from "../pki/index.ts";
import type { Store } from "../store/index.ts";
import { newEtag } from "./devices.ts";
import { HubError } from "./errors.ts";

/** A CA certificate that devices may be signed by, once its possession was proved. */
export interface RegisteredCertificate {
  readonly name: string;
  readonly pem: string;
  readonly subject: string;
  readonly thumbprint: string;
  readonly expiry: string;
  readonly isVerified: boolean;
  readonly verificationCode: string | null;
  readonly created: string;
  readonly updated: string;
}

interface Anchors {
  readonly verified: readonly X509Certificate[];
  readonly pending: readonly X509Certificate[];
  /** Of the change that they are as of. */
  readonly mark: string | undefined;
}

export type Certificates = ReturnType<typeof createCertificates>;

/** CA certificates; a provisioning service keeps its own under another `room`. */
export function createCertificates(store: Store, clock: Clock, room = "hub") {
  const key = (name: string) => `${room}/certificates/${name}`;
  const now = () => new Date(clock.now()).toUTCString();
  // Parsing costs more than a look-up; every connect needs all verified authorities.
  let anchors: Anchors | undefined;
  // Another process may change them, so a change leaves a mark in the store.
  const MARK = `${room}/certificates-changed`;

  function save(certificate: Omit<RegisteredCertificate, "updated">): RegisteredCertificate {
    const saved = { ...certificate, updated: now() };
    store.transaction(() => {
      store.put(key(certificate.name), saved);
      store.put(MARK, newEtag());
    });
    return saved;
  }

  function get(name: string): RegisteredCertificate {
    const found = store.get<RegisteredCertificate>(key(name));
    if (!found) throw new HubError("CertificateNotFound", `No certificate is named ${name}`);
    return found;
  }

  const list = () => [...store.entries<RegisteredCertificate>(key(""))].map(([, entry]) => entry);

  return {
    get,
    list,
    /**
     * @param pemOrDer the certificate of an authority
     * @param isVerified the owner vouches for it, without a proof of possession
     */
    add(name: string, pemOrDer: string | Uint8Array, isVerified = false): RegisteredCertificate {
      const certificate = authorityFrom(pemOrDer);
      if (Date.parse(certificate.validTo) < clock.now()) {
        throw new HubError("ArgumentInvalid", `The certificate expired on ${certificate.validTo}`);
      }
      return save({
        name,
        pem: certificate.toString(),
        subject: commonName(certificate),
        thumbprint: thumbprint(certificate),
        expiry: new Date(certificate.validTo).toUTCString(),
        isVerified,
        verificationCode: null,
        created: now(),
      });
    },
    /** A fresh code of 48 hex digits; an earlier one no longer counts. */
    generateVerificationCode(name: string): string {
      const verificationCode = randomBytes(24).toString("hex").toUpperCase();
      save({ ...get(name), verificationCode });
      return verificationCode;
    },
    /** Proof of possession: a certificate for the code, signed by the authority. */
    verify(name: string, proof: string | Uint8Array): RegisteredCertificate {
      const registered = get(name);
      const certificate = certificateFrom(proof);
      if (!registered.verificationCode || commonName(certificate) !== registered.verificationCode) {
        throw new HubError("ArgumentInvalid", "The proof's subject is not the verification code");
      }
      if (!certificate.verify(parseCertificate(registered.pem).publicKey)) {
        throw new HubError("ArgumentInvalid", `The proof is not signed by ${registered.subject}`);
      }
      return save({ ...registered, isVerified: true, verificationCode: null });
    },
    delete(name: string): void {
      get(name);
      store.transaction(() => {
        store.delete(key(name));
        store.put(MARK, newEtag());
      });
    },
    /** The authorities that count, and those that are registered but not verified. */
    anchors() {
      const mark = store.get<string>(MARK);
      if (anchors && anchors.mark === mark) return anchors;
      const parsed = (verified: boolean) =>
        list()
          .filter((entry) => entry.isVerified === verified)
          .map((entry) => parseCertificate(entry.pem));
      anchors = { verified: parsed(true), pending: parsed(false), mark };
      return anchors;
    },
  };
}

function certificateFrom(pemOrDer: string | Uint8Array): X509Certificate {
  try {
    return parseCertificate(pemOrDer);
  } catch {
    throw new HubError("ArgumentInvalid", "This is no X.509 certificate in PEM or DER form");
  }
}

function authorityFrom(pemOrDer: string | Uint8Array): X509Certificate {
  const certificate = certificateFrom(pemOrDer);
  if (certificate.ca) return certificate;
  throw new HubError("ArgumentInvalid", "This is no certificate of an authority (CA)");
}
