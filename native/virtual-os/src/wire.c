#include "wire.h"

#include <stdlib.h>
#include <string.h>

void wire_put_bytes(struct wire_writer *writer, const void *bytes, size_t length)
{
    if (writer->overflow || length > writer->capacity - writer->length) {
        writer->overflow = true;
        return;
    }
    if (length > 0) {
        memcpy(writer->data + writer->length, bytes, length);
    }
    writer->length += length;
}

void wire_put_u8(struct wire_writer *writer, uint8_t value)
{
    wire_put_bytes(writer, &value, 1);
}

void wire_put_u16(struct wire_writer *writer, uint16_t value)
{
    const uint8_t bytes[2] = { (uint8_t)(value & 0xff), (uint8_t)(value >> 8) };
    wire_put_bytes(writer, bytes, sizeof bytes);
}

void wire_put_u32(struct wire_writer *writer, uint32_t value)
{
    wire_put_u16(writer, (uint16_t)(value & 0xffff));
    wire_put_u16(writer, (uint16_t)(value >> 16));
}

void wire_put_text(struct wire_writer *writer, const char *text)
{
    size_t length = strlen(text);
    if (length > UINT16_MAX) {
        writer->overflow = true;
        return;
    }
    wire_put_u16(writer, (uint16_t)length);
    wire_put_bytes(writer, text, length);
}

static struct wire_span take(struct wire_reader *reader, size_t length)
{
    struct wire_span span = { reader->data, 0 };
    if (reader->underflow || length > reader->left) {
        reader->underflow = true;
        return span;
    }
    span.length = length;
    reader->data += length;
    reader->left -= length;
    return span;
}

uint16_t wire_get_u16(struct wire_reader *reader)
{
    struct wire_span span = take(reader, 2);
    if (span.length != 2) {
        return 0;
    }
    uint32_t value = (uint32_t)span.data[0] | (uint32_t)span.data[1] << 8;
    return (uint16_t)value;
}

uint32_t wire_get_u32(struct wire_reader *reader)
{
    uint32_t low = wire_get_u16(reader);
    return low | (uint32_t)wire_get_u16(reader) << 16;
}

struct wire_span wire_get_text(struct wire_reader *reader)
{
    return take(reader, wire_get_u16(reader));
}

struct wire_span wire_get_rest(struct wire_reader *reader)
{
    return take(reader, reader->left);
}

bool wire_complete(const struct wire_reader *reader)
{
    return !reader->underflow && reader->left == 0;
}

char *wire_copy_text(struct wire_span span)
{
    if (span.length > 0 && memchr(span.data, 0, span.length) != NULL) {
        return NULL;
    }
    char *text = malloc(span.length + 1);
    if (text != NULL) {
        if (span.length > 0) {
            memcpy(text, span.data, span.length);
        }
        text[span.length] = '\0';
    }
    return text;
}
