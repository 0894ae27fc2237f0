/** How a device proves to the provisioning service who it is. */
#ifndef AZURE_PROV_CLIENT_PROV_SECURITY_FACTORY_H
#define AZURE_PROV_CLIENT_PROV_SECURITY_FACTORY_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum SECURE_DEVICE_TYPE_TAG {
    SECURE_DEVICE_TYPE_UNKNOWN,
    SECURE_DEVICE_TYPE_TPM,
    SECURE_DEVICE_TYPE_X509,
} SECURE_DEVICE_TYPE;

/** @return 0, or another number for a type that is not offered */
int prov_dev_security_init(SECURE_DEVICE_TYPE hsm_type);
void prov_dev_security_deinit(void);

#ifdef __cplusplus
}
#endif

#endif
