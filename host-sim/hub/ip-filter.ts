import { BlockList, isIPv4 } from "node:net";
import { HubError } from "./errors.ts";
import { isObject, type JsonObject } from "./json.ts";

/** A rule of the hub's IP filter; the first one whose range has the caller's address decides. */
export interface IpFilterRule extends JsonObject {
  readonly filterName: string;
  readonly action: "Accept" | "Reject";
  /** An IPv4 address or a CIDR range, e.g. `10.0.0.0/8`. */
  readonly ipMask: string;
}

/** @throws HubError ArgumentInvalid */
export function ipFilterRules(value: unknown): IpFilterRule[] {
  if (!Array.isArray(value)) throw invalid("ipFilterRules is a list of rules");
  return value.map((rule) => {
    const { filterName, action, ipMask } = isObject(rule) ? rule : {};
    if (typeof filterName !== "string" || filterName === "") {
      throw invalid("A rule of the IP filter has a filterName");
    }
    if (action !== "Accept" && action !== "Reject") {
      throw invalid(`The action of ${filterName} is Accept or Reject`);
    }
    if (typeof ipMask !== "string" || !rangeOf(ipMask)) {
      throw invalid(`The ipMask of ${filterName} is an IPv4 range such as 10.0.0.0/8`);
    }
    return { filterName, action, ipMask };
  });
}

/**
 * @param address `host:port` of a caller
 * @returns the rule that turns the caller away; who meets no rule may come in
 */
export function rejectingRule(
  rules: readonly IpFilterRule[],
  address: string,
): IpFilterRule | undefined {
  const host = address.slice(0, address.lastIndexOf(":")).replace(/^::ffff:/i, "");
  if (!isIPv4(host)) return undefined;
  const rule = rules.find(({ ipMask }) => rangeOf(ipMask)?.check(host));
  return rule?.action === "Reject" ? rule : undefined;
}

function rangeOf(mask: string): BlockList | undefined {
  const match = /^([\d.]+)(?:\/(\d{1,2}))?$/.exec(mask);
  const [, network = "", prefix = "32"] = match ?? [];
  if (!isIPv4(network) || Number(prefix) > 32) return undefined;
  const range = new BlockList();
  range.addSubnet(network, Number(prefix), "ipv4");
  return range;
}

function invalid(message: string): HubError {
  return new HubError("ArgumentInvalid", message);
}
