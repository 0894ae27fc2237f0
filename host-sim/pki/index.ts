export {
  ALWAYS_VALID,
  type Authority,
  createServerRoot,
  issueServerCertificate,
  loadAuthority,
  type ServerCredentials,
  type StoredAuthority,
  storeAuthority,
} from "./authority.ts";
export {
  type CertificateRequest,
  certificateBytes,
  commonName,
  createCertificate,
  type Name,
  parseCertificate,
  splitPem,
  thumbprint,
} from "./certificate.ts";
export { type ChainProblem, type ChainRequest, type ChainResult, verifyChain } from "./chain.ts";
export { generateKeyPair, type KeyPair, keyPairFromPem, privateKeyPem } from "./keys.ts";
export { certificateBundle } from "./pkcs7.ts";
export { createSelfSigned, type SigningKey } from "./self-signed.ts";
export { type Peer, peerOf, tlsOptions } from "./tls.ts";
