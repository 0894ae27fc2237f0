/** The hub's own error codes, as it writes them in answers and logs. */
export const HUB_ERRORS = {
  ArgumentInvalid: [400, 400004],
  InvalidProtocolVersion: [400, 400021],
  IotHubUnauthorizedAccess: [401, 401002],
  DeviceMaximumQueueDepthExceeded: [403, 403004],
  IotHubQuotaExceeded: [403, 403002],
  InvalidMessageExpiryTime: [403, 403009],
  OperationNotAvailableInCurrentTier: [403, 403010],
  TooManyDevices: [403, 403011],
  TooManyModulesOnDevice: [403, 403013],
  DeviceNotFound: [404, 404001],
  JobNotFound: [404, 404002],
  ModuleNotFound: [404, 404010],
  ConfigurationNotFound: [404, 404301],
  DeviceNotOnline: [404, 404103],
  ConsumerGroupNotFound: [404, 404302],
  CertificateNotFound: [404, 404008],
  DeviceAlreadyExists: [409, 409001],
  ModuleAlreadyExistsOnDevice: [409, 409301],
  ConfigurationAlreadyExists: [409, 409302],
  JobAlreadyExists: [409, 409002],
  DeviceMessageLockLost: [412, 412001],
  PreconditionFailed: [412, 412002],
  MessageTooLarge: [413, 413001],
  ThrottlingException: [429, 429001],
  NotImplemented: [501, 501000],
  GatewayTimeout: [504, 504101],
} as const satisfies Record<string, readonly [status: number, code: number]>;

export type HubErrorName = keyof typeof HUB_ERRORS;

/** A refusal of the hub, with the HTTP status and code that clients see. */
export class HubError extends Error {
  readonly status: number;
  readonly code: number;

  constructor(name: HubErrorName, message: string) {
    super(message);
    this.name = name;
    [this.status, this.code] = HUB_ERRORS[name];
  }
}
