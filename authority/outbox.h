/* What goes into the core and what comes out: events and effects.
 *
 * The core is a function: step(state, event, now) appends effects to an outbox; the shell performs
 * them in order after the step. Nothing is called in the middle of a change except the game's
 * callbacks (session.h), which belong to the state machine.
 *
 * Ownership: an event's spans are borrowed for the step. An effect's spans point into the core's
 * memory (or into the event it answers) and are valid until the next step begins; whoever needs
 * them longer copies. `peer` is the shell's number of a link, below helpers_max; it is not used
 * again before CLOSED was stepped. `now` never goes backwards. Thread: one. */
#ifndef P2_AUTHORITY_OUTBOX_H
#define P2_AUTHORITY_OUTBOX_H

#include "authority/limits.h"
#include "base/buf.h"
#include "base/id.h"
#include "link/ip.h"
#include "wire/messages.h"

#include <stdbool.h>
#include <stdint.h>

enum p2_event_type {
    P2_EVENT_TIME,     /* nothing but `now`: at p2_core_wake, and after every pause */
    P2_EVENT_OPENED,   /* peer, ip: a link finished its handshake */
    P2_EVENT_MESSAGE,  /* peer, message, bytes: anything but PING and PONG, also HELLO */
    P2_EVENT_RTT,      /* peer, rtt_us, jitter_us: the link measured its round trip */
    P2_EVENT_CLOSED,   /* peer: the link is gone, for whatever reason */
    P2_EVENT_CHECKED,  /* lease, status, bytes: answer to CHECK. OK: bytes are the canonical result
                        * (borrowed); BAD_RESULT: refused by the kernel's check */
    P2_EVENT_COMPUTED, /* session, task, status, bytes: answer to COMPUTE, exactly one for each, also
                        * when cancelled; status P2_OK or P2_E_*; exec_us */
    P2_EVENT_INPUT,    /* session, player, sequence, bytes: one input of a player */
    P2_EVENT_CORRECT, /* session, task, tag, kernel, bytes: an audit found that the result the task was
                        * settled with is wrong; bytes are right */
    P2_EVENT_GAME, /* session: the game that runs elsewhere is done with the frame (session.h) */
    P2_EVENT_BAN   /* peer, until_us: policy (issue of trust) stops work until then */
};

struct p2_event {
    enum p2_event_type type;
    uint32_t peer;
    uint16_t session;
    uint8_t message; /* enum p2_msg_type */
    uint8_t player;
    uint8_t kernel;
    uint32_t sequence;
    uint64_t lease;
    uint64_t task;
    uint64_t tag;
    int status;
    uint32_t rtt_us;
    uint32_t jitter_us;
    uint32_t exec_us;
    uint64_t until_us;
    struct p2_ip ip;
    struct p2_span bytes;
};

enum p2_effect_type {
    /* to a helper: p2_effect_encode makes the message */
    P2_EFFECT_ACCEPT, /* peer, kernels, window, cache_bytes */
    P2_EFFECT_DENIED, /* peer, denied, retry_s */
    P2_EFFECT_LEASE, /* peer, lease, place, version, flags, budget_us, output_max, handles, input */
    P2_EFFECT_CANCEL,    /* peer, lease */
    P2_EFFECT_BLOB,      /* peer, handle, input: the content */
    P2_EFFECT_BLOB_DROP, /* peer, handle */
    P2_EFFECT_CLOSE,     /* peer, status: close the link after what was sent; CLOSED follows */
    /* work for this machine */
    P2_EFFECT_CHECK,   /* peer, lease, session, task, kernel, codec, output_max, input, result: run
                        * the kernel's check; on the loop when its bound is <= 50 us, else in the
                        * pool. CHECKED follows, whenever. */
    P2_EFFECT_COMPUTE, /* session, task, kernel, output_max, budget_us, input: run on own cores.
                        * COMPUTED follows. Blobs: keys. */
    P2_EFFECT_COMPUTE_CANCEL, /* session, task: its result is not needed; COMPUTED still follows */
    P2_EFFECT_AUDIT, /* peer, helper, lease, session, task, tag, kernel, output_max, input, result:
                      * recompute and compare, never skip; P2_EVENT_CORRECT if it differs */
    /* facts for records */
    P2_EFFECT_LATE, /* peer, lease, kernel, is_equal, is_known, codec, result: an answer after its
                          * lease ended: a free audit. is_known: the core knew the right digest and
                          * compared (raw bytes only); else digest holds it when has_digest */
    P2_EFFECT_INTEGRITY, /* peer, helper, lease, kernel: its result failed the check, or (is_known) own
                          * cores got another one: digest; got: what it sent (zero: not known); input:
                          * the task's; is_refused: it had failed the check before */
    P2_EFFECT_PROVEN,    /* the same facts: own cores got the same */
    P2_EFFECT_STRIKE,    /* peer, status: a protocol strike and its cause */
    P2_EFFECT_JOURNAL, /* session, frame, journal, task, player, sequence, depth, bytes in result */
    P2_EFFECT_FRAME    /* session, frame, record: ship it now */
};

enum p2_journal_kind {
    P2_JOURNAL_INPUT,     /* frame, player, sequence, result: the input's bytes */
    P2_JOURNAL_DEPTH,     /* frame, depth: from this frame's tick on */
    P2_JOURNAL_RESULT,    /* frame, task, result: bytes of a STATE result delivered in this frame */
    P2_JOURNAL_RECOMPUTE, /* frame, task: the same, but to be computed again */
    P2_JOURNAL_DEGRADED,  /* frame, task: delivered as the game's degraded answer */
    P2_JOURNAL_CORRECTED /* frame, task, result: the right bytes of a task delivered before; behind the
                           * frame's inputs and tick, before its results */
};

/* One frame as it was shipped. Tiers in the order of enum p2_tier. */
struct p2_frame_record {
    uint64_t frame;
    uint64_t slot_us;    /* when it was due */
    uint64_t shipped_us; /* when it was shipped */
    uint8_t depth;
    bool is_on_time; /* in its slot, and every required task settled and not degraded */
    enum p2_frame_reason reason;
    uint32_t tasks;
    uint32_t degraded;          /* of them */
    uint32_t required_degraded; /* of those */
    uint16_t tiers[5];
    uint16_t reasons[9]; /* degraded tasks by enum p2_frame_reason */
    uint64_t cost[5];    /* cost units by tier */
    uint32_t compute_us; /* from the oldest task's emission to the last result */
    uint32_t merge_us;   /* from the last result to the shipping */
    uint32_t inputs;     /* applied in this frame */
};

struct p2_effect {
    enum p2_effect_type type;
    uint32_t peer;
    uint16_t session;
    uint16_t window;
    uint8_t kernel; /* index into the core's table */
    uint8_t place;  /* the kernel's place in the helper's HELLO */
    uint8_t flags;  /* P2_LEASE_* */
    uint8_t codec;  /* enum p2_codec */
    uint8_t player;
    uint8_t depth;
    bool is_equal;
    bool is_known;
    bool has_digest;
    enum p2_denied_reason denied;
    enum p2_journal_kind journal;
    int status;
    uint32_t version;
    uint32_t kernels;
    uint32_t retry_s;
    uint32_t budget_us;
    uint32_t output_max;
    uint32_t sequence;
    uint32_t handle;
    uint64_t cache_bytes;
    uint64_t lease;
    uint64_t task;
    uint64_t frame;
    uint32_t handle_count;
    const uint32_t *handles; /* handles[handle_count] */
    const uint64_t *keys;    /* contents of the task's blobs, keys[handle_count] */
    struct p2_span input;
    struct p2_span result;
    uint8_t digest[16];
    uint8_t got[16];
    bool is_refused;
    uint64_t tag;
    struct p2_id helper;
    const struct p2_frame_record *record;
};

/* A bounded list of effects. */
struct p2_outbox {
    struct p2_effect *items; /* owned */
    uint32_t count;
    uint32_t capacity;
    uint32_t peak; /* largest count so far */
};

/* P2_E_NOMEM. The core's own needs are p2_core_outbox_needed. */
int p2_outbox_init(struct p2_outbox *outbox, uint32_t capacity);
void p2_outbox_free(struct p2_outbox *outbox);

/* Empties it: the shell has performed all effects. */
void p2_outbox_clear(struct p2_outbox *outbox);

uint32_t p2_outbox_room(const struct p2_outbox *outbox);

/* Appends a zeroed effect of `type` and gives it to be filled in; borrowed until the next call.
 * The caller knows there is room: a full outbox is our mistake (P2_ASSERT). */
struct p2_effect *p2_outbox_add(struct p2_outbox *outbox, enum p2_effect_type type);

/* "LEASE", ... Static. */
const char *p2_effect_name(enum p2_effect_type type);

/* Writes the message of an effect to a helper (ACCEPT .. BLOB_DROP) into `writer` and its type to
 * *ret_type. P2_E_INVALID for other effects and impossible values, P2_E_FULL. `ping_ms` is what
 * ACCEPT promises, `price` and `mode` likewise. */
struct p2_effect_terms {
    uint32_t ping_ms;
    uint64_t price;
    enum p2_pay_mode mode;
    uint64_t receipt;
};
int p2_effect_encode(const struct p2_effect *effect, const struct p2_effect_terms *terms,
                     struct p2_writer *writer, uint8_t *ret_type);

/* Bytes that are enough for p2_effect_encode. */
size_t p2_effect_bound(const struct p2_effect *effect);

#endif
