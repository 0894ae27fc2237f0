import { LabError } from "../../errors.ts";
import { notFound } from "./errors.ts";

/** What the device's numbers mean, in a user's words. */
const MEANINGS: Readonly<Record<number, string>> = {
  13: "Permission denied; application development may have to be enabled",
  1048596: "The device is not enabled for application development",
  1048601: "Another application that runs uses one of the pins or peripherals",
  3145729: "The application is on the device already",
  3145735: "The device has to restart first",
  3145738: "There is no debug server on the device",
  7340047: "The image is not trusted by the device",
  7340050: "The file is no valid image package",
  7340056: "Installation failed; check if application development capability is enabled",
  7340069: "An image of this kind cannot be brought by cable",
  7340071: "An over-the-air update is going on; sideload later",
  7340079: "The component id in the image is not valid",
  10485761: "A parameter is not valid",
  10485765: "The device is busy or could not do it",
  10485772: "The certificate's identifier is too long",
  10485776: "The configuration name is too long",
  13631491: "There is no such Wi-Fi network",
  13631496: "The Wi-Fi network's properties are not valid",
  13631503: "The SSID is too long; it has at most 32 bytes",
  13631504: "The Wi-Fi key is too long; it has at most 63 bytes",
  13631506: "The Wi-Fi interface is disabled",
  13631507: "There is no room for another Wi-Fi network",
  13631511: "The configuration name exists already",
  13631512: "The network needs a client certificate",
  13631513: "The Wi-Fi key is too short; it has at least 8 bytes",
  14680076: "The application is not on the device",
  14680079: "The component id is malformed",
  14680082: "There is no free space on the device",
  15728642: "The device knows no such address",
  15728644: "The content is too large",
  31457286: "The hardware address is not valid",
  31457294: "There is no such network interface",
  31457295: "This network interface cannot be changed",
  38797314: "The certificate's identifier has characters other than A-Z a-z 0-9 . _ -",
  38797316: "The certificate's identifier has more than 16 characters",
  38797319: "There is no such certificate on the device",
  38797323: "The certificate store is full",
  38797324: "The type of a certificate has to be client or rootca",
  38797325: "The public certificate is not valid",
  38797326: "The public certificate is too long",
  38797327: "The private key is missing or not valid",
  38797328: "The private key is too long",
  38797329: "A root CA certificate takes no private key",
  38797330: "The password is too long",
  38797331: "A root CA certificate takes no password",
  38797332: "The certificate and the private key do not match",
  38797333: "A password was given for a key that is not encrypted",
};

const MANIFEST_FIRST = 2_097_152;
const MANIFEST_LAST = 2_097_202;
const DEVELOPMENT_NUMBERS = [13, 1_048_596, 7_340_047, 7_340_056];

/** Whether a refusal of the device has this number. */
export const isRefusal = (error: unknown, number: number): boolean =>
  error instanceof LabError && error.code === "device-refused" && numberIn(error) === number;

const numberIn = ({ message }: LabError): number | undefined => {
  const [, category, id] = /Device error (\d+)\.(\d+)/.exec(message) ?? [];
  return category === undefined ? undefined : Number(category) * 2 ** 20 + Number(id);
};

/** A refusal of the device's REST API as an error for people. */
export function refusalOf(status: number, body: string): LabError {
  const number = numberOf(body);
  if (number === undefined) {
    return new LabError("device-refused", `The device answered ${status}.`, LOG_HINT);
  }
  const meaning = MEANINGS[number] ?? manifestMeaning(number) ?? "The device refused";
  const shown = `${meaning}. (Device error ${Math.floor(number / 2 ** 20)}.${number % 2 ** 20})`;
  if (status === 404) return notFound(shown, LOG_HINT);
  return new LabError("device-refused", shown, hintFor(number));
}

const LOG_HINT = "The lab's log says more.";

function hintFor(number: number): string {
  return DEVELOPMENT_NUMBERS.includes(number)
    ? "Type `azsphere device enable-development`."
    : LOG_HINT;
}

function manifestMeaning(number: number): string | undefined {
  const inManifest = number > MANIFEST_FIRST && number < MANIFEST_LAST;
  return inManifest ? "The application manifest is not valid" : undefined;
}

function numberOf(body: string): number | undefined {
  try {
    const { error } = JSON.parse(body);
    return Number.isInteger(error) ? error : undefined;
  } catch {
    return undefined;
  }
}
