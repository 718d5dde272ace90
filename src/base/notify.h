/* What a daemon tells the service manager that started it (sd_notify(3)). Without systemd, or when
 * nobody listens, everything here does nothing. Thread: reentrant. */
#ifndef P2_BASE_NOTIFY_H
#define P2_BASE_NOTIFY_H

#include <stdint.h>

/* Started: `status` is one line for people, for `systemctl status`. */
void p2_notify_ready(const char *status);

/* A new line for people. */
void p2_notify_status(const char *status);

/* Ending on purpose. */
void p2_notify_stopping(void);

/* A reload has begun; p2_notify_ready ends it. */
void p2_notify_reloading(void);

/* Still alive; to be called at least every p2_notify_watchdog_ms. */
void p2_notify_alive(void);

/* How often the manager wants to hear that, half its deadline, in ms; 0: never. */
uint64_t p2_notify_watchdog_ms(void);

#endif
