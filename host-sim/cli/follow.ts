import type { LabEvent } from "../lab/api.ts";
import type { LabContext } from "./context.ts";

/**
 * The running lab's events until the signal is aborted or the lab ends. When the promise is kept the
 * lab knows its reader: no event from then on is missed.
 */
export async function followEvents(
  lab: LabContext,
  signal: AbortSignal,
): Promise<AsyncGenerator<LabEvent>> {
  return readEvents(await fetch(`${lab.api}/events`, { signal }));
}

async function* readEvents(response: Response): AsyncGenerator<LabEvent> {
  if (!response.body) return;
  const decoder = new TextDecoder();
  let buffered = "";
  for await (const chunk of response.body) {
    buffered += decoder.decode(chunk, { stream: true });
    const blocks = buffered.split("\n\n");
    buffered = blocks.pop() ?? "";
    for (const block of blocks) {
      if (block.startsWith("data: ")) yield JSON.parse(block.slice("data: ".length)) as LabEvent;
    }
  }
}
