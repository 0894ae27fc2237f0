import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import { LabError, messageOf } from "../errors.ts";
import { OUTPUT_FORMATS } from "./output.ts";

/** Adds `--output` and `--query`, which every command that prints data has. */
export function withOutput(command: Command): Command {
  return command
    .addOption(new Option("-o, --output <format>", "how to print").choices(OUTPUT_FORMATS))
    .option("--query <expression>", "JMESPath expression that picks from the result");
}

/** Parses a whole number within bounds, for commander. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It has to be a whole number from ${min} to ${max}.`);
  };
}

/** Parses a version of three numbers, for commander. */
export function version(text: string): string {
  if (/^\d{1,4}\.\d{1,4}\.\d{1,4}$/.test(text)) return text;
  throw new InvalidArgumentError("It has to be a version such as 4.6.0.");
}

/** Gathers an option that may be given more than once, for commander. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** Parses JSON that a user typed; `what` names it in the error. */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new LabError(
      "json-invalid",
      `${what} is no JSON: ${messageOf(error)}.`,
      `Quote it for the shell, for example '{"name":1}' or '"text"'.`,
    );
  }
}

/** JSON that a user typed, or that stands in the file that was named. */
export function parseJsonOrFile(text: string, what: string): unknown {
  if (/^\s*[[{"\d-]/.test(text) || ["true", "false", "null"].includes(text.trim())) {
    return parseJson(text, what);
  }
  return parseJson(readGiven(text).toString("utf8"), `The file ${text}`);
}

/** @throws LabError file-unreadable */
export function readGiven(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new LabError(
      "file-unreadable",
      `The file ${file} cannot be read: ${messageOf(error)}.`,
      "Check its name.",
    );
  }
}
