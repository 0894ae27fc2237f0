import { LabError } from "../../../errors.ts";
import type { JsonObject } from "../../../hub/json.ts";
import { hubRest } from "../../rest.ts";
import { type Entry, type Given, text } from "./table.ts";

const DEVICE = { "!-d, --device-id <id>": "the device" };
const MODULE = { ...DEVICE, "!-m, --module-id <id>": "its module" };
const AUTHENTICATION = {
  "--am, --auth-method <method>": "shared_private_key, x509_thumbprint or x509_ca",
  "--ptp, --primary-thumbprint <hex>": "with x509_thumbprint",
  "--stp, --secondary-thumbprint <hex>": "with x509_thumbprint",
  "--primary-key <base64>": "with shared_private_key; made when absent",
  "--secondary-key <base64>": "with shared_private_key; made when absent",
};
const STATUS = {
  "--sta, --status <status>": "enabled or disabled",
  "--status-reason <text>": "why",
};

/** `hub device-identity …` and `hub module-identity …`, as `az iot hub` has them. */
export const identityEntries: readonly Entry[] = [
  ...(["device", "module"] as const).flatMap((kind): Entry[] => {
    const who = kind === "device" ? DEVICE : MODULE;
    return [
      {
        words: `${kind}-identity create`,
        description: `add a ${kind} to the registry`,
        options: { ...who, ...AUTHENTICATION, ...(kind === "device" ? STATUS : {}) },
        run: (lab, given) => hubRest(lab)("PUT", pathOf(given), { body: identityFrom(given) }),
      },
      {
        words: `${kind}-identity show`,
        description: `print a ${kind}'s identity`,
        options: who,
        run: (lab, given) => hubRest(lab)("GET", pathOf(given)),
      },
      {
        words: `${kind}-identity delete`,
        description: `remove a ${kind} and its twin`,
        options: who,
        run: (lab, given) =>
          hubRest(lab)("DELETE", pathOf(given), { headers: { "if-match": '"*"' } }),
      },
      {
        words: `${kind}-identity connection-string`,
        description: `print the connection string of a ${kind} with symmetric keys`,
        options: who,
        run: async (lab, given) =>
          connectionString(
            lab.endpoints.hub.hostName,
            await hubRest(lab)<JsonObject>("GET", pathOf(given)),
          ),
      },
    ];
  }),
  {
    words: "device-identity list",
    description: "print all devices",
    options: { "--top <count>": "at most so many" },
    run: (lab, given) => hubRest(lab)("GET", `/devices?top=${text(given, "top") || 1000}`),
  },
  {
    words: "device-identity update",
    description: "change a device's status or authentication",
    options: { ...DEVICE, ...AUTHENTICATION, ...STATUS },
    run: async (lab, given) => {
      const rest = hubRest(lab);
      const before = await rest<JsonObject>("GET", pathOf(given));
      const body = { ...before, ...identityFrom(given) };
      return rest("PUT", pathOf(given), { body, headers: { "if-match": '"*"' } });
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

function identityFrom(given: Given): JsonObject {
  const { deviceId, moduleId, status, statusReason } = given;
  const authentication = authenticationFrom(given);
  return Object.fromEntries(
    Object.entries({ deviceId, moduleId, status, statusReason, authentication }).filter(
      ([, value]) => value !== undefined,
    ),
  ) as JsonObject;
}

function authenticationFrom(given: Given): JsonObject | undefined {
  switch (given.authMethod) {
    case undefined:
      return undefined;
    case "shared_private_key":
      return {
        type: "sas",
        symmetricKey: {
          primaryKey: text(given, "primaryKey"),
          secondaryKey: text(given, "secondaryKey"),
        },
      };
    case "x509_ca":
      return { type: "certificateAuthority" };
    case "x509_thumbprint":
      return {
        type: "selfSigned",
        x509Thumbprint: {
          primaryThumbprint: text(given, "primaryThumbprint"),
          secondaryThumbprint: text(given, "secondaryThumbprint") || null,
        },
      };
    default:
      throw new LabError(
        "option-invalid",
        `--auth-method ${given.authMethod} is not known.`,
        "Use shared_private_key, x509_thumbprint or x509_ca.",
      );
  }
}

function connectionString(hostName: string, identity: JsonObject) {
  const { deviceId, moduleId, authentication } = identity;
  const { symmetricKey, type } = authentication as JsonObject;
  const module = moduleId === undefined ? "" : `;ModuleId=${moduleId}`;
  const start = `HostName=${hostName};DeviceId=${deviceId}${module}`;
  if (type !== "sas") return { connectionString: `${start};x509=true` };
  const { primaryKey } = symmetricKey as JsonObject;
  return { connectionString: `${start};SharedAccessKey=${primaryKey}` };
}
