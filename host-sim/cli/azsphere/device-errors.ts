import { LabError } from "../../errors.ts";
import { meaningOf } from "./device-meanings.ts";
import { notFound } from "./errors.ts";

const DEVELOPMENT_NUMBERS = [13, 1_048_596, 7_340_047, 7_340_056];

/** Whether a refusal of the device has this number. */
export const isRefusal = (error: unknown, number: number): boolean =>
  error instanceof LabError && error.code === "device-refused" && numberIn(error) === number;

const numberIn = ({ message }: LabError): number | undefined => {
  const [, category, id] = /Device error (\d+)\.(\d+)/.exec(message) ?? [];
  return category === undefined ? undefined : Number(category) * 2 ** 20 + Number(id);
};

/**
 * A refusal of the device's REST API as an error for people.
 * @param detail of the header `Spherule-Detail`
 */
export function refusalOf(status: number, body: string, detail?: string): LabError {
  const number = numberOf(body);
  if (number === undefined) {
    const hint = "Is it a device of a lab? --verbose shows what was asked.";
    return new LabError("device-refused", `The device answered ${status}.`, hint);
  }
  const known = meaningOf(number) ?? "The device refused";
  const meaning = detail === undefined ? known : `${known}: ${decodeURIComponent(detail)}`;
  const shown = `${meaning}. (Device error ${Math.floor(number / 2 ** 20)}.${number % 2 ** 20})`;
  if (status === 404) return notFound(shown, hintFor(number));
  return new LabError("device-refused", shown, hintFor(number));
}

const LOG_HINT = "The lab's log says why.";
/** What the device writes into its log as well: a program that cannot be made, a fault of ours. */
const LOGGED_NUMBERS = [1_048_591, 10_485_765];
const MANIFEST_NUMBERS = { first: 2_097_152, last: 2_097_152 + 100 };

/** What to do next, where that is known. */
const HINTS: Readonly<Record<number, string>> = {
  1048601: "Stop the other one with `device app stop`, or deploy with --manual-start.",
  3145738: "Type `azsphere device enable-development`, which installs it.",
  7340050: "`image-package show` tells what is wrong in it.",
  7340069: "Only applications, board configurations and capability files come by cable.",
  13631491: "`device wifi list` prints those that there are.",
  13631506: "Type `device network enable --interface wlan0`.",
  14680076: "`device image list-installed` prints those that are.",
  14680082: "`device sideload delete` makes room.",
  31457294: "`device network list-interfaces` prints those that there are.",
  38797319: "`device certificate list` prints those that there are.",
  38797323: "`device certificate delete` makes room.",
};
const NOTHING_DONE = "Nothing was changed. Correct it and type the command again.";

function hintFor(number: number): string {
  if (DEVELOPMENT_NUMBERS.includes(number)) return "Type `azsphere device enable-development`.";
  if (LOGGED_NUMBERS.includes(number)) return LOG_HINT;
  const manifest = number > MANIFEST_NUMBERS.first && number < MANIFEST_NUMBERS.last;
  if (manifest) return "Correct app_manifest.json and pack the application again.";
  return HINTS[number] ?? NOTHING_DONE;
}

function numberOf(body: string): number | undefined {
  try {
    const { error } = JSON.parse(body);
    return Number.isInteger(error) ? error : undefined;
  } catch {
    return undefined;
  }
}
