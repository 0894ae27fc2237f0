import { EACCES, EDQUOT, EINVAL, EIO } from "../../../assembly/sphere/host/errors.ts";
import { messageOf } from "../../errors.ts";
import type { Logger } from "../../log.ts";
import type { MutableStorage } from "../storage.ts";

/** The app's mutable storage as far as its manifest allows. @param bytes 0 without the capability */
export function createStorage(storage: MutableStorage, bytes: number, logger: Logger) {
  function failed(error: unknown): number {
    logger.error(`the mutable storage failed: ${messageOf(error)}`);
    return EIO;
  }

  return {
    capacity: (): number => (bytes > 0 ? bytes : EACCES),
    /** @returns the bytes, or a negative error */
    read(offset: number, length: number): Uint8Array | number {
      if (bytes === 0) return EACCES;
      if (offset < 0 || length < 0) return EINVAL;
      return storage.read(offset, length);
    },
    write(offset: number, content: Uint8Array): number {
      if (bytes === 0) return EACCES;
      if (offset < 0) return EINVAL;
      if (offset + content.length > bytes) return EDQUOT;
      // As the device's Linux: nothing that is written does not make the file longer.
      if (content.length === 0) return 0;
      try {
        storage.write(offset, content);
        return content.length;
      } catch (error) {
        return failed(error);
      }
    },
    erase(): number {
      if (bytes === 0) return EACCES;
      try {
        storage.erase();
        return 0;
      } catch (error) {
        return failed(error);
      }
    },
  };
}
