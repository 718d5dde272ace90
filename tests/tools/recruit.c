/* recruit NODE-PROGRAM STATE-DIR NETWORK PUZZLE-BITS REGION BOOTSTRAP IP:PORT WANT
 *
 * Recruits helpers on behalf of a running p2c2r-authority: takes the key of its state folder and
 * invites WANT helpers to where it listens, until SIGTERM. The authority must let any helper in. It
 * prints one line per event. BOOTSTRAP "-": none, it is the first node. */
#include "base/entropy.h"
#include "link/address.h"
#include "link/keyfile.h"
#include "link/network.h"
#include "overlay/overlay_dht.h"
#include "overlay/puzzle.h"
#include "overlay/recruiter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    uv_loop_t loop;
    uv_signal_t signal;
    uv_timer_t look; /* for the node's port */
    struct p2_overlay *overlay;
    struct p2_overlay_rules rules;
    struct p2_recruiter *recruiter;
} tool;

static void on_state(struct p2_overlay *overlay, void *ctx)
{
    (void)ctx;
    (void)printf("%s\n", p2_overlay_state_name(p2_overlay_status(overlay).state));
}

static void on_down(int error, const char *text, void *ctx)
{
    (void)ctx;
    (void)printf("down: %s: %s\n", p2_error_name(error), text);
}

static void on_closed(void *ctx)
{
    (void)ctx;
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct p2_recruiter_status status = p2_recruiter_status(tool.recruiter);
    (void)number;
    (void)printf("reads %llu, ads %llu, junk %llu, invites %llu\n",
                 (unsigned long long)status.reads, (unsigned long long)status.ads,
                 (unsigned long long)status.junk, (unsigned long long)status.invites);
    p2_recruiter_close(tool.recruiter);
    p2_overlay_close(tool.overlay, on_closed, NULL);
    uv_close((uv_handle_t *)handle, NULL);
    uv_close((uv_handle_t *)&tool.look, NULL);
}

/* The process needs a moment until its port is bound. */
static void on_look(uv_timer_t *timer)
{
    uint16_t port = p2_overlay_status(tool.overlay).port_v4;
    if (port != 0) {
        (void)printf("node on port %u\n", (unsigned)port);
        (void)uv_timer_stop(timer);
    }
}

static uint64_t solve(const struct p2_identity *identity)
{
    struct p2_puzzle puzzle;
    struct p2_id id;
    memcpy(id.bytes, identity->public_key, sizeof id.bytes);
    p2_puzzle_begin(&puzzle, &id, tool.rules.puzzle_bits);
    while (!puzzle.is_solved) {
        if (p2_puzzle_step(&puzzle, 16) != P2_OK) {
            exit(99);
        }
    }
    return puzzle.nonce;
}

static int open_recruiter(const struct p2_identity *identity, const char *region,
                          const char *endpoint)
{
    struct p2_recruiter_options options = {.overlay = tool.overlay,
                                           .rules = &tool.rules,
                                           .identity = identity,
                                           .puzzle_nonce = solve(identity),
                                           .local_peers = P2_LOCAL_PEERS_ALLOW,
                                           .invites_per_minute = 600,
                                           .has_aes = p2_cipher_available(P2_CIPHER_AESGCM)};
    struct p2_address address;
    uint8_t seed[P2_KEY_BYTES];
    options.first_sequence = p2_overlay_now(tool.overlay).unix_s;
    (void)snprintf(options.region, sizeof options.region, "%s", region);
    p2_entropy(seed, sizeof seed);
    p2_rng_init(&options.rng, seed, "recruit");
    int error = p2_address_parse_endpoint(&address, endpoint, strlen(endpoint), NULL);
    if (error == P2_OK) {
        error = p2_recruiter_open(&tool.recruiter, &options);
    }
    const struct p2_link_address at = {address.ip, address.port};
    return error == P2_OK ? p2_recruiter_set_endpoints(tool.recruiter, &at, 1) : error;
}

int main(int argc, char **argv)
{
    struct p2_identity *identity = NULL;
    struct p2_failure failure = {0};
    char path[4096];
    if (argc != 9) {
        (void)fprintf(stderr, "usage: recruit NODE-PROGRAM STATE-DIR NETWORK PUZZLE-BITS REGION "
                              "BOOTSTRAP IP:PORT WANT\n");
        return 64;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)snprintf(path, sizeof path, "%s/identity.key", argv[2]);
    const struct p2_overlay_dht_config config = {.program = argv[1],
                                                 .network = p2_network_number(argv[3]),
                                                 .bootstrap = (const char *const *)&argv[6],
                                                 .bootstrap_count = strcmp(argv[6], "-") != 0,
                                                 .on_down = on_down};
    p2_network_id(tool.rules.network_id, argv[3]);
    tool.rules.puzzle_bits = (uint8_t)strtoul(argv[4], NULL, 10);
    tool.rules.stamp_bits = P2_STAMP_BITS_DEFAULT;
    if (p2_crypto_init() != P2_OK || uv_loop_init(&tool.loop) != 0 ||
        uv_signal_init(&tool.loop, &tool.signal) != 0 ||
        uv_signal_start(&tool.signal, on_signal, SIGTERM) != 0 ||
        p2_keyfile_load(&identity, path, &failure) != P2_OK ||
        p2_overlay_dht_open(&tool.overlay, &tool.loop, &config, &failure) != P2_OK ||
        open_recruiter(identity, argv[5], argv[7]) != P2_OK) {
        (void)fprintf(stderr, "recruit: cannot start: %s\n", failure.message);
        return 99;
    }
    (void)uv_timer_init(&tool.loop, &tool.look);
    (void)uv_timer_start(&tool.look, on_look, 10, 10);
    p2_overlay_on_state(tool.overlay, on_state, NULL);
    p2_recruiter_set_want(tool.recruiter, (uint32_t)strtoul(argv[8], NULL, 10));
    (void)uv_run(&tool.loop, UV_RUN_DEFAULT);
    p2_secret_free(identity);
    return uv_loop_close(&tool.loop) == 0 ? 0 : 1;
}
