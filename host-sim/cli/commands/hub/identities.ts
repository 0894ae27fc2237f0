import { randomBytes } from "node:crypto";
import type { JsonObject } from "../../../hub/json.ts";
import type { LabContext } from "../../context.ts";
import { hubRest } from "../../rest.ts";
import {
  type Entry,
  ETAG,
  type Given,
  ifMatch,
  oneOf,
  present,
  text,
  wholeNumberOf,
} from "./table.ts";

export const DEVICE = { "!-d, --device-id <id>": "the device" };
export const MODULE = { ...DEVICE, "!-m, --module-id <id>": "its module" };
const AUTHENTICATION = {
  "--am, --auth-method <method>": "shared_private_key, x509_thumbprint or x509_ca",
  "--ptp, --primary-thumbprint <hex>": "with x509_thumbprint",
  "--stp, --secondary-thumbprint <hex>": "with x509_thumbprint",
  "--pk, --primary-key <base64>": "with shared_private_key; made when absent",
  "--sk, --secondary-key <base64>": "with shared_private_key; made when absent",
};
const DEVICE_ONLY = {
  "--sta, --status <status>": "enabled or disabled",
  "--star, --status-reason <text>": "why",
  "--ee, --edge-enabled": "it is an IoT Edge device",
};
const METHODS = ["shared_private_key", "x509_thumbprint", "x509_ca"] as const;
const KEY_TYPE = { "--kt, --key-type <type>": "primary or secondary; primary when absent" };

/** `hub device-identity …` and `hub module-identity …`, as `az iot hub` has them. */
export const identityEntries: readonly Entry[] = [
  ...(["device", "module"] as const).flatMap((kind): Entry[] => {
    const who = kind === "device" ? DEVICE : MODULE;
    const more = kind === "device" ? DEVICE_ONLY : {};
    return [
      {
        words: `${kind}-identity create`,
        description: `add a ${kind} to the registry`,
        options: { ...who, ...AUTHENTICATION, ...more },
        run: (lab, given) => hubRest(lab)("PUT", pathOf(given), { body: identityFrom(given) }),
      },
      {
        words: `${kind}-identity show`,
        description: `print a ${kind}'s identity`,
        options: who,
        run: (lab, given) => hubRest(lab)("GET", pathOf(given)),
      },
      {
        words: `${kind}-identity update`,
        description: `change a ${kind}'s authentication${kind === "device" ? " or status" : ""}`,
        options: { ...who, ...AUTHENTICATION, ...more, ...ETAG },
        run: update,
      },
      {
        words: `${kind}-identity renew-key`,
        description: "make a new key, or let the two change places",
        options: {
          ...who,
          "!--kt, --key-type <type>": "primary, secondary, both or swap",
          ...ETAG,
        },
        run: renewKey,
      },
      {
        words: `${kind}-identity delete`,
        description: `remove a ${kind} and its twin`,
        options: { ...who, ...ETAG },
        run: (lab, given) => hubRest(lab)("DELETE", pathOf(given), { headers: ifMatch(given) }),
      },
      {
        words: `${kind}-identity connection-string`,
        optionalWord: "show",
        description: `print the connection string of a ${kind}`,
        options: { ...who, ...KEY_TYPE },
        run: showConnectionString,
      },
    ];
  }),
  {
    words: "device-identity list",
    description: "print all devices",
    options: {
      "--top <count>": "at most so many; 1000 when absent",
      "--ee, --edge-enabled": "only IoT Edge devices",
    },
    async run(lab, given) {
      const top = wholeNumberOf(given, "top") ?? 1000;
      const all = await hubRest(lab)<JsonObject[]>("GET", `/devices?top=${top}`);
      const isEdge = ({ capabilities }: JsonObject) =>
        (capabilities as JsonObject)?.iotEdge === true;
      return given.edgeEnabled ? all.filter(isEdge) : all;
    },
  },
  {
    words: "module-identity list",
    description: "print a device's modules",
    options: DEVICE,
    run: (lab, given) => hubRest(lab)("GET", `${pathOf(given)}/modules`),
  },
];

/** `/devices/a` or `/devices/a/modules/m`. */
export function pathOf(given: Given, root = "/devices"): string {
  const device = `${root}/${encodeURIComponent(text(given, "deviceId"))}`;
  const module = text(given, "moduleId");
  return module === "" ? device : `${device}/modules/${encodeURIComponent(module)}`;
}

async function update(lab: LabContext, given: Given): Promise<unknown> {
  const rest = hubRest(lab);
  const before = await rest<JsonObject>("GET", pathOf(given));
  const body = { ...before, ...identityFrom(given, before) };
  return rest("PUT", pathOf(given), { body, headers: ifMatch(given) });
}

async function renewKey(lab: LabContext, given: Given): Promise<unknown> {
  const type = oneOf(given, "keyType", ["primary", "secondary", "both", "swap"]);
  const rest = hubRest(lab);
  const before = await rest<JsonObject>("GET", pathOf(given));
  const { symmetricKey } = before.authentication as JsonObject;
  const { primaryKey, secondaryKey } = symmetricKey as JsonObject;
  const fresh = () => randomBytes(32).toString("base64");
  const keys = {
    primary: { primaryKey: fresh(), secondaryKey },
    secondary: { primaryKey, secondaryKey: fresh() },
    both: { primaryKey: fresh(), secondaryKey: fresh() },
    swap: { primaryKey: secondaryKey, secondaryKey: primaryKey },
  }[type ?? "primary"];
  const body = { ...before, authentication: { type: "sas", symmetricKey: keys } };
  return rest("PUT", pathOf(given), { body, headers: ifMatch(given) });
}

async function showConnectionString(lab: LabContext, given: Given): Promise<unknown> {
  const type = oneOf(given, "keyType", ["primary", "secondary"]) ?? "primary";
  const identity = await hubRest(lab)<JsonObject>("GET", pathOf(given));
  const { deviceId, moduleId, authentication } = identity;
  const { symmetricKey, type: method } = authentication as JsonObject;
  const module = moduleId === undefined ? "" : `;ModuleId=${moduleId}`;
  const start = `HostName=${lab.endpoints.hub.hostName};DeviceId=${deviceId}${module}`;
  if (method !== "sas") return { connectionString: `${start};x509=true` };
  const key = (symmetricKey as JsonObject)[`${type}Key`];
  return { connectionString: `${start};SharedAccessKey=${key}` };
}

function identityFrom(given: Given, before?: JsonObject): JsonObject {
  const { deviceId, moduleId, status, statusReason, edgeEnabled } = given;
  return present({
    ...{ deviceId, moduleId, status, statusReason },
    capabilities: edgeEnabled ? { iotEdge: true } : undefined,
    authentication: authenticationFrom(given, before),
  });
}

/** Keys and thumbprints alone tell the method, too. */
function methodOf(given: Given) {
  const method = oneOf(given, "authMethod", METHODS);
  if (method !== undefined) return method;
  const { primaryKey, secondaryKey, primaryThumbprint, secondaryThumbprint } = given;
  if (primaryKey ?? secondaryKey) return "shared_private_key";
  return (primaryThumbprint ?? secondaryThumbprint) ? "x509_thumbprint" : undefined;
}

function authenticationFrom(given: Given, before?: JsonObject): JsonObject | undefined {
  const known = (before?.authentication ?? {}) as JsonObject;
  /** What was given, what the identity has, or nothing. */
  const value = (part: string, name: string) =>
    text(given, name) || ((known[part] as JsonObject | undefined)?.[name] ?? null);
  switch (methodOf(given)) {
    case undefined:
      return undefined;
    case "shared_private_key":
      return {
        type: "sas",
        symmetricKey: {
          primaryKey: value("symmetricKey", "primaryKey") ?? "",
          secondaryKey: value("symmetricKey", "secondaryKey") ?? "",
        },
      };
    case "x509_ca":
      return { type: "certificateAuthority" };
    case "x509_thumbprint":
      return {
        type: "selfSigned",
        x509Thumbprint: {
          primaryThumbprint: value("x509Thumbprint", "primaryThumbprint"),
          secondaryThumbprint: value("x509Thumbprint", "secondaryThumbprint"),
        },
      };
  }
}
