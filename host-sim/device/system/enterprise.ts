import {
  type Authority,
  createCertificate,
  createServerRoot,
  generateKeyPair,
  issueServerCertificate,
  loadAuthority,
  privateKeyPem,
  storeAuthority,
} from "../../pki/index.ts";
import type { Store } from "../../store/index.ts";
import { kept } from "./kept.ts";

/** What a company's IT would hand out for its EAP-TLS network, in PEM. */
export interface EnterpriseWifi {
  /** Signs the authentication server's certificate and those of clients. */
  readonly rootCa: string;
  readonly serverCertificate: string;
  readonly clientCertificate: string;
  readonly clientKey: string;
}

const VALIDITY = { notBefore: Date.UTC(2020, 0, 1), notAfter: Date.UTC(2060, 0, 1) };

/** The made-up company of the neighbourhood; made once for a state. */
export function enterpriseWifi(store: Store): EnterpriseWifi {
  const state = kept<EnterpriseWifi>(store, "air/enterprise", make);
  if (store.get("device/air/enterprise") === undefined) state.set(state.value);
  return state.value;
}

function make(): EnterpriseWifi {
  const root = loadAuthority(storeAuthority(createServerRoot()));
  const server = issueServerCertificate(root, { dns: ["radius.contoso.example"] });
  const client = issueClient(root, "device@contoso.example");
  return { rootCa: root.certificate, serverCertificate: server.cert, ...client };
}

function issueClient(root: Authority, commonName: string) {
  const key = generateKeyPair();
  const clientCertificate = createCertificate({
    subject: { O: "Contoso", CN: commonName },
    issuer: root.subject,
    publicKey: key.publicKey,
    issuerKey: root.key,
    ...VALIDITY,
    usage: "client",
  });
  return { clientCertificate, clientKey: privateKeyPem(key.privateKey) };
}
