#define _GNU_SOURCE
#include "properties.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/** The oldest API sets of Azure Sphere lack these two: there a message shows its system properties
 * only. */
#pragma weak IoTHubMessage_Properties
#pragma weak Map_GetInternals

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

struct system_property {
    const char *name;
    const char *(*get)(IOTHUB_MESSAGE_HANDLE message);
    IOTHUB_MESSAGE_RESULT (*set)(IOTHUB_MESSAGE_HANDLE message, const char *value);
};

static const struct system_property system_properties[] = {
    { "$.mid", IoTHubMessage_GetMessageId, IoTHubMessage_SetMessageId },
    { "$.cid", IoTHubMessage_GetCorrelationId, IoTHubMessage_SetCorrelationId },
    { "$.ct", IoTHubMessage_GetContentTypeSystemProperty,
      IoTHubMessage_SetContentTypeSystemProperty },
    { "$.ce", IoTHubMessage_GetContentEncodingSystemProperty,
      IoTHubMessage_SetContentEncodingSystemProperty },
};
#define SYSTEM_PROPERTIES (sizeof system_properties / sizeof system_properties[0])

bool properties_are_valid(const char *text, size_t length)
{
    for (size_t index = 0; index < length; index++) {
        char byte = text[index];
        if (byte == '\0' ||
            (strchr(letters, byte) == NULL && strchr("_-.~%&=$!'()*,:;@", byte) == NULL)) {
            return false;
        }
    }
    return true;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    char lower = (char)(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/** Decodes in place. @return false for a bad escape or a zero byte */
static bool decode(char *text)
{
    char *out = text;
    for (const char *in = text; *in != '\0'; in++) {
        int byte = (unsigned char)*in;
        if (*in == '%') {
            int high = hex_digit(in[1]);
            int low = high < 0 ? -1 : hex_digit(in[2]);
            byte = low < 0 ? 0 : high << 4 | low;
            in += 2;
        }
        if (byte == 0) {
            return false;
        }
        *out++ = (char)byte;
    }
    *out = '\0';
    return true;
}

static int set_pair(IOTHUB_MESSAGE_HANDLE message, char *pair)
{
    char *equals = strchr(pair, '=');
    char *value = equals == NULL ? pair + strlen(pair) : equals + 1;
    if (equals != NULL) {
        *equals = '\0';
    }
    if (!decode(pair) || !decode(value)) {
        return -EINVAL;
    }
    for (size_t index = 0; index < SYSTEM_PROPERTIES; index++) {
        if (strcmp(pair, system_properties[index].name) == 0) {
            return system_properties[index].set(message, value) == IOTHUB_MESSAGE_OK ? 0 : -EAGAIN;
        }
    }
    return IoTHubMessage_SetProperty(message, pair, value) == IOTHUB_MESSAGE_OK ? 0 : -EAGAIN;
}

int properties_set(IOTHUB_MESSAGE_HANDLE message, const char *text, size_t length)
{
    char *copy = malloc(length + 1);
    if (copy == NULL) {
        return -EAGAIN;
    }
    if (length > 0) {
        memcpy(copy, text, length);
    }
    copy[length] = '\0';
    int result = 0;
    char *rest = copy;
    while (result == 0 && rest != NULL && *rest != '\0') {
        char *pair = strsep(&rest, "&");
        result = set_pair(message, pair);
    }
    free(copy);
    return result;
}

struct sink {
    char *out;
    size_t capacity;
    size_t length;
};

static void put(struct sink *sink, char byte)
{
    if (sink->length < sink->capacity) {
        sink->out[sink->length] = byte;
    }
    sink->length++;
}

static void put_encoded(struct sink *sink, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (const char *at = text; *at != '\0'; at++) {
        if (strchr(letters, *at) != NULL || strchr("-_.~", *at) != NULL) {
            put(sink, *at);
        } else {
            put(sink, '%');
            put(sink, digits[(unsigned char)*at >> 4]);
            put(sink, digits[(unsigned char)*at & 15]);
        }
    }
}

static void put_pair(struct sink *sink, const char *name, const char *value)
{
    if (sink->length > 0) {
        put(sink, '&');
    }
    put_encoded(sink, name);
    put(sink, '=');
    put_encoded(sink, value);
}

size_t properties_get(IOTHUB_MESSAGE_HANDLE message, char *out, size_t capacity)
{
    struct sink sink = { out, capacity, 0 };
    for (size_t index = 0; index < SYSTEM_PROPERTIES; index++) {
        const char *value = system_properties[index].get(message);
        if (value != NULL) {
            put_pair(&sink, system_properties[index].name, value);
        }
    }
    const char *const *names = NULL;
    const char *const *values = NULL;
    size_t count = 0;
    if (IoTHubMessage_Properties != NULL && Map_GetInternals != NULL &&
        Map_GetInternals(IoTHubMessage_Properties(message), &names, &values, &count) == MAP_OK) {
        for (size_t index = 0; index < count; index++) {
            put_pair(&sink, names[index], values[index]);
        }
    }
    return sink.length;
}
