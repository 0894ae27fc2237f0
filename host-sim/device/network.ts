/** How the device reaches a host name: the lab's own servers, or the real network. */
export interface Route {
  readonly host: string;
  readonly port: number;
  /** PEM of the roots to trust; the computer's own when absent. */
  readonly ca?: string;
}

/** The device's own way out: its radio and its cable. */
export interface Link {
  /** A network is configured and connected, leads to the internet, and the time is known. */
  readonly ready: boolean;
  onChange(listener: () => void): () => void;
  /** Cuts everything that the link hangs on, and gives it back. */
  setOutage(outage: boolean): void;
}

export interface Network {
  /** What `Networking_IsNetworkingReady` answers. */
  readonly up: boolean;
  setUp(up: boolean): void;
  /** Where `hostName:port` is, or undefined when nothing answers to the name. */
  resolve(hostName: string, port: number): Route | undefined;
  onChange(listener: (up: boolean) => void): () => void;
}

/** A network that leads some names to the lab and, when `outside` is set, all others to the world. */
export function createNetwork(options: {
  /** `name:port` in lower case → where it is. */
  readonly routes: ReadonlyMap<string, Route>;
  readonly outside?: boolean;
  /** Without one the device is wired to the network and always has it. */
  readonly link?: Link;
}): Network {
  const listeners = new Set<(up: boolean) => void>();
  const { link } = options;
  let up = link?.ready ?? true;

  function change(next: boolean): void {
    if (up === next) return;
    up = next;
    for (const listener of listeners) listener(up);
  }

  link?.onChange(() => change(link.ready));
  return {
    get up() {
      return up;
    },
    setUp(next) {
      if (link) link.setOutage(!next);
      else change(next);
    },
    resolve(hostName, port) {
      const route = options.routes.get(`${hostName.toLowerCase()}:${port}`);
      return route ?? (options.outside ? { host: hostName, port } : undefined);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
