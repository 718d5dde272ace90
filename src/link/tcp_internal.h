/* What the files of the TCP transport share: tcp_transport.c (life, timers), tcp_listener.c,
 * tcp_link.c (handshake, reading, closing), tcp_write.c. Private to them. */
#ifndef P2_LINK_TCP_INTERNAL_H
#define P2_LINK_TCP_INTERNAL_H

#include "link/link_tcp.h"
#include "link/mux.h"
#include "link/noise.h"
#include "link/pool.h"
#include "link/preamble.h"
#include "link/prefix.h"
#include "link/pulse.h"
#include "link/record.h"
#include "link/slab.h"

#include "base/reserve.h"

#include <uv.h>

/* Shared by all links of a loop. The head room takes the bytes of an unfinished record that are put
 * before what was just read. READ_BYTES: research/perf-baselines.md asks for 64 KiB at least;
 * 128 KiB halves the system calls of a stream. */
#define READ_HEAD_ROOM (P2_RECORD_BYTES_MAX + 1u)
#define READ_BYTES     (128u << 10)

/* Sealed bytes are gathered here before a write. One more record is added until WRITE_TARGET is
 * reached, so a buffer of target + one record never overflows. */
#define WRITE_TARGET (64u << 10)
#define WRITE_BYTES  (WRITE_TARGET + P2_RECORD_BYTES_MAX + 1u)

/* Links that carry frames: unsent bytes in the system's buffer, and size of our records, so that a
 * newer frame can still replace an older one. Chosen: 16 KiB is 13 ms at 10 Mbit/s. */
#define FRAME_NOTSENT_LOWAT (16 << 10)
#define FRAME_RECORD_BYTES  (16u << 10)

/* Received before a handshake is done: preamble and message 1 together, message 2, or message 3. */
#define EARLY_BYTES 64u
_Static_assert(P2_PREAMBLE_BYTES + P2_NOISE_MESSAGE_1_BYTES <= EARLY_BYTES, "fits");
_Static_assert(P2_NOISE_MESSAGE_3_BYTES <= EARLY_BYTES, "fits");

/* A stranger's record holds one message of P2_LINK_STRANGER_MESSAGE_MAX bytes, whole. */
#define STRANGER_CIPHERTEXT_MAX (P2_LINK_STRANGER_MESSAGE_MAX + P2_MUX_HEADER_BYTES + P2_TAG_BYTES)

/* Deadline lists. Every entry of a list has the same time-out, so appending keeps them sorted. */
enum tcp_list { LIST_DIALING, LIST_HANDSHAKE, LIST_STRANGER, LIST_PULSE, LIST_COUNT };

enum tcp_state {
    LINK_CONNECTING,
    LINK_HANDSHAKE,
    LINK_STRANGER,
    LINK_OPEN,
    LINK_FINISHED,
    LINK_CLOSING
};

/* Secrets of a link until it has transport keys: one slot of tcp->early_slab. */
struct tcp_early {
    struct p2_noise noise;
    uint8_t send_key[P2_KEY_BYTES]; /* after the handshake, until tcp_keys are made */
    uint8_t receive_key[P2_KEY_BYTES];
    uint8_t bytes[EARLY_BYTES];
};

/* Transport keys: one slot of tcp->key_slab. */
struct tcp_keys {
    struct p2_record_cipher send;
    struct p2_record_cipher receive;
};

/* Bytes the system did not take at once, with the request that writes them; lies in a pool block. */
struct tcp_write {
    uv_write_t request;
    struct tcp_link *link;
    size_t capacity; /* of the pool block */
    uint8_t bytes[];
};

/* What a link needs once it is open (or wants to send). */
struct tcp_session {
    struct p2_mux_reader reader;
    struct p2_mux_writer writer;
    struct p2_link_stats stats;
    struct tcp_write *write; /* on its way, or NULL */
    uint64_t written_bytes;  /* given to the system, with those of `write` */
    uint64_t acked_bytes;    /* of these, when we last looked; valid while is_watched */
    uint64_t progress_ms;    /* when the peer last acknowledged something, or `write` began */
    uint64_t ping_sent_ns;   /* uv_hrtime */
    uint64_t ping_sent_ms;   /* loop time; of the PING, or of its PONG when none is out */
    uint64_t finish_deadline_ms;
    uint8_t ping[P2_PING_BYTES];
    bool is_watched; /* acknowledgements are looked at, at every pulse */
    bool is_ping_out;
    bool may_ping;   /* the peer is known to read our messages */
    bool has_frames; /* a FRAME was sent */
};

struct tcp_link {
    struct p2_link base;
    uv_tcp_t handle;
    struct tcp *tcp;
    struct p2_listener *listener; /* NULL when dialled */
    struct tcp_early *early;
    struct tcp_keys *keys;
    struct tcp_session *session;
    struct tcp_link *list_next;
    struct tcp_link *list_previous;
    struct tcp_link *dirty_next;
    struct tcp_link *waiting_next; /* message 1 waits for a turn with budget */
    uint8_t *carry;                /* start of a record that is not complete; pool block */
    uint64_t deadline_ms;          /* of its list */
    uint64_t received_ms;          /* when bytes last came */
    uint64_t carry_since_ms;
    uint64_t prefix; /* counted in tcp->prefixes, or 0 */
    uint32_t carry_size;
    uint32_t carry_capacity;
    int close_reason;
    uint8_t state;  /* enum tcp_state */
    uint8_t list;   /* enum tcp_list, LIST_COUNT: none */
    uint8_t cipher; /* enum p2_cipher */
    uint8_t early_size;
    bool has_user;      /* on_close is owed */
    bool is_dirty;      /* on the dirty list */
    bool is_waiting;    /* on the waiting list */
    bool has_spoken;    /* a stranger has sent its one message */
    bool is_unaccepted; /* counted in stats.unaccepted */
    bool is_closed;     /* closed, but still on the waiting list, which frees it */
};

struct tcp_list_head {
    struct tcp_link *first;
    struct tcp_link *last;
};

struct tcp {
    struct p2_transport base;
    struct p2_tcp_options options;
    struct p2_tcp_stats stats;
    struct tcp_list_head lists[LIST_COUNT];
    struct tcp_listener *listeners;
    struct tcp_link *dirty;         /* links with something to write */
    struct tcp_link *waiting_first; /* links whose message 1 waits */
    struct tcp_link *waiting_last;
    struct p2_pool pool;
    struct p2_slab early_slab;
    struct p2_slab key_slab;
    struct p2_prefix_table prefixes;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle; /* runs while message 1 waits, so that the loop does not sleep */
    uv_timer_t timer;
    struct p2_reserve reserve;
    uint8_t *read_buffer;     /* READ_HEAD_ROOM + READ_BYTES */
    uint8_t *write_buffer;    /* WRITE_BYTES */
    uint64_t timer_due_ms;    /* UINT64_MAX: not running */
    uint32_t handshakes_left; /* in this turn */
    uint32_t incoming;        /* links that came by a listener */
    uint32_t open_handles;    /* own ones and listeners, until their close callbacks */
    bool is_stopping;
    bool has_warned;
    void (*on_stopped)(void *ctx);
    void *stopped_ctx;
};

struct tcp_listener {
    struct p2_listener base;
    uv_tcp_t handle;
    struct tcp_listener *next;
    bool is_owed; /* a connection could not be taken for want of memory */
};

/* tcp_transport.c */
int p2_tcp_error(int uv_error);
void p2_tcp_list_append(struct tcp_link *link, enum tcp_list list);
void p2_tcp_list_remove(struct tcp_link *link);
void p2_tcp_wake_after(struct tcp *tcp, uint32_t ms);
void p2_tcp_check_stopped(struct tcp *tcp);
struct p2_link_address p2_tcp_address(const struct sockaddr_storage *from);
int p2_tcp_sockaddr(struct sockaddr_storage *ret_to, const struct p2_link_address *address);

/* tcp_listener.c */
int p2_tcp_listen(struct p2_transport *transport, const struct p2_listen_options *options,
                  struct p2_listener **ret_listener);
void p2_tcp_listener_stop(struct tcp_listener *listener);
void p2_tcp_listeners_retry(struct tcp *tcp);

/* tcp_link.c */
extern const struct p2_link_ops p2_tcp_link_ops;
struct tcp_link *p2_tcp_link_new(struct tcp *tcp, struct p2_listener *listener);
int p2_tcp_dial(struct p2_transport *transport, const struct p2_link_target *target,
                struct p2_link **ret_link);
void p2_tcp_link_fail(struct tcp_link *link, int reason);
void p2_tcp_link_accepted(struct tcp_link *link);
void p2_tcp_link_free_if_closed(struct tcp_link *link);
int p2_tcp_link_session(struct tcp_link *link);

/* tcp_handshake.c */
int p2_tcp_handshake_start(struct tcp_link *link);
int p2_tcp_handshake_read(struct tcp_link *link, uint8_t **data, size_t *size);
int p2_tcp_link_keys(struct tcp_link *link);
void p2_tcp_handshake_run_waiting(struct tcp *tcp);
void p2_tcp_handshake_idle(uv_idle_t *idle);

/* tcp_read.c */
int p2_tcp_read_start(struct tcp_link *link);
void p2_tcp_read_bytes(struct tcp_link *link, uint8_t *data, size_t size);

/* tcp_write.c */
int p2_tcp_link_send(struct p2_link *link, uint8_t type, struct p2_span body);
void p2_tcp_mark_dirty(struct tcp_link *link);
void p2_tcp_flush_all(struct tcp *tcp);
int p2_tcp_write_raw(struct tcp_link *link, const uint8_t *data, size_t size);
void p2_tcp_pulse(struct tcp_link *link, uint64_t now_ms);
int p2_tcp_send_ping(struct tcp_link *link);

#endif
