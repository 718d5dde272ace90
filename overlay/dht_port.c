/* See the header. */
#include "overlay/dht_port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Ports tried without a wish. Chosen: a number taken on just one family is rare. */
#define TRIES 8

/* Binds a UDP socket to `port` (0: any). Returns it, or -1 with errno: EADDRINUSE (taken), another
 * (the family is not there). `ret_port` is written on success. */
static int claim(int family, uint16_t port, uint16_t *ret_port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
    socklen_t size = family == AF_INET ? sizeof v4 : sizeof v6;
    const int on = 1;
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    if ((family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) ||
        bind(fd, address, size) != 0 || getsockname(fd, address, &size) != 0) {
        int error = errno;
        (void)close(fd); /* unused */
        errno = error;
        return -1;
    }
    *ret_port = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
    return fd;
}

static struct p2_dht_port try_once(uint16_t wish)
{
    struct p2_dht_port found = {.port = wish};
    int v6 = -1;
    int v4 = claim(AF_INET, wish, &found.port);
    if (v4 < 0 && errno == EADDRINUSE) {
        found.taken = AF_INET;
        return found;
    }
    v6 = claim(AF_INET6, found.port, &found.port);
    if (v6 < 0 && errno == EADDRINUSE) {
        found.taken = AF_INET6;
    }
    found.has_v4 = v4 >= 0;
    found.has_v6 = v6 >= 0;
    if (v4 >= 0) {
        (void)close(v4); /* the library binds it again */
    }
    if (v6 >= 0) {
        (void)close(v6);
    }
    return found;
}

struct p2_dht_port p2_dht_port_find(uint16_t wish)
{
    struct p2_dht_port found = try_once(wish);
    for (int i = 1; i < TRIES && wish == 0 && found.taken != 0; i++) {
        found = try_once(0);
    }
    return found;
}
