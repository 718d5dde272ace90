/* A timerfd, as the worker pool has one. */
#include "authority/shell/slot_timer.h"

#include "base/error.h"

#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct p2_slot_timer {
    uv_poll_t poll;
    int fd;
    uint64_t at_us;
    void (*on_time)(void *ctx);
    void *ctx;
};

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct p2_slot_timer *timer = poll->data;
    uint64_t expirations;
    (void)status;
    (void)events;
    if (read(timer->fd, &expirations, sizeof expirations) == (ssize_t)sizeof expirations) {
        timer->at_us = UINT64_MAX;
        timer->on_time(timer->ctx);
    }
}

int p2_slot_timer_open(uv_loop_t *loop, void (*on_time)(void *ctx), void *ctx,
                       struct p2_slot_timer **ret_timer)
{
    struct p2_slot_timer *timer = calloc(1, sizeof *timer);
    if (timer == NULL) {
        return P2_E_NOMEM;
    }
    timer->on_time = on_time;
    timer->ctx = ctx;
    timer->at_us = UINT64_MAX;
    timer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (timer->fd < 0 || uv_poll_init(loop, &timer->poll, timer->fd) != 0) {
        if (timer->fd >= 0) {
            (void)close(timer->fd); /* no data to lose */
        }
        free(timer);
        return P2_E_IO;
    }
    timer->poll.data = timer;
    if (uv_poll_start(&timer->poll, UV_READABLE, on_readable) != 0) {
        p2_slot_timer_close(timer);
        return P2_E_IO;
    }
    *ret_timer = timer;
    return P2_OK;
}

void p2_slot_timer_set(struct p2_slot_timer *timer, uint64_t at_us)
{
    if (at_us == timer->at_us) {
        return;
    }
    /* uv_hrtime is CLOCK_MONOTONIC. Zeros disarm, so the past is one microsecond after zero. */
    uint64_t at = at_us == UINT64_MAX ? 0 : at_us > 0 ? at_us : 1;
    const struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(at / 1000000u), .tv_nsec = (long)(at % 1000000u) * 1000L}};
    int failed = timerfd_settime(timer->fd, TFD_TIMER_ABSTIME, &when, NULL);
    P2_ASSERT(failed == 0);
    timer->at_us = at_us;
}

static void on_closed(uv_handle_t *handle)
{
    struct p2_slot_timer *timer = handle->data;
    (void)close(timer->fd); /* no data to lose */
    free(timer);
}

void p2_slot_timer_close(struct p2_slot_timer *timer)
{
    if (timer != NULL) {
        uv_close((uv_handle_t *)&timer->poll, on_closed);
    }
}
