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

/** A refusal of the device's REST API as an error for people. */
export function refusalOf(status: number, body: string): LabError {
  const number = numberOf(body);
  if (number === undefined) {
    return new LabError("device-refused", `The device answered ${status}.`, LOG_HINT);
  }
  const meaning = meaningOf(number) ?? "The device refused";
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

function numberOf(body: string): number | undefined {
  try {
    const { error } = JSON.parse(body);
    return Number.isInteger(error) ? error : undefined;
  } catch {
    return undefined;
  }
}
