/** Properties of messages between the app's `name=value&…`, percent-encoded, and libazureiot's. */
#ifndef SPHERULE_PROPERTIES_H
#define SPHERULE_PROPERTIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iothub_message.h>

/** Only what may stand in an MQTT topic, percent-encoded. */
bool properties_are_valid(const char *text, size_t length);

/** @return 0, -EINVAL for a bad escape or a zero byte, -EAGAIN without memory */
int properties_set(IOTHUB_MESSAGE_HANDLE message, const char *text, size_t length);

/** Writes what of it fits into `out`. @return the length of the whole */
size_t properties_get(IOTHUB_MESSAGE_HANDLE message, char *out, size_t capacity);

#endif
