import { EBUSY } from "../../../assembly/sphere/host/errors.ts";
import type { AppSession } from "../session/session.ts";
import { type Frame, frameKind, ProtocolError } from "./frames.ts";
import type { OpenChannel } from "./server.ts";

const OUTPUT = 1;

/** The channel of one pin: the pin is the app's as long as the connection, or until it is released. */
export function gpioChannel({ gpio }: AppSession): OpenChannel {
  return (connection) => {
    let handle: number | undefined;

    function open({ payload }: Frame): number {
      const pin = payload.i32();
      const direction = payload.u8();
      const mode = payload.u8();
      const value = payload.u8();
      payload.u8();
      if (handle !== undefined) return EBUSY;
      const opened = direction === OUTPUT ? gpio.openOutput(pin, mode, value) : gpio.openInput(pin);
      if (opened < 0) return opened;
      handle = opened;
      return 0;
    }

    function release(): number {
      const result = gpio.close(handle ?? 0);
      handle = undefined;
      return result;
    }

    function answer(frame: Frame): number {
      switch (frame.kind) {
        case frameKind.gpioOpen:
          return open(frame);
        case frameKind.gpioGet:
          return gpio.read(handle ?? 0);
        case frameKind.gpioSet:
          return gpio.write(handle ?? 0, frame.payload.u32());
        case frameKind.gpioRelease:
          return release();
        default:
          throw new ProtocolError(`the channel of a pin has no frame ${frame.kind}`);
      }
    }

    return {
      take(frame) {
        const result = answer(frame);
        frame.payload.end();
        connection.answer(frame.serial, result);
      },
      closed: () => void release(),
    };
  };
}
