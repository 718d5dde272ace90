/* Confinement of p2c2r-dht, the process that reads what strangers send to the node.
 *
 * It has threads and must talk UDP to anyone, so less can be taken away than from a task worker
 * (exec/lockdown.h). In this order; the first mandatory step that fails ends the attempt:
 *
 *   step           what
 *   descriptors    the standard streams and the parent's socket stay               must
 *   uid            nobody, when started as root                                    must
 *   capabilities   none                                                            must
 *   privileges     no_new_privs                                                    must
 *   parent death   dies with the thread that started it                            must
 *   landlock       no file of the system can be opened, no TCP, no foreign signal  best effort
 *   rlimits        address space, file size, descriptors, no core                  must
 *   dumpable       no: memory is closed to others of the same user                 must
 *   seccomp        the calls measured to be needed                                 must, last
 *
 * The filter lets through what a run under strace(1) showed and what the C library needs for
 * threads, with arguments checked where they matter: sockets are UDP or the list of interfaces,
 * clone makes threads only, memory is never executable. Programs, tracing, keys, mounts and kernel
 * interfaces kill the process; every other call fails with EPERM. In builds with a sanitizer
 * (P2_SANITIZED) only the killing part is active and the address space is not limited. */
#ifndef P2_OVERLAY_DHT_SANDBOX_H
#define P2_OVERLAY_DHT_SANDBOX_H

#include "base/error.h"

/* Address space. The library stores up to 64 MiB of others' values (measured: 10 MB resident in a
 * network of 200 nodes); each thread's allocator reserves 64 MiB of addresses more. */
#define P2_DHT_ADDRESS_BYTES (1024u << 20)

/* Largest file: the saved state in memory. Chosen: 64 addresses come first in it; the values after
 * them may be cut. */
#define P2_DHT_FILE_BYTES (8u << 20)

/* Descriptors: streams, sockets of both families and discovery, pipes. Chosen: twice as many as
 * were seen; far below 1,024, above which the library's select() aborts. */
#define P2_DHT_DESCRIPTORS 64u

/* Confines the calling process, which has one thread and keeps descriptors 0 to `last_fd`.
 * P2_E_UNSUPPORTED when a mandatory step fails; `ret_errno` says why (never NULL). The process must
 * then end. */
int p2_dht_sandbox_enter(unsigned last_fd, int *ret_errno);

#endif
