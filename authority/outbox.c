/* Effects: a plain array, filled by one step and emptied by the shell. */
#include "authority/outbox.h"

#include "wire/encode.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of a message besides its input and handles: numbers and heads; see wire/schema.h. */
#define MESSAGE_OVERHEAD 256u

int p2_outbox_init(struct p2_outbox *outbox, uint32_t capacity)
{
    memset(outbox, 0, sizeof *outbox);
    outbox->items = calloc(capacity, sizeof *outbox->items);
    if (outbox->items == NULL) {
        return P2_E_NOMEM;
    }
    outbox->capacity = capacity;
    return P2_OK;
}

void p2_outbox_free(struct p2_outbox *outbox)
{
    free(outbox->items);
    memset(outbox, 0, sizeof *outbox);
}

void p2_outbox_clear(struct p2_outbox *outbox)
{
    outbox->count = 0;
}

uint32_t p2_outbox_room(const struct p2_outbox *outbox)
{
    return outbox->capacity - outbox->count;
}

struct p2_effect *p2_outbox_add(struct p2_outbox *outbox, enum p2_effect_type type)
{
    P2_ASSERT(outbox->count < outbox->capacity);
    struct p2_effect *effect = &outbox->items[outbox->count++];
    if (outbox->count > outbox->peak) {
        outbox->peak = outbox->count;
    }
    memset(effect, 0, sizeof *effect);
    effect->type = type;
    return effect;
}

const char *p2_effect_name(enum p2_effect_type type)
{
    static const char *const names[] = {
        [P2_EFFECT_ACCEPT] = "ACCEPT",   [P2_EFFECT_DENIED] = "DENIED",
        [P2_EFFECT_LEASE] = "LEASE",     [P2_EFFECT_CANCEL] = "CANCEL",
        [P2_EFFECT_BLOB] = "BLOB",       [P2_EFFECT_BLOB_DROP] = "BLOB_DROP",
        [P2_EFFECT_CLOSE] = "CLOSE",     [P2_EFFECT_CHECK] = "CHECK",
        [P2_EFFECT_COMPUTE] = "COMPUTE", [P2_EFFECT_COMPUTE_CANCEL] = "COMPUTE_CANCEL",
        [P2_EFFECT_AUDIT] = "AUDIT",     [P2_EFFECT_LATE] = "LATE",
        [P2_EFFECT_STRIKE] = "STRIKE",   [P2_EFFECT_INTEGRITY] = "INTEGRITY",
        [P2_EFFECT_PROVEN] = "PROVEN",   [P2_EFFECT_JOURNAL] = "JOURNAL",
        [P2_EFFECT_FRAME] = "FRAME",
    };
    return names[type];
}

static int encode_lease(const struct p2_effect *effect, struct p2_writer *writer)
{
    struct p2_msg_lease msg = {
        .id = effect->lease,
        .kernel = effect->place,
        .version = effect->version,
        .flags = effect->flags,
        .budget_us = effect->budget_us,
        .output_max = effect->output_max,
        .blobs_count = effect->handle_count,
        .input = effect->input,
    };
    if (effect->handle_count > P2_WIRE_BLOBS_MAX) {
        return P2_E_INVALID;
    }
    for (uint32_t i = 0; i < effect->handle_count; i++) {
        msg.blobs[i] = effect->handles[i];
    }
    return p2_wire_encode_lease(writer, &msg);
}

static int encode_drop(const struct p2_effect *effect, struct p2_writer *writer)
{
    struct p2_msg_blob_drop msg = {.handles_count = 1, .handles = {effect->handle}};
    return p2_wire_encode_blob_drop(writer, &msg);
}

static int encode_denied(const struct p2_effect *effect, struct p2_writer *writer)
{
    static const char *const texts[] = {
        [P2_DENIED_REASON_TASK_DATA_ONLY] = "you only get task data",
        [P2_DENIED_REASON_MALFORMED] = "the message does not follow the format",
        [P2_DENIED_REASON_PROTOCOL] = "the protocol version is not supported",
        [P2_DENIED_REASON_IDENTITY] = "the id is not the key of the handshake",
        [P2_DENIED_REASON_TOKEN] = "no valid invite, and not configured",
        [P2_DENIED_REASON_PUZZLE] = "the identity puzzle is not solved",
        [P2_DENIED_REASON_KERNELS] = "no kernel in common",
        [P2_DENIED_REASON_BANNED] = "banned",
        [P2_DENIED_REASON_FULL] = "no room for another helper",
        [P2_DENIED_REASON_RATE] = "too many messages",
        [P2_DENIED_REASON_PRICE] = "the price is above the host's limit",
        [P2_DENIED_REASON_STRIKES] = "too many protocol errors within an hour",
    };
    const char *text = texts[effect->denied];
    struct p2_msg_denied msg = {
        .reason = effect->denied,
        .text = p2_span(text, strlen(text)),
        .retry_s = effect->retry_s,
    };
    return p2_wire_encode_denied(writer, &msg);
}

static int encode_accept(const struct p2_effect *effect, const struct p2_effect_terms *terms,
                         struct p2_writer *writer)
{
    struct p2_msg_accept msg = {
        .protocol = P2_WIRE_PROTOCOL,
        .kernels = effect->kernels,
        .window = effect->window,
        .cache_bytes = effect->cache_bytes,
        .mode = terms->mode,
        .price = terms->price,
        .ping_ms = terms->ping_ms,
        .receipt = terms->receipt,
    };
    return p2_wire_encode_accept(writer, &msg);
}

int p2_effect_encode(const struct p2_effect *effect, const struct p2_effect_terms *terms,
                     struct p2_writer *writer, uint8_t *ret_type)
{
    int error = P2_E_INVALID;
    uint8_t type = 0;
    if (effect->type == P2_EFFECT_LEASE) {
        type = P2_MSG_LEASE;
        error = encode_lease(effect, writer);
    } else if (effect->type == P2_EFFECT_CANCEL) {
        struct p2_msg_cancel msg = {.id = effect->lease};
        type = P2_MSG_CANCEL;
        error = p2_wire_encode_cancel(writer, &msg);
    } else if (effect->type == P2_EFFECT_BLOB) {
        struct p2_msg_blob msg = {.handle = effect->handle, .data = effect->input};
        type = P2_MSG_BLOB;
        error = p2_wire_encode_blob(writer, &msg);
    } else if (effect->type == P2_EFFECT_BLOB_DROP) {
        type = P2_MSG_BLOB_DROP;
        error = encode_drop(effect, writer);
    } else if (effect->type == P2_EFFECT_DENIED) {
        type = P2_MSG_DENIED;
        error = encode_denied(effect, writer);
    } else if (effect->type == P2_EFFECT_ACCEPT) {
        type = P2_MSG_ACCEPT;
        error = encode_accept(effect, terms, writer);
    }
    if (error == P2_OK) {
        *ret_type = type;
    }
    return error;
}

size_t p2_effect_bound(const struct p2_effect *effect)
{
    return MESSAGE_OVERHEAD + 5u * effect->handle_count + effect->input.size;
}
