/** Properties of messages between the app's `name=value&…`, percent-encoded, and libazureiot's. */
#ifndef SPHERULE_PROPERTIES_H
#define SPHERULE_PROPERTIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iothub_message.h>

/** So much the client takes for certain; the ABI tells apps. */
#define MOST_PROPERTIES 64u
#define LONGEST_PROPERTIES 16384

/**
 * Whether the client will take a text, however often it is asked: only what may stand in an MQTT
 * topic, percent-encoded UTF-8 without a zero byte, and not too much of it.
 * @return 0, -EINVAL or -EMSGSIZE
 */
int properties_check(const char *text, size_t length);

/** @param text that `properties_check` let pass @return 0, or -EAGAIN without memory */
int properties_set(IOTHUB_MESSAGE_HANDLE message, const char *text, size_t length);

/** Writes what of it fits into `out`. @return the length of the whole */
size_t properties_get(IOTHUB_MESSAGE_HANDLE message, char *out, size_t capacity);

#endif
