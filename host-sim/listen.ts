import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { AddressInfo, Server } from "node:net";
import { LabError, systemErrorCode } from "./errors.ts";
import type { Address } from "./service.ts";

/**
 * Lets a server listen and answers where.
 * @throws LabError `port-in-use` (names the owner), `port-forbidden`, `address-unknown`
 */
export function listen(server: Server, host: string, port: number): Promise<Address> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => reject(explain(error, host, port));
    server.once("error", onError);
    server.listen({ host, port }, () => {
      server.removeListener("error", onError);
      const address = server.address() as AddressInfo;
      resolve({ host: address.address, port: address.port });
    });
  });
}

function explain(error: Error, host: string, port: number): Error {
  switch (systemErrorCode(error)) {
    case "EADDRINUSE":
      return new LabError(
        "port-in-use",
        `Port ${port} on ${host} is taken${by(ownerOf(port))}.`,
        "Stop that process, or choose another port (0 takes any free one).",
      );
    case "EACCES":
      return new LabError(
        "port-forbidden",
        `This user may not listen on port ${port}.`,
        "Choose a port above 1023, or 0 for any free one.",
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new LabError(
        "address-unknown",
        `This computer has no address ${host}.`,
        "Use 127.0.0.1, or an address that `ip address` lists.",
      );
    default:
      return error;
  }
}

function by(owner: string | undefined): string {
  return owner === undefined ? "" : ` by ${owner}`;
}

/** The process that listens on a TCP port, as `name (process N)`; only Linux tells. */
function ownerOf(port: number): string | undefined {
  const inodes = listeningInodes(port);
  if (inodes.size === 0) return undefined;
  const processes = list("/proc").filter((name) => /^\d+$/.test(name));
  const owner = processes.find((id) =>
    list(`/proc/${id}/fd`).some((fd) => inodes.has(linkOf(`/proc/${id}/fd/${fd}`))),
  );
  if (owner === undefined) return "a process of another user";
  return `${readText(`/proc/${owner}/comm`).trim()} (process ${owner})`;
}

/** `socket:[N]` of each socket in state LISTEN (0A) on the port. */
function listeningInodes(port: number): Set<string> {
  const inodes = new Set<string>();
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const file of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of readText(file).split("\n")) {
      const fields = line.trim().split(/\s+/);
      if (fields[1]?.endsWith(suffix) && fields[3] === "0A") inodes.add(`socket:[${fields[9]}]`);
    }
  }
  return inodes;
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return "";
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
