/* A small core for tests: one kernel, helpers that are there at once, tasks on request, a fake clock.
 * Everything goes through p2_core_step. One fixture per process; start() makes it new. */
#ifndef P2_TESTS_UNIT_AUTHORITY_CORE_FIXTURE_H
#define P2_TESTS_UNIT_AUTHORITY_CORE_FIXTURE_H

#include "authority/core.h"
#include "tests/lib/test.h"

#define FIXTURE_TASKS 16u

struct fixture {
    struct p2_core core;
    struct p2_outbox out; /* effects since the last fixture_clear */
    struct p2_core_kernel kernel;
    struct p2_core_options options; /* set before fixture_open */
    uint64_t now_us;
    uint16_t session;
    struct p2_task_spec specs[FIXTURE_TASKS]; /* what the next tick submits */
    uint32_t spec_count;
    uint64_t tasks[FIXTURE_TASKS]; /* their ids */
    uint32_t deliveries;
    struct p2_delivery last;
    uint8_t result[64];      /* of the last delivery */
    uint64_t invalidate_tag; /* what the next tick invalidates; 0: nothing */
    uint32_t invalidated;
    uint32_t inputs;
    uint32_t input_sequence;
};

extern struct fixture fixture;

/* Options as most tests want them: 8 helpers, no own cores, no cloud, everything accepted. */
void fixture_defaults(void);
/* A core and one session whose first slot is now. */
void fixture_open(void);
void fixture_close(void);

void fixture_step(const struct p2_event *event);
/* Moves the clock and steps TIME. */
void fixture_pass(uint64_t us);
void fixture_clear(void);

/* The n-th effect of `type` since the last clear, or NULL. */
const struct p2_effect *fixture_find(enum p2_effect_type type, uint32_t n);
uint32_t fixture_count(enum p2_effect_type type);

/* A helper on its own prefix with `rtt_us`, ACTIVE at once; `key` not 0. Effects are cleared. */
void fixture_helper(uint32_t peer, uint8_t key, uint32_t rtt_us, uint16_t slots);

/* Submits one task of `class` in the slot that comes next and runs it. Gives the id. */
uint64_t fixture_task(enum p2_task_class class, uint8_t flags, uint8_t replicas);

/* RESULT and, when it asks for one, CHECKED with `status`. */
void fixture_answer(uint32_t peer, uint64_t lease, const char *text, int status);
void fixture_computed(uint64_t task, const char *text);

#endif
