/** Where everything of a running lab is; `GET /lab` answers it and clients get it as environment. */
export interface LabDescription {
  readonly version: string;
  readonly processId: number;
  readonly stateFolder: string | null;
  /** Base of the lab's HTTP API. */
  readonly api: string;
  /** Page of the dashboard. */
  readonly dashboard?: string;
  /** PEM file with the root that signs the certificates of all of the lab's servers. */
  readonly caFile: string;
  readonly hub: {
    /** The name that devices and services use, e.g. `spherule-lab.azure-devices.net`. */
    readonly hostName: string;
    readonly address: string;
    readonly mqttPort: number;
    readonly httpsPort: number;
    readonly amqpPort: number;
    /** AMQP without TLS, for Event Hub clients with `UseDevelopmentEmulator=true`. */
    readonly plainAmqpPort: number;
    /** `HostName=…;SharedAccessKeyName=iothubowner;SharedAccessKey=…` */
    readonly serviceConnectionString: string;
    /** Of the Event Hub-compatible endpoint. */
    readonly eventHubConnectionString: string;
  };
  readonly dps: {
    /** What devices dial. */
    readonly hostName: string;
    readonly idScope: string;
    readonly serviceConnectionString: string;
  };
  readonly deviceRest: {
    /** Of the REST API of the lab's first device. */
    readonly address: string;
    readonly port: number;
    /** PEM file with the CA of all devices' certificates. */
    readonly ca: string;
    /** Unix socket of the first device's boot loader. */
    readonly recovery: string;
  };
  /** The service by which tools find devices, plain HTTP. */
  readonly discovery: { readonly address: string; readonly port: number };
  readonly securityService: {
    readonly tenantId: string;
    /** Base of the HTTPS API in the shape of Azure Resource Manager. */
    readonly url: string;
    /** ARM's path of the lab's catalog, below `url`. */
    readonly catalogId: string;
    /** Bearer token for it. */
    readonly token: string;
  };
  /** All devices; whoever names none means the first. */
  readonly devices: readonly {
    readonly deviceId: string;
    /** Its REST API. */
    readonly rest: { readonly address: string; readonly port: number };
    /** Unix socket of its boot loader. */
    readonly recovery: string;
  }[];
  /** `name:port` → `address:port`, what the redirecting preload of `spherule exec` follows. */
  readonly redirects: Readonly<Record<string, string>>;
}
