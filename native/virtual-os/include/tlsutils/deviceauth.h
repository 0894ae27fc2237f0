/** The device authentication certificate of this app's tenant. */
#ifndef TLSUTILS_DEVICEAUTH_H
#define TLSUTILS_DEVICEAUTH_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Where the certificate is, PEM. Valid while the process lives; the file is there when
 * Application_IsDeviceAuthReady says so. @return NULL only without an operating system
 */
const char *DeviceAuth_GetCertificatePath(void);

#ifdef __cplusplus
}
#endif

#endif
