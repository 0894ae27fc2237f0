import type { DeviceEvent, DeviceState } from "./protocol.ts";
import type { ServiceClient } from "./service-client.ts";

/** A device that never reaches its service forgets the oldest. */
const MOST_EVENTS = 100;

/** Keeps what the owner may want to know until the service has it. */
export function createReporter(client: Pick<ServiceClient, "report">, state: () => DeviceState) {
  let unreported: DeviceEvent[] = [];
  return {
    note(eventCategory: string, eventClass: string, description: string): void {
      const event = { description, eventCategory, eventClass, eventType: eventCategory };
      unreported = [...unreported, event].slice(-MOST_EVENTS);
    },
    get anything(): boolean {
      return unreported.length > 0;
    },
    /** Tells the service what is installed now, and what happened. */
    async send(): Promise<void> {
      const sent = unreported;
      await client.report(state(), sent);
      unreported = unreported.filter((event) => !sent.includes(event));
    },
  };
}
