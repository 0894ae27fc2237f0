#include "outgoing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"

struct outgoing *outgoing_add(struct outgoing_queue *queue, enum outgoing_kind kind,
                              const unsigned char *bytes, size_t length)
{
    struct outgoing *item = malloc(sizeof *item + length);
    if (item == NULL) {
        return NULL;
    }
    memset(item, 0, sizeof *item);
    item->kind = kind;
    item->id = ++queue->last_id;
    item->length = length;
    if (length > 0) {
        memcpy(item->bytes, bytes, length);
    }
    struct outgoing **link = &queue->first;
    while (*link != NULL) {
        link = &(*link)->next;
    }
    *link = item;
    return item;
}

static int send_item(const struct outgoing *item, int fd)
{
    const char *properties = item->properties == NULL ? "" : item->properties;
    size_t capacity = 4 + 2 + strlen(properties);
    uint8_t *head = malloc(capacity);
    if (head == NULL) {
        return -ENOMEM;
    }
    struct wire_writer writer = { head, capacity, 0, false };
    wire_put_u32(&writer, item->id);
    if (item->kind == OUTGOING_TELEMETRY) {
        wire_put_text(&writer, properties);
    }
    uint16_t kind = item->kind == OUTGOING_TELEMETRY ? FRAME_TELEMETRY : FRAME_REPORT;
    struct channel_frame frame = { kind, head, writer.length, item->bytes, item->length };
    int result = writer.overflow ? -EMSGSIZE : channel_send(fd, &frame);
    free(head);
    return result;
}

int outgoing_send_all(struct outgoing_queue *queue, int fd)
{
    for (struct outgoing *item = queue->first; item != NULL; item = item->next) {
        if (item->sent) {
            continue;
        }
        int result = send_item(item, fd);
        if (result < 0) {
            return result;
        }
        item->sent = true;
    }
    return 0;
}

void outgoing_unsend_all(struct outgoing_queue *queue)
{
    for (struct outgoing *item = queue->first; item != NULL; item = item->next) {
        item->sent = false;
    }
}

struct outgoing *outgoing_take(struct outgoing_queue *queue, enum outgoing_kind kind, uint32_t id)
{
    for (struct outgoing **link = &queue->first; *link != NULL; link = &(*link)->next) {
        struct outgoing *item = *link;
        if (item->kind == kind && item->id == id && item->sent) {
            *link = item->next;
            return item;
        }
    }
    return NULL;
}

struct outgoing *outgoing_take_first(struct outgoing_queue *queue)
{
    struct outgoing *item = queue->first;
    if (item != NULL) {
        queue->first = item->next;
    }
    return item;
}

void outgoing_free(struct outgoing *item)
{
    if (item != NULL) {
        free(item->properties);
        free(item);
    }
}
