/* A CPU quota for all workers together, by a cgroup of their own: version 2 (cpu.max) or version 1
 * (cpu.cfs_quota_us), whichever this process may write. Everything else in the module works without
 * it. Thread: an object belongs to one thread. */
#ifndef P2_EXEC_SHARE_H
#define P2_EXEC_SHARE_H

#include <stdint.h>
#include <sys/types.h>

struct p2_share;

/* Makes a cgroup below the caller's own and moves process `pid` (the launcher, before it has
 * children) into it. Under version 2 the caller moves itself into a sibling, since a group with
 * members cannot have limited children; only where the group is its own (systemd's Delegate=yes).
 * P2_E_UNSUPPORTED when no such group can be made, P2_E_NOMEM. Gives the object. */
int p2_share_open(pid_t pid, struct p2_share **ret_share);

/* The same in a fake tree below the folder `fake_root` (borrowed for the object's life), for tests:
 * /proc/self/mounts, /proc/self/cgroup and the groups are looked for there, and a group's files,
 * which the kernel would make, are created. NULL: the real one. */
int p2_share_open_in(const char *fake_root, pid_t pid, struct p2_share **ret_share);

/* Limits the group to `permille` of `cpus` CPUs; 1000 lifts the limit. P2_E_IO. */
int p2_share_set(struct p2_share *share, uint32_t permille, uint32_t cpus);

/* Removes the group; its processes must have ended. Accepts NULL. */
void p2_share_close(struct p2_share *share);

/* The quota and period for a share, in us, the quota never below P2_SHARE_QUOTA_MIN_US. */
void p2_share_quota(uint32_t permille, uint32_t cpus, uint64_t *ret_quota_us,
                    uint64_t *ret_period_us);

#endif
