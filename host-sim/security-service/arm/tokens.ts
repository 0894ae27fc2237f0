import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { madeOnce } from "../../store/index.ts";
import { HOUR_MS, type ServiceContext } from "../context.ts";
import { checkUser, OWNER } from "../roles.ts";
import { ArmError } from "./errors.ts";

export const AUDIENCE = "https://management.azure.com/";

export interface IssuedToken {
  readonly accessToken: string;
  /** ISO 8601, on the lab's clock. */
  readonly expiresOn: string;
}

export type Tokens = ReturnType<typeof createTokens>;

const KEY = "security-service/keys/tokens";

/** Bearer tokens in the form of a JWT (HS256), made and checked by the lab on its own clock. */
export function createTokens({ store, clock }: Pick<ServiceContext, "store" | "clock">) {
  const secret = madeOnce(store, KEY, () => randomBytes(32).toString("base64"));

  const signatureOf = (text: string) =>
    createHmac("sha256", Buffer.from(secret, "base64")).update(text).digest();

  return {
    /** @param user whom it is for; the lab's own user when absent @throws LabError user-invalid */
    issue(lifetimeMs = HOUR_MS, user = OWNER): IssuedToken {
      const issued = Math.floor(clock.now() / 1000);
      const exp = issued + Math.floor(lifetimeMs / 1000);
      const sub = checkUser(user);
      const claims = { aud: AUDIENCE, iss: "spherule", sub, iat: issued, nbf: issued, exp };
      const text = [{ alg: "HS256", typ: "JWT" }, claims].map(encoded).join(".");
      const accessToken = `${text}.${signatureOf(text).toString("base64url")}`;
      return { accessToken, expiresOn: new Date(exp * 1000).toISOString() };
    },
    /** @param header the request's Authorization @returns the user @throws ArmError 401 */
    check(header: string | undefined): string {
      if (!header) {
        throw refused("AuthenticationFailed", "The 'Authorization' header is missing.");
      }
      const match = /^Bearer ([\w-]+\.([\w-]+))\.([\w-]+)$/i.exec(header);
      const [, text = "", claims = "", signature = ""] = match ?? [];
      const given = Buffer.from(signature, "base64url");
      const wanted = signatureOf(text);
      if (!match || given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
        throw refused("InvalidAuthenticationToken", "The access token is not one of this lab.");
      }
      const { exp, sub } = JSON.parse(Buffer.from(claims, "base64url").toString("utf8"));
      if (exp * 1000 > clock.now()) return sub;
      const since = new Date(exp * 1000).toISOString();
      throw refused("ExpiredAuthenticationToken", `The access token expired on ${since}.`);
    },
  };
}

const encoded = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");

function refused(code: string, message: string): ArmError {
  return new ArmError(401, code, message, {
    hint: "`POST /token` of the lab's HTTP API gives one.",
    headers: { "www-authenticate": `Bearer resource="${AUDIENCE}"` },
  });
}
