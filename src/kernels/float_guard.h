/* Refuses builds whose floating point is not the one the kernels were written for. */
#ifndef P2_KERNELS_FLOAT_GUARD_H
#define P2_KERNELS_FLOAT_GUARD_H

#include <stdbool.h>

/* True when this build of the kernels rounds after every operation, in the format of the type, as
 * IEEE 754 wants. False with contraction to fused multiply-add, with excess precision or with
 * flushed subnormals; then no kernel of this build may be offered. Thread: pure. */
bool p2_float_is_exact(void);

#endif
