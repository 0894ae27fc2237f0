/** `host:port` of the other end; empty when it is gone already. */
export function addressOf(socket: { remoteAddress?: string; remotePort?: number }): string {
  const { remoteAddress, remotePort } = socket;
  return remoteAddress === undefined ? "" : `${remoteAddress}:${remotePort}`;
}
