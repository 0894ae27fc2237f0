import type { SphereOs } from "../../device/sphere-os.ts";
import { DeviceError, ERRORS } from "../../device/system/device-error.ts";
import { IMAGE_TYPES } from "../../device/system/os-release.ts";
import { optionalFieldsOf } from "../fields.ts";
import { open, Reply, type Routes, requireMediaType, unlocked } from "../request.ts";
import { componentOf } from "./applications.ts";

interface Component {
  readonly componentId: string;
  readonly imageId: string;
  readonly imageType: number;
  readonly bytes: number;
  readonly uncompressedBytes?: number;
  readonly name: string;
}

/** Images: what is installed, and how packages come in and go. */
export function imageRoutes({ applications, images, system }: SphereOs): Routes {
  const answer = (restart: boolean) =>
    restart ? new Reply({ restartingSystem: true }, { restart }) : {};

  function components(): Component[] {
    const { boardConfiguration: board } = images;
    return [
      ...system.release().components,
      ...(board ? [{ ...board, imageType: IMAGE_TYPES.boardConfiguration }] : []),
      ...applications.list().map((app) => ({ ...app, imageType: IMAGE_TYPES.application })),
    ];
  }

  return {
    "GET /images": unlocked(() => ({
      is_ota_update_in_progress: images.otaInProgress,
      has_staged_updates: images.anyStaged,
      restart_required: false,
      components: components().map((each) => shown(each, images.isStaged(each.componentId))),
    })),
    // Open, because a capability image is the way to unlock a device.
    "PUT /update/stage": open((request) => {
      requireMediaType(request, "application/octet-stream");
      images.stage(request.body);
      return {};
    }),
    "POST /update/install": open(async (request) => {
      const fields = optionalFieldsOf(request);
      const start = oneOf(["Auto", "Manual"], fields.optionalText("appControlMode"));
      // The lab's own: how a real device is told is not published.
      const mode = fields.optionalText("capabilityMode");
      if (mode !== undefined) oneOf(["Update", "Session", "None"], mode);
      if (mode === "None") system.manufacturing.endSession();
      const capability = mode === "Update" || mode === "Session" ? mode : undefined;
      return answer(await images.install(start === "Auto", capability));
    }),
    "DELETE /app/image/{component}": unlocked(async (request) =>
      answer(await images.remove(componentOf(request))),
    ),
  };
}

/** The first one is meant when nothing is said. @throws DeviceError invalidParameter */
function oneOf(choices: readonly string[], given: string | undefined): string | undefined {
  if (given !== undefined && !choices.includes(given)) {
    throw new DeviceError(ERRORS.invalidParameter);
  }
  return given ?? choices[0];
}

function shown(component: Component, staged: boolean) {
  const { componentId, imageId, imageType, bytes, uncompressedBytes = bytes, name } = component;
  return {
    uid: componentId,
    image_type: imageType,
    is_update_staged: staged,
    does_image_type_require_restart: imageType !== IMAGE_TYPES.application,
    images: [
      {
        uid: imageId,
        length_in_bytes: bytes,
        uncompressed_length_in_bytes: uncompressedBytes,
        replica_type: 0,
      },
    ],
    name,
  };
}
