/**
 * Error numbers of the device as its REST API sends them: `category << 20 | id`. Only numbers that
 * the official clients have a sentence for; docs/device-rest.md lists them.
 */
export const ERRORS = {
  permission: 13,
  cannotExecute: 1_048_591,
  developmentNotEnabled: 1_048_596,
  pinsInUse: 1_048_601,
  manifestMissing: 2_097_177,
  noDebugServer: 3_145_738,
  imageNotTrusted: 7_340_047,
  notAPackage: 7_340_050,
  installFailed: 7_340_056,
  imagePermission: 7_340_069,
  otaInProgress: 7_340_071,
  invalidComponentId: 7_340_079,
  invalidParameter: 10_485_761,
  busy: 10_485_765,
  wifiCertificateIdTooLong: 10_485_772,
  configNameTooLong: 10_485_776,
  wifiNetworkNotFound: 13_631_491,
  wifiInvalidProperties: 13_631_496,
  ssidTooLong: 13_631_503,
  pskTooLong: 13_631_504,
  wifiDisabled: 13_631_506,
  wifiNoSpace: 13_631_507,
  wifiClientIdentifierMissing: 13_631_512,
  pskTooShort: 13_631_513,
  unknownTrigger: 14_680_073,
  appNotPresent: 14_680_076,
  unreadableComponentId: 14_680_079,
  noFreeSpace: 14_680_082,
  unknownMethod: 15_728_641,
  invalidUri: 15_728_642,
  contentTooLarge: 15_728_644,
  badHardwareAddress: 31_457_286,
  invalidInterface: 31_457_294,
  interfaceNotPermitted: 31_457_295,
  certificateIdCharacters: 38_797_314,
  certificateIdTooLong: 38_797_316,
  certificateNotFound: 38_797_319,
  certificateStoreFull: 38_797_323,
  certificateType: 38_797_324,
  certificateInvalid: 38_797_325,
  certificateTooLong: 38_797_326,
  keyInvalid: 38_797_327,
  keyTooLong: 38_797_328,
  keyNotAllowed: 38_797_329,
  passwordTooLong: 38_797_330,
  passwordNotAllowed: 38_797_331,
  keyMismatch: 38_797_332,
  passwordForPlainKey: 38_797_333,
} as const;

/** What kind of refusal it is; the REST API makes an HTTP status of it. */
export type RefusalKind =
  | "invalid"
  | "forbidden"
  | "absent"
  | "conflict"
  | "media-type"
  | "internal";

/** A refusal of the device. Nothing has changed when it is thrown. */
export class DeviceError extends Error {
  /**
   * @param number one of ERRORS, or a manifest error 2097152 + n
   * @param detail what this device knows beside the number, in a user's words
   */
  constructor(
    readonly number: number,
    readonly kind: RefusalKind = "invalid",
    readonly detail?: string,
  ) {
    super(`device error ${number} (${number >>> 20}.${number & 0xfffff})`);
    this.name = "DeviceError";
  }
}

export function refuseIf(condition: boolean, number: number, kind: RefusalKind = "invalid"): void {
  if (condition) throw new DeviceError(number, kind);
}
