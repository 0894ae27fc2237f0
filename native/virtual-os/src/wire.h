/**
 * Payloads of the protocol (docs/virtual-os-protocol.md): little endian, read and written field by
 * field. A writer that is full and a reader that is empty stay so and say it at the end: callers
 * check once.
 */
#ifndef VIRTUAL_OS_WIRE_H
#define VIRTUAL_OS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_writer {
    uint8_t *data;
    size_t capacity;
    size_t length;
    bool overflow;
};

struct wire_reader {
    const uint8_t *data;
    size_t left;
    bool underflow;
};

/** A text or bytes inside a payload; not terminated. */
struct wire_span {
    const uint8_t *data;
    size_t length;
};

void wire_put_u8(struct wire_writer *writer, uint8_t value);
void wire_put_u16(struct wire_writer *writer, uint16_t value);
void wire_put_u32(struct wire_writer *writer, uint32_t value);
void wire_put_bytes(struct wire_writer *writer, const void *bytes, size_t length);
/** A length of 16 bits and the text; longer texts overflow. */
void wire_put_text(struct wire_writer *writer, const char *text);

uint16_t wire_get_u16(struct wire_reader *reader);
uint32_t wire_get_u32(struct wire_reader *reader);
struct wire_span wire_get_text(struct wire_reader *reader);
struct wire_span wire_get_rest(struct wire_reader *reader);
/** Everything was there, and nothing is left. */
bool wire_complete(const struct wire_reader *reader);

/** @return a terminated copy from malloc, or NULL without memory or with a zero byte inside */
char *wire_copy_text(struct wire_span span);

#endif
