export { DEVICE_NAME, deviceAuthority, deviceCredentials } from "./credentials.ts";
export { type AttachedDevice, createDiscovery } from "./discovery.ts";
export { createRecovery, type RecoveryOptions } from "./recovery.ts";
export { API_VERSION, createDeviceRestServer, type DeviceRestOptions } from "./server.ts";
