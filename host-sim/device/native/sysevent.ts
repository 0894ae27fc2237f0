import type { AppSession } from "../session/session.ts";
import { frameKind, ProtocolError } from "./frames.ts";
import type { OpenChannel } from "./server.ts";

/** The channel of a subscription to system events, which ends with it. */
export function syseventChannel({ sysevent }: AppSession): OpenChannel {
  return (connection) => ({
    take({ kind, serial, payload }) {
      if (kind !== frameKind.syseventSubscribe) {
        throw new ProtocolError(`the channel of system events has no frame ${kind}`);
      }
      const mask = payload.u32();
      payload.end();
      connection.answer(serial, sysevent.subscribe(mask));
    },
    closed: () => void sysevent.subscribe(0),
  });
}
