import type { SphereOs } from "../../device/sphere-os.ts";
import { IMAGE_TYPES, type OsComponent } from "../../device/system/os-release.ts";
import { type Routes, unlocked } from "../request.ts";

/** Images: what is installed. */
export function imageRoutes({ applications, system }: SphereOs): Routes {
  return {
    "GET /images": unlocked(() => ({
      is_ota_update_in_progress: false,
      has_staged_updates: false,
      restart_required: false,
      components: [
        ...system.release.components.map((component) => shown(component, true)),
        ...applications
          .list()
          .map((app) => shown({ ...app, imageType: IMAGE_TYPES.application }, false)),
      ],
    })),
  };
}

function shown(component: OsComponent, needsRestart: boolean) {
  const { componentId, imageId, imageType, bytes, name } = component;
  return {
    uid: componentId,
    image_type: imageType,
    is_update_staged: false,
    does_image_type_require_restart: needsRestart,
    images: [
      {
        uid: imageId,
        length_in_bytes: bytes,
        uncompressed_length_in_bytes: bytes,
        replica_type: 0,
      },
    ],
    name,
  };
}
