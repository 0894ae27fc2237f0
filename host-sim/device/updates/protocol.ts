/** What a device and the Security Service say to each other about updates; docs/security-service.md. */

export interface ImageIds {
  readonly componentId: string;
  readonly imageId: string;
}

/** An image that the device should have. */
export interface OfferedImage extends ImageIds {
  readonly name: string;
  /** 10 application, 21 board configuration, others belong to the system. */
  readonly imageType: number;
  /** Bytes to download. */
  readonly size: number;
  /** Path on the service. */
  readonly path: string;
}

export interface UpdateManifest {
  readonly osVersion: string;
  readonly prerequisites: readonly OfferedImage[];
  readonly os: readonly OfferedImage[];
  /** Null: the apps of the device are not the service's business. */
  readonly deployment: {
    readonly deploymentId: string;
    readonly images: readonly OfferedImage[];
  } | null;
}

export interface DeviceState {
  readonly osVersion: string;
  readonly installed: readonly ImageIds[];
}

/** Something that the owner may want to know. */
export interface DeviceEvent {
  readonly description: string;
  readonly eventCategory: string;
  readonly eventClass: string;
  readonly eventType: string;
}

export const APPLICATION = 10;
export const BOARD_CONFIGURATION = 21;
/** Images that deployments bring; all others are the system's. */
export const DEPLOYED_TYPES: readonly number[] = [APPLICATION, BOARD_CONFIGURATION];
