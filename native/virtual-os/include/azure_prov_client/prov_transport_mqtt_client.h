/** The provisioning client's transport: MQTT over TLS. */
#ifndef AZURE_PROV_CLIENT_PROV_TRANSPORT_MQTT_CLIENT_H
#define AZURE_PROV_CLIENT_PROV_TRANSPORT_MQTT_CLIENT_H

#include "prov_device_ll_client.h"

#ifdef __cplusplus
extern "C" {
#endif

const PROV_DEVICE_TRANSPORT_PROVIDER *Prov_Device_MQTT_Protocol(void);

#ifdef __cplusplus
}
#endif

#endif
