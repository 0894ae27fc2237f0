#include "security.h"

#include <azure_prov_client/iothub_security_factory.h>
#include <azure_prov_client/prov_security_factory.h>
#include <azure_prov_client/prov_transport_mqtt_client.h>
#include <iothub.h>
#include <iothubtransportmqtt.h>

#include <stddef.h>

static IOTHUB_SECURITY_TYPE hub_security = IOTHUB_SECURITY_TYPE_UNKNOWN;
static SECURE_DEVICE_TYPE device_security = SECURE_DEVICE_TYPE_UNKNOWN;

int IoTHub_Init(void)
{
    return 0;
}

void IoTHub_Deinit(void)
{
}

/** The device has no other proof than its certificate. */
int iothub_security_init(IOTHUB_SECURITY_TYPE sec_type)
{
    if (sec_type != IOTHUB_SECURITY_TYPE_X509) {
        return 1;
    }
    hub_security = sec_type;
    return 0;
}

void iothub_security_deinit(void)
{
    hub_security = IOTHUB_SECURITY_TYPE_UNKNOWN;
}

IOTHUB_SECURITY_TYPE iothub_security_type(void)
{
    return hub_security;
}

int prov_dev_security_init(SECURE_DEVICE_TYPE hsm_type)
{
    if (hsm_type != SECURE_DEVICE_TYPE_X509) {
        return 1;
    }
    device_security = hsm_type;
    return 0;
}

void prov_dev_security_deinit(void)
{
    device_security = SECURE_DEVICE_TYPE_UNKNOWN;
}

bool security_is_x509(void)
{
    return hub_security == IOTHUB_SECURITY_TYPE_X509;
}

bool prov_security_is_x509(void)
{
    return device_security == SECURE_DEVICE_TYPE_X509;
}

/** The operating system does the MQTT: the providers are names and nothing else. */
const TRANSPORT_PROVIDER *MQTT_Protocol(void)
{
    return NULL;
}

const PROV_DEVICE_TRANSPORT_PROVIDER *Prov_Device_MQTT_Protocol(void)
{
    return NULL;
}
