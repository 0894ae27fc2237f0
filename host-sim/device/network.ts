/** How the device reaches a host name: the lab's own servers, or the real network. */
export interface Route {
  readonly host: string;
  readonly port: number;
  /** PEM of the roots to trust; the computer's own when absent. */
  readonly ca?: string;
}

export interface Network {
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
}): Network {
  const listeners = new Set<(up: boolean) => void>();
  let up = true;
  return {
    get up() {
      return up;
    },
    setUp(next) {
      if (up === next) return;
      up = next;
      for (const listener of listeners) listener(up);
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
