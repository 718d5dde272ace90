/* One descriptor kept back, so that a listener can still take a connection, and turn it away, when
 * the process (EMFILE) or the machine (ENFILE) has no other left. Without it the connection stays
 * in the system's queue, the listener stays readable, and an event loop spins.
 *
 * Thread: one at a time. */
#ifndef P2_BASE_RESERVE_H
#define P2_BASE_RESERVE_H

#include <stdbool.h>

struct p2_reserve {
    int fd; /* -1: there is none */
};

/* Takes a descriptor if there is none. False: none is to be had now; call again later. */
bool p2_reserve_fill(struct p2_reserve *reserve);

/* Gives the descriptor back to the system; used to end, or by p2_reserve_accept. */
void p2_reserve_drop(struct p2_reserve *reserve);

/* Is `number` (an errno) the lack of descriptors? */
bool p2_reserve_is_needed(int number);

/* Gives the descriptor for a connection of the non-blocking listener `listener` and returns it, for
 * the caller to close before p2_reserve_fill; -1 with errno when none waits (EAGAIN, the reserve is
 * filled again) or there is no descriptor even so. */
int p2_reserve_accept(struct p2_reserve *reserve, int listener);

#endif
