import { EINVAL } from "../../../assembly/sphere/host/errors.ts";
import type { AppSession } from "../session/session.ts";
import { frameKind, ProtocolError, text16, u32 } from "./frames.ts";
import type { OpenChannel } from "./server.ts";

const LONGEST_SCOPE = 32;

/** The channel of one registration with the Device Provisioning Service. */
export function provisioningChannel(session: AppSession): OpenChannel {
  return (connection) => {
    let stop: (() => void) | undefined;
    return {
      take({ kind, serial, payload }) {
        if (kind !== frameKind.provRegister || stop) {
          throw new ProtocolError("the provisioning channel takes one PROV_REGISTER");
        }
        const hostName = payload.text();
        const idScope = payload.text();
        const json = payload.rest().toString("utf8");
        const good = hostName !== "" && idScope !== "" && idScope.length <= LONGEST_SCOPE;
        connection.answer(serial, good ? 0 : EINVAL);
        if (!good) return;
        stop = session.hubs.provision({ hostName, idScope, json }, (result, hub, deviceId) =>
          connection.send(frameKind.provDone, u32(result), text16(hub), text16(deviceId)),
        );
      },
      closed: () => stop?.(),
    };
  };
}
