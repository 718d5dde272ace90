/* Join links: p2c2r://join/ID[?at=host:port&key=KEY] (DESIGN 6).
 *
 * ID as in session_id.h; host:port as in link/address.h; KEY the text form of the authority's id
 * (base/id.h): all of it, since the handshake needs the whole key. With at and key a gamer dials
 * without a search. Nothing else is accepted: no other order, parameter, escape or white space.
 * A link is as secret as its ID. Pure. Thread: reentrant. */
#ifndef P2_OVERLAY_JOIN_LINK_H
#define P2_OVERLAY_JOIN_LINK_H

#include "link/address.h"
#include "overlay/session_id.h"

/* Longest link with its zero: scheme, ID, "?at=", host in brackets, port, "&key=", key. */
#define P2_JOIN_LINK_MAX \
    (13 + P2_SESSION_ID_TEXT_LEN + 4 + P2_ADDRESS_HOST_LEN + 2 + 6 + 5 + P2_ID_TEXT_LEN + 1)

struct p2_join_link {
    struct p2_session_id id;
    bool has_address;
    struct p2_address address; /* with its key; set when has_address */
};

/* Reads exactly the `length` characters; a bare ID is also taken. On failure `ret_link` is
 * unchanged and `failure` (may be NULL) says what is wrong without repeating the link.
 * P2_E_MALFORMED, P2_E_CHECKSUM (a slip in the ID or the key), P2_E_RANGE, P2_E_TOO_BIG,
 * P2_E_BAD_KEY. */
int p2_join_link_parse(struct p2_join_link *ret_link, const char *text, size_t length,
                       struct p2_failure *failure);

/* Writes the link with its final zero; reading it gives the same link. */
void p2_join_link_format(char text[P2_JOIN_LINK_MAX], const struct p2_join_link *link);

#endif
