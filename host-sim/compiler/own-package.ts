import { join } from "node:path";
import { packageFolder } from "../paths.ts";

/**
 * Apps import the SDK as `spherule/assembly/sphere`. The compiler looks for packages in the
 * `node_modules` of the project and of the folders above, and takes the sources from whoever
 * answers. We answer with those of the Spherule that runs: app and runtime then fit together, also
 * before `npm install` and when the package is only linked.
 */
const IN_NODE_MODULES = /(?:^|[\\/])node_modules[\\/]spherule[\\/](.+)$/;
/** The compiler's own name for everything that comes from packages. */
const LIBRARY_NAME = "~lib/spherule/";
/** Where an editor finds it, and so what people are told. */
const SHOWN_NAME = "node_modules/spherule/";

/** The file that the compiler means by `name`, relative to `baseDir`. */
export function sourceFile(name: string, baseDir: string): string {
  const own = IN_NODE_MODULES.exec(name)?.[1];
  return own === undefined ? join(baseDir, name) : join(packageFolder(), own);
}

/** Puts paths that can be opened in place of the compiler's names for sources of our package. */
export function withFilePaths(text: string): string {
  return text.replaceAll(LIBRARY_NAME, SHOWN_NAME);
}
