/* The one file that talks to the service manager. */
#include "base/notify.h"

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>

#include <inttypes.h>
#include <time.h>

/* Every return value is ignored on purpose: without a manager there is nobody to tell, and a
 * manager that does not listen must not stop the daemon. */
void p2_notify_ready(const char *status)
{
    (void)sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void p2_notify_status(const char *status)
{
    (void)sd_notifyf(0, "STATUS=%s", status);
}

void p2_notify_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1");
}

void p2_notify_reloading(void)
{
    struct timespec now = {0, 0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t now_us = (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now_us);
}

void p2_notify_alive(void)
{
    (void)sd_notify(0, "WATCHDOG=1");
}

uint64_t p2_notify_watchdog_ms(void)
{
    uint64_t deadline_us = 0;
    return sd_watchdog_enabled(0, &deadline_us) > 0 ? deadline_us / 2000u : 0;
}

#else

void p2_notify_ready(const char *status)
{
    (void)status;
}

void p2_notify_status(const char *status)
{
    (void)status;
}

void p2_notify_stopping(void)
{
}

void p2_notify_reloading(void)
{
}

void p2_notify_alive(void)
{
}

uint64_t p2_notify_watchdog_ms(void)
{
    return 0;
}

#endif
