/* The process that holds the node, seen from the parent: started, watched, ended, started again.
 *
 *   phase      leaves when                                                  to
 *   OFF        the pause is over                                            STARTING
 *   STARTING   READY came                                                   RUNNING
 *   STARTING   REFUSED, its end, garbage, no READY in time                  ENDING, on_down
 *   RUNNING    its end, garbage, a flood, no answer to a BEAT in time       ENDING, on_down
 *   any        p2_dht_child_close                                           ENDING
 *   ENDING     the process is gone and its handles are closed               OFF, or closed
 *
 * Pauses double from restart_min_ms to P2_DHT_RESTART_MAX_MS and begin anew once a process has run
 * for P2_DHT_GOOD_RUN_MS. A process that is not to be trusted any more is killed, never asked.
 *
 * Thread: the loop's. */
#ifndef P2_OVERLAY_DHT_CHILD_H
#define P2_OVERLAY_DHT_CHILD_H

#include "overlay/dht_protocol.h"

#include <uv.h>

#define P2_DHT_RESTART_MIN_MS 250   /* chosen: a crash costs its users a moment */
#define P2_DHT_RESTART_MAX_MS 30000 /* chosen: a broken installation costs nothing */
#define P2_DHT_GOOD_RUN_MS    30000 /* chosen: as the longest pause */
#define P2_DHT_START_MS       5000  /* measured: READY comes within 50 ms on an idle machine */
#define P2_DHT_BEAT_MS        1000  /* between answers and the next question */
#define P2_DHT_HANG_MS        6000 /* without an answer; lock waits of milliseconds were measured */
#define P2_DHT_STOP_MS        1200 /* below P2_OVERLAY_CLOSE_MS, above the process's own 900 */

/* Messages a second above which it does not serve us any more: 20 watches at their rate and four
 * lookups of P2_OVERLAY_VALUES_MAX values, rounded up. */
#define P2_DHT_MESSAGES_PER_S 40000

struct p2_dht_child;

/* All from the loop. Inside one, p2_dht_child_send, _fail and _close may be called. */
struct p2_dht_child_events {
    void (*on_ready)(const struct p2_dht_message *ready, void *ctx);
    /* VALUE, END, ALIVE, GOOD_NODES; the value is borrowed. */
    void (*on_message)(const struct p2_dht_message *message, void *ctx);
    /* It does not serve any more. P2_E_CLOSED (died), P2_E_STALLED (hangs), P2_E_FLOOD,
     * P2_E_ADDRESS (a port is taken), P2_E_UNSUPPORTED (no sandbox, no node), P2_E_IO (cannot be
     * started), any error of class PEER (garbage). `text` says it for a person; borrowed. */
    void (*on_down)(int error, const char *text, void *ctx);
    void (*on_closed)(void *ctx); /* after p2_dht_child_close; the child is freed */
};

struct p2_dht_child_config {
    const char *program; /* copied */
    uint32_t network;
    uint16_t port;
    bool finds_lan;
    uint32_t restart_min_ms; /* 0: P2_DHT_RESTART_MIN_MS */
    uint32_t start_ms;       /* 0: P2_DHT_START_MS */
    uint32_t beat_ms;        /* 0: P2_DHT_BEAT_MS */
    uint32_t hang_ms;        /* 0: P2_DHT_HANG_MS */
};

/* Starts the process. `events` and `ctx` are kept. Gives: ends with p2_dht_child_close. P2_E_NOMEM,
 * P2_E_IO (the program cannot be run; `failure`, may be NULL, says why). */
int p2_dht_child_open(struct p2_dht_child **ret_child, uv_loop_t *loop,
                      const struct p2_dht_child_config *config,
                      const struct p2_dht_child_events *events, void *ctx,
                      struct p2_failure *failure);

/* Sends an order. P2_E_STATE (not running), P2_E_AGAIN (it does not read at the moment). */
int p2_dht_child_send(struct p2_dht_child *child, const struct p2_dht_message *order);

/* What it said cannot be true: it is killed and started again; on_down comes inside this call. */
void p2_dht_child_fail(struct p2_dht_child *child, int error, const char *text);

/* Asks it to end, kills it after P2_DHT_STOP_MS. GOOD_NODES may still come; on_closed comes once,
 * not inside this call. */
void p2_dht_child_close(struct p2_dht_child *child);

/* Its process number, 0: none. */
int p2_dht_child_pid(const struct p2_dht_child *child);

/* Times it was started again. */
uint32_t p2_dht_child_restarts(const struct p2_dht_child *child);

#endif
