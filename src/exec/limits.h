/* Every limit of the execution module. Each says where its number comes from. */
#ifndef P2_EXEC_LIMITS_H
#define P2_EXEC_LIMITS_H

/* Worker processes of one pool. Chosen: more than the cores of any machine this is meant for. */
#define P2_POOL_WORKERS_MAX 64u

/* Authorities one pool serves at a time. Chosen: a helper works for a handful. */
#define P2_POOL_AUTHORITIES_MAX 64u

/* Tasks waiting or running in one pool. Chosen: 64 workers with a credit window of 64 each. */
#define P2_POOL_TASKS_MAX 4096u

/* CPU time one task may ask for. Chosen: the hard timeout of a lease is 0.2 s (DESIGN 8); audits
 * and self-tests on slow machines may take longer. */
#define P2_TASK_BUDGET_MAX_US 10000000u

/* Priorities 0 (first) .. 3 (last). Chosen: one per lease class C0..C3 (DESIGN 8). */
#define P2_TASK_PRIORITIES 4u

/* Tasks of one hand-over. Chosen: at 10 us a hand-over (research/sandbox.md 3.1) 16 tasks pay less
 * than 1 us each; more would only delay the first result. */
#define P2_BATCH_MAX 16u

/* A task is small, and may share a hand-over, when its budget is at most this; all tasks of one
 * hand-over together ask for at most P2_BATCH_BUDGET_US. Chosen: a frame has 16 ms, waiting for
 * neighbours may cost an eighth of it. */
#define P2_BATCH_TASK_US   1000u
#define P2_BATCH_BUDGET_US 2000u

/* Bytes of input or output up to which a task is small. Chosen: a sixteenth of the slot. */
#define P2_BATCH_BYTES (64u << 10)

/* CPU time a hand-over may use beyond its budget: a fresh worker's page faults and the death of a
 * crashed one are the system's, not the kernel's, and a crash must not be taken for a timeout
 * (80-200 us measured). A guest's clocks also count time that its host gave to others (400 us
 * seen). Chosen above both. */
#ifdef P2_SANITIZED
#define P2_BUDGET_SLACK_US 50000u /* terabytes of shadow memory are unmapped when a worker dies */
#else
#define P2_BUDGET_SLACK_US 1000u
#endif

/* Wall time after which a worker is looked at although its CPU time is not used up: the budget
 * times FACTOR plus SLACK. It is killed when it sleeps. One that is held up gets the same time
 * again, RENEWALS_MAX times: a worker of nice 19 on a busy machine gets a seventieth of a CPU, one
 * of the idle class less, and a host may stop a guest for 0.1 s. Chosen: 8 * 64 is a five-hundredth
 * of a CPU; the slack covers tiny budgets. */
#define P2_WALL_FACTOR       8u
#define P2_WALL_SLACK_US     50000u
#define P2_WALL_RENEWALS_MAX 64u

/* Wake-ups by a worker that carry no answer before it is killed. Chosen: an honest worker never
 * sends one. */
#define P2_SPURIOUS_MAX 8u

/* CPU seconds after which an idle worker is replaced, and the RLIMIT_CPU that ends a forgotten one.
 * The limit must exceed the recycling time plus the longest task. Chosen. */
#define P2_WORKER_RECYCLE_S 300u
#define P2_WORKER_CPU_MAX_S 600u

/* A seat whose worker cannot be started is tried again after this time; after so many failures in
 * a row the pool gives up and says so. Chosen: about a second in all. */
#define P2_SPAWN_RETRY_US     100000u
#define P2_SPAWN_FAILURES_MAX 10u

/* How long one authority keeps a worker that another one with earlier work is waiting for. Chosen:
 * ten times the cost of a fresh worker (0.5 ms), so that at most a tenth is lost to switching. */
#define P2_TENANCY_US 5000u

/* Stack of a worker. Kernels have an arena for data; chosen: 1 MiB is 10 times what any needs. */
#define P2_WORKER_STACK_BYTES (1u << 20)

/* Address space a worker may have beyond what it holds at lock-down. Nothing is mapped after
 * lock-down; the slack serves the C library inside lock-down itself. Chosen. */
#define P2_WORKER_SLACK_BYTES (1u << 20)

/* Blob memory of one authority, and the blobs in it. Chosen: 1 GiB of address space is cheap, its
 * pages are only used when filled; 4,096 chunks of 16x64x16 are a scene of 1024x64x1024. */
#define P2_BLOBS_BYTES_MAX (1ull << 30)
#define P2_BLOBS_MAX       4096u

/* Period of a CPU quota. Chosen (issue 3): 5 ms, so that a throttled worker is late by at most a
 * third of a frame. The kernel refuses quotas below 1 ms. */
#define P2_SHARE_PERIOD_US    5000u
#define P2_SHARE_QUOTA_MIN_US 1000u

/* CPU time a duty-cycled pool may save up while it is idle, per worker. Chosen: two periods. */
#define P2_SHARE_BURST_US 10000u

#endif
