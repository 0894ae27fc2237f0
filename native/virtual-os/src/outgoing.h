/** What a hub client still has to send, or waits to be confirmed: in order, oldest first. */
#ifndef VIRTUAL_OS_OUTGOING_H
#define VIRTUAL_OS_OUTGOING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iothub_client_core_common.h>

enum outgoing_kind { OUTGOING_TELEMETRY, OUTGOING_REPORT };

struct outgoing {
    struct outgoing *next;
    enum outgoing_kind kind;
    uint32_t id;
    bool sent;
    IOTHUB_CLIENT_EVENT_CONFIRMATION_CALLBACK confirmed;
    IOTHUB_CLIENT_REPORTED_STATE_CALLBACK reported;
    void *context;
    /** Telemetry: properties from malloc. */
    char *properties;
    size_t length;
    uint8_t bytes[];
};

struct outgoing_queue {
    struct outgoing *first;
    uint32_t last_id;
};

/** A copy of the bytes at the end of the queue. @return NULL without memory */
struct outgoing *outgoing_add(struct outgoing_queue *queue, enum outgoing_kind kind,
                              const unsigned char *bytes, size_t length);

/** Sends what was not sent yet. @return 0 or a negative errno of the channel */
int outgoing_send_all(struct outgoing_queue *queue, int fd);

/** The connection was lost: everything has to be sent again. */
void outgoing_unsend_all(struct outgoing_queue *queue);

/** Takes out what was sent under that id. @return NULL when there is no such */
struct outgoing *outgoing_take(struct outgoing_queue *queue, enum outgoing_kind kind, uint32_t id);

/** Takes out the first. @return NULL when the queue is empty */
struct outgoing *outgoing_take_first(struct outgoing_queue *queue);

void outgoing_free(struct outgoing *item);

#endif
