/* One task at a time, for tools and tests: the same launcher, workers and pool behind a function
 * that waits. Thread: the one that called p2_launcher_start. */
#ifndef P2_EXEC_RUN_H
#define P2_EXEC_RUN_H

#include "exec/launcher.h"
#include "exec/task.h"

struct p2_runner;

/* What came of a task; the output is the caller's storage. */
struct p2_run_result {
    enum p2_task_status status;
    enum p2_task_trap trap;
    size_t output_size; /* bytes written to the caller's storage */
    uint64_t cpu_us;
};

/* Opens a pool with one worker on a loop of its own. Takes `launcher`, also on failure. Errors of
 * p2_pool_open. Gives the runner. */
int p2_runner_open(struct p2_launcher *launcher, struct p2_failure *failure,
                   struct p2_runner **ret_runner);

/* Accepts NULL. */
void p2_runner_close(struct p2_runner *runner);

/* Runs `task` and waits for its end; its authority, blob handles, done and ctx are not used.
 * blobs[blob_count] are put in for the time of the call. The result goes to output[capacity].
 * 0 when the task ended, however it did; P2_E_NOMEM, and errors of p2_pool_submit and
 * p2_pool_blob_put. */
int p2_runner_run(struct p2_runner *runner, const struct p2_exec_task *task,
                  const struct p2c2r_bytes *blobs, uint32_t blob_count, uint8_t *output,
                  size_t capacity, struct p2_run_result *ret_result);

#endif
