import { LabError } from "../errors.ts";
import type { LabDescription } from "../lab/description.ts";
import { findStateFolder, readLocator } from "../lab/state-folder.ts";

export type { LabDescription } from "../lab/description.ts";

/** A running lab as a command sees it. */
export interface LabContext {
  /** Base of the lab's own HTTP API, e.g. `http://127.0.0.1:40123`. */
  readonly api: string;
  readonly endpoints: LabDescription;
}

/**
 * Finds the running lab: the one of `SPHERULE_API` (inside `spherule exec`), otherwise the one whose
 * state folder is here or in a folder above.
 */
export async function connectLab(): Promise<LabContext> {
  const api = process.env.SPHERULE_API ?? readLocator(findStateFolder())?.api;
  if (!api) throw noLab("No lab is running here.");
  const response = await fetch(`${api}/lab`).catch(() => {
    throw noLab(`The lab at ${api} does not answer.`);
  });
  return { api, endpoints: (await response.json()) as LabDescription };
}

function noLab(message: string): LabError {
  return new LabError(
    "no-lab",
    message,
    "Type `spherule start` in another terminal, or put the command behind `spherule exec --`.",
  );
}

/** Calls the lab's HTTP API and gives the JSON answer; a refusal becomes its LabError. */
export async function callLab<T>(
  lab: LabContext,
  method: "GET" | "POST" | "PATCH",
  path: string,
  body?: unknown,
): Promise<T> {
  const response = await fetch(`${lab.api}${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer = response.status === 204 ? undefined : await response.json();
  if (!response.ok) {
    const problem = answer as { code?: string; message?: string; hint?: string };
    throw new LabError(
      problem.code ?? "lab-refused",
      problem.message ?? `The lab answered ${response.status}.`,
      problem.hint ?? "Look into the lab's log.",
    );
  }
  return answer as T;
}
