// The Debian packages that some tests need. Installed when that is possible (root and apt);
// otherwise the caller prints the command to type. `node scripts/system-packages.mjs` does it alone.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";

/** Package → a file that shows it is there. Packages of another architecture carry it: `musl:armhf`. */
const PACKAGES = {
  cmake: "/usr/bin/cmake",
  "ninja-build": "/usr/bin/ninja",
  gcc: "/usr/bin/gcc",
  "libc6-dev": "/usr/include/stdio.h",
  procps: "/usr/bin/ps",
  "gcc-arm-linux-gnueabihf": "/usr/bin/arm-linux-gnueabihf-gcc",
  "libc6-dev-armhf-cross": "/usr/arm-linux-gnueabihf/include/stdio.h",
  "qemu-user": "/usr/bin/qemu-arm",
  gdbserver: "/usr/bin/gdbserver",
  "gdb-multiarch": "/usr/bin/gdb-multiarch",
  "musl:armhf": "/lib/ld-musl-armhf.so.1",
  "musl-dev:armhf": "/usr/bin/arm-linux-musleabihf-gcc",
};

/** Installs what is missing; answers undefined when all is there, otherwise what to type. */
export function ensureSystemPackages() {
  const missing = () => Object.keys(PACKAGES).filter((name) => !existsSync(PACKAGES[name]));
  if (missing().length === 0) return undefined;
  if (process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) install(missing());
  const left = missing();
  if (left.length === 0) return undefined;
  return [
    `These Debian packages are missing: ${left.join(", ")}. The tests of the native parts need them.`,
    "Type this and run the tests again:",
    ...commands(left).map((command) => `  sudo ${command.join(" ")}`),
  ].join("\n");
}

/** Only Debian's own list is updated: other vendors' lists have no armhf and would complain. */
function commands(packages) {
  return [
    ["dpkg", "--add-architecture", "armhf"],
    ["apt-get", "update", ...debianListOnly()],
    ["apt-get", "install", "--yes", "--no-install-recommends", ...packages],
  ];
}

function debianListOnly() {
  const list = ["sources.list.d/debian.sources", "sources.list"].find((file) =>
    existsSync(`/etc/apt/${file}`),
  );
  return ["-o", `Dir::Etc::sourcelist=${list}`, "-o", "Dir::Etc::sourceparts=-"];
}

function install(packages) {
  console.log(`Installing Debian packages: ${packages.join(", ")}`);
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const [program, ...args] of commands(packages)) {
    try {
      execFileSync(program, args, { stdio: ["ignore", "ignore", "inherit"], env: environment });
    } catch (error) {
      // A mirror that is being renewed fails the update, and yet the lists from before may do.
      console.log(`${program} ${args[0]} failed: ${error.message}`);
    }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const problem = ensureSystemPackages();
  console.log(problem ?? "All Debian packages are there.");
  process.exitCode = problem ? 1 : 0;
}
