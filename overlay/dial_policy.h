/* Whom a helper may dial: it never becomes a weapon (DESIGN 6).
 *
 * Invites name addresses that strangers chose. A helper that dialled whatever it is told would be a
 * port scanner and a flood for hire. Rules for addresses from invites:
 *
 *   - globally routable only; private and loopback ones only where the configuration says so or LAN
 *     discovery found them
 *   - ports from 1024 on: nobody's mail, shell or name server
 *   - at most 6 new destinations a minute, whoever asks; an address that once completed a handshake
 *     is not new
 *   - one dial at a time for each /24 or /48
 *   - an address where the handshake failed, or that let us wait after connecting, is barred for an
 *     hour; one that refused the connection or did not answer, for 2 minutes
 *
 * An address of the owner's configuration is the owner's will: no rule applies, nothing is learnt.
 * All memory is fixed: 6 new destinations a minute cannot fill the list of barred ones within the
 * hour they stay. Pure: time comes in. Thread: one. */
#ifndef P2_OVERLAY_DIAL_POLICY_H
#define P2_OVERLAY_DIAL_POLICY_H

#include "link/ip.h"
#include "link/link.h"

#define P2_DIAL_PORT_MIN       1024
#define P2_DIAL_NEW_PER_MINUTE 6
#define P2_DIAL_BAR_US         (3600ull * 1000000)
/* Chosen: longer than the life of the invite that named it. */
#define P2_DIAL_BAR_UNREACHED_US (120ull * 1000000)
#define P2_DIAL_ACTIVE_MAX \
    32 /* chosen: 6 a minute for the 10 s of a handshake's deadline, and LAN */
#define P2_DIAL_PROVEN_MAX 64  /* chosen: authorities a helper works for, ever */
#define P2_DIAL_BARRED_MAX 512 /* 60 minutes x 6, and the proven ones */

enum p2_dial_source {
    P2_DIAL_INVITE,    /* a stranger named it */
    P2_DIAL_LAN,       /* LAN discovery found it: private scopes are fine */
    P2_DIAL_CONFIGURED /* the owner wrote it down */
};

enum p2_dial_verdict {
    P2_DIAL_ALLOWED,
    P2_DIAL_NOT_ROUTABLE, /* loopback, private, multicast, reserved, ... */
    P2_DIAL_LOW_PORT,
    P2_DIAL_BARRED,
    P2_DIAL_NEIGHBOUR, /* a dial to the same /24 or /48 is going on */
    P2_DIAL_TOO_OFTEN, /* 6 new destinations within the last minute */
    P2_DIAL_TOO_MANY   /* P2_DIAL_ACTIVE_MAX dials are going on */
};

enum p2_dial_outcome {
    P2_DIAL_OPENED,           /* the handshake is done: proven */
    P2_DIAL_HANDSHAKE_FAILED, /* connected, then nonsense or silence */
    P2_DIAL_UNREACHED,        /* refused, unreachable, no answer */
    P2_DIAL_GIVEN_UP          /* we stopped it ourselves: nothing is learnt */
};

struct p2_dial_options {
    bool private_allowed; /* invites may name private and loopback addresses (LAN party, tests) */
    enum p2_local_peers local_peers;
};

struct p2_dial_policy {
    struct p2_dial_options options;
    uint64_t new_us[P2_DIAL_NEW_PER_MINUTE]; /* when the last new ones were dialled, as a ring */
    uint32_t new_count;                      /* ever */
    uint32_t active_count;
    uint32_t proven_count;
    uint32_t next_proven;
    uint32_t barred_count;
    struct p2_link_address active[P2_DIAL_ACTIVE_MAX];
    struct p2_ip proven[P2_DIAL_PROVEN_MAX];
    struct {
        struct p2_ip ip;
        uint64_t until_us;
    } barred[P2_DIAL_BARRED_MAX];
    uint64_t verdicts[P2_DIAL_TOO_MANY + 1]; /* how often each was given */
};

void p2_dial_policy_init(struct p2_dial_policy *policy, const struct p2_dial_options *options);

/* May this address be dialled now? With P2_DIAL_ALLOWED the dial counts as begun and
 * p2_dial_policy_end must follow once (not for CONFIGURED). `now_us` never goes back. */
enum p2_dial_verdict p2_dial_policy_ask(struct p2_dial_policy *policy,
                                        const struct p2_link_address *address,
                                        enum p2_dial_source source, uint64_t now_us);

/* How a dial ended. Unknown addresses are ignored. */
void p2_dial_policy_end(struct p2_dial_policy *policy, const struct p2_link_address *address,
                        enum p2_dial_outcome outcome, uint64_t now_us);

/* "allowed", "not routable", ... for people and counters. Static. */
const char *p2_dial_verdict_name(enum p2_dial_verdict verdict);

#endif
