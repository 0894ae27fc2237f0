import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { AppImage, NativeProgram } from "../app.ts";

const READ_ONLY = 0o444;
const READ_AND_EXECUTE = 0o555;

/**
 * Lays out what an app finds in its image package, for one run of it.
 * @param folder is made, and taken away with the run
 */
export function layOutPackage(folder: string, image: AppImage, program: NativeProgram): void {
  mkdirSync(folder);
  for (const { path, content, executable } of image.files ?? filesOfProject(image)) {
    write(join(folder, path), content, executable ? READ_AND_EXECUTE : READ_ONLY);
  }
  if (image.files !== undefined) return;
  // No way out of the folder.
  const entry = join(folder, join("/", image.manifest.EntryPoint));
  mkdirSync(dirname(entry), { recursive: true });
  if (!existsSync(entry)) symlinkSync(program.file, entry);
}

function write(file: string, content: Uint8Array, mode: number): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  chmodSync(file, mode);
}

/** What `spherule package` would put beside the program. */
function filesOfProject({ manifest, wasm }: AppImage): NonNullable<AppImage["files"]> {
  const text = { path: "app_manifest.json", content: Buffer.from(JSON.stringify(manifest)) };
  const code = wasm === undefined ? [] : [{ path: "app.wasm", content: wasm }];
  return [text, ...code].map((file) => ({ ...file, executable: false }));
}
