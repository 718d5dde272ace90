/* One alarm on the loop with microseconds: frames have slots of 16,667 us, and libuv's own timers
 * count milliseconds. Thread: the loop. */
#ifndef P2_AUTHORITY_SHELL_SLOT_TIMER_H
#define P2_AUTHORITY_SHELL_SLOT_TIMER_H

#include <stdint.h>
#include <uv.h>

struct p2_slot_timer;

/* `on_time` comes from the loop when the alarm is due. P2_E_NOMEM, P2_E_IO. */
int p2_slot_timer_open(uv_loop_t *loop, void (*on_time)(void *ctx), void *ctx,
                       struct p2_slot_timer **ret_timer);

/* Sets the alarm to `at_us` (p2_pool_now_us scale; the past means at once), or takes it back with
 * UINT64_MAX. O(1), a system call when it changes. */
void p2_slot_timer_set(struct p2_slot_timer *timer, uint64_t at_us);

/* Frees it after the loop closed its handle. Accepts NULL. */
void p2_slot_timer_close(struct p2_slot_timer *timer);

#endif
