/** The callbacks that the hub client gets; each makes one event of the app. */
#ifndef SPHERULE_RECEIVE_H
#define SPHERULE_RECEIVE_H

#include <iothub_client_core_common.h>

IOTHUBMESSAGE_DISPOSITION_RESULT receive_message(IOTHUB_MESSAGE_HANDLE message, void *context);

void receive_twin(DEVICE_TWIN_UPDATE_STATE state, const unsigned char *payload, size_t size,
                  void *context);

int receive_method(const char *name, const unsigned char *payload, size_t size,
                   unsigned char **response, size_t *response_size, void *context);

#endif
