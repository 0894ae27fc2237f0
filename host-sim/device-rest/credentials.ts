import { SERVICE_ADDRESS } from "../device/system/interfaces.ts";
import {
  type Authority,
  createServerRoot,
  issueServerCertificate,
  loadAuthority,
  type ServerCredentials,
  storeAuthority,
} from "../pki/index.ts";
import { madeOnce, type Store } from "../store/index.ts";

/** The name that official clients ask every device for. */
export const DEVICE_NAME = "*.devices.sphere.azure.local";

/** The CA of the virtual device's server certificate, made once for a state. */
export function deviceAuthority(store: Store): Authority {
  const key = "device-rest/authority";
  return loadAuthority(madeOnce(store, key, () => storeAuthority(createServerRoot())));
}

/** @param address where the server listens; clients may dial it by number too */
export function deviceCredentials(authority: Authority, address: string): ServerCredentials {
  return issueServerCertificate(authority, {
    dns: [SERVICE_ADDRESS, DEVICE_NAME, "localhost", address],
    ip: [SERVICE_ADDRESS, "127.0.0.1", address],
  });
}
