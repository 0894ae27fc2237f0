/** The properties of a message as its topic carries them. */
export interface MessageProperties {
  /** Application properties; a name without `=` has the value null. */
  readonly properties: Readonly<Record<string, string | null>>;
  /** System properties under their short names, e.g. `ct`, `ce`, `mid`. */
  readonly system: Readonly<Record<string, string>>;
}

/** Short names of system properties and what readers of the events endpoint call them. */
const SYSTEM_NAMES = new Map(
  Object.entries({
    mid: "message-id",
    cid: "correlation-id",
    uid: "user-id",
    ct: "content-type",
    ce: "content-encoding",
    to: "to",
    ctime: "iothub-creation-time-utc",
    sub: "dt-subject",
    ifid: "iothub-interface-id",
  }),
);

/** What the hub itself notes on a message: a device cannot write it. */
const OWN_NAMES =
  /^(iothub-connection-|iothub-message-source$|iothub-enqueuedtime$|x-opt-|dt-dataschema$)/;

/** Reads `k=v&k=v`, percent-encoded on both sides; throws URIError on a broken escape. */
export function parseBag(text: string): MessageProperties {
  const properties: [string, string | null][] = [];
  const system: [string, string][] = [];
  for (const pair of text.split("&")) {
    if (pair === "") continue;
    const at = pair.indexOf("=");
    const name = decode(at < 0 ? pair : pair.slice(0, at));
    const value = at < 0 ? null : decode(pair.slice(at + 1));
    if (name.startsWith("$.")) {
      const short = name.slice(2);
      const known = SYSTEM_NAMES.get(short);
      if (known === undefined && OWN_NAMES.test(short)) continue;
      system.push([known ?? short, value ?? ""]);
    } else if (name !== "?") properties.push([name, value]);
  }
  // A device may name a property `__proto__`; assigning it to a member would lose it.
  return { properties: Object.fromEntries(properties), system: Object.fromEntries(system) };
}

/** What a message counts: its body, the values of system properties, application properties. */
export function messageSize(body: number, { properties, system }: MessageProperties): number {
  let size = body;
  for (const value of Object.values(system)) size += Buffer.byteLength(value);
  for (const [name, value] of Object.entries(properties)) {
    size += Buffer.byteLength(name) + Buffer.byteLength(value ?? "");
  }
  return size;
}

function decode(text: string): string {
  return text.includes("%") ? decodeURIComponent(text) : text;
}

/** Writes properties in order, percent-encoded. */
export function formatBag(entries: Iterable<readonly [string, string | null]>): string {
  return [...entries]
    .map(([name, value]) =>
      value === null
        ? encodeURIComponent(name)
        : `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
    )
    .join("&");
}
