/* dht-free-port: prints a UDP port that was free on IPv4 and IPv6 a moment ago.
 * dht-free-port --wait PORT: waits until somebody has it, for at most 10 s. */
#include "overlay/dht_port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAIT_STEPS 200
static const struct timespec step = {0, 50000000}; /* polled: nothing reports a bound port */

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--wait") == 0) {
        uint16_t port = (uint16_t)strtoul(argv[2], NULL, 10);
        for (int i = 0; i < WAIT_STEPS && p2_dht_port_find(port).taken == 0; i++) {
            (void)nanosleep(&step, NULL);
        }
        return p2_dht_port_find(port).taken != 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    struct p2_dht_port found = p2_dht_port_find(0);
    (void)printf("%u\n", found.port);
    return found.taken == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
