/* One evening: the connection, the gamer, the show, sixty times a second, until it ends.
 * Thread: the main one. */
#ifndef P2_CLIENT_PLAY_H
#define P2_CLIENT_PLAY_H

#include "client/connection.h"
#include "client/show.h"

/* Set all of it; borrowed until p2_play has returned. */
struct p2_play_options {
    struct p2_connection_options connection; /* loop, gamer and functions are filled in */
    struct p2_gamer_options gamer;           /* send is filled in */
    const struct p2_show_ops *show;
    struct p2_show_options show_options;
    uint64_t seconds;    /* plays so long after the first frame; 0: until the person ends it */
    uint64_t patience_s; /* gives up when no frame came for so long at the start; 0: never */
    bool prints_summary; /* one line of JSON on standard output at the end */
    bool shows_figures;
};

/* Why it ended, as an exit status of sysexits.h: 0 the person or the clock ended it, EX_UNAVAILABLE the
 * session ended or was not found (with the reason on standard error), EX_IOERR, EX_OSERR. */
int p2_play(struct p2_play_options *options);

#endif
