/* A daemon with nothing but a store, trust, money and the control socket, for tests of their commands:
 * accounts-daemon SOCKET FOLDER FRESH NETWORK
 * FRESH 1: plays a short story first (a helper works, lies once, is paid; a gamer plays) and writes its
 * receipt to FOLDER/receipt. Prints "ready KEY-OF-AUTHORITY KEY-OF-HELPER KEY-OF-GAMER" and serves until
 * its standard input ends. */
#include "authority/accounts/commands.h"
#include "authority/store/schema.h"
#include "ctl/common.h"
#include "link/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_S UINT64_C(1700000000)

static const char *const kernel_names[] = {"physics_rigid_body", "ai_pathfinding"};
static const struct p2_trust_kernel kernels[] = {{"physics_rigid_body", 0}, {"ai_pathfinding", 0}};
static const uint8_t audit_key[P2_KEY_BYTES] = {7};

static struct p2_trust trust;
static struct p2_ledger ledger;
static struct p2_payouts payouts;
static struct p2_store *store;
static struct p2_store_writer *writer;
static struct p2_accounts accounts;
static struct p2_ctl_server *server;
static struct p2_accounts_commands commands;
static uv_pipe_t input;

static void fail(const char *what, const struct p2_failure *failure)
{
    (void)fprintf(stderr, "accounts-daemon: %s: %s\n", what, failure->message);
    exit(EXIT_FAILURE);
}

static struct p2_id id_of(uint8_t number)
{
    struct p2_id id = {{number, 5, 5}};
    return id;
}

/* A confirmed lie of `lease`: the check failed, then our own result differed. */
static void lie(uint64_t lease)
{
    struct p2_trust_effect effects[P2_TRUST_EFFECTS_MAX];
    struct p2_trust_event event = {
        .type = P2_TRUST_REFUSED, .helper = id_of(1), .lease = lease, .kernel = 0};
    memset(event.input, 0xaa, sizeof event.input);
    uint32_t count = p2_trust_hear(&trust, &event, effects);
    if (p2_accounts_perform(&accounts, effects, count, START_S + 90, NULL, NULL) != P2_OK) {
        exit(EXIT_FAILURE);
    }
    event.type = P2_TRUST_AUDITED;
    memset(event.expected, 0xbb, sizeof event.expected);
    memset(event.got, 0xcc, sizeof event.got);
    count = p2_trust_hear(&trust, &event, effects);
    if (p2_accounts_perform(&accounts, effects, count, START_S + 90, NULL, NULL) != P2_OK) {
        exit(EXIT_FAILURE);
    }
}

static void write_receipt(const char *folder, struct p2_batch *batch,
                          const struct p2_identity *identity, const uint8_t network[P2_KEY_BYTES])
{
    char path[4096];
    struct p2_receipt receipt;
    struct p2_id helper = id_of(1);
    uint8_t bytes[P2_RECEIPT_BYTES_MAX];
    (void)snprintf(path, sizeof path, "%s/receipt", folder);
    if (p2_receipt_make(&receipt, &ledger, &helper, identity, network, START_S + 100) != P2_OK) {
        exit(EXIT_FAILURE);
    }
    p2_accounts_put_receipt(batch, &helper, 1, &receipt);
    FILE *file = fopen(path, "wb");
    size_t size = p2_receipt_encode(bytes, &receipt);
    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        exit(EXIT_FAILURE);
    }
}

static void story(const char *folder, const struct p2_identity *identity,
                  const uint8_t network[P2_KEY_BYTES])
{
    struct p2_session_limits limits = {.budget_nd_h = UINT64_MAX, .subsidy_nd_h = UINT64_MAX};
    struct p2_id helper = id_of(1), gamer = id_of(2), session = id_of(3);
    struct p2_ledger_entry entries[8];
    uint32_t count = 0, more = 0;
    p2_reputation_good(p2_trust_record(&trust, &helper), 0, 1500, true);
    bool is_good =
        p2_ledger_credit(&ledger, NULL, P2_ND_PER_DOLLAR, START_S, &entries[count++]) == P2_OK &&
        p2_ledger_credit(&ledger, &gamer, 20000000, START_S, &entries[count++]) == P2_OK &&
        p2_ledger_charge(&ledger, &gamer, &session, 3600, START_S, &entries[count++]) == P2_OK &&
        p2_ledger_earn(&ledger, &helper, &session, 10000000, 11000, P2_PRICE_HELPER_ND_M, &limits,
                       START_S, &entries[count], &more) == P2_OK;
    count += more;
    struct p2_batch *batch = p2_batch_new();
    if (!is_good || batch == NULL) {
        exit(EXIT_FAILURE);
    }
    for (uint32_t i = 0; i < count; i++) {
        p2_accounts_put_entry(batch, &entries[i]);
    }
    write_receipt(folder, batch, identity, network);
    if (p2_accounts_submit(&accounts, batch, NULL, NULL) != P2_OK) {
        exit(EXIT_FAILURE);
    }
    lie(4711);
}

static void open_accounts(const char *folder, uv_loop_t *loop)
{
    struct p2_failure failure = {0};
    struct p2_store_options store_options = {.folder = folder, .schema = &p2_authority_schema};
    struct p2_trust_options trust_options = {.kernels = kernels,
                                             .kernel_count = 2,
                                             .helpers_max = 64,
                                             .local_cores = 2,
                                             .key = audit_key};
    if (p2_store_open(&store, &store_options, &failure) != P2_OK) {
        fail("store", &failure);
    }
    struct p2_store_writer_options writer_options = {.store = store, .loop = loop};
    if (p2_store_writer_new(&writer, &writer_options) != P2_OK ||
        p2_trust_init(&trust, &trust_options, 0, START_S) != P2_OK ||
        p2_ledger_init(&ledger, P2_PAY_FUNDED, P2_PRICE_GAMER_ND_H) != P2_OK) {
        fail("init", &failure);
    }
    accounts = (struct p2_accounts){.trust = &trust,
                                    .ledger = &ledger,
                                    .payouts = &payouts,
                                    .store = store,
                                    .writer = writer,
                                    .names = {kernel_names, 2}};
    if (p2_accounts_load(&accounts, &failure) != P2_OK) {
        fail("load", &failure);
    }
}

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char ignored[64];
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(ignored, sizeof ignored);
}

static void on_server_closed(void *ctx)
{
    (void)ctx;
    p2_store_writer_stop(writer, NULL, NULL);
}

static void on_input(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    (void)buf;
    if (got < 0) {
        p2_ctl_server_stop(server, on_server_closed, NULL);
        uv_close((uv_handle_t *)stream, NULL);
    }
}

static void print_keys(const struct p2_identity *identity)
{
    struct p2_id ids[3] = {{{0}}, id_of(1), id_of(2)};
    memcpy(ids[0].bytes, identity->public_key, P2_ID_BYTES);
    (void)printf("ready");
    for (size_t i = 0; i < 3; i++) {
        char text[P2_ID_TEXT_MAX];
        p2_id_format(text, &ids[i]);
        (void)printf(" %s", text);
    }
    (void)printf("\n");
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    struct p2_failure failure = {0};
    struct p2_identity identity;
    uint8_t seed[P2_KEY_BYTES] = {1};
    uint8_t network[P2_KEY_BYTES];
    uv_loop_t *loop = uv_default_loop();
    if (argc != 5 || p2_crypto_init() != P2_OK) {
        return 99;
    }
    while (p2_identity_from_seed(&identity, seed) != P2_OK) {
        seed[1]++;
    }
    p2_network_id(network, argv[4]);
    open_accounts(argv[2], loop);
    if (strcmp(argv[3], "1") == 0) {
        story(argv[2], &identity, network);
    }
    struct p2_ctl_server_options options = {.path = argv[1]};
    commands = (struct p2_accounts_commands){.accounts = &accounts,
                                             .helper_price_nd_m = P2_PRICE_HELPER_ND_M};
    if (p2_ctl_server_start(&server, loop, &options, &failure) != P2_OK ||
        p2_accounts_commands_add(server, &commands) != P2_OK) {
        fail("control socket", &failure);
    }
    if (uv_pipe_init(loop, &input, 0) != 0 || uv_pipe_open(&input, 0) != 0 ||
        uv_read_start((uv_stream_t *)&input, allocate, on_input) != 0) {
        return EXIT_FAILURE;
    }
    print_keys(&identity);
    (void)uv_run(loop, UV_RUN_DEFAULT);
    p2_store_writer_free(writer);
    p2_store_close(store);
    p2_trust_free(&trust);
    p2_ledger_free(&ledger);
    return uv_loop_close(loop) == 0 && accounts.pending == 0 && commands.calls == 0 ? 0 : 1;
}
