import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createServerRoot, storeAuthority } from "../host-sim/pki/index.ts";

/**
 * Makes the root of all test servers for one run: official SDKs trust only what Node was started
 * with. The answer is the environment of the test processes.
 */
export function makeRoot(folder: string): Record<string, string> {
  const root = createServerRoot();
  const pem = join(folder, "root.pem");
  const stored = join(folder, "root.json");
  writeFileSync(pem, root.certificate);
  writeFileSync(stored, JSON.stringify(storeAuthority(root)), { mode: 0o600 });
  return { NODE_EXTRA_CA_CERTS: pem, SPHERULE_TEST_ROOT: stored };
}
