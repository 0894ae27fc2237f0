import {
  ALWAYS_VALID,
  type Authority,
  createCertificate,
  createServerRoot,
  generateKeyPair,
  issueServerCertificate,
  privateKeyPem,
} from "../../pki/index.ts";
import { madeOnce, type Store } from "../../store/index.ts";

/** What a company's IT would hand out for its EAP-TLS network, in PEM. */
export interface EnterpriseWifi {
  /** Signs the authentication server's certificate and those of clients. */
  readonly rootCa: string;
  readonly serverCertificate: string;
  readonly clientCertificate: string;
  readonly clientKey: string;
}

/** The made-up company of the neighbourhood; made once for a state. */
export function enterpriseWifi(store: Store): EnterpriseWifi {
  return madeOnce(store, "device/air/enterprise", make);
}

function make(): EnterpriseWifi {
  const root = createServerRoot();
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
    ...ALWAYS_VALID,
    usage: "client",
  });
  return { clientCertificate, clientKey: privateKeyPem(key.privateKey) };
}
