/** The device client of the Device Provisioning Service. Callbacks come from DoWork only. */
#ifndef AZURE_PROV_CLIENT_PROV_DEVICE_LL_CLIENT_H
#define AZURE_PROV_CLIENT_PROV_DEVICE_LL_CLIENT_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum PROV_DEVICE_RESULT_TAG {
    PROV_DEVICE_RESULT_OK,
    PROV_DEVICE_RESULT_INVALID_ARG,
    PROV_DEVICE_RESULT_SUCCESS,
    PROV_DEVICE_RESULT_MEMORY,
    PROV_DEVICE_RESULT_PARSING,
    PROV_DEVICE_RESULT_TRANSPORT,
    PROV_DEVICE_RESULT_INVALID_STATE,
    PROV_DEVICE_RESULT_DEV_AUTH_ERROR,
    PROV_DEVICE_RESULT_TIMEOUT,
    PROV_DEVICE_RESULT_KEY_ERROR,
    PROV_DEVICE_RESULT_ERROR,
    PROV_DEVICE_RESULT_HUB_NOT_SPECIFIED,
    PROV_DEVICE_RESULT_UNAUTHORIZED,
    PROV_DEVICE_RESULT_DISABLED,
} PROV_DEVICE_RESULT;

typedef struct PROV_INSTANCE_INFO_TAG *PROV_DEVICE_LL_HANDLE;

typedef struct PROV_DEVICE_TRANSPORT_PROVIDER_TAG PROV_DEVICE_TRANSPORT_PROVIDER;
typedef const PROV_DEVICE_TRANSPORT_PROVIDER *(*PROV_DEVICE_TRANSPORT_PROVIDER_FUNCTION)(void);

/** The texts are valid during the call only. */
typedef void (*PROV_DEVICE_CLIENT_REGISTER_DEVICE_CALLBACK)(PROV_DEVICE_RESULT register_result,
                                                            const char *iothub_uri,
                                                            const char *device_id,
                                                            void *user_context);
typedef void (*PROV_DEVICE_CLIENT_REGISTER_STATUS_CALLBACK)(int reg_status, void *user_context);

/** @return a handle, or NULL */
PROV_DEVICE_LL_HANDLE Prov_Device_LL_Create(const char *uri, const char *scope_id,
                                            PROV_DEVICE_TRANSPORT_PROVIDER_FUNCTION protocol);
void Prov_Device_LL_Destroy(PROV_DEVICE_LL_HANDLE handle);

/** Name and value of an option; "SetDeviceId" (`const int *` 1) selects the device authentication
 * key. */
PROV_DEVICE_RESULT Prov_Device_LL_SetOption(PROV_DEVICE_LL_HANDLE handle, const char *optionName,
                                            const void *value);

/** JSON that the service's allocation may look at. */
PROV_DEVICE_RESULT Prov_Device_LL_Set_Provisioning_Payload(PROV_DEVICE_LL_HANDLE handle,
                                                           const char *json);

PROV_DEVICE_RESULT Prov_Device_LL_Register_Device(
    PROV_DEVICE_LL_HANDLE handle, PROV_DEVICE_CLIENT_REGISTER_DEVICE_CALLBACK register_callback,
    void *user_context, PROV_DEVICE_CLIENT_REGISTER_STATUS_CALLBACK status_callback,
    void *status_context);

void Prov_Device_LL_DoWork(PROV_DEVICE_LL_HANDLE handle);

#ifdef __cplusplus
}
#endif

#endif
