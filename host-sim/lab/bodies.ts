/** What runs the app: V8, a program for this computer, or one with the device's ABI under qemu-arm. */
export const BODIES = ["wasm", "native", "arm"] as const;
export type Body = (typeof BODIES)[number];
