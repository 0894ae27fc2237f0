import { EVENT_UPDATE } from "../../../assembly/sphere/host/abi.ts";
import type { AppSession, SessionOptions } from "../session/session.ts";
import { frameKind, ProtocolError, u32 } from "./frames.ts";
import type { Connection, OpenChannel } from "./server.ts";

export type SystemEvents = ReturnType<typeof createSystemEvents>;

/** The system events of one run: the session tells of them, the newest subscription hears them. */
export function createSystemEvents() {
  let listener: Connection | undefined;
  let session: Pick<AppSession, "sysevent"> | undefined;

  const emit: SessionOptions["emit"] = (kind, event, status, prepare, finish) => {
    if (kind !== EVENT_UPDATE || !listener || !session) return;
    const { sysevent } = session;
    prepare?.();
    // Only an update that is ready has both; a negative errno stands for nothing.
    const details = [sysevent.maxDeferralMinutes(), sysevent.updateType()];
    listener.send(
      frameKind.syseventNotify,
      ...[event, status, ...details.map((value) => Math.max(0, value))].map(u32),
    );
    finish?.();
  };

  function channelOf(owner: Pick<AppSession, "sysevent">): OpenChannel {
    session = owner;
    return (connection) => ({
      take({ kind, serial, payload }) {
        if (kind !== frameKind.syseventSubscribe) {
          throw new ProtocolError(`the channel of system events has no frame ${kind}`);
        }
        const mask = payload.u32();
        payload.end();
        const result = owner.sysevent.subscribe(mask);
        if (result === 0) listener = connection;
        connection.answer(serial, result);
      },
      closed() {
        // An app that subscribes again opens the next connection before this one is closed.
        if (listener !== connection) return;
        listener = undefined;
        owner.sysevent.subscribe(0);
      },
    });
  }

  return { emit, channelOf };
}
