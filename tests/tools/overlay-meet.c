/* overlay-meet PROGRAM NODES [BOOTSTRAP-PORT]: hosts, gamers, helpers and authorities of the product
 * with real records over NODES real p2c2r-dht processes on loopback.
 *
 *   sessions   each host publishes one; gamers on other nodes look them up by ID
 *   ads        fresh helpers start; how long until an authority has read their ad
 *   invites    every authority invites every helper; the helper's dial is the answer
 *   memory     no key and no session ID in the memory of the nodes' processes
 *   killed     a third of the nodes is killed with -9; sessions and invites again
 *
 * Every session must be found and every invite arrive, however long it takes. With 50 nodes and
 * more the bars of the project are printed as well: resolved < 1 s, ad < 20 s, invite < 3 s, each at
 * p95. Proofs of work: puzzle of 4 bits (it is only checked here), stamps of 16 as in the product. */
#include "base/crypto.h"
#include "overlay/helper_presence.h"
#include "overlay/puzzle.h"
#include "overlay/recruiter.h"
#include "overlay/session_finder.h"
#include "overlay/session_host.h"
#include "tests/tools/swarm.h"

#include "base/entropy.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BARS_FROM 50 /* nodes */

#define HOSTS_MAX       16
#define HELPERS_MAX     10
#define AUTHORITIES_MAX 20
#define SEARCHES_MAX    200

/* Searches of three rounds for one session. */
#define TRIES 4

struct helper {
    int node;
    struct p2_identity identity;
    struct p2_id id;
    struct p2_helper_presence *presence;
    uint64_t started_us;
    uint64_t found_us; /* its ad was read; 0: not yet */
};

/* One authority's invites; only one works at a time. */
struct authority {
    struct p2_identity identity;
    struct p2_recruiter *recruiter;
    uint64_t nonce;
    uint64_t invited_us[HELPERS_MAX]; /* when the first invite was made; 0: not yet */
    uint64_t dialled_us[HELPERS_MAX];
};

static struct {
    struct p2_overlay_rules rules;
    struct p2_rng rng;
    int first; /* nodes before this one may be dead */
    int host_count, helper_count, authority_count, search_count;
    struct p2_session_host *hosts[HOSTS_MAX];
    int host_nodes[HOSTS_MAX];
    struct p2_identity host_identities[HOSTS_MAX];
    struct helper helpers[HELPERS_MAX];
    struct authority authorities[AUTHORITIES_MAX];
    struct authority *working; /* on invites */
    bool is_judged;            /* as many nodes as the bars are for */
    bool is_reading;           /* the authority is there for the ads */
} world;

static uint64_t make_node(struct p2_identity *identity)
{
    uint8_t seed[P2_KEY_BYTES];
    struct p2_puzzle puzzle;
    struct p2_id id;
    do {
        p2_rng_bytes(&world.rng, seed, sizeof seed);
    } while (p2_identity_from_seed(identity, seed) != P2_OK);
    memcpy(id.bytes, identity->public_key, sizeof id.bytes);
    p2_puzzle_begin(&puzzle, &id, world.rules.puzzle_bits);
    while (!puzzle.is_solved) {
        (void)p2_puzzle_step(&puzzle, 16);
    }
    return puzzle.nonce;
}

static struct p2_rng next_rng(void)
{
    struct p2_rng rng;
    uint8_t seed[P2_KEY_BYTES];
    p2_rng_bytes(&world.rng, seed, sizeof seed);
    p2_rng_init(&rng, seed, "overlay-meet");
    return rng;
}

static struct p2_link_address loopback(uint16_t port)
{
    static const uint8_t bytes[4] = {127, 0, 0, 1};
    return (struct p2_link_address){p2_ip_from_v4(bytes), port};
}

/* A living node for piece of work number `i`. */
static int node_for(int i)
{
    return world.first + i % (swarm.count - world.first);
}

/* ---- sessions --------------------------------------------------------------------------------------- */

static void open_hosts(void)
{
    for (int i = 0; i < world.host_count; i++) {
        const struct p2_link_address endpoint = loopback((uint16_t)(20000 + i));
        world.host_nodes[i] = node_for(i * 3);
        const uint64_t nonce = make_node(&world.host_identities[i]);
        const struct p2_session_host_options options = {.overlay = swarm.nodes[world.host_nodes[i]],
                                                        .rules = &world.rules,
                                                        .identity = &world.host_identities[i],
                                                        .puzzle_nonce = nonce,
                                                        .first_sequence = 1,
                                                        .endpoints = &endpoint,
                                                        .endpoint_count = 1,
                                                        .rng = next_rng()};
        if (p2_session_host_open(&world.hosts[i], &options) != P2_OK) {
            exit(99);
        }
    }
}

static bool are_published(void *ctx)
{
    int published = 0;
    (void)ctx;
    for (int i = 0; i < world.host_count; i++) {
        published += p2_session_host_status(world.hosts[i]).puts >= P2_SESSION_COPIES &&
                     p2_overlay_status(swarm.nodes[world.host_nodes[i]]).published >= 1;
    }
    return published == world.host_count;
}

struct search {
    bool is_over;
    int result;
    uint64_t found_us;
    uint16_t port;
};

static void on_record(const struct p2_overlay_session *record, void *ctx)
{
    struct search *search = ctx;
    search->found_us = swarm_now_us();
    search->port = record->endpoints[0].port;
}

static void on_search_end(int result, unsigned number, void *ctx)
{
    struct search *search = ctx;
    (void)number;
    search->is_over = true;
    search->result = result;
}

static const struct p2_finder_events finder_events = {.on_record = on_record,
                                                      .on_end = on_search_end};

static bool is_search_over(void *ctx)
{
    return ((struct search *)ctx)->is_over;
}

/* Looks session `host` up from `node` with an empty cache; microseconds, 0: not found. */
static uint64_t find_session(int host, int node)
{
    const struct p2_finder_options options = {swarm.nodes[node], &world.rules};
    struct p2_session_finder *finder = NULL;
    struct search search = {0};
    uint64_t from = swarm_now_us(), took = 0;
    if (p2_session_finder_open(&finder, &options, &finder_events, &search) == P2_OK &&
        p2_session_finder_start(finder, p2_session_host_id(world.hosts[host]), NULL, NULL, 0) ==
            P2_OK &&
        swarm_run_until(is_search_over, &search) && search.result == P2_OK &&
        search.port == 20000 + host) {
        took = search.found_us - from;
    }
    p2_session_finder_close(finder);
    return took;
}

static uint64_t find_sessions(const char *what)
{
    uint64_t us[SEARCHES_MAX];
    size_t found = 0;
    int again = 0;
    for (int i = 0; i < world.search_count; i++) {
        int host = i % world.host_count;
        int node = node_for(i * 7 + 1);
        node = node == world.host_nodes[host] ? node_for(i * 7 + 2) : node;
        uint64_t from = swarm_now_us();
        us[found] = find_session(host, node);
        /* The host puts its record again after 15 s: a lost one is found then. */
        for (int try = 1; us[found] == 0 && try < TRIES; try++) {
            again++;
            us[found] = find_session(host, node) != 0 ? swarm_now_us() - from : 0;
        }
        found += us[found] != 0;
    }
    uint64_t p95 = swarm_figure(what, us, found);
    swarm_expect((int)found == world.search_count, "%s: %zu of %d, %d searches repeated", what,
                 found, world.search_count, again);
    return p95;
}

/* ---- helpers ---------------------------------------------------------------------------------------- */

static bool on_dial(const struct p2_presence_dial *dial, void *ctx)
{
    struct helper *helper = ctx;
    struct authority *authority = world.working;
    bool is_ours = authority != NULL &&
                   memcmp(dial->authority.bytes, authority->identity.public_key, P2_ID_BYTES) == 0;
    bool is_invited = false;
    int index = (int)(helper - world.helpers);
    struct p2_ip ip = dial->address.ip;
    if (is_ours &&
        p2_recruiter_dialled_in(authority->recruiter, &helper->id, &ip, dial->token, &is_invited) ==
            P2_OK &&
        is_invited) {
        authority->dialled_us[index] = swarm_now_us();
    }
    p2_helper_presence_dialled(helper->presence, &dial->address, P2_DIAL_OPENED);
    return true;
}

static const struct p2_presence_events presence_events = {.on_dial = on_dial};

static void open_presence(struct helper *helper)
{
    const uint64_t nonce = make_node(&helper->identity);
    const struct p2_presence_options options = {
        .overlay = swarm.nodes[helper->node],
        .rules = &world.rules,
        .identity = &helper->identity,
        .puzzle_nonce = nonce,
        .first_sequence = 1,
        .dial = {.private_allowed = true, .local_peers = P2_LOCAL_PEERS_ALLOW},
        .rng = next_rng()};
    const struct p2_capacity_ad ad = {.region = "utc", .cores = 2, .free_slots = 2};
    memcpy(helper->id.bytes, helper->identity.public_key, P2_ID_BYTES);
    if (p2_helper_presence_open(&helper->presence, &options, &presence_events, helper) != P2_OK ||
        p2_helper_presence_offer(helper->presence, &ad) != P2_OK) {
        exit(99);
    }
}

/* Recruitment asks this when an ad is new to it, and before every invite: the first time tells when
 * an ad was found or an invite made. */
static bool on_asked(const struct p2_id *id, void *ctx)
{
    struct authority *authority = ctx;
    for (int i = 0; i < world.helper_count; i++) {
        struct helper *helper = &world.helpers[i];
        if (!p2_id_equal(&helper->id, id)) {
            continue;
        }
        if (world.is_reading) {
            helper->found_us = helper->found_us != 0 ? helper->found_us : swarm_now_us();
        } else if (authority->invited_us[i] == 0) {
            authority->invited_us[i] = swarm_now_us();
        }
    }
    return world.is_reading; /* no invites yet: blocked */
}

static void open_recruiter(struct authority *authority, int node)
{
    const struct p2_link_address endpoint = loopback(30000);
    if (authority->nonce == 0) {
        authority->nonce = make_node(&authority->identity);
    }
    const struct p2_recruiter_options options = {.overlay = swarm.nodes[node],
                                                 .rules = &world.rules,
                                                 .identity = &authority->identity,
                                                 .puzzle_nonce = authority->nonce,
                                                 .first_sequence = 1,
                                                 .region = "utc",
                                                 .local_peers = P2_LOCAL_PEERS_ALLOW,
                                                 .invites_per_minute = 600,
                                                 .rng = next_rng(),
                                                 .is_blocked = on_asked,
                                                 .ctx = authority};
    if (p2_recruiter_open(&authority->recruiter, &options) != P2_OK ||
        p2_recruiter_set_endpoints(authority->recruiter, &endpoint, 1) != P2_OK) {
        exit(99);
    }
}

static bool are_ads_found(void *ctx)
{
    int found = 0;
    (void)ctx;
    for (int i = 0; i < world.helper_count; i++) {
        found += world.helpers[i].found_us != 0;
    }
    return found == world.helper_count;
}

/* Starts the helpers with their nodes, one after the other, while an authority looks for them. */
static uint64_t find_ads(uint16_t bootstrap)
{
    uint64_t us[HELPERS_MAX];
    size_t found = 0;
    struct authority *authority = &world.authorities[0];
    world.is_reading = true;
    open_recruiter(authority, node_for(1));
    p2_recruiter_set_want(authority->recruiter, (uint32_t)world.helper_count);
    int first = swarm.count;
    for (int i = 0; i < world.helper_count; i++) {
        struct helper *helper = &world.helpers[i];
        helper->node = first + i;
        helper->started_us = swarm_now_us();
        if (!swarm_open(helper->node, bootstrap, 0)) {
            exit(99);
        }
        swarm.count++;
        open_presence(helper);
        swarm_run_for(300000); /* so that they are not all read at once */
    }
    bool is_good = swarm_run_until(are_ads_found, NULL);
    for (int i = 0; i < world.helper_count; i++) {
        us[found] = world.helpers[i].found_us - world.helpers[i].started_us;
        found += world.helpers[i].found_us != 0;
    }
    p2_recruiter_close(authority->recruiter);
    authority->recruiter = NULL;
    world.is_reading = false;
    uint64_t p95 = swarm_figure("start of a helper to its ad being read", us, found);
    swarm_expect(is_good, "ads found: %zu of %d", found, world.helper_count);
    return p95;
}

static bool have_all_dialled(void *ctx)
{
    struct authority *authority = ctx;
    int dialled = 0;
    for (int i = 0; i < world.helper_count; i++) {
        dialled += authority->dialled_us[i] != 0;
    }
    return dialled == world.helper_count;
}

/* Each authority in turn invites all helpers. */
static uint64_t invite_all(const char *what, int node_offset)
{
    uint64_t us[AUTHORITIES_MAX * HELPERS_MAX];
    size_t arrived = 0;
    uint64_t invites = 0;
    static const struct p2_ip nowhere;
    for (int a = 0; a < world.authority_count; a++) {
        struct authority *authority = &world.authorities[a];
        memset(authority->invited_us, 0, sizeof authority->invited_us);
        memset(authority->dialled_us, 0, sizeof authority->dialled_us);
        world.working = authority;
        open_recruiter(authority, node_for(a * 5 + node_offset));
        for (int i = 0; i < world.helper_count; i++) {
            p2_recruiter_add_known(authority->recruiter, &world.helpers[i].id, &nowhere);
        }
        p2_recruiter_set_want(authority->recruiter, (uint32_t)world.helper_count);
        (void)swarm_run_until(have_all_dialled, authority);
        for (int i = 0; i < world.helper_count; i++) {
            us[arrived] = authority->dialled_us[i] - authority->invited_us[i];
            arrived += authority->dialled_us[i] != 0;
        }
        invites += p2_recruiter_status(authority->recruiter).invites;
        p2_recruiter_close(authority->recruiter);
        authority->recruiter = NULL;
    }
    world.working = NULL;
    int wanted = world.authority_count * world.helper_count;
    uint64_t p95 = swarm_figure(what, us, arrived);
    swarm_expect((int)arrived == wanted, "%s: %zu of %d arrived, %llu invites sent", what, arrived,
                 wanted, (unsigned long long)invites);
    return p95;
}

/* ---- what a node's process knows -------------------------------------------------------------------- */

/* Is the secret anywhere in the memory of the process? -1: it cannot be read. */
static int holds(int pid, struct p2_span secret)
{
    static uint8_t bytes[1u << 20];
    char path[64], line[512];
    int found = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/mem", pid);
    int memory = open(path, O_RDONLY | O_CLOEXEC);
    (void)snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *maps = fopen(path, "re");
    if (memory < 0 || maps == NULL) {
        found = -1;
    }
    while (found == 0 && fgets(line, sizeof line, maps) != NULL) {
        unsigned long long from, to;
        char access[5];
        if (sscanf(line, "%llx-%llx %4s", &from, &to, access) != 3 || access[0] != 'r') {
            continue;
        }
        /* Pieces overlap, so that nothing is cut in two. */
        while (found == 0 && from < to) {
            size_t want = to - from < sizeof bytes ? (size_t)(to - from) : sizeof bytes;
            ssize_t size = pread(memory, bytes, want, (off_t)from);
            if (size <= 0) {
                break; /* the kernel's own pages */
            }
            found = memmem(bytes, (size_t)size, secret.data, secret.size) != NULL;
            from += (size_t)size == sizeof bytes ? sizeof bytes - secret.size : (size_t)size;
        }
    }
    if (maps != NULL) {
        (void)fclose(maps);
    }
    if (memory >= 0) {
        (void)close(memory);
    }
    return found;
}

static void check_identity(int pid, const struct p2_identity *identity, const char *whose)
{
    /* libsodium's signing key is the seed and the public key. */
    int found = holds(pid, p2_span(identity->seed, sizeof identity->seed));
    found |= holds(pid, p2_span(identity->exchange_secret, sizeof identity->exchange_secret));
    swarm_expect(found == 0, "no secret key in the memory of a %s's node", whose);
}

static void check_memory(void)
{
    const struct helper *helper = &world.helpers[0];
    int pid = p2_overlay_dht_pid(swarm.nodes[helper->node]);
    struct p2_overlay_key inbox;
    struct p2_session_keys keys;
    const struct p2_session_id *id = p2_session_host_id(world.hosts[0]);
    p2_invite_inbox(&inbox, &helper->id, 0, &world.rules);
#ifdef P2_SANITIZED
    (void)printf("SKIPPED: the memory of instrumented processes is too large to search\n");
    return;
#endif
    int control = holds(pid, p2_span(inbox.bytes, sizeof inbox.bytes));
    if (control < 0) {
        (void)printf("SKIPPED: the memory of the nodes cannot be read without root\n");
        return;
    }
    swarm_expect(control == 1, "a node's memory shows what it was told: the key it listens to");
    check_identity(pid, &helper->identity, "helper");
    pid = p2_overlay_dht_pid(swarm.nodes[world.host_nodes[0]]);
    check_identity(pid, &world.host_identities[0], "host");
    if (p2_session_keys_derive(&keys, id, &world.rules) != P2_OK) {
        exit(99);
    }
    swarm_expect(holds(pid, p2_span(id->bytes, sizeof id->bytes)) == 0 &&
                     holds(pid, p2_span(keys.master, sizeof keys.master)) == 0 &&
                     holds(pid, p2_span(keys.seal, sizeof keys.seal)) == 0,
                 "nor a session ID or what it opens");
}

/* ---- the course of it ------------------------------------------------------------------------------- */

static void bar(const char *what, uint64_t p95_us, uint64_t most_us)
{
    if (world.is_judged) {
        swarm_expect(p95_us != 0 && p95_us < most_us, "bar: %s: p95 %.3f s is below %.0f s", what,
                     (double)p95_us / 1e6, (double)most_us / 1e6);
    }
}

static void begin(int nodes)
{
    uint8_t seed[P2_KEY_BYTES];
    p2_entropy(seed, sizeof seed);
    p2_rng_init(&world.rng, seed, "overlay-meet");
    p2_rng_bytes(&world.rng, world.rules.network_id, sizeof world.rules.network_id);
    world.rules.puzzle_bits = 4;
    world.rules.stamp_bits = P2_STAMP_BITS_DEFAULT;
    bool is_large = nodes >= BARS_FROM;
    world.is_judged = is_large;
    world.host_count = is_large ? HOSTS_MAX : 3;
    world.search_count = is_large ? SEARCHES_MAX : 12;
    world.helper_count = is_large ? HELPERS_MAX : 3;
    world.authority_count = is_large ? AUTHORITIES_MAX : 2;
    world.first = (nodes + world.helper_count) / 3;
}

static void close_all(void)
{
    for (int i = 0; i < world.host_count; i++) {
        p2_session_host_close(world.hosts[i]);
    }
    for (int i = 0; i < world.helper_count; i++) {
        p2_helper_presence_close(world.helpers[i].presence);
    }
}

int main(int argc, char **argv)
{
    int nodes = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
    if (nodes < 8 || nodes >= SWARM_NODES_MAX) {
        (void)fprintf(stderr, "usage: overlay-meet PROGRAM NODES [BOOTSTRAP-PORT]\n");
        return 64;
    }
    uint16_t bootstrap = argc > 3 ? (uint16_t)strtoul(argv[3], NULL, 10) : 0;
    swarm_begin(argv[1], 4711);
    begin(nodes);
    swarm.count = nodes - world.helper_count; /* the helpers start theirs later */
    swarm_connect(world.first, bootstrap);
    if (bootstrap == 0) {
        bootstrap = p2_overlay_status(swarm.nodes[swarm.count - 1]).port_v4;
    }
    open_hosts();
    swarm_expect(swarm_run_until(are_published, NULL), "all sessions are published");
    bar("a session ID resolves", find_sessions("sessions found"), 1000000);
    bar("an ad is found", find_ads(bootstrap), 20000000);
    bar("an invite arrives", invite_all("invites", 2), 3000000);
    check_memory();
    swarm_kill(world.first);
    (void)find_sessions("sessions found after a third was killed");
    (void)invite_all("invites after a third was killed", 3);
    close_all();
    return swarm_end();
}
