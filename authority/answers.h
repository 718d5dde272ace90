/* What comes back: results, checks, own computations. Parts of p2_core_step.
 *
 * A result is accepted only for a live lease of the peer that sends it, once, after its kernel's
 * check and the decision of verify.h. Everything else is late (compared, never accepted) or a
 * protocol error. */
#ifndef P2_AUTHORITY_ANSWERS_H
#define P2_AUTHORITY_ANSWERS_H

#include "authority/core.h"

void p2_answer_result(struct p2_core *core, uint32_t peer, struct p2_span body, uint64_t now_us,
                      struct p2_outbox *out);
/* A task whose audit own cores could not make before it is due: the kept result counts after all and is
 * audited afterwards. False when there is none that may. */
bool p2_answer_kept(struct p2_core *core, struct p2_session *session, struct p2_task *task,
                    uint64_t now_us, struct p2_outbox *out);

int p2_answer_checked(struct p2_core *core, const struct p2_event *event, uint64_t now_us,
                      struct p2_outbox *out);
int p2_answer_computed(struct p2_core *core, const struct p2_event *event, uint64_t now_us,
                       struct p2_outbox *out);

#endif
