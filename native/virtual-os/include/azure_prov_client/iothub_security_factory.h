/** How a device proves to a hub who it is. */
#ifndef AZURE_PROV_CLIENT_IOTHUB_SECURITY_FACTORY_H
#define AZURE_PROV_CLIENT_IOTHUB_SECURITY_FACTORY_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum IOTHUB_SECURITY_TYPE_TAG {
    IOTHUB_SECURITY_TYPE_UNKNOWN,
    IOTHUB_SECURITY_TYPE_SAS,
    IOTHUB_SECURITY_TYPE_X509,
    IOTHUB_SECURITY_TYPE_HTTP_EDGE,
    IOTHUB_SECURITY_TYPE_SYMMETRIC_KEY,
} IOTHUB_SECURITY_TYPE;

/** Before a client is made. @return 0, or another number for a type that is not offered */
int iothub_security_init(IOTHUB_SECURITY_TYPE sec_type);
/** After its options are set. */
void iothub_security_deinit(void);
IOTHUB_SECURITY_TYPE iothub_security_type(void);

#ifdef __cplusplus
}
#endif

#endif
