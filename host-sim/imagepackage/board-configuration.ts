import { viewOf } from "./bytes.ts";

/** Flattened device trees are big-endian. */
const DEVICE_TREE_MAGIC = 0xd00dfeed;

/** Whether a payload is a flattened device tree, as board configurations are. */
export function isDeviceTree(payload: Uint8Array): boolean {
  if (payload.length < 8) return false;
  const view = viewOf(payload);
  return view.getUint32(0) === DEVICE_TREE_MAGIC && view.getUint32(4) <= payload.length;
}
