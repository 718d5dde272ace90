/* Kills a writing process at random instants, thousands of times, on one store of each workload.
 *
 *   killer [KILLS] [SEED]
 *
 * The child runs the real writer thread and notes each acknowledgement in shared memory. After each
 * SIGKILL the parent opens the store: everything acknowledged is there, nothing twice, accounts
 * balance, journal and state are those of the reference. */
#include "tests/crash/killer.h"

#include "base/crypto.h"
#include "tests/lib/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef P2_SANITIZED
#define KILLS_DEFAULT 100 /* everything is ten times slower there */
#else
#define KILLS_DEFAULT 2000
#endif

static const struct killer_workload *const workloads[] = {&killer_accounts, &killer_session};
#define PROGRESS_EVERY 20 /* kills; the others come whenever they come */
#define WORKLOADS      (sizeof workloads / sizeof workloads[0])

static uint64_t draw(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Waits until the child got something acknowledged, so that slow machines come forward too. */
static void await_progress(const struct killer_shared *shared)
{
    uint64_t before = atomic_load(&shared->acknowledged);
    struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < 60000 && atomic_load(&shared->acknowledged) == before &&
                    atomic_load(&shared->mistake) == 0;
         i++) {
        (void)nanosleep(&pause, NULL);
    }
}

static bool kill_once(const struct killer_workload *workload, const char *folder,
                      struct killer_shared *shared, uint64_t life_us, bool awaits_progress)
{
    pid_t child = fork();
    if (child == 0) {
        _exit(workload->run(folder, shared));
    }
    struct timespec life = {.tv_nsec = (long)life_us * 1000};
    if (awaits_progress) {
        await_progress(shared);
    }
    (void)nanosleep(&life, NULL); /* the instant is random anyhow: waking early is fine */
    int status = 0;
    if (child < 0 || kill(child, SIGKILL) != 0 || waitpid(child, &status, 0) != child) {
        return false;
    }
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && atomic_load(&shared->mistake) == 0;
}

int main(int argc, char **argv)
{
    uint64_t kills = argc > 1 ? strtoull(argv[1], NULL, 10) : KILLS_DEFAULT;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
    uint64_t state = seed, counts[WORKLOADS] = {0}, done = 0;
    struct killer_shared *shared = mmap(NULL, WORKLOADS * sizeof *shared, PROT_READ | PROT_WRITE,
                                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p2_crypto_init() != P2_OK || shared == MAP_FAILED) {
        return 99;
    }
    const char *home = p2_test_folder_make();
    (void)printf("seed %llu\n", (unsigned long long)seed);
    for (; done < kills; done++) {
        size_t which = done % WORKLOADS;
        char folder[4096];
        (void)snprintf(folder, sizeof folder, "%s/%s", home, workloads[which]->name);
        uint64_t life_us = draw(&state) % workloads[which]->life_max_us;
        if (!kill_once(workloads[which], folder, &shared[which], life_us,
                       done / WORKLOADS % PROGRESS_EVERY == 0) ||
            !workloads[which]->verify(folder, &shared[which], &counts[which])) {
            (void)printf("FAILED: kill %llu of seed %llu (%s)\n", (unsigned long long)done + 1,
                         (unsigned long long)seed, workloads[which]->name);
            break;
        }
    }
    p2_test_folder_remove();
    (void)printf("figure: killer: %llu kills, %llu %s, %llu %s with %llu images, none lost, none "
                 "twice\n",
                 (unsigned long long)done, (unsigned long long)counts[0], workloads[0]->name,
                 (unsigned long long)counts[1], workloads[1]->name,
                 (unsigned long long)atomic_load(&shared[1].images));
    bool is_good = done == kills && counts[0] > 0 && counts[1] > 0;
    (void)printf("%d passed, %d failed\n", is_good, !is_good);
    return is_good ? 0 : 1;
}
