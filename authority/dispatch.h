/* Tasks to leases and back: tiers, hedges, deadlines (DESIGN 8). Parts of p2_core_step.
 *
 * For each unsettled task, at every look: expire what is overdue; ask a peer when nobody has it;
 * ask a second one when the first is later than its 95th percentile; the host's cloud machines when
 * no peer can make it; own cores when nobody can, at the last moment at which they still finish
 * with all else that is at risk. A tier that cannot make it is skipped. */
#ifndef P2_AUTHORITY_DISPATCH_H
#define P2_AUTHORITY_DISPATCH_H

#include "authority/core.h"

/* Looks at every unsettled task of a session. O(tasks). */
void p2_dispatch_session(struct p2_core *core, struct p2_session *session, uint64_t now_us,
                         struct p2_outbox *out);

/* Somebody has credit again: the oldest waiting tasks of all sessions in turn, at most `max`. */
void p2_dispatch_waiting(struct p2_core *core, uint32_t max, uint64_t now_us,
                         struct p2_outbox *out);

/* Starts own cores on a task if they can finish it. True when they did, or were running already. */
bool p2_dispatch_local(struct p2_core *core, struct p2_session *session, struct p2_task *task,
                       uint64_t now_us, struct p2_outbox *out);

/* Predicted time of a task on an own core. At least 1. */
uint32_t p2_dispatch_local_us(const struct p2_core *core, const struct p2_task *task);

/* A warm-up lease of `kernel`. */
void p2_dispatch_warm_up(struct p2_core *core, uint32_t peer, uint8_t kernel, uint64_t now_us,
                         struct p2_outbox *out);

/* Takes a live lease out of its helper's queue, its session's share and its task. The lease itself
 * stays as it is. */
void p2_dispatch_detach(struct p2_core *core, struct p2_lease *lease, uint64_t now_us);

/* Ends a live lease that is not wanted any more: CANCEL to the helper, later answers are late. What
 * the task was settled with goes along for comparison. `is_late`: it counts against availability. */
void p2_dispatch_cancel(struct p2_core *core, struct p2_lease *lease, const struct p2_task *task,
                        bool is_late, uint64_t now_us, struct p2_outbox *out);

/* Cancels all leases and local compute of a task. */
void p2_dispatch_release(struct p2_core *core, struct p2_session *session, struct p2_task *task,
                         uint64_t now_us, struct p2_outbox *out);

/* Forgets ended leases whose grace is over. */
void p2_dispatch_forget(struct p2_core *core, uint64_t now_us);

/* Links to be closed: warm-ups that were never answered, drained helpers without live leases. Looks every 100 ms. O(helpers). */
void p2_dispatch_warm_ups(struct p2_core *core, uint64_t now_us, struct p2_outbox *out);

/* WAITING or OUT, as its leases, checks and local compute are. */
void p2_dispatch_refresh(struct p2_session *session, struct p2_task *task);

/* A lease is over for good: unpins its contents, gives audit time back that it reserved and does not
 * owe, and frees its slot. */
void p2_dispatch_finish(struct p2_core *core, struct p2_lease *lease);

/* The link is gone: all leases of the peer are settled, their tasks wait again. */
void p2_dispatch_lost(struct p2_core *core, uint32_t peer, uint64_t now_us, struct p2_outbox *out);

#endif
