/** What hubs and their Event Hub-compatible endpoints are called, by the hub's host name. */

/** `contoso` of `contoso.azure-devices.net`: resource name and entity path. */
export function shortName(hostName: string): string {
  return hostName.split(".")[0] ?? hostName;
}

/** The host of the Event Hub-compatible endpoint. */
export function eventHubName(hostName: string): string {
  return `${shortName(hostName)}.servicebus.windows.net`;
}
