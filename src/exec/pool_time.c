/* The clocks of the pool: who has used up its time, when a pause is over. */
#include "exec/pool_internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Shortest time between two looks at a worker's CPU time. Chosen: a look costs 1 us. */
#define CHECK_MIN_US 100u

/* PF_EXITING of Linux's include/linux/sched.h, as proc(5) shows it: the process is on its way out,
 * which takes a while with much memory, and its state still reads R. */
#define FLAG_EXITING 0x4u

/* What procfs says about a worker. */
struct condition {
    bool is_held_up; /* wants a CPU, or its memory from the disk (R and D in proc(5)) */
    bool is_ending;  /* dying or dead: why, the launcher will say */
};

/* Neither is true when procfs does not tell. */
static struct condition look_at(const struct p2_seat *seat)
{
    struct condition condition = {false, false};
    struct timespec ignored;
    char path[48], text[256], state = 0;
    unsigned flags = 0;
    if (clock_gettime(seat->clock, &ignored) != 0) { /* reaped */
        condition.is_ending = true;
        return condition;
    }
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)seat->pid); /* fits */
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return condition;
    }
    size_t size = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file); /* it was only read */
    text[size] = '\0';
    const char *name_end = strrchr(text, ')'); /* the name may hold anything but is short */
    if (name_end != NULL &&
        sscanf(name_end + 1, " %c %*d %*d %*d %*d %*d %u", &state, &flags) == 2) {
        condition.is_ending = state == 'Z' || state == 'X' || (flags & FLAG_EXITING) != 0;
        condition.is_held_up = !condition.is_ending && (state == 'R' || state == 'D');
    }
    return condition;
}

/* May a worker that has used up its CPU time, or the wall backstop, go on for a moment? On a guest
 * whose host takes the CPU away, clocks run on in a worker that stands still (8 ms of CPU time were
 * measured for a task of 20 us): so CPU time must be seen used up twice, a slack apart. The
 * backstop is for workers that sleep, not for those that nobody lets run. One that is dead already
 * died of something else than time: the launcher, which may be held up as well, reports it. */
static bool is_excused(struct p2_seat *seat, uint64_t used, uint64_t limit, uint64_t now)
{
    const struct condition condition = look_at(seat);
    if (condition.is_ending && seat->renewals < P2_WALL_RENEWALS_MAX) {
        seat->renewals++;
        seat->check_us = now + P2_WALL_SLACK_US;
        return true;
    }
    if (used >= limit) {
        bool is_first = !seat->was_over;
        seat->was_over = true;
        seat->check_us = now + P2_BUDGET_SLACK_US;
        return is_first;
    }
    if (seat->renewals == P2_WALL_RENEWALS_MAX ||
        (used == seat->wall_used_us && !condition.is_held_up)) {
        return false;
    }
    seat->renewals++;
    seat->wall_used_us = used;
    seat->wall_us = now + seat->budget_us * P2_WALL_FACTOR + P2_WALL_SLACK_US;
    seat->check_us = now + (limit - used > CHECK_MIN_US ? limit - used : CHECK_MIN_US);
    return true;
}

/* Looks at a busy worker whose CPU time may be used up. May call callbacks. */
static void check_time(struct p2_seat *seat, uint64_t now)
{
    if (now >= seat->check_us) {
        uint64_t limit = seat->budget_us + P2_BUDGET_SLACK_US;
        uint64_t used = p2_seat_used_us(seat);
        if (used >= limit || now >= seat->wall_us) {
            /* This loop may be late itself: an answer that is there counts. */
            if (p2_seat_take_early(seat)) {
                return;
            }
            if (!is_excused(seat, used, limit, now)) {
                p2_seat_fail(seat, P2_TASK_TIMEOUT, used >= limit ? P2_TRAP_NONE : P2_TRAP_SILENT);
                p2_seat_kill(seat);
                return;
            }
        } else {
            uint64_t left = limit - used;
            seat->check_us = now + (left > CHECK_MIN_US ? left : CHECK_MIN_US);
            seat->check_us = seat->check_us < seat->wall_us ? seat->check_us : seat->wall_us;
        }
    }
    p2_pool_arm(seat->pool, seat->check_us);
}

/* Stops what still runs when the grace of a pause is over. */
static void stop_running(struct p2_pool *pool)
{
    for (uint32_t i = 0; i < pool->seat_count; i++) {
        struct p2_seat *seat = &pool->seats[i];
        if (seat->state != P2_SEAT_BUSY) {
            continue;
        }
        (void)p2_seat_charge(seat);
        for (uint32_t k = 0; k < seat->job_count; k++) {
            if (seat->jobs[k] != P2_NO_JOB) {
                p2_pool_requeue(pool, seat->jobs[k], false);
            }
        }
        seat->job_count = 0;
        p2_seat_kill(seat);
    }
}

void p2_pool_on_timer(uv_poll_t *handle, int status, int events)
{
    struct p2_pool *pool = handle->data;
    uint64_t count, now = p2_pool_now_us();
    (void)status; /* a timerfd has no errors */
    (void)events;
    if (read(pool->timer_fd, &count, sizeof count) != (ssize_t)sizeof count) {
        return; /* set anew meanwhile */
    }
    pool->armed_us = UINT64_MAX;
    if (pool->is_paused && pool->grace_us != UINT64_MAX) {
        if (now >= pool->grace_us) {
            pool->grace_us = UINT64_MAX;
            stop_running(pool);
        } else {
            p2_pool_arm(pool, pool->grace_us);
        }
    }
    for (uint32_t i = 0; i < pool->seat_count && !pool->is_closing; i++) {
        if (pool->seats[i].state == P2_SEAT_BUSY) {
            check_time(&pool->seats[i], now);
        }
    }
    p2_pool_pump(pool);
}
