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

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    char lower = (char)(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/** Where a sequence of UTF-8 stands: so many bytes are missing, and the next has to lie between. */
struct sequence {
    int missing;
    int low;
    int high;
};

/** Strict, as V8's decodeURIComponent: no surrogates, nothing that a shorter form would do. */
static bool take_utf8(struct sequence *sequence, int byte)
{
    if (sequence->missing > 0) {
        bool fits = byte >= sequence->low && byte <= sequence->high;
        *sequence = (struct sequence){ sequence->missing - 1, 0x80, 0xbf };
        return fits;
    }
    sequence->low = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
    sequence->high = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
    sequence->missing = byte < 0x80 ? 0 : byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    return byte < 0x80 || (byte >= 0xc2 && byte <= 0xf4);
}

int properties_check(const char *text, size_t length)
{
    struct sequence sequence = { 0, 0, 0 };
    size_t pairs = 1;
    for (size_t index = 0; index < length; index++) {
        int byte = (unsigned char)text[index];
        if (byte == '\0' ||
            (strchr(letters, byte) == NULL && strchr("_-.~%&=$!'()*,:;@", byte) == NULL)) {
            return -EINVAL;
        }
        pairs += byte == '&' ? 1 : 0;
        if (byte == '%') {
            int high = length - index > 2 ? hex_digit(text[index + 1]) : -1;
            int low = high < 0 ? -1 : hex_digit(text[index + 2]);
            byte = low < 0 ? 0 : high << 4 | low;
            index += 2;
        }
        if (byte == 0 || !take_utf8(&sequence, byte)) {
            return -EINVAL;
        }
    }
    if (sequence.missing > 0) {
        return -EINVAL;
    }
    return pairs > MOST_PROPERTIES || length > LONGEST_PROPERTIES ? -EMSGSIZE : 0;
}

/** Decodes in place what was checked before. */
static void decode(char *text)
{
    char *out = text;
    for (const char *in = text; *in != '\0'; in++) {
        if (*in == '%') {
            *out++ = (char)(hex_digit(in[1]) << 4 | hex_digit(in[2]));
            in += 2;
        } else {
            *out++ = *in;
        }
    }
    *out = '\0';
}

static int set_pair(IOTHUB_MESSAGE_HANDLE message, char *pair)
{
    char *equals = strchr(pair, '=');
    char *value = equals == NULL ? pair + strlen(pair) : equals + 1;
    if (equals != NULL) {
        *equals = '\0';
    }
    decode(pair);
    decode(value);
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
        result = *pair == '\0' ? 0 : set_pair(message, pair);
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
