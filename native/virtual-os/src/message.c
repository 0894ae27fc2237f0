#define _GNU_SOURCE
#include "message.h"

#include <iothub_message.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MOST_PROPERTIES 64u

enum system_property { MESSAGE_ID, CORRELATION_ID, CONTENT_TYPE, CONTENT_ENCODING, SYSTEM_COUNT };

static const char *const system_names[SYSTEM_COUNT] = { "$.mid", "$.cid", "$.ct", "$.ce" };

/** Keys and values apart, as Map_GetInternals hands them out. */
struct MAP_HANDLE_DATA_TAG {
    char *keys[MOST_PROPERTIES];
    char *values[MOST_PROPERTIES];
    size_t count;
};

struct IOTHUB_MESSAGE_HANDLE_DATA_TAG {
    unsigned char *bytes;
    size_t size;
    bool is_text;
    char *system[SYSTEM_COUNT];
    struct MAP_HANDLE_DATA_TAG map;
};

static IOTHUB_MESSAGE_HANDLE create(const void *bytes, size_t size, bool is_text)
{
    IOTHUB_MESSAGE_HANDLE message = calloc(1, sizeof *message);
    // One more: a text stays terminated.
    unsigned char *copy = malloc(size + 1);
    if (message == NULL || copy == NULL) {
        free(message);
        free(copy);
        return NULL;
    }
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    copy[size] = 0;
    message->bytes = copy;
    message->size = size;
    message->is_text = is_text;
    return message;
}

IOTHUB_MESSAGE_HANDLE IoTHubMessage_CreateFromByteArray(const unsigned char *byteArray, size_t size)
{
    return byteArray == NULL && size > 0 ? NULL : create(byteArray, size, false);
}

IOTHUB_MESSAGE_HANDLE IoTHubMessage_CreateFromString(const char *source)
{
    return source == NULL ? NULL : create(source, strlen(source), true);
}

void IoTHubMessage_Destroy(IOTHUB_MESSAGE_HANDLE message)
{
    if (message == NULL) {
        return;
    }
    for (size_t index = 0; index < message->map.count; index++) {
        free(message->map.keys[index]);
        free(message->map.values[index]);
    }
    for (size_t index = 0; index < SYSTEM_COUNT; index++) {
        free(message->system[index]);
    }
    free(message->bytes);
    free(message);
}

static IOTHUB_MESSAGE_RESULT set_system(IOTHUB_MESSAGE_HANDLE message,
                                        enum system_property property, const char *value)
{
    if (message == NULL || value == NULL) {
        return IOTHUB_MESSAGE_INVALID_ARG;
    }
    char *copy = strdup(value);
    if (copy == NULL) {
        return IOTHUB_MESSAGE_ERROR;
    }
    free(message->system[property]);
    message->system[property] = copy;
    return IOTHUB_MESSAGE_OK;
}

IOTHUB_MESSAGE_RESULT IoTHubMessage_SetProperty(IOTHUB_MESSAGE_HANDLE message, const char *key,
                                                const char *value)
{
    if (message == NULL || key == NULL || value == NULL) {
        return IOTHUB_MESSAGE_INVALID_ARG;
    }
    struct MAP_HANDLE_DATA_TAG *map = &message->map;
    size_t at = 0;
    while (at < map->count && strcmp(map->keys[at], key) != 0) {
        at++;
    }
    if (at == MOST_PROPERTIES) {
        return IOTHUB_MESSAGE_ERROR;
    }
    char *new_key = at < map->count ? map->keys[at] : strdup(key);
    char *new_value = strdup(value);
    if (new_key == NULL || new_value == NULL) {
        free(new_value);
        if (at == map->count) {
            free(new_key);
        }
        return IOTHUB_MESSAGE_ERROR;
    }
    free(map->values[at]);
    map->keys[at] = new_key;
    map->values[at] = new_value;
    map->count += at == map->count ? 1 : 0;
    return IOTHUB_MESSAGE_OK;
}

const char *IoTHubMessage_GetProperty(IOTHUB_MESSAGE_HANDLE message, const char *key)
{
    for (size_t index = 0; message != NULL && key != NULL && index < message->map.count; index++) {
        if (strcmp(message->map.keys[index], key) == 0) {
            return message->map.values[index];
        }
    }
    return NULL;
}

IOTHUB_MESSAGE_HANDLE IoTHubMessage_Clone(IOTHUB_MESSAGE_HANDLE message)
{
    if (message == NULL) {
        return NULL;
    }
    IOTHUB_MESSAGE_HANDLE copy = create(message->bytes, message->size, message->is_text);
    bool complete = copy != NULL;
    for (size_t index = 0; complete && index < message->map.count; index++) {
        complete = IoTHubMessage_SetProperty(copy, message->map.keys[index],
                                             message->map.values[index]) == IOTHUB_MESSAGE_OK;
    }
    for (size_t index = 0; complete && index < SYSTEM_COUNT; index++) {
        complete = message->system[index] == NULL ||
                   set_system(copy, (enum system_property)index, message->system[index]) ==
                       IOTHUB_MESSAGE_OK;
    }
    if (!complete) {
        IoTHubMessage_Destroy(copy);
        return NULL;
    }
    return copy;
}

IOTHUB_MESSAGE_RESULT IoTHubMessage_GetByteArray(IOTHUB_MESSAGE_HANDLE message,
                                                 const unsigned char **buffer, size_t *size)
{
    if (message == NULL || buffer == NULL || size == NULL) {
        return IOTHUB_MESSAGE_INVALID_ARG;
    }
    if (message->is_text) {
        return IOTHUB_MESSAGE_INVALID_TYPE;
    }
    *buffer = message->bytes;
    *size = message->size;
    return IOTHUB_MESSAGE_OK;
}

const char *IoTHubMessage_GetString(IOTHUB_MESSAGE_HANDLE message)
{
    return message != NULL && message->is_text ? (const char *)message->bytes : NULL;
}

static const char *get_system(IOTHUB_MESSAGE_HANDLE message, enum system_property property)
{
    return message == NULL ? NULL : message->system[property];
}

const char *IoTHubMessage_GetMessageId(IOTHUB_MESSAGE_HANDLE message)
{
    return get_system(message, MESSAGE_ID);
}

IOTHUB_MESSAGE_RESULT IoTHubMessage_SetMessageId(IOTHUB_MESSAGE_HANDLE message,
                                                 const char *messageId)
{
    return set_system(message, MESSAGE_ID, messageId);
}

const char *IoTHubMessage_GetCorrelationId(IOTHUB_MESSAGE_HANDLE message)
{
    return get_system(message, CORRELATION_ID);
}

IOTHUB_MESSAGE_RESULT IoTHubMessage_SetCorrelationId(IOTHUB_MESSAGE_HANDLE message,
                                                     const char *correlationId)
{
    return set_system(message, CORRELATION_ID, correlationId);
}

const char *IoTHubMessage_GetContentTypeSystemProperty(IOTHUB_MESSAGE_HANDLE message)
{
    return get_system(message, CONTENT_TYPE);
}

IOTHUB_MESSAGE_RESULT IoTHubMessage_SetContentTypeSystemProperty(IOTHUB_MESSAGE_HANDLE message,
                                                                 const char *contentType)
{
    return set_system(message, CONTENT_TYPE, contentType);
}

const char *IoTHubMessage_GetContentEncodingSystemProperty(IOTHUB_MESSAGE_HANDLE message)
{
    return get_system(message, CONTENT_ENCODING);
}

IOTHUB_MESSAGE_RESULT IoTHubMessage_SetContentEncodingSystemProperty(IOTHUB_MESSAGE_HANDLE message,
                                                                     const char *contentEncoding)
{
    return set_system(message, CONTENT_ENCODING, contentEncoding);
}

MAP_HANDLE IoTHubMessage_Properties(IOTHUB_MESSAGE_HANDLE message)
{
    return message == NULL ? NULL : &message->map;
}

MAP_RESULT Map_GetInternals(MAP_HANDLE handle, const char *const **keys, const char *const **values,
                            size_t *count)
{
    if (handle == NULL || keys == NULL || values == NULL || count == NULL) {
        return MAP_INVALIDARG;
    }
    *keys = (const char *const *)handle->keys;
    *values = (const char *const *)handle->values;
    *count = handle->count;
    return MAP_OK;
}

/** Counts only, while `out` is NULL. */
struct sink {
    char *out;
    size_t length;
};

static void put(struct sink *sink, char byte)
{
    if (sink->out != NULL) {
        sink->out[sink->length] = byte;
    }
    sink->length++;
}

static void put_encoded(struct sink *sink, const char *text, bool encode)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";
    static const char digits[] = "0123456789abcdef";
    for (const char *at = text; *at != '\0'; at++) {
        if (!encode || strchr(plain, *at) != NULL) {
            put(sink, *at);
        } else {
            put(sink, '%');
            put(sink, digits[(unsigned char)*at >> 4]);
            put(sink, digits[(unsigned char)*at & 15]);
        }
    }
}

static void put_pair(struct sink *sink, const char *key, const char *value, bool encode)
{
    if (sink->length > 0) {
        put(sink, '&');
    }
    put_encoded(sink, key, encode);
    put(sink, '=');
    put_encoded(sink, value, encode);
}

static size_t put_properties(const struct IOTHUB_MESSAGE_HANDLE_DATA_TAG *message, bool encode,
                             char *out)
{
    struct sink sink = { out, 0 };
    for (size_t index = 0; index < message->map.count; index++) {
        put_pair(&sink, message->map.keys[index], message->map.values[index], encode);
    }
    for (size_t index = 0; index < SYSTEM_COUNT; index++) {
        if (message->system[index] != NULL) {
            put_pair(&sink, system_names[index], message->system[index], encode);
        }
    }
    return sink.length;
}

char *message_properties(IOTHUB_MESSAGE_HANDLE message, bool encode)
{
    // Measured first: a text that grows could lose its end where memory is short.
    size_t length = put_properties(message, encode, NULL);
    char *text = length > UINT16_MAX ? NULL : malloc(length + 1);
    if (text != NULL) {
        put_properties(message, encode, text);
        text[length] = '\0';
    }
    return text;
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

static bool add_pair(IOTHUB_MESSAGE_HANDLE message, char *pair)
{
    char *equals = strchr(pair, '=');
    char *value = equals == NULL ? pair + strlen(pair) : equals + 1;
    if (equals != NULL) {
        *equals = '\0';
    }
    if (!decode(pair) || !decode(value)) {
        return false;
    }
    for (size_t index = 0; index < SYSTEM_COUNT; index++) {
        if (strcmp(pair, system_names[index]) == 0) {
            return set_system(message, (enum system_property)index, value) == IOTHUB_MESSAGE_OK;
        }
    }
    // The client's interface has no place for the other system properties.
    bool hidden = strncmp(pair, "$.", 2) == 0 || strncmp(pair, "iothub-", 7) == 0;
    return hidden || IoTHubMessage_SetProperty(message, pair, value) == IOTHUB_MESSAGE_OK;
}

IOTHUB_MESSAGE_HANDLE message_from_wire(struct wire_span properties, struct wire_span body)
{
    char *text = wire_copy_text(properties);
    IOTHUB_MESSAGE_HANDLE message = text == NULL ? NULL : create(body.data, body.length, false);
    bool complete = message != NULL;
    char *rest = text;
    while (complete && rest != NULL && *rest != '\0') {
        char *pair = strsep(&rest, "&");
        complete = add_pair(message, pair);
    }
    free(text);
    if (!complete) {
        IoTHubMessage_Destroy(message);
        return NULL;
    }
    return message;
}
