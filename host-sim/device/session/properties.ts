/** What a message's interface on the device has a place for; all others stay in the client. */
const SYSTEM = ["$.mid", "$.cid", "$.ct", "$.ce"];
const HIDDEN = /^(\$\.|iothub-)/;

/**
 * The properties that an app hears of, out of a topic's: four system ones, then the application's.
 * @param bag `name=value&…`, percent-encoded; what cannot be decoded is left out
 * @returns the same form, with every byte but letters, digits and `-_.~` encoded
 */
export function heardProperties(bag: string): string {
  const all = new Map<string, string>();
  for (const pair of bag.split("&")) {
    const [name, value] = decodePair(pair);
    if (name !== "" && value !== undefined) all.set(name, value);
  }
  const own = [...all.keys()].filter((name) => !HIDDEN.test(name));
  return [...SYSTEM.filter((name) => all.has(name)), ...own]
    .map((name) => `${encode(name)}=${encode(all.get(name) ?? "")}`)
    .join("&");
}

function decodePair(pair: string): [name: string, value?: string] {
  const at = pair.indexOf("=");
  const [name, value] = at < 0 ? [pair, ""] : [pair.slice(0, at), pair.slice(at + 1)];
  try {
    return [decodeURIComponent(name), decodeURIComponent(value)];
  } catch {
    return [""];
  }
}

const encode = (text: string) =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );
