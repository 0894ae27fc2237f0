#define _GNU_SOURCE
#include "runtime.h"

#include <stdio.h>
#include <string.h>

#include <applibs/log.h>

#include "frames.h"

#define LONGEST_TEXT 512u
/** For a half of a pair, which UTF-8 cannot have. */
#define REPLACEMENT 0xfffdu

/** Tells tools from which wasm the program was made; they look for the first words in the file. */
static const char build_mark[] = "spherule-wasm:" WASM_BUILD_ID;
static const char *const build_id = build_mark + sizeof "spherule-wasm:" - 1;

/** The generated code calls it: nothing of the app may run afterwards. */
_Noreturn void wasm_trap(uint32_t kind, uint32_t site)
{
    Log_Debug("[trap] %u %u %.16s\n", (unsigned)kind, (unsigned)site, build_id);
    frames_log(build_id);
    rt_leave((int)kind);
}

/** @return the bytes that a code point takes */
static size_t put_utf8(char *out, uint32_t point)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xc0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3f));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xe0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3f));
        out[2] = (char)(0x80 | (point & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3f));
    out[2] = (char)(0x80 | (point >> 6 & 0x3f));
    out[3] = (char)(0x80 | (point & 0x3f));
    return 4;
}

static uint32_t unit_at(const uint8_t *units, uint32_t index)
{
    return (uint32_t)units[2 * index] | (uint32_t)units[2 * index + 1] << 8;
}

/**
 * A string of AssemblyScript as UTF-8: UTF-16, its byte length in the word before it. What does not
 * lie in the memory gives an empty text, what is too long is cut, and a zero ends it.
 */
static void managed_text(int32_t at, char *out, size_t capacity)
{
    out[0] = '\0';
    const uint8_t *header = at < 4 ? NULL : wasm_range((uint32_t)at - 4, 4);
    if (header == NULL) {
        return;
    }
    uint32_t bytes = unit_at(header, 0) | unit_at(header, 1) << 16;
    const uint8_t *units = wasm_range((uint32_t)at, bytes);
    size_t length = 0;
    for (uint32_t index = 0; units != NULL && index < bytes / 2 && length + 4 < capacity; index++) {
        uint32_t unit = unit_at(units, index);
        uint32_t next = index + 1 < bytes / 2 ? unit_at(units, index + 1) : 0;
        if (unit >= 0xd800 && unit < 0xdc00 && next >= 0xdc00 && next < 0xe000) {
            unit = 0x10000 + ((unit - 0xd800) << 10) + (next - 0xdc00);
            index++;
        } else if (unit >= 0xd800 && unit < 0xe000) {
            unit = REPLACEMENT;
        }
        length += put_utf8(out + length, unit);
    }
    out[length] = '\0';
}

_Noreturn void host_env_abort(int32_t message, int32_t file, int32_t line, int32_t column)
{
    char what[LONGEST_TEXT];
    char where[LONGEST_TEXT];
    managed_text(message, what, sizeof what);
    managed_text(file, where, sizeof where);
    Log_Debug("[abort] %s:%d:%d %s\n", where, (int)line, (int)column, what);
    frames_log(build_id);
    rt_leave(RT_EXIT_ABORT);
}
