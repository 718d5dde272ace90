/* `p2c2r-bench store`: durable commits against bare LMDB, and what keeping a session costs it. */
#ifndef P2_TESTS_BENCH_STORE_H
#define P2_TESTS_BENCH_STORE_H

#include <stdbool.h>
#include <stddef.h>

/* argv[0] is "store". Returns an exit status. */
int bench_store_main(int argc, char **argv);

/* bench_session.c: added time on loop and session thread; latency of promises. `folder` is where the
 * stores go. */
void bench_session(const char *folder, bool is_quick);

/* Ends the process with a message when something is wrong. */
void bench_store_must(bool is_good, const char *what);

/* Sorts, and gives the value below which share `q` of them lie. */
double bench_store_quantile(double *values, size_t count, double q);

#endif
