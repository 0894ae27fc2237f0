import type { SphereOs } from "../../device/sphere-os.ts";
import { fieldsOf } from "../fields.ts";
import { type RestRequest, type Routes, unlocked } from "../request.ts";

/** The certificate store. */
export function certificateRoutes({ system }: SphereOs): Routes {
  const { certificates } = system;
  const idOf = ({ parameters }: RestRequest) => parameters.id ?? "";
  return {
    "GET /certstore/certs": unlocked(() => ({ identifiers: certificates.identifiers() })),
    "GET /certstore/certs/{id}": unlocked((request) => certificates.details(idOf(request))),
    "POST /certstore/certs/{id}": unlocked((request) => {
      const fields = fieldsOf(request);
      certificates.add(idOf(request), {
        certType: fields.text("certType"),
        publicCert: fields.text("publicCert"),
        privateKey: fields.optionalText("privateKey"),
        password: fields.optionalText("password"),
      });
      return {};
    }),
    "DELETE /certstore/certs/{id}": unlocked((request) => {
      certificates.remove(idOf(request));
      return {};
    }),
    // A text, as the device sends it.
    "GET /certstore/space": unlocked(() => ({
      AvailableSpace: String(certificates.availableSpace),
    })),
  };
}
