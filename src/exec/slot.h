/* The slot: the shared memory through which one worker gets tasks and returns results.
 *
 * One memfd per worker, sealed against shrinking and growing (a worker that could truncate it would
 * crash the daemon). The worker maps the first part for reading only. All areas are a multiple of
 * 64 KiB, the largest page size in use.
 *
 *   offset       size     worker   content
 *   0            64 KiB   read     request: what to run (struct p2_slot_request)
 *   64 KiB       1 MiB    read     result under test (check and canonical)
 *   64 KiB+1 MiB 1 MiB    read     input; tasks are placed from the end, so that reading beyond
 *                                  the last input byte meets a guard page
 *   64 KiB+2 MiB 64 KiB   write    reply: how it went (struct p2_slot_reply)
 *   128 KiB+2MiB 1 MiB    write    output; placed from the end, as input is
 *
 * Protocol: the daemon fills entries, p2_slot_publish stores a new sequence number, the daemon
 * signals the worker's eventfd; the worker runs the entries, writes outcomes, stores the same
 * sequence number, signals back. The numbers are native-endian and the structs are not a wire
 * format: both ends are the same program.
 *
 * Trust: the request is the daemon's alone. The reply is hostile: p2_slot_collect reads every
 * field once, compares it with what the daemon itself asked for, and only then copies bytes out.
 * No pointer, offset or capacity is ever taken from the worker.
 *
 * Thread: an object belongs to one thread. */
#ifndef P2_EXEC_SLOT_H
#define P2_EXEC_SLOT_H

#include "exec/limits.h"
#include "exec/task.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define P2_SLOT_AREA_BYTES   (64u << 10)
#define P2_SLOT_RESULT_BYTES P2C2R_OUTPUT_MAX
#define P2_SLOT_INPUT_BYTES  P2C2R_INPUT_MAX
#define P2_SLOT_OUTPUT_BYTES P2C2R_OUTPUT_MAX

#define P2_SLOT_RESULT_AT (P2_SLOT_AREA_BYTES)
#define P2_SLOT_INPUT_AT  (P2_SLOT_RESULT_AT + P2_SLOT_RESULT_BYTES)
#define P2_SLOT_REPLY_AT  (P2_SLOT_INPUT_AT + P2_SLOT_INPUT_BYTES)
#define P2_SLOT_OUTPUT_AT (P2_SLOT_REPLY_AT + P2_SLOT_AREA_BYTES)
#define P2_SLOT_BYTES     (P2_SLOT_OUTPUT_AT + P2_SLOT_OUTPUT_BYTES)

/* Where one blob of a task lies in the authority's blob memory. */
struct p2_slot_blob {
    uint64_t offset; /* bytes */
    uint64_t size;   /* bytes */
};

/* One task of a hand-over. Offsets are relative to their area. */
struct p2_slot_entry {
    uint32_t kernel;
    uint32_t operation;
    uint64_t secret;
    uint32_t input_offset, input_size;
    uint32_t result_offset, result_size;
    uint32_t output_offset, output_capacity;
    uint32_t blob_count;
    uint32_t reserved; /* zero */
    struct p2_slot_blob blobs[P2C2R_BLOBS_MAX];
};

struct p2_slot_request {
    uint64_t generation;       /* of the worker that is meant */
    _Atomic uint64_t sequence; /* of this hand-over; stored last */
    uint32_t count;            /* entries in use */
    uint32_t reserved;         /* zero */
    struct p2_slot_entry entries[P2_BATCH_MAX];
};

struct p2_slot_outcome_raw {
    uint64_t size;  /* bytes of output */
    int32_t status; /* enum p2c2r_kernel_status */
    uint32_t reserved;
};

struct p2_slot_reply {
    uint64_t generation;       /* echoed */
    _Atomic uint64_t sequence; /* echoed, stored last; P2_SLOT_READY after lock-down */
    uint32_t features;         /* with P2_SLOT_READY: the lock-down report */
    uint32_t failed_step;
    int32_t failed_errno;
    uint32_t count; /* outcomes, equal to the request's */
    struct p2_slot_outcome_raw outcomes[P2_BATCH_MAX];
};
_Static_assert(sizeof(struct p2_slot_request) <= P2_SLOT_AREA_BYTES, "the request fits its area");
_Static_assert(sizeof(struct p2_slot_reply) <= P2_SLOT_AREA_BYTES, "the reply fits its area");

/* The reply sequence of a worker that is locked down and waits for its first task. */
#define P2_SLOT_READY UINT64_MAX

/* The daemon's end. Opaque in spirit; embedded in a seat by value to save an allocation. */
struct p2_slot {
    int fd;               /* the memfd, -1 when absent */
    uint8_t *map;         /* P2_SLOT_BYTES, read and write */
    uint64_t generation;  /* of the worker now served */
    uint64_t sequence;    /* of the last hand-over */
    uint32_t count;       /* entries of the hand-over being filled or under way */
    uint32_t input_used;  /* bytes of the input area in use, from its end */
    uint32_t result_used; /* bytes of the result area in use, from its start */
    uint32_t output_used; /* bytes of the output area in use, from its end */
    struct {
        uint32_t output_offset, output_capacity; /* our own copy: the request is not read back */
    } entries[P2_BATCH_MAX];
};

/* What one task of a collected hand-over came to. */
struct p2_slot_outcome {
    int status;            /* enum p2c2r_kernel_status, in its range */
    struct p2_span output; /* into the buffer given to p2_slot_collect */
};

/* Makes the memfd and maps it. P2_E_NOMEM, P2_E_UNSUPPORTED when it cannot be sealed. */
int p2_slot_open(struct p2_slot *slot);

/* Unmaps and closes. Accepts a slot that is closed or zeroed with fd -1. */
void p2_slot_close(struct p2_slot *slot);

/* Gives all pages back to the system, so that every byte reads as zero. The worker must be dead:
 * it would see, and could write, the fresh pages. P2_E_IO. */
int p2_slot_wipe(struct p2_slot *slot);

/* Announces the worker that is served from now on and forgets the old one's replies. */
void p2_slot_serve(struct p2_slot *slot, uint64_t generation);

/* Starts an empty hand-over. */
void p2_slot_begin(struct p2_slot *slot);

/* Copies `task` into the hand-over. blobs[task->blob_count] are its blobs' places; the capacity is
 * in bytes, at most P2_SLOT_OUTPUT_BYTES. P2_E_FULL when the hand-over has no room for it,
 * P2_E_TOO_BIG when no hand-over ever has. Cost: the input's bytes. */
int p2_slot_add(struct p2_slot *slot, const struct p2_exec_task *task,
                const struct p2_slot_blob *blobs, size_t output_capacity);

/* Makes the hand-over visible to the worker. The caller then signals it. */
void p2_slot_publish(struct p2_slot *slot);

/* True when the worker has stored P2_SLOT_READY; the report goes to `ret_features`. */
bool p2_slot_is_ready(const struct p2_slot *slot, uint32_t *ret_features);

/* True when the worker says that it has answered the published hand-over. */
bool p2_slot_has_answer(const struct p2_slot *slot);

/* Takes the answer of the published hand-over: outcomes[slot->count] are written and the outputs
 * copied to buffer[P2_SLOT_OUTPUT_BYTES]. P2_E_AGAIN when the worker has not answered,
 * P2_E_MALFORMED when its answer cannot be true; then nothing is written. */
int p2_slot_collect(struct p2_slot *slot, struct p2_slot_outcome outcomes[P2_BATCH_MAX],
                    uint8_t *buffer);

/* ---- the worker's end ---------------------------------------------------------------------- */

/* The worker's view: each area between guard pages, request, result and input not writable. */
struct p2_slot_view {
    const struct p2_slot_request *request;
    const uint8_t *result;
    const uint8_t *input;
    struct p2_slot_reply *reply;
    uint8_t *output;
};

/* Maps the slot behind `fd`. The mapping lasts as long as the process. P2_E_NOMEM. */
int p2_slot_view_open(struct p2_slot_view *view, int fd);

#endif
