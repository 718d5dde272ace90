/* How helpers and gamers that know nothing of this authority find it (DESIGN 6): session records for
 * gamers, invites to helpers. Opened when bootstrap nodes, or the local network, are configured;
 * every function accepts NULL and does nothing then.
 *
 * Thread: the loop's. */
#ifndef P2_AUTHORITY_SHELL_DISCOVERY_H
#define P2_AUTHORITY_SHELL_DISCOVERY_H

#include "authority/shell/authority_internal.h"
#include "overlay/session_id.h"

struct p2_discovery;
struct p2_discovered; /* a published session */

/* Opens what the configuration asks for; *ret_discovery stays NULL when it asks for nothing. `port` is
 * the one we listen at. Errors of p2_membership_open. */
int p2_discovery_open(struct p2_discovery **ret_discovery, struct p2_authority *authority,
                      const struct p2_link_address *listening, struct p2_failure *failure);

/* Publishes a session until p2_discovery_withdraw; `salt` is that of its ID. As soon as the puzzle is
 * solved. P2_E_NOMEM. */
int p2_discovery_publish(struct p2_discovery *discovery, const uint8_t salt[P2_SALT_BYTES],
                         struct p2_discovered **ret_session);
void p2_discovery_withdraw(struct p2_discovery *discovery, struct p2_discovered *session);
void p2_discovery_set_locked(struct p2_discovery *discovery, struct p2_discovered *session,
                             bool is_locked);

/* A HELLO was read. P2_OK: the core may hear it, its token made known to the core when it was an
 * invite of ours; P2_E_LIMIT: too many of its neighbourhood. */
int p2_discovery_hello(struct p2_discovery *discovery, const struct p2_msg_hello *hello,
                       const struct p2_ip *ip);
void p2_discovery_gone(struct p2_discovery *discovery, const struct p2_id *helper);

/* For status; NULL when there is none. */
json_t *p2_discovery_describe(const struct p2_discovery *discovery);

/* Ends everything; `on_closed` comes once, not from inside, also for NULL discovery: then at once. */
void p2_discovery_close(struct p2_discovery *discovery, void (*on_closed)(void *ctx), void *ctx);

#endif
