/* overlay-hostile NODE INTRUDER JUNK: the product's records among hostile values, over real nodes.
 *
 *   session   JUNK random values under both copies of its key, then 200 by somebody who knows the
 *             ID (forged, with another key, expired, future-dated, replayed), an oversized one; 16
 *             nodes placed nearest the first copy swallow what they were given
 *   inboxes   JUNK random values in both, and invites resealed, late, unstamped, for addresses that
 *             may not be dialled; then the right invite
 *   shard     JUNK random values and forged ads, then the right ad
 *
 * Each right record must be found; how long that took and what it cost this program's thread is
 * printed (the bars: 20 s and 100 ms of CPU). Nothing forged may ever be accepted. */
#include "base/crypto.h"
#include "base/entropy.h"
#include "overlay/helper_presence.h"
#include "overlay/puzzle.h"
#include "overlay/recruiter.h"
#include "overlay/session_finder.h"
#include "overlay/session_host.h"
#include "tests/tools/swarm.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES       12
#define FLOODERS    4
#define SYBILS      16 /* nodes nearest a key */
#define KNOWING     200
#define INVITERS    10 /* hostile authorities: of one only the newest invite counts */
#define PUZZLE_BITS 8  /* a key costs 0.14 s here; in the product 9 s */

/* Searches of three rounds for one session: a put may be lost, and is repeated. */
#define TRIES 4

#define BAR_TIME_US 20000000u
#define BAR_CPU_US  100000u
#define BASE_US     3000000u /* of measuring the other nodes' work */

/* A hostile process. */
struct intruder {
    uv_process_t process;
    uv_pipe_t in, out;
    unsigned said; /* lines */
    unsigned asked;
    bool is_gone;
};

static struct {
    const char *program;
    uint16_t port; /* of the first node */
    unsigned junk;
    struct p2_overlay_rules rules;
    struct p2_rng rng;
    struct intruder flooders[FLOODERS];
    struct intruder sybils[SYBILS];
    struct p2_identity host, helper, authority, attacker;
    uint64_t nonces[4]; /* solved puzzles, in this order */
    struct p2_identity inviters[INVITERS];
    uint64_t inviter_nonces[INVITERS];
    struct p2_overlay *reader; /* of the phase that runs */
} world;

static void fail(const char *what)
{
    (void)printf("FAILED: %s\n", what);
    exit(1);
}

/* ---- intruders ----------------------------------------------------------------------------------------- */

static void on_exited(uv_process_t *process, int64_t status, int number)
{
    struct intruder *intruder = process->data;
    (void)status;
    (void)number;
    intruder->is_gone = true;
    uv_close((uv_handle_t *)process, NULL);
    uv_close((uv_handle_t *)&intruder->in, NULL);
    uv_close((uv_handle_t *)&intruder->out, NULL);
}

static void on_alloc(uv_handle_t *handle, size_t wish, uv_buf_t *buf)
{
    static char bytes[4096];
    (void)handle;
    (void)wish;
    *buf = uv_buf_init(bytes, sizeof bytes);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct intruder *intruder = stream->data;
    for (ssize_t i = 0; i < size; i++) {
        intruder->said += buf->base[i] == '\n';
    }
}

static void spawn(struct intruder *intruder, const char *node_id)
{
    char network[16], port[16];
    (void)snprintf(network, sizeof network, "%u", swarm.network);
    (void)snprintf(port, sizeof port, "%u", world.port);
    char *arguments[] = {(char *)(uintptr_t)world.program, network, port,
                         (char *)(uintptr_t)node_id, NULL};
    (void)uv_pipe_init(&swarm.loop, &intruder->in, 0);
    (void)uv_pipe_init(&swarm.loop, &intruder->out, 0);
    uv_stdio_container_t stdio[] = {
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&intruder->in},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&intruder->out},
        {.flags = UV_INHERIT_FD, .data.fd = 2}};
    const uv_process_options_t options = {.exit_cb = on_exited,
                                          .file = world.program,
                                          .args = arguments,
                                          .stdio_count = 3,
                                          .stdio = stdio};
    if (uv_spawn(&swarm.loop, &intruder->process, &options) != 0) {
        fail("the intruder cannot be started");
    }
    intruder->process.data = intruder;
    intruder->out.data = intruder;
    intruder->asked = 1; /* "ready" */
    (void)uv_read_start((uv_stream_t *)&intruder->out, on_alloc, on_read);
}

static void on_written(uv_write_t *request, int status)
{
    (void)status; /* a dead intruder is seen by its silence */
    free(request);
}

static void order(struct intruder *intruder, const char *line)
{
    size_t size = strlen(line);
    uv_write_t *request = malloc(sizeof *request + size);
    if (request == NULL) {
        exit(99);
    }
    memcpy(request + 1, line, size);
    uv_buf_t buf = uv_buf_init((char *)(request + 1), (unsigned)size);
    intruder->asked++;
    (void)uv_write(request, (uv_stream_t *)&intruder->in, &buf, 1, on_written);
}

static bool are_done(void *ctx)
{
    (void)ctx;
    int done = 0;
    for (int i = 0; i < FLOODERS; i++) {
        done += world.flooders[i].said >= world.flooders[i].asked;
    }
    return done == FLOODERS;
}

static void wait_for_flooders(void)
{
    for (int i = 0; i < 10 && !swarm_run_until(are_done, NULL); i++) {
    }
    if (!are_done(NULL)) {
        fail("the flood does not end");
    }
}

static void key_text(char text[41], const struct p2_overlay_key *key)
{
    for (size_t i = 0; i < sizeof key->bytes; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", key->bytes[i]);
    }
}

struct census {
    unsigned values;
    bool is_over;
};

static enum p2_overlay_verdict on_counted(struct p2_overlay_op *op, struct p2_span value, void *ctx)
{
    (void)op;
    (void)value;
    ((struct census *)ctx)->values++;
    return P2_OVERLAY_MORE;
}

static void on_census_end(struct p2_overlay_op *op, int result, void *ctx)
{
    (void)op;
    (void)result;
    ((struct census *)ctx)->is_over = true;
}

static const struct p2_overlay_events census_events = {on_counted, on_census_end};

static bool is_census_over(void *ctx)
{
    return ((struct census *)ctx)->is_over;
}

/* Shows that the flood is really there. */
static void count_values(const struct p2_overlay_key *key)
{
    const struct p2_overlay_limits limits = {P2_OVERLAY_VALUES_MAX, P2_OVERLAY_TIME_MAX_MS};
    struct census census = {0};
    if (p2_overlay_lookup(swarm.nodes[8], key, &limits, &census_events, &census, NULL) == P2_OK) {
        (void)swarm_run_until(is_census_over, &census);
    }
    (void)printf("figure: a reader gets %u values under the flooded key\n", census.values);
    swarm_expect(census.values >= world.junk / 10, "the junk is there");
}

static void flood(const struct p2_overlay_key *key, size_t size)
{
    char line[128], text[41];
    key_text(text, key);
    for (unsigned i = 0; i < FLOODERS; i++) {
        (void)snprintf(line, sizeof line, "junk %s %zu %u\n", text, size, world.junk / FLOODERS);
        order(&world.flooders[i], line);
    }
    wait_for_flooders();
    count_values(key);
}

static void put(unsigned flooder, const struct p2_overlay_key *key, const uint8_t *value,
                size_t size)
{
    char line[2 * 1024 + 64], text[41];
    key_text(text, key);
    int length = snprintf(line, sizeof line, "put %s ", text);
    for (size_t i = 0; i < size; i++) {
        length += snprintf(line + length, sizeof line - (size_t)length, "%02x", value[i]);
    }
    (void)snprintf(line + length, sizeof line - (size_t)length, "\n");
    order(&world.flooders[flooder % FLOODERS], line);
}

/* ---- measuring ------------------------------------------------------------------------------------------- */

struct meter {
    uint64_t from_us, from_cpu_us;
};

static struct meter start_meter(struct p2_overlay *overlay)
{
    const struct p2_overlay_now now = p2_overlay_now(overlay);
    return (struct meter){now.mono_us, now.cpu_us};
}

/* The reader's CPU time: what this thread used since then, without what it uses for all the other
 * nodes, which is measured afterwards. */
static void judge(const struct meter *meter, const char *what, bool is_found)
{
    const struct p2_overlay_now now = p2_overlay_now(world.reader);
    uint64_t took = now.mono_us - meter->from_us, cpu = now.cpu_us - meter->from_cpu_us;
    swarm_expect(is_found, "%s among %u junk values is found", what, world.junk);
    swarm_run_for(BASE_US);
    const struct p2_overlay_now later = p2_overlay_now(world.reader);
    uint64_t others = (later.cpu_us - now.cpu_us) * took / (later.mono_us - now.mono_us);
    uint64_t own = cpu > others ? cpu - others : 0;
    (void)printf(
        "figure: %s: %.2f s (bar 20: %s), %.1f ms of CPU (bar 100: %s), %.1f ms with other "
        "nodes' work\n",
        what, (double)took / 1e6, took < BAR_TIME_US ? "held" : "MISSED", (double)own / 1e3,
        own < BAR_CPU_US ? "held" : "MISSED", (double)cpu / 1e3);
}

static struct p2_rng next_rng(void)
{
    struct p2_rng rng;
    uint8_t seed[P2_KEY_BYTES];
    p2_rng_bytes(&world.rng, seed, sizeof seed);
    p2_rng_init(&rng, seed, "overlay-hostile");
    return rng;
}

static void make_identity(struct p2_identity *identity)
{
    uint8_t seed[P2_KEY_BYTES];
    do {
        p2_rng_bytes(&world.rng, seed, sizeof seed);
    } while (p2_identity_from_seed(identity, seed) != P2_OK);
}

static void solve(struct p2_identity *identity, uint64_t *ret_nonce)
{
    struct p2_puzzle puzzle;
    struct p2_id id;
    make_identity(identity);
    memcpy(id.bytes, identity->public_key, sizeof id.bytes);
    p2_puzzle_begin(&puzzle, &id, world.rules.puzzle_bits);
    while (!puzzle.is_solved) {
        (void)p2_puzzle_step(&puzzle, 16);
    }
    *ret_nonce = puzzle.nonce;
}

static struct p2_id id_of(const struct p2_identity *identity)
{
    struct p2_id id;
    memcpy(id.bytes, identity->public_key, sizeof id.bytes);
    return id;
}

static struct p2_link_address address4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
    const uint8_t bytes[4] = {a, b, c, d};
    return (struct p2_link_address){p2_ip_from_v4(bytes), port};
}

/* ---- the session ----------------------------------------------------------------------------------------- */

struct search {
    bool is_over;
    int result;
    unsigned records;
    struct p2_overlay_session record;
};

static void on_record(const struct p2_overlay_session *record, void *ctx)
{
    struct search *search = ctx;
    search->records++;
    search->record = *record;
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

/* One value by somebody who knows the ID, of the kind number `i`. */
static void put_knowing(unsigned i, const struct p2_session_keys *keys,
                        const struct p2_overlay_session *right)
{
    struct p2_overlay_session record = *right;
    struct p2_identity signer = world.attacker;
    uint8_t value[P2_SESSION_VALUE_BYTES], nonce[P2_XNONCE_BYTES];
    struct p2_overlay_key key, other;
    uint64_t now = p2_overlay_now(world.reader).unix_s;
    uint64_t slot = p2_session_slot(now);
    record.not_before = now;
    record.expires = now + P2_OVERLAY_RECORD_LIFE_S;
    record.sequence = UINT64_MAX - i;      /* to win over the right one */
    record.puzzle_nonce = world.nonces[3]; /* no solution for the other keys */
    record.endpoints[0] = address4(6, 6, 6, 6, 6666);
    p2_session_slot_key(&key, keys, i % P2_SESSION_COPIES, slot);
    other = key;
    switch (i % 5) {
    case 0: /* forged: the host's key, the attacker's signature */
        memcpy(signer.public_key, world.host.public_key, sizeof signer.public_key);
        break;
    case 1: /* the stolen ID with another key: one that is paid for, and 39 that are not */
        if (i > 1) {
            make_identity(&signer);
        }
        break;
    case 2:
        record.not_before = now - 1000;
        record.expires = now - 500;
        break;
    case 3:
        record.not_before = now + 1000;
        record.expires = now + 1500;
        break;
    default: /* made for the last hour, put under this one */
        p2_session_slot_key(&other, keys, i % P2_SESSION_COPIES, slot - 1);
        break;
    }
    record.authority = id_of(&signer);
    p2_rng_bytes(&world.rng, nonce, sizeof nonce);
    if (p2_session_seal(value, &record, &other, keys, nonce, &signer, &world.rules) != P2_OK) {
        fail("a hostile record cannot be made");
    }
    put(i, &key, value, sizeof value);
}

static bool are_sybils_ready(void *ctx)
{
    int ready = 0;
    (void)ctx;
    for (int i = 0; i < SYBILS; i++) {
        ready += world.sybils[i].said > 0;
    }
    return ready == SYBILS;
}

static void place_sybils(const struct p2_overlay_key *key)
{
    for (unsigned i = 0; i < SYBILS; i++) {
        char text[41];
        struct p2_overlay_key id = *key;
        id.bytes[P2_OVERLAY_KEY_BYTES - 1] ^= (uint8_t)(i + 1);
        key_text(text, &id);
        spawn(&world.sybils[i], text);
    }
    swarm_expect(swarm_run_until(are_sybils_ready, NULL), "%d nodes stand nearest the key", SYBILS);
}

static bool has_put(void *ctx)
{
    return p2_session_host_status(ctx).puts >= P2_SESSION_COPIES &&
           p2_overlay_status(swarm.nodes[1]).published >= P2_SESSION_COPIES;
}

/* Two sessions of one host: what lies out there must not show that they belong together. */
struct stored {
    unsigned count;
    uint8_t values[64][P2_OVERLAY_VALUE_MAX];
    size_t sizes[64];
    bool is_over;
};

static enum p2_overlay_verdict on_stored(struct p2_overlay_op *op, struct p2_span value, void *ctx)
{
    struct stored *stored = ctx;
    (void)op;
    if (stored->count < 64) {
        memcpy(stored->values[stored->count], value.data, value.size);
        stored->sizes[stored->count++] = value.size;
    }
    return P2_OVERLAY_MORE;
}

static void on_stored_end(struct p2_overlay_op *op, int result, void *ctx)
{
    (void)op;
    (void)result;
    ((struct stored *)ctx)->is_over = true;
}

static const struct p2_overlay_events stored_events = {on_stored, on_stored_end};

static bool is_stored_over(void *ctx)
{
    return ((struct stored *)ctx)->is_over;
}

/* Any 8 bytes of one value in another: by chance once in 10^13 such pairs of values. */
static bool shares(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    for (size_t i = 0; i + 8 <= a_size; i++) {
        for (size_t j = 0; j + 8 <= b_size; j++) {
            if (memcmp(a + i, b + j, 8) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void check_stored_bytes(void)
{
    static struct stored all;
    struct p2_session_host *hosts[2];
    const struct p2_link_address endpoint = address4(9, 9, 9, 9, 4242);
    const struct p2_overlay_limits limits = {64, 5000};
    for (int i = 0; i < 2; i++) {
        const struct p2_session_host_options options = {.overlay = swarm.nodes[2],
                                                        .rules = &world.rules,
                                                        .identity = &world.host,
                                                        .puzzle_nonce = world.nonces[0],
                                                        .first_sequence = 1,
                                                        .endpoints = &endpoint,
                                                        .endpoint_count = (uint8_t)1,
                                                        .rng = next_rng()};
        if (p2_session_host_open(&hosts[i], &options) != P2_OK) {
            exit(99);
        }
    }
    for (unsigned i = 0; i < 4 * 10 && all.count < 4; i++) { /* both copies of both */
        struct p2_session_keys keys;
        struct p2_overlay_key key;
        (void)p2_session_keys_derive(&keys, p2_session_host_id(hosts[i % 2]), &world.rules);
        p2_session_slot_key(&key, &keys, i / 2 % 2,
                            p2_session_slot(p2_overlay_now(world.reader).unix_s));
        all.is_over = false;
        if (p2_overlay_lookup(swarm.nodes[5], &key, &limits, &stored_events, &all, NULL) == P2_OK) {
            (void)swarm_run_until(is_stored_over, &all);
        }
    }
    bool is_constant = true, is_apart = true;
    for (unsigned i = 0; i < all.count; i++) {
        is_constant &= all.sizes[i] == P2_SESSION_VALUE_BYTES;
        is_apart &= !shares(all.values[i], all.sizes[i], world.host.public_key, P2_KEY_BYTES);
        for (unsigned j = 0; j < i; j++) {
            bool is_same = memcmp(all.values[i], all.values[j], P2_SESSION_VALUE_BYTES) == 0;
            is_apart &=
                is_same || !shares(all.values[i], all.sizes[i], all.values[j], all.sizes[j]);
        }
    }
    swarm_expect(all.count >= 4 && is_constant,
                 "%u stored values of two sessions all have %d bytes", all.count,
                 P2_SESSION_VALUE_BYTES);
    swarm_expect(is_apart, "they share no 8 bytes, nor with the host's key");
    p2_session_host_close(hosts[0]);
    p2_session_host_close(hosts[1]);
}

static void check_session(void)
{
    const struct p2_link_address endpoint = address4(9, 9, 9, 9, 4242);
    struct p2_session_host *host = NULL;
    struct p2_session_finder *finder = NULL;
    struct p2_session_keys keys;
    struct p2_session_id id;
    struct search search = {0};
    uint8_t salt[P2_SALT_BYTES], oversized[900] = {1};
    struct p2_overlay_key place[P2_SESSION_COPIES];
    const struct p2_id authority = id_of(&world.host);
    world.reader = swarm.nodes[3];
    p2_rng_bytes(&world.rng, salt, sizeof salt);
    if (p2_session_id_derive(&id, &authority, salt) != P2_OK ||
        p2_session_keys_derive(&keys, &id, &world.rules) != P2_OK) {
        exit(99);
    }
    for (unsigned copy = 0; copy < P2_SESSION_COPIES; copy++) {
        p2_session_slot_key(&place[copy], &keys, copy,
                            p2_session_slot(p2_overlay_now(world.reader).unix_s));
        flood(&place[copy], P2_SESSION_VALUE_BYTES);
    }
    place_sybils(&place[0]);
    const struct p2_session_host_options options = {.overlay = swarm.nodes[1],
                                                    .rules = &world.rules,
                                                    .identity = &world.host,
                                                    .puzzle_nonce = world.nonces[0],
                                                    .first_sequence = 1,
                                                    .salt = salt,
                                                    .endpoints = &endpoint,
                                                    .endpoint_count = 1,
                                                    .rng = next_rng()};
    const struct p2_overlay_session right = {.endpoint_count = 1, .endpoints = {endpoint}};
    for (unsigned i = 0; i < KNOWING; i++) {
        put_knowing(i, &keys, &right);
    }
    put(0, &place[0], oversized, sizeof oversized);
    put(1, &place[1], oversized, sizeof oversized);
    wait_for_flooders();
    if (p2_session_host_open(&host, &options) != P2_OK) {
        exit(99);
    }
    swarm_expect(swarm_run_until(has_put, host), "the host publishes among them");
    for (int i = 0; i < SYBILS; i++) {
        (void)uv_process_kill(&world.sybils[i].process, SIGSTOP); /* they keep what they got */
    }
    const struct p2_finder_options finding = {world.reader, &world.rules};
    const struct meter meter = start_meter(world.reader);
    if (p2_session_finder_open(&finder, &finding, &finder_events, &search) != P2_OK ||
        p2_session_finder_start(finder, &id, NULL, NULL, 0) != P2_OK) {
        exit(99);
    }
    bool is_over = swarm_run_until(is_search_over, &search);
    for (int try = 1; is_over && search.result != P2_OK && try < TRIES; try++) {
        search.is_over = false;
        is_over = p2_session_finder_start(finder, &id, NULL, NULL, 0) == P2_OK &&
                  swarm_run_until(is_search_over, &search);
    }
    judge(&meter, "a session record", is_over && search.result == P2_OK);
    swarm_expect(search.records == 0 || (search.record.endpoints[0].port == 4242 &&
                                         p2_id_equal(&search.record.authority, &authority)),
                 "and it is the right one");
    for (int i = 0; i < SYBILS; i++) {
        (void)uv_process_kill(&world.sybils[i].process, SIGKILL);
    }
    p2_session_finder_close(finder);
    p2_session_host_close(host);
    p2_secret_wipe(&keys, sizeof keys);
}

/* ---- the inboxes ----------------------------------------------------------------------------------------- */

struct dials {
    unsigned right, wrong;
};

static bool on_dial(const struct p2_presence_dial *dial, void *ctx)
{
    struct dials *dials = ctx;
    bool is_right = memcmp(dial->authority.bytes, world.authority.public_key, P2_ID_BYTES) == 0 &&
                    dial->address.port == 4242;
    dials->right += is_right;
    dials->wrong += !is_right;
    return false; /* seen is enough */
}

static const struct p2_presence_events presence_events = {.on_dial = on_dial};

static bool was_dialled(void *ctx)
{
    return ((struct dials *)ctx)->right > 0;
}

/* A hostile invite of kind `i` into inbox `copy`. */
static void put_invite(unsigned i, unsigned copy)
{
    static const uint8_t unroutable[][4] = {
        {127, 0, 0, 1}, {10, 0, 0, 1}, {192, 168, 1, 1}, {169, 254, 1, 1}, {224, 0, 0, 1}};
    const uint64_t now = p2_overlay_now(world.reader).unix_s;
    const uint8_t *a = unroutable[i % 5];
    struct p2_identity signer = world.inviters[i / 6 % INVITERS];
    struct p2_overlay_invite invite = {.authority = id_of(&signer),
                                       .helper = id_of(&world.helper),
                                       .not_before = now,
                                       .expires = now + P2_INVITE_LIFE_S,
                                       .sequence = i + 1,
                                       .puzzle_nonce = world.inviter_nonces[i / 6 % INVITERS],
                                       .endpoint_count = 1,
                                       .endpoints = {address4(a[0], a[1], a[2], a[3], 4343)}};
    const struct p2_id helper = id_of(&world.helper);
    uint8_t value[P2_INVITE_VALUE_BYTES], ephemeral[P2_KEY_BYTES];
    size_t size = P2_INVITE_SEALED_BYTES;
    struct p2_overlay_key key;
    p2_invite_inbox(&key, &helper, copy, &world.rules);
    p2_rng_bytes(&world.rng, invite.token, sizeof invite.token);
    p2_rng_bytes(&world.rng, ephemeral, sizeof ephemeral);
    switch (i % 6) {
    case 0: /* loopback, private, link-local, multicast */
        break;
    case 1:
        invite.endpoints[0] = address4(8, 8, 8, 8, 22);
        break;
    case 2: /* late */
        invite.endpoints[0] = address4(8, 8, 8, 8, 4343);
        invite.not_before = now - 300;
        invite.expires = now - 200;
        break;
    case 3: /* sealed again: it names another helper */
        invite.endpoints[0] = address4(8, 8, 8, 8, 4343);
        invite.helper = id_of(&world.host);
        break;
    case 4: /* forged: the right authority's name */
        invite.endpoints[0] = address4(8, 8, 8, 8, 4343);
        memcpy(signer.public_key, world.authority.public_key, sizeof signer.public_key);
        invite.authority = id_of(&signer);
        break;
    default: /* without proof of work */
        invite.endpoints[0] = address4(8, 8, 8, 8, 4343);
        break;
    }
    if (p2_invite_seal(value, &invite, copy, ephemeral, &signer, &world.rules) != P2_OK) {
        fail("a hostile invite cannot be made");
    }
    if (i % 6 == 5) {
        memset(value + size, 0xee, P2_STAMP_BYTES);
    } else {
        (void)p2_stamp_append(value, &size, sizeof value, &key, &world.rules);
    }
    put(i, &key, value, P2_INVITE_VALUE_BYTES);
}

static struct p2_recruiter *open_recruiter(struct p2_overlay *overlay)
{
    struct p2_recruiter *recruiter = NULL;
    const struct p2_link_address endpoint = address4(9, 9, 9, 9, 4242);
    const struct p2_recruiter_options options = {.overlay = overlay,
                                                 .rules = &world.rules,
                                                 .identity = &world.authority,
                                                 .puzzle_nonce = world.nonces[2],
                                                 .first_sequence = 1,
                                                 .region = "utc",
                                                 .invites_per_minute = 60,
                                                 .rng = next_rng()};
    if (p2_recruiter_open(&recruiter, &options) != P2_OK ||
        p2_recruiter_set_endpoints(recruiter, &endpoint, 1) != P2_OK) {
        exit(99);
    }
    return recruiter;
}

struct hostile_invites {
    const struct p2_helper_presence *presence;
    uint32_t refused_before;
};

/* Some of each kind; a few may be lost. */
static bool are_invites_refused(void *ctx)
{
    const struct hostile_invites *hostile = ctx;
    const struct p2_presence_status status = p2_helper_presence_status(hostile->presence);
    return status.refused - hostile->refused_before >= 25 && status.invites >= 10 &&
           status.verdicts[P2_DIAL_NOT_ROUTABLE] + status.verdicts[P2_DIAL_LOW_PORT] >= 5;
}

static void check_inboxes(void)
{
    static const struct p2_ip nowhere;
    const struct p2_id helper = id_of(&world.helper);
    struct p2_helper_presence *presence = NULL;
    struct dials dials = {0};
    world.reader = swarm.nodes[4];
    for (unsigned copy = 0; copy < P2_INVITE_COPIES; copy++) {
        struct p2_overlay_key key;
        p2_invite_inbox(&key, &helper, copy, &world.rules);
        flood(&key, P2_INVITE_VALUE_BYTES);
    }
    const struct p2_presence_options options = {.overlay = world.reader,
                                                .rules = &world.rules,
                                                .identity = &world.helper,
                                                .puzzle_nonce = world.nonces[1],
                                                .first_sequence = 1,
                                                .rng = next_rng()};
    const struct p2_capacity_ad ad = {.region = "elsewhere", .cores = 1};
    struct meter meter = start_meter(world.reader);
    if (p2_helper_presence_open(&presence, &options, &presence_events, &dials) != P2_OK ||
        p2_helper_presence_offer(presence, &ad) != P2_OK) {
        exit(99);
    }
    struct p2_recruiter *recruiter = open_recruiter(swarm.nodes[6]);
    p2_recruiter_add_known(recruiter, &helper, &nowhere);
    meter = start_meter(world.reader);
    p2_recruiter_set_want(recruiter, 1);
    bool is_found = swarm_run_until(was_dialled, &dials);
    judge(&meter, "an invite", is_found);
    p2_recruiter_close(recruiter);
    const struct p2_presence_status before = p2_helper_presence_status(presence);
    struct hostile_invites hostile = {presence, before.refused};
    for (unsigned i = 0; i < 60; i++) {
        put_invite(i, i % P2_INVITE_COPIES);
    }
    wait_for_flooders();
    swarm_expect(swarm_run_until(are_invites_refused, &hostile), "hostile invites arrive");
    const struct p2_presence_status status = p2_helper_presence_status(presence);
    (void)printf(
        "figure: of 60 hostile invites %u were refused, %llu not routable, %llu low ports\n",
        status.refused - before.refused, (unsigned long long)status.verdicts[P2_DIAL_NOT_ROUTABLE],
        (unsigned long long)status.verdicts[P2_DIAL_LOW_PORT]);
    swarm_expect(dials.wrong == 0 && status.dials == 0, "no dial where none is allowed");
    p2_helper_presence_close(presence);
}

/* ---- the shard ------------------------------------------------------------------------------------------- */

static void put_ad(unsigned i, const struct p2_overlay_key *key)
{
    const uint64_t now = p2_overlay_now(world.reader).unix_s;
    struct p2_identity signer = world.attacker;
    struct p2_capacity_ad ad = {.helper = id_of(&world.attacker),
                                .not_before = now,
                                .expires = now + P2_OVERLAY_RECORD_LIFE_S,
                                .sequence = i,
                                .puzzle_nonce = world.nonces[3],
                                .region = "utc",
                                .cores = 1};
    uint8_t value[P2_CAPACITY_VALUE_BYTES];
    struct p2_overlay_key unused;
    size_t size;
    switch (i % 3) {
    case 0: /* forged */
        memcpy(signer.public_key, world.helper.public_key, sizeof signer.public_key);
        ad.helper = id_of(&signer);
        break;
    case 1:
        ad.not_before = now - 1000;
        ad.expires = now - 500;
        break;
    default: /* of another region */
        memcpy(ad.region, "elsewhere", sizeof "elsewhere");
        break;
    }
    if (p2_capacity_ad_sign(value, &size, &unused, &ad, &signer, &world.rules) != P2_OK ||
        p2_stamp_append(value, &size, sizeof value, key, &world.rules) != P2_OK) {
        fail("a hostile ad cannot be made");
    }
    put(i, key, value, size);
}

static bool has_ad(void *ctx)
{
    return p2_recruiter_status(ctx).ads > 0;
}

static bool has_published(void *ctx)
{
    return p2_helper_presence_status(ctx).ads > 0;
}

static void check_shard(void)
{
    struct p2_helper_presence *presence = NULL;
    struct dials dials = {0};
    struct p2_overlay_key key;
    world.reader = swarm.nodes[7];
    p2_shard_key(&key, "utc", (struct p2_shard){0, 0}, &world.rules);
    flood(&key, P2_CAPACITY_VALUE_BYTES);
    for (unsigned i = 0; i < 60; i++) {
        put_ad(i, &key);
    }
    wait_for_flooders();
    const struct p2_presence_options options = {.overlay = swarm.nodes[4],
                                                .rules = &world.rules,
                                                .identity = &world.helper,
                                                .puzzle_nonce = world.nonces[1],
                                                .first_sequence = 1,
                                                .rng = next_rng()};
    const struct p2_capacity_ad ad = {.region = "utc", .cores = 1};
    if (p2_helper_presence_open(&presence, &options, &presence_events, &dials) != P2_OK ||
        p2_helper_presence_offer(presence, &ad) != P2_OK) {
        exit(99);
    }
    swarm_expect(swarm_run_until(has_published, presence), "the helper publishes among them");
    struct p2_recruiter *recruiter = open_recruiter(world.reader);
    const struct meter meter = start_meter(world.reader);
    p2_recruiter_set_want(recruiter, 1);
    bool is_found = swarm_run_until(has_ad, recruiter);
    judge(&meter, "an ad", is_found);
    struct p2_recruiter_status status = p2_recruiter_status(recruiter);
    (void)printf("figure: the last read: %llu junk values of all, %.1f ms of CPU for its checks\n",
                 (unsigned long long)status.junk, (double)status.last_read_cpu_us / 1e3);
    swarm_expect(status.fresh + status.invited <= 1, "and no other helper is known");
    p2_recruiter_close(recruiter);
    p2_helper_presence_close(presence);
}

/* ---- the course of it ------------------------------------------------------------------------------------ */

static bool are_intruders_gone(void *ctx)
{
    int gone = 0;
    (void)ctx;
    for (int i = 0; i < FLOODERS; i++) {
        gone += world.flooders[i].is_gone;
    }
    for (int i = 0; i < SYBILS; i++) {
        gone += world.sybils[i].is_gone;
    }
    return gone == FLOODERS + SYBILS;
}

int main(int argc, char **argv)
{
    uint8_t seed[P2_KEY_BYTES];
    if (argc < 4) {
        (void)fprintf(stderr, "usage: overlay-hostile NODE INTRUDER JUNK\n");
        return 64;
    }
    swarm_begin(argv[1], 4713);
    world.program = argv[2];
    world.junk = (unsigned)strtoul(argv[3], NULL, 10);
    p2_entropy(seed, sizeof seed);
    p2_rng_init(&world.rng, seed, "overlay-hostile");
    p2_rng_bytes(&world.rng, world.rules.network_id, sizeof world.rules.network_id);
    world.rules.stamp_bits = P2_STAMP_BITS_DEFAULT;
    world.rules.puzzle_bits = PUZZLE_BITS;
    solve(&world.host, &world.nonces[0]);
    solve(&world.helper, &world.nonces[1]);
    solve(&world.authority, &world.nonces[2]);
    solve(&world.attacker, &world.nonces[3]);
    for (int i = 0; i < INVITERS; i++) {
        solve(&world.inviters[i], &world.inviter_nonces[i]);
    }
    swarm.count = NODES;
    swarm_connect(0, 0);
    world.port = p2_overlay_status(swarm.nodes[NODES - 1]).port_v4;
    for (int i = 0; i < FLOODERS; i++) {
        spawn(&world.flooders[i], NULL);
    }
    wait_for_flooders();
    world.reader = swarm.nodes[3];
    check_stored_bytes();
    check_session();
    check_inboxes();
    check_shard();
    for (int i = 0; i < FLOODERS; i++) {
        (void)uv_process_kill(&world.flooders[i].process, SIGKILL);
    }
    swarm_expect(swarm_run_until(are_intruders_gone, NULL), "the intruders are gone");
    return swarm_end();
}
