import { packImage, type Signer } from "../imagepackage/index.ts";

const MANIFEST = {
  SchemaVersion: 1,
  Name: "gdbserver",
  ComponentId: "dc7f135c-6074-4d49-aa3a-160e4eed884f",
  EntryPoint: "/bin/gdbserver",
  CmdArgs: [],
  Capabilities: {},
  ApplicationType: "Debugger",
};
const API_SET = 17;

/**
 * The debug server of development devices: a package like any other. The service signs it, so that
 * every device takes it, whoever its developers are.
 */
export function createDebugServer(signer: Signer): Uint8Array {
  const content = Buffer.from("A virtual device debugs without it.\n");
  return packImage({
    manifest: JSON.stringify(MANIFEST),
    files: [{ path: "bin/gdbserver", content }],
    ...{ signer, apiSet: API_SET, buildTime: 0, reproducible: true },
  });
}
