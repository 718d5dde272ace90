/* See the header. */
#include "base/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

bool p2_reserve_fill(struct p2_reserve *reserve)
{
    if (reserve->fd < 0) {
        reserve->fd = open("/", O_PATH | O_CLOEXEC); /* any descriptor; this one can do nothing */
    }
    return reserve->fd >= 0;
}

void p2_reserve_drop(struct p2_reserve *reserve)
{
    if (reserve->fd >= 0) {
        (void)close(reserve->fd); /* nothing was written */
        reserve->fd = -1;
    }
}

bool p2_reserve_is_needed(int number)
{
    return number == EMFILE || number == ENFILE;
}

int p2_reserve_accept(struct p2_reserve *reserve, int listener)
{
    p2_reserve_drop(reserve);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        int number = errno;
        (void)p2_reserve_fill(reserve); /* else at the next need */
        errno = number;
    }
    return fd;
}
