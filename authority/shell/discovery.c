/* The authority's side of the overlay, put together. */
#include "authority/shell/discovery.h"

#include "overlay/membership.h"
#include "overlay/recruiter.h"
#include "overlay/session_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BOOTSTRAP_MAX 16u /* of overlay_dht.h */

/* How long an invite's token is good (DESIGN 6). */
#define TOKEN_US (UINT64_C(1000000) * P2_INVITE_LIFE_S)

struct p2_discovered {
    struct p2_discovered *next;
    struct p2_session_host *host; /* NULL until the puzzle is solved */
    uint8_t salt[P2_SALT_BYTES];
    bool is_locked;
};

struct p2_discovery {
    struct p2_authority *authority;
    struct p2_membership *membership;
    struct p2_recruiter *recruiter; /* NULL until the puzzle is solved */
    struct p2_discovered *sessions;
    struct p2_link_address endpoints[P2_SESSION_ENDPOINTS];
    uint8_t endpoint_count;
    uint64_t nonce;
    bool is_solved;
    struct p2_rng rng;
};

static const struct p2_config *config_of(const struct p2_discovery *discovery)
{
    return discovery->authority->config;
}

/* ---- where others reach us --------------------------------------------------------------------- */

static void add_endpoint(struct p2_discovery *discovery, const struct p2_ip *ip, uint16_t port)
{
    for (uint8_t i = 0; i < discovery->endpoint_count; i++) {
        if (p2_ip_equal(&discovery->endpoints[i].ip, ip)) {
            return;
        }
    }
    if (discovery->endpoint_count < P2_SESSION_ENDPOINTS) {
        discovery->endpoints[discovery->endpoint_count++] =
            (struct p2_link_address){.ip = *ip, .port = port};
    }
}

static struct p2_ip ip_of(const uv_interface_address_t *from)
{
    uint8_t v4[4];
    memcpy(v4, &from->address.address4.sin_addr, sizeof v4);
    return from->address.address4.sin_family == AF_INET
               ? p2_ip_from_v4(v4)
               : p2_ip_from_v6(from->address.address6.sin6_addr.s6_addr);
}

/* Addresses of this machine, global ones first; private ones only where they may be used. */
static void add_interfaces(struct p2_discovery *discovery, uint16_t port, bool takes_local)
{
    uv_interface_address_t *all = NULL;
    int count = 0;
    if (uv_interface_addresses(&all, &count) != 0) {
        return;
    }
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < count; i++) {
            struct p2_ip ip = ip_of(&all[i]);
            enum p2_ip_scope scope = p2_ip_scope(&ip);
            bool is_wanted =
                pass == 0 ? scope == P2_IP_GLOBAL : takes_local && scope == P2_IP_PRIVATE;
            if (is_wanted) {
                add_endpoint(discovery, &ip, port);
            }
        }
    }
    uv_free_interface_addresses(all, count);
}

static void find_endpoints(struct p2_discovery *discovery, const struct p2_link_address *listening)
{
    const struct p2_config *config = config_of(discovery);
    size_t count = p2_config_count(config, P2_AUTHORITY_OPTION_REACHABLE_AT);
    for (size_t i = 0; i < count; i++) {
        struct p2_address address;
        const char *text = p2_config_at(config, P2_AUTHORITY_OPTION_REACHABLE_AT, i);
        if (p2_address_parse_endpoint(&address, text, strlen(text), NULL) == P2_OK) {
            add_endpoint(discovery, &address.ip, address.port);
        }
    }
    if (count == 0 && p2_ip_scope(&listening->ip) != P2_IP_UNSPECIFIED) {
        add_endpoint(discovery, &listening->ip, listening->port);
    } else if (count == 0) {
        bool takes_local = p2_config_choice(config, P2_AUTHORITY_OPTION_LOCAL_PEERS) == 1;
        add_interfaces(discovery, listening->port, takes_local);
    }
}

/* ---- when the puzzle is solved ----------------------------------------------------------------- */

static int host_session(struct p2_discovery *discovery, struct p2_discovered *session)
{
    struct p2_session_host_options options = {
        .overlay = p2_membership_overlay(discovery->membership),
        .rules = p2_membership_rules(discovery->membership),
        .identity = discovery->authority->daemon->identity,
        .puzzle_nonce = discovery->nonce,
        .first_sequence = p2_overlay_now(p2_membership_overlay(discovery->membership)).unix_s,
        .salt = session->salt,
        .endpoints = discovery->endpoints,
        .endpoint_count = discovery->endpoint_count,
        .is_locked = session->is_locked,
        .has_aes = p2_cipher_available(P2_CIPHER_AESGCM),
    };
    p2_rng_split(&options.rng, &discovery->rng, "session", 0);
    return p2_session_host_open(&session->host, &options);
}

static bool is_blocked(const struct p2_id *id, void *ctx)
{
    const struct p2_discovery *discovery = ctx;
    const struct p2_policy *policy = &discovery->authority->policy;
    for (uint32_t i = 0; i < policy->count; i++) {
        if (policy->rows[i].is_banned && p2_id_equal(&policy->rows[i].id, id)) {
            return true;
        }
    }
    return false;
}

/* The region where helpers are looked for: the configured one, or where this machine's clock is. */
static void region_of(const struct p2_discovery *discovery, char region[P2_REGION_MAX])
{
    const char *text = p2_config_string(config_of(discovery), P2_AUTHORITY_OPTION_REGION);
    if (text != NULL) {
        (void)snprintf(region, P2_REGION_MAX, "%s", text);
    } else {
        tzset(); /* as helpers do: the offset of the local time without summer time */
        long hours = -timezone / 3600;
        (void)snprintf(region, P2_REGION_MAX, hours == 0 ? "utc" : "utc%+ld", hours);
    }
}

static int open_recruiter(struct p2_discovery *discovery)
{
    static const enum p2_local_peers local_peers[] = {P2_LOCAL_PEERS_STRICT, P2_LOCAL_PEERS_ALLOW};
    const struct p2_config *config = config_of(discovery);
    struct p2_recruiter_options options = {
        .overlay = p2_membership_overlay(discovery->membership),
        .rules = p2_membership_rules(discovery->membership),
        .identity = discovery->authority->daemon->identity,
        .puzzle_nonce = discovery->nonce,
        .first_sequence = p2_overlay_now(p2_membership_overlay(discovery->membership)).unix_s,
        .local_peers = local_peers[p2_config_choice(config, P2_AUTHORITY_OPTION_LOCAL_PEERS)],
        .invites_per_minute =
            (uint32_t)p2_config_u64(config, P2_AUTHORITY_OPTION_INVITES_PER_MINUTE),
        .has_aes = p2_cipher_available(P2_CIPHER_AESGCM),
        .is_blocked = is_blocked,
        .ctx = discovery,
    };
    uint8_t count = discovery->endpoint_count < P2_INVITE_ENDPOINTS ? discovery->endpoint_count
                                                                    : (uint8_t)P2_INVITE_ENDPOINTS;
    region_of(discovery, options.region);
    p2_rng_split(&options.rng, &discovery->rng, "recruiter", 0);
    int error = p2_recruiter_open(&discovery->recruiter, &options);
    if (error == P2_OK) {
        error = p2_recruiter_set_endpoints(discovery->recruiter, discovery->endpoints, count);
    }
    if (error == P2_OK) {
        p2_recruiter_set_want(discovery->recruiter,
                              (uint32_t)p2_config_u64(config, P2_AUTHORITY_OPTION_WANT_HELPERS));
    }
    return error;
}

static void on_solved(uint64_t nonce, void *ctx)
{
    struct p2_discovery *discovery = ctx;
    struct p2_log *log = &discovery->authority->daemon->log;
    discovery->nonce = nonce;
    discovery->is_solved = true;
    if (discovery->endpoint_count == 0) {
        P2_LOG_EVENT(log, P2_LEVEL_ERROR, "no_address_to_publish");
        return;
    }
    int error = open_recruiter(discovery);
    for (struct p2_discovered *session = discovery->sessions; session != NULL && error == P2_OK;
         session = session->next) {
        error = host_session(discovery, session);
    }
    if (error != P2_OK) {
        P2_LOG(log, P2_LEVEL_ERROR, "discovery_failed", P2_LOG_ERROR(error));
    }
}

/* ---- public ------------------------------------------------------------------------------------ */

static int open_membership(struct p2_discovery *discovery, struct p2_failure *failure)
{
    const struct p2_config *config = config_of(discovery);
    struct p2_daemon *daemon = discovery->authority->daemon;
    const char *bootstrap[BOOTSTRAP_MAX];
    size_t count = p2_config_count(config, P2_AUTHORITY_OPTION_BOOTSTRAP);
    if (count > BOOTSTRAP_MAX) {
        return p2_fail(failure, P2_E_LIMIT, "at most %u bootstrap nodes", BOOTSTRAP_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        bootstrap[i] = p2_config_at(config, P2_AUTHORITY_OPTION_BOOTSTRAP, i);
    }
    const struct p2_membership_options options = {
        .loop = &daemon->loop,
        .log = &daemon->log,
        .identity = daemon->identity,
        .state_dir = p2_config_string(config, P2_AUTHORITY_OPTION_STATE_DIR),
        .network = p2_config_string(config, P2_AUTHORITY_OPTION_NETWORK),
        .program = p2_config_string(config, P2_AUTHORITY_OPTION_DHT_PROGRAM),
        .bootstrap = bootstrap,
        .bootstrap_count = count,
        .port = (uint16_t)p2_config_u64(config, P2_AUTHORITY_OPTION_OVERLAY_PORT),
        .finds_lan = p2_config_bool(config, P2_AUTHORITY_OPTION_LAN),
        .puzzle_bits = (uint8_t)p2_config_u64(config, P2_AUTHORITY_OPTION_PUZZLE_BITS),
        .on_solved = on_solved,
        .ctx = discovery,
    };
    return p2_membership_open(&discovery->membership, &options, failure);
}

int p2_discovery_open(struct p2_discovery **ret_discovery, struct p2_authority *authority,
                      const struct p2_link_address *listening, struct p2_failure *failure)
{
    bool is_wanted = p2_config_count(authority->config, P2_AUTHORITY_OPTION_BOOTSTRAP) > 0 ||
                     p2_config_bool(authority->config, P2_AUTHORITY_OPTION_LAN);
    *ret_discovery = NULL;
    if (!is_wanted) {
        return P2_OK;
    }
    struct p2_discovery *discovery = calloc(1, sizeof *discovery);
    if (discovery == NULL) {
        return P2_E_NOMEM;
    }
    discovery->authority = authority;
    p2_rng_split(&discovery->rng, &authority->rng, "discovery", 0);
    find_endpoints(discovery, listening);
    int error = open_membership(discovery, failure);
    if (error != P2_OK) {
        free(discovery);
        return error;
    }
    *ret_discovery = discovery;
    return P2_OK;
}

int p2_discovery_publish(struct p2_discovery *discovery, const uint8_t salt[P2_SALT_BYTES],
                         struct p2_discovered **ret_session)
{
    struct p2_discovered *session = discovery != NULL ? calloc(1, sizeof *session) : NULL;
    if (session == NULL) {
        return discovery != NULL ? P2_E_NOMEM : P2_OK;
    }
    memcpy(session->salt, salt, P2_SALT_BYTES);
    bool can_host = discovery->is_solved && discovery->endpoint_count > 0;
    int error = can_host ? host_session(discovery, session) : P2_OK;
    if (error != P2_OK) {
        free(session);
        return error;
    }
    session->next = discovery->sessions;
    discovery->sessions = session;
    *ret_session = session;
    return P2_OK;
}

static void free_session(struct p2_discovered *session)
{
    p2_session_host_close(session->host);
    p2_secret_wipe(session->salt, sizeof session->salt);
    free(session);
}

void p2_discovery_withdraw(struct p2_discovery *discovery, struct p2_discovered *session)
{
    if (discovery == NULL || session == NULL) {
        return;
    }
    struct p2_discovered **at = &discovery->sessions;
    while (*at != session) {
        at = &(*at)->next;
    }
    *at = session->next;
    free_session(session);
}

void p2_discovery_set_locked(struct p2_discovery *discovery, struct p2_discovered *session,
                             bool is_locked)
{
    if (discovery != NULL && session != NULL) {
        session->is_locked = is_locked;
        if (session->host != NULL) {
            p2_session_host_set_locked(session->host, is_locked);
        }
    }
}

int p2_discovery_hello(struct p2_discovery *discovery, const struct p2_msg_hello *hello,
                       const struct p2_ip *ip)
{
    bool is_invited = false;
    uint8_t token[P2_INVITE_TOKEN_BYTES] = {0};
    if (discovery == NULL || discovery->recruiter == NULL) {
        return P2_OK;
    }
    if (hello->token.size == sizeof token) {
        memcpy(token, hello->token.data, sizeof token);
    }
    int error = p2_recruiter_dialled_in(discovery->recruiter, &hello->node, ip, token, &is_invited);
    if (error == P2_OK && is_invited) {
        error = p2_core_invite(&discovery->authority->core, p2_span(token, sizeof token),
                               &hello->node, p2_pool_now_us() + TOKEN_US);
    }
    return error;
}

void p2_discovery_gone(struct p2_discovery *discovery, const struct p2_id *helper)
{
    if (discovery != NULL && discovery->recruiter != NULL) {
        p2_recruiter_gone(discovery->recruiter, helper);
    }
}

json_t *p2_discovery_describe(const struct p2_discovery *discovery)
{
    if (discovery == NULL) {
        return NULL;
    }
    struct p2_overlay_status node = p2_overlay_status(p2_membership_overlay(discovery->membership));
    struct p2_recruiter_status found = {0};
    if (discovery->recruiter != NULL) {
        found = p2_recruiter_status(discovery->recruiter);
    }
    return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:i}", "state",
                     p2_overlay_state_name(node.state), "port_v4", (int)node.port_v4, "port_v6",
                     (int)node.port_v6, "puzzle_ppm",
                     (int)p2_membership_puzzle_ppm(discovery->membership), "endpoints",
                     (int)discovery->endpoint_count, "wanted", (int)found.want, "invited",
                     (int)found.invited, "invites", (json_int_t)found.invites, "dialled_in",
                     (json_int_t)found.dialled_in, "silent", (int)found.silent);
}

struct ending {
    struct p2_discovery *discovery;
    void (*on_closed)(void *ctx);
    void *ctx;
};

static void on_membership_closed(void *ctx)
{
    struct ending *ending = ctx;
    free(ending->discovery);
    ending->on_closed(ending->ctx);
    free(ending);
}

void p2_discovery_close(struct p2_discovery *discovery, void (*on_closed)(void *ctx), void *ctx)
{
    struct ending *ending = discovery != NULL ? calloc(1, sizeof *ending) : NULL;
    if (discovery == NULL) {
        on_closed(ctx);
        return;
    }
    P2_ASSERT(ending != NULL);
    *ending = (struct ending){discovery, on_closed, ctx};
    p2_recruiter_close(discovery->recruiter);
    while (discovery->sessions != NULL) {
        struct p2_discovered *session = discovery->sessions;
        discovery->sessions = session->next;
        free_session(session);
    }
    p2_membership_close(discovery->membership, on_membership_closed, ending);
}
