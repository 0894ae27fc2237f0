/** Where a started service listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** The life of every service: closed → starting → running → closing → closed. */
export type ServiceState = "closed" | "starting" | "running" | "closing";

/** What every server of the lab offers. `stop` may be called at any time and any number of times. */
export interface Service {
  readonly state: ServiceState;
  /** Starts listening; port 0 in the options asks for any free port. */
  start(): Promise<Address>;
  stop(): Promise<void>;
}
