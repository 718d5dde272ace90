/* The owner's guard in the daemon: looks at the sensors, decides (lending.h), accounts (why.h), and
 * tells the helper when to stop and when to go on.
 *
 * The machine is looked at every second; people's words and the links' state count at once.
 * Thread: the loop's. */
#ifndef P2_HELPER_GUARD_H
#define P2_HELPER_GUARD_H

#include "base/config.h"
#include "helper/why.h"
#include "wire/messages.h"

#include <jansson.h>
#include <uv.h>

struct p2_guard;

struct p2_guard_options {
    uv_loop_t *loop;       /* kept */
    const char *state_dir; /* copied */
    /* Fills the daemon's own members of the sensors (lending.h). */
    void (*fill)(struct p2_lend_sensors *sensors, void *ctx);
    /* CPU time of the daemon and its workers so far, in microseconds. */
    uint64_t (*own_us)(void *ctx);
    /* The verdict's reason changed; never from inside a function declared here but _look. */
    void (*on_change)(const struct p2_lend_verdict *verdict, void *ctx);
    void *ctx;
};

/* Gives: p2_guard_close, then p2_guard_free. Nothing is lent before p2_guard_configure. P2_E_NOMEM. */
int p2_guard_open(struct p2_guard **ret_guard, const struct p2_guard_options *options);

/* Takes the limits of the helper's option table, the owner's pause included; then _look. */
void p2_guard_configure(struct p2_guard *guard, const struct p2_config *config);

/* Decides anew: something changed. */
void p2_guard_look(struct p2_guard *guard);

/* The agent's word, then _look. */
void p2_guard_agent(struct p2_guard *guard, uint32_t input_s, bool is_full_screen);

struct p2_lend_verdict p2_guard_verdict(const struct p2_guard *guard);

/* How a reason is told to authorities. */
enum p2_pause_reason p2_guard_pause_reason(enum p2_lend_reason reason);

/* For people: the reason now and the time of each; the newest changes; what the sensors say. NULL
 * when out of memory. */
json_t *p2_guard_why(const struct p2_guard *guard);
json_t *p2_guard_history(const struct p2_guard *guard);
json_t *p2_guard_sensors(const struct p2_guard *guard);

/* Stops looking; `on_closed` follows once, never from inside. The questions above are answered until
 * it is freed. */
void p2_guard_close(struct p2_guard *guard, void (*on_closed)(void *ctx), void *ctx);

/* After on_closed. Accepts NULL. */
void p2_guard_free(struct p2_guard *guard);

#endif
