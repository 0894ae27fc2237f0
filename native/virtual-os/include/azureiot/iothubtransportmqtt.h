/** MQTT over TLS. */
#ifndef AZUREIOT_IOTHUBTRANSPORTMQTT_H
#define AZUREIOT_IOTHUBTRANSPORTMQTT_H

#include "iothub_transport_ll.h"

#ifdef __cplusplus
extern "C" {
#endif

const TRANSPORT_PROVIDER *MQTT_Protocol(void);

#ifdef __cplusplus
}
#endif

#endif
