import { createHash } from "node:crypto";

const modules = new Map<string, WeakRef<WebAssembly.Module>>();

/**
 * The compiled code of an app, one for all devices that run it. It goes when the last of them is
 * gone.
 */
export function moduleOf(wasm: Uint8Array): WebAssembly.Module {
  const digest = createHash("sha256").update(wasm).digest("base64");
  const known = modules.get(digest)?.deref();
  if (known) return known;
  for (const [key, reference] of modules) if (!reference.deref()) modules.delete(key);
  const module = new WebAssembly.Module(wasm);
  modules.set(digest, new WeakRef(module));
  return module;
}
