import { LabError } from "../../errors.ts";

/** Exit codes of Azure's command lines. */
export const EXIT = { success: 0, failure: 1, usage: 2, notFound: 3 } as const;

/** What was typed cannot be meant. */
export const usage = (message: string, hint: string): LabError =>
  new LabError("azsphere-usage", message, hint);

/** Something that was named is not there. */
export const notFound = (message: string, hint: string): LabError =>
  new LabError("azsphere-not-found", message, hint);

const EXIT_CODES: Readonly<Record<string, number>> = {
  "azsphere-usage": EXIT.usage,
  "option-missing": EXIT.usage,
  "query-invalid": EXIT.usage,
  "azsphere-not-found": EXIT.notFound,
};

export const exitCodeOf = ({ code }: LabError): number => EXIT_CODES[code] ?? EXIT.failure;
