import type { IClientOptions } from "mqtt";
import type { DeviceCredentials } from "../device-auth.ts";
import type { Route } from "../network.ts";

/** MQTT 3.1.1 over mutual TLS to a server that is checked under its own name; never reconnects. */
export function mutualTls(
  route: Route,
  hostName: string,
  { key, certificate }: DeviceCredentials,
): IClientOptions {
  return {
    protocol: "mqtts",
    host: route.host,
    port: route.port,
    servername: hostName,
    ...(route.ca ? { ca: route.ca } : {}),
    key,
    cert: certificate,
    reconnectPeriod: 0,
    protocolVersion: 4,
  } as IClientOptions;
}
