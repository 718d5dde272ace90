/* IP addresses as values: text form, scope, prefix. No resolver, no socket. Pure. Thread:
 * reentrant.
 *
 * IPv4-mapped IPv6 addresses (::ffff:a.b.c.d, what a dual-stack socket reports) become the IPv4
 * address they stand for, so that no limit can be passed by writing an address another way. */
#ifndef P2_LINK_IP_H
#define P2_LINK_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define P2_IP_TEXT_MAX 46 /* longest text with its zero, as INET6_ADDRSTRLEN */

struct p2_ip {
    uint8_t family;    /* 4 or 6 */
    uint8_t bytes[16]; /* network order; IPv4 in the first 4, the rest zero */
};

/* Where an address means something (IANA special-purpose address registries, RFC 6890). */
enum p2_ip_scope {
    P2_IP_GLOBAL,        /* routable everywhere */
    P2_IP_PRIVATE,       /* RFC 1918, unique local fc00::/7 */
    P2_IP_LOOPBACK,      /* 127/8, ::1 */
    P2_IP_LINK_LOCAL,    /* 169.254/16, fe80::/10 */
    P2_IP_MULTICAST,     /* 224/4, ff00::/8 */
    P2_IP_UNSPECIFIED,   /* 0.0.0.0, :: */
    P2_IP_SHARED,        /* 100.64/10, behind a carrier's NAT (RFC 6598) */
    P2_IP_DOCUMENTATION, /* RFC 5737, 3849, 9637 */
    P2_IP_RESERVED       /* everything else: benchmarks, tunnels, broadcast, unassigned */
};

/* From network-order bytes, as in struct sockaddr_in and sockaddr_in6. */
struct p2_ip p2_ip_from_v4(const uint8_t bytes[4]);
struct p2_ip p2_ip_from_v6(const uint8_t bytes[16]);

/* Reads the `length` characters of an IPv4 or IPv6 literal: four decimal numbers without leading
 * zeros, or RFC 4291 section 2.2 (also with an IPv4 tail), without brackets or zone.
 * P2_E_MALFORMED for anything else. */
int p2_ip_parse(struct p2_ip *ret_ip, const char *text, size_t length);

/* Writes the one canonical text (RFC 5952) with its final zero. */
void p2_ip_format(char text[P2_IP_TEXT_MAX], const struct p2_ip *ip);

bool p2_ip_equal(const struct p2_ip *a, const struct p2_ip *b);

/* The scope. Addresses of the NAT64 prefix 64:ff9b::/96 have the scope of the IPv4 address inside
 * (RFC 6052); 6to4 and Teredo are RESERVED. */
enum p2_ip_scope p2_ip_scope(const struct p2_ip *ip);

/* "global", "private", ... Static. */
const char *p2_ip_scope_name(enum p2_ip_scope scope);

/* The neighbourhood that counts as one party in limits: the /24 of IPv4, the /48 of IPv6, as a
 * number that is never 0 and never equal across families. */
uint64_t p2_ip_prefix(const struct p2_ip *ip);

/* The option local_peers (DESIGN 6). */
enum p2_local_peers {
    P2_LOCAL_PEERS_STRICT, /* rules per prefix hold for every address */
    P2_LOCAL_PEERS_ALLOW   /* they are lifted for loopback, link-local and private addresses */
};

/* Do limits and placement rules per prefix count this address? */
bool p2_ip_prefix_counts(const struct p2_ip *ip, enum p2_local_peers local_peers);

#endif
