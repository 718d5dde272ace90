/* Who may help, and what it may say. Parts of p2_core_step.
 *
 * HELLO is accepted when the protocol fits, the key is not banned, a token or the configuration lets
 * it in, the price is right, and a kernel with the right digest is offered. Then one warm-up lease
 * for each kernel; a kernel is used once its warm-up was right. Whatever is not an answer is counted
 * against a rate; what a helper may not ask for gets DENIED "you only get task data" and a strike;
 * three strikes an hour end the link and start a back-off. None of this touches integrity. */
#ifndef P2_AUTHORITY_ADMISSION_H
#define P2_AUTHORITY_ADMISSION_H

#include "authority/core.h"

void p2_admission_message(struct p2_core *core, uint32_t peer, uint8_t type, struct p2_span body,
                          uint64_t now_us, struct p2_outbox *out);

/* A protocol error of `peer`: DENIED with `reason`, STRIKE with `cause` (P2_E_*), the third closes. */
void p2_admission_strike(struct p2_core *core, uint32_t peer, enum p2_denied_reason reason,
                         int cause, uint64_t now_us, struct p2_outbox *out);

/* A warm-up was answered: `is_right` makes its kernel ready, otherwise an integrity event. */
void p2_admission_warm(struct p2_core *core, uint32_t peer, uint64_t lease, uint8_t kernel,
                       bool is_right, struct p2_outbox *out);

#endif
