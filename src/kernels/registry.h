/* The table of all task kernels. Thread: read-only data. */
#ifndef P2_KERNELS_REGISTRY_H
#define P2_KERNELS_REGISTRY_H

#include "p2c2r/kernel.h"

#include <stddef.h>

/* Number of kernels. */
size_t p2_kernel_count(void);

/* Kernel number `index` (0 .. count - 1), in order of their names in doc/kernels.md. Static. */
const struct p2c2r_kernel *p2_kernel_at(size_t index);

/* The kernel called `name`, or NULL. */
const struct p2c2r_kernel *p2_kernel_find(const char *name);

#endif
