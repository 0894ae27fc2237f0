/** Messages of the IoT Hub client, and their properties as they are on the wire. */
#ifndef VIRTUAL_OS_MESSAGE_H
#define VIRTUAL_OS_MESSAGE_H

#include <stdbool.h>

#include <iothub_message.h>

#include "wire.h"

/**
 * The properties as `name=value&…`, the app's first, then the system's (`%24.mid` …).
 * @return a text from malloc, or NULL without memory or above 65,535 bytes
 */
char *message_properties(IOTHUB_MESSAGE_HANDLE message, bool encode);

/** A message from the wire. @return NULL without memory, or when a property is not well-formed */
IOTHUB_MESSAGE_HANDLE message_from_wire(struct wire_span properties, struct wire_span body);

#endif
