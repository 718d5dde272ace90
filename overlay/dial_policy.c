/* The rules of dialling; see the header. */
#include "overlay/dial_policy.h"

#include "base/error.h"

#include <string.h>

#define MINUTE_US (60ull * 1000000)

void p2_dial_policy_init(struct p2_dial_policy *policy, const struct p2_dial_options *options)
{
    memset(policy, 0, sizeof *policy);
    policy->options = *options;
}

static bool is_scope_allowed(const struct p2_dial_policy *policy, const struct p2_ip *ip,
                             enum p2_dial_source source)
{
    enum p2_ip_scope scope = p2_ip_scope(ip);
    if (scope == P2_IP_GLOBAL) {
        return true;
    }
    bool is_local = scope == P2_IP_PRIVATE || scope == P2_IP_LOOPBACK;
    if (source == P2_DIAL_LAN) {
        return is_local || scope == P2_IP_LINK_LOCAL;
    }
    return is_local && policy->options.private_allowed;
}

static void forget_served(struct p2_dial_policy *policy, uint64_t now_us)
{
    for (uint32_t i = 0; i < policy->barred_count;) {
        if (policy->barred[i].until_us <= now_us) {
            policy->barred[i] = policy->barred[--policy->barred_count];
        } else {
            i++;
        }
    }
}

static bool is_barred(const struct p2_dial_policy *policy, const struct p2_ip *ip)
{
    for (uint32_t i = 0; i < policy->barred_count; i++) {
        if (p2_ip_equal(&policy->barred[i].ip, ip)) {
            return true;
        }
    }
    return false;
}

/* Is a dial to the same neighbourhood, or where neighbourhoods do not count to the same address,
 * going on? */
static bool is_neighbour_active(const struct p2_dial_policy *policy, const struct p2_ip *ip)
{
    bool counts = p2_ip_prefix_counts(ip, policy->options.local_peers);
    for (uint32_t i = 0; i < policy->active_count; i++) {
        const struct p2_ip *other = &policy->active[i].ip;
        if (counts ? p2_ip_prefix(other) == p2_ip_prefix(ip) : p2_ip_equal(other, ip)) {
            return true;
        }
    }
    return false;
}

static uint32_t proven_index(const struct p2_dial_policy *policy, const struct p2_ip *ip)
{
    uint32_t i = 0;
    while (i < policy->proven_count && !p2_ip_equal(&policy->proven[i], ip)) {
        i++;
    }
    return i;
}

static bool is_too_often(const struct p2_dial_policy *policy, uint64_t now_us)
{
    if (policy->new_count < P2_DIAL_NEW_PER_MINUTE) {
        return false;
    }
    /* The ring's next place holds the sixth last. */
    uint64_t sixth_last = policy->new_us[policy->new_count % P2_DIAL_NEW_PER_MINUTE];
    return now_us - sixth_last < MINUTE_US;
}

static enum p2_dial_verdict judge(struct p2_dial_policy *policy,
                                  const struct p2_link_address *address, enum p2_dial_source source,
                                  uint64_t now_us)
{
    if (!is_scope_allowed(policy, &address->ip, source)) {
        return P2_DIAL_NOT_ROUTABLE;
    }
    if (address->port < P2_DIAL_PORT_MIN) {
        return P2_DIAL_LOW_PORT;
    }
    forget_served(policy, now_us);
    if (is_barred(policy, &address->ip)) {
        return P2_DIAL_BARRED;
    }
    if (is_neighbour_active(policy, &address->ip)) {
        return P2_DIAL_NEIGHBOUR;
    }
    if (policy->active_count == P2_DIAL_ACTIVE_MAX) {
        return P2_DIAL_TOO_MANY;
    }
    if (proven_index(policy, &address->ip) < policy->proven_count) {
        return P2_DIAL_ALLOWED;
    }
    if (is_too_often(policy, now_us)) {
        return P2_DIAL_TOO_OFTEN;
    }
    policy->new_us[policy->new_count++ % P2_DIAL_NEW_PER_MINUTE] = now_us;
    return P2_DIAL_ALLOWED;
}

enum p2_dial_verdict p2_dial_policy_ask(struct p2_dial_policy *policy,
                                        const struct p2_link_address *address,
                                        enum p2_dial_source source, uint64_t now_us)
{
    enum p2_dial_verdict verdict = P2_DIAL_ALLOWED;
    if (source != P2_DIAL_CONFIGURED) {
        verdict = judge(policy, address, source, now_us);
        if (verdict == P2_DIAL_ALLOWED) {
            policy->active[policy->active_count++] = *address;
        }
    }
    policy->verdicts[verdict]++;
    return verdict;
}

static void prove(struct p2_dial_policy *policy, const struct p2_ip *ip)
{
    if (proven_index(policy, ip) < policy->proven_count) {
        return;
    }
    policy->proven[policy->next_proven] = *ip; /* the oldest is forgotten first */
    policy->next_proven = (policy->next_proven + 1) % P2_DIAL_PROVEN_MAX;
    if (policy->proven_count < P2_DIAL_PROVEN_MAX) {
        policy->proven_count++;
    }
}

static void bar(struct p2_dial_policy *policy, const struct p2_ip *ip, uint64_t until_us)
{
    uint32_t proven = proven_index(policy, ip);
    if (proven < policy->proven_count) {
        policy->proven[proven] = (struct p2_ip){0}; /* no address: its place is taken in turn */
    }
    P2_ASSERT(policy->barred_count < P2_DIAL_BARRED_MAX); /* see the header */
    policy->barred[policy->barred_count].ip = *ip;
    policy->barred[policy->barred_count].until_us = until_us;
    policy->barred_count++;
}

void p2_dial_policy_end(struct p2_dial_policy *policy, const struct p2_link_address *address,
                        enum p2_dial_outcome outcome, uint64_t now_us)
{
    uint32_t i = 0;
    while (i < policy->active_count && !(p2_ip_equal(&policy->active[i].ip, &address->ip) &&
                                         policy->active[i].port == address->port)) {
        i++;
    }
    if (i == policy->active_count) {
        return;
    }
    policy->active[i] = policy->active[--policy->active_count];
    forget_served(policy, now_us);
    switch (outcome) {
    case P2_DIAL_OPENED:
        prove(policy, &address->ip);
        break;
    case P2_DIAL_HANDSHAKE_FAILED:
        bar(policy, &address->ip, now_us + P2_DIAL_BAR_US);
        break;
    case P2_DIAL_UNREACHED:
        bar(policy, &address->ip, now_us + P2_DIAL_BAR_UNREACHED_US);
        break;
    case P2_DIAL_GIVEN_UP:
        break;
    }
}

const char *p2_dial_verdict_name(enum p2_dial_verdict verdict)
{
    static const char *const names[] = {"allowed",   "not routable", "low port", "barred",
                                        "neighbour", "too often",    "too many"};
    return (size_t)verdict < P2_COUNT_OF(names) ? names[verdict] : "?";
}
