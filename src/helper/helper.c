/* The helper daemon's loop: configuration in, links to authorities out. */
#include "helper/helper.h"

#include "base/entropy.h"
#include "base/notify.h"
#include "daemon/daemon.h"
#include "helper/authority_link.h"
#include "helper/meeting.h"
#include "helper/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Leases taken at once, running and queued. Chosen: at 60 Hz an authority has 4 of them per frame
 * and core under way over three frames, for a handful of cores. */
#define SLOTS 64u

/* How long leases may take to end after SIGTERM before they are cut. With P2_DAEMON_DRAIN_MS this
 * stays below the 2 s a daemon has. */
#define LEAVE_MS 1400u

/* Lowest priority: the owner's programs come first. */
#define NICE 19

/* Most authorities that sent invites at once. Chosen: half of what the pool lets in; a helper of a
 * few cores has work enough with one. */
#define INVITED_MAX (P2_POOL_AUTHORITIES_MAX / 2)

/* Most links at once: the configured ones, as many that a reload told to leave, and invited ones. */
#define LINKS_MAX (2 * P2_CONFIG_LIST_MAX + INVITED_MAX)

/* How long after a failed opening the overlay is tried again. Chosen: a port becomes free. */
#define MEETING_RETRY_MS 10000u

struct entry {
    struct p2_authority_link *link;
    struct p2_address address;
    bool is_invited;
    bool is_leaving;
};

struct p2_helperd {
    struct p2_helper_env env; /* first: on_gone finds the helper by it */
    struct p2_daemon *daemon;
    const struct p2_program *program;
    const struct p2_options *options;
    struct p2_config *config;
    struct entry entries[LINKS_MAX];
    size_t entry_count;
    struct p2_meeting *meeting; /* NULL: not wanted, not open, or being closed */
    bool is_meeting_closing;
    uv_timer_t leave_timer;
    uv_timer_t meeting_timer; /* opens the meeting again */
    unsigned timers;          /* of the two that are open */
    bool is_tested;
    bool is_terminating;
    int outcome;
};

/* ---- links ------------------------------------------------------------------------------------- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct p2_helperd *helper = handle->data;
    if (--helper->timers == 0) {
        p2_daemon_stop(helper->daemon);
    }
}

/* Ends the daemon when every link and the overlay are gone. */
static void finish_if_gone(struct p2_helperd *helper)
{
    bool is_gone = helper->entry_count == 0 && helper->meeting == NULL &&
                   !helper->is_meeting_closing && helper->is_terminating;
    if (is_gone && helper->timers > 0 && !uv_is_closing((uv_handle_t *)&helper->leave_timer)) {
        uv_close((uv_handle_t *)&helper->leave_timer, on_timer_closed);
        uv_close((uv_handle_t *)&helper->meeting_timer, on_timer_closed);
    }
}

static void on_gone(struct p2_helper_env *env, struct p2_authority_link *link)
{
    struct p2_helperd *helper = (struct p2_helperd *)(void *)env;
    for (size_t i = 0; i < helper->entry_count; i++) {
        if (helper->entries[i].link == link) {
            helper->entries[i] = helper->entries[--helper->entry_count];
            break;
        }
    }
    finish_if_gone(helper);
}

static void leave(struct entry *entry, enum p2_drain_reason reason)
{
    entry->is_leaving = true;
    p2_authority_link_leave(entry->link, reason); /* gone in a later turn */
}

static bool is_same_address(const struct p2_address *a, const struct p2_address *b)
{
    return p2_id_equal(&a->key, &b->key) && a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* The link to `address` that is not leaving, or NULL. */
static struct entry *find_entry(struct p2_helperd *helper, const struct p2_address *address)
{
    for (size_t i = 0; i < helper->entry_count; i++) {
        struct entry *entry = &helper->entries[i];
        if (!entry->is_leaving && is_same_address(&entry->address, address)) {
            return entry;
        }
    }
    return NULL;
}

/* May authorities find this helper? */
static bool is_findable(const struct p2_helperd *helper)
{
    const struct p2_config *config = helper->config;
    return p2_config_bool(config, P2_HELPER_OPTION_ENABLED) &&
           p2_config_bool(config, P2_HELPER_OPTION_ADS) &&
           (p2_config_count(config, P2_HELPER_OPTION_BOOTSTRAP) > 0 ||
            p2_config_bool(config, P2_HELPER_OPTION_LAN));
}

static bool is_wanted(const struct p2_helperd *helper, const struct entry *entry)
{
    const struct p2_address *address = &entry->address;
    if (entry->is_invited) {
        return is_findable(helper);
    }
    size_t count = p2_config_bool(helper->config, P2_HELPER_OPTION_ENABLED)
                       ? p2_config_count(helper->config, P2_HELPER_OPTION_AUTHORITY)
                       : 0;
    for (size_t i = 0; i < count; i++) {
        struct p2_address wanted;
        const char *text = p2_config_at(helper->config, P2_HELPER_OPTION_AUTHORITY, i);
        if (p2_address_parse(&wanted, text, strlen(text), NULL) == P2_OK &&
            is_same_address(&wanted, address)) {
            return true;
        }
    }
    return false;
}

static void open_link(struct p2_helperd *helper, const char *text)
{
    struct p2_address address;
    /* The option table has checked the text. */
    if (p2_address_parse(&address, text, strlen(text), NULL) != P2_OK ||
        p2_id_equal(&address.key, &helper->daemon->id) || find_entry(helper, &address) != NULL ||
        helper->entry_count == LINKS_MAX) {
        return;
    }
    struct entry *entry = &helper->entries[helper->entry_count];
    int error = p2_authority_link_open(&helper->env, &address, &entry->link);
    if (error != P2_OK) {
        P2_LOG(&helper->daemon->log, P2_LEVEL_ERROR, "no_link", P2_LOG_ERROR(error));
        return;
    }
    entry->address = address;
    entry->is_leaving = false;
    entry->is_invited = false;
    helper->entry_count++;
}

/* Makes the links what the configuration wants. */
static void update_links(struct p2_helperd *helper)
{
    bool is_enabled = p2_config_bool(helper->config, P2_HELPER_OPTION_ENABLED);
    for (size_t i = 0; i < helper->entry_count; i++) {
        struct entry *entry = &helper->entries[i];
        if (!entry->is_leaving && !is_wanted(helper, entry)) {
            leave(entry, is_enabled ? P2_DRAIN_REASON_SHUTDOWN : P2_DRAIN_REASON_OWNER);
        }
    }
    size_t count = is_enabled ? p2_config_count(helper->config, P2_HELPER_OPTION_AUTHORITY) : 0;
    for (size_t i = 0; i < count; i++) {
        open_link(helper, p2_config_at(helper->config, P2_HELPER_OPTION_AUTHORITY, i));
    }
}

/* ---- the overlay ------------------------------------------------------------------------------- */

/* The label of the local time's offset from UTC, without summer time: "utc", "utc+1", "utc-3". */
static void default_region(char region[P2_REGION_MAX])
{
    tzset();
    long hours = -timezone / 3600;
    (void)snprintf(region, P2_REGION_MAX, hours == 0 ? "utc" : "utc%+ld", hours);
}

/* Says in the overlay what is lent. */
static void publish(struct p2_helperd *helper)
{
    const struct p2_msg_hello *hello = &helper->env.hello;
    const char *region = p2_config_string(helper->config, P2_HELPER_OPTION_REGION);
    struct p2_capacity_ad ad = {
        .has_aes = p2_cipher_available(P2_CIPHER_AESGCM),
        .cores = hello->cores,
        .free_slots = hello->slots,
    };
    if (region != NULL) {
        (void)snprintf(ad.region, sizeof ad.region, "%s", region);
    } else {
        default_region(ad.region);
    }
    for (uint32_t i = 0; i < hello->kernels_count && ad.kernel_count < P2_CAPACITY_KERNELS; i++) {
        const struct p2c2r_kernel *kernel = helper->daemon->kernels[helper->env.offers[i].kernel];
        uint16_t tag = p2_capacity_kernel_tag(kernel->name, kernel->version);
        uint8_t at = ad.kernel_count;
        while (at > 0 && ad.kernels[at - 1] > tag) {
            at--;
        }
        if (at > 0 && ad.kernels[at - 1] == tag) {
            continue; /* two kernels with one tag: a hint either way */
        }
        memmove(&ad.kernels[at + 1], &ad.kernels[at],
                (size_t)(ad.kernel_count - at) * sizeof ad.kernels[0]);
        ad.kernels[at] = tag;
        ad.kernel_count++;
    }
    int error = p2_meeting_offer(helper->meeting, &ad);
    if (error != P2_OK) {
        P2_LOG(&helper->daemon->log, P2_LEVEL_ERROR, "no_ad", P2_LOG_ERROR(error));
    }
}

static void on_solved(uint64_t nonce, void *ctx)
{
    struct p2_helperd *helper = ctx;
    helper->env.hello.puzzle_nonce = nonce;
}

static void on_dialled(struct p2_helper_env *env, const struct p2_link_address *address,
                       enum p2_dial_outcome outcome)
{
    struct p2_helperd *helper = (struct p2_helperd *)(void *)env;
    if (helper->meeting != NULL) {
        p2_meeting_dialled(helper->meeting, address, outcome);
    }
}

/* An invite wants to be followed: not when there is a link to that authority, whatever way. */
static bool on_dial(const struct p2_presence_dial *dial, void *ctx)
{
    struct p2_helperd *helper = ctx;
    size_t invited = 0;
    for (size_t i = 0; i < helper->entry_count; i++) {
        invited += helper->entries[i].is_invited;
        if (p2_id_equal(&helper->entries[i].address.key, &dial->authority)) {
            return false;
        }
    }
    if (invited == INVITED_MAX || helper->entry_count == LINKS_MAX || helper->is_terminating ||
        p2_id_equal(&dial->authority, &helper->daemon->id)) {
        return false;
    }
    struct entry *entry = &helper->entries[helper->entry_count];
    int error = p2_authority_link_open_invited(&helper->env, dial, &entry->link);
    if (error != P2_OK) {
        P2_LOG(&helper->daemon->log, P2_LEVEL_ERROR, "no_link", P2_LOG_ERROR(error));
        return false;
    }
    P2_LOG(&helper->daemon->log, P2_LEVEL_NOTICE, "invited",
           P2_LOG_ID("authority", &dial->authority));
    entry->address = *p2_authority_link_view(entry->link).address;
    entry->is_leaving = false;
    entry->is_invited = true;
    helper->entry_count++;
    return true;
}

static int open_meeting(struct p2_helperd *helper, struct p2_failure *failure)
{
    const char *bootstrap[P2_CONFIG_LIST_MAX];
    const struct p2_config *config = helper->config;
    uint8_t seed[P2_KEY_BYTES];
    struct p2_meeting_options options = {
        .loop = helper->env.loop,
        .log = helper->env.log,
        .identity = helper->daemon->identity,
        .state_dir = p2_config_string(config, P2_HELPER_OPTION_STATE_DIR),
        .network = p2_config_string(config, P2_HELPER_OPTION_NETWORK),
        .program = p2_config_string(config, P2_HELPER_OPTION_DHT_PROGRAM),
        .bootstrap = bootstrap,
        .bootstrap_count = p2_config_count(config, P2_HELPER_OPTION_BOOTSTRAP),
        .port = (uint16_t)p2_config_u64(config, P2_HELPER_OPTION_OVERLAY_PORT),
        .finds_lan = p2_config_bool(config, P2_HELPER_OPTION_LAN),
        .puzzle_bits = (uint8_t)p2_config_u64(config, P2_HELPER_OPTION_PUZZLE_BITS),
        .local_peers = p2_config_choice(config, P2_HELPER_OPTION_LOCAL_PEERS) == 0
                           ? P2_LOCAL_PEERS_STRICT
                           : P2_LOCAL_PEERS_ALLOW,
        .on_solved = on_solved,
        .on_dial = on_dial,
        .ctx = helper,
    };
    for (size_t i = 0; i < options.bootstrap_count; i++) {
        bootstrap[i] = p2_config_at(config, P2_HELPER_OPTION_BOOTSTRAP, i);
    }
    p2_entropy(seed, sizeof seed);
    p2_rng_init(&options.rng, seed, "helper presence");
    return p2_meeting_open(&helper->meeting, &options, failure);
}

static void update_meeting(struct p2_helperd *helper);

static void on_meeting_timer(uv_timer_t *timer)
{
    update_meeting(timer->data);
}

static void on_meeting_closed(void *ctx)
{
    struct p2_helperd *helper = ctx;
    helper->is_meeting_closing = false;
    update_meeting(helper);
    finish_if_gone(helper);
}

static void close_meeting(struct p2_helperd *helper)
{
    if (helper->meeting != NULL) {
        helper->is_meeting_closing = true;
        p2_meeting_close(helper->meeting, on_meeting_closed, helper);
        helper->meeting = NULL;
    }
}

/* Makes the overlay what the configuration wants. */
static void update_meeting(struct p2_helperd *helper)
{
    struct p2_failure failure = {0};
    if (!is_findable(helper) || helper->is_terminating) {
        close_meeting(helper);
        return;
    }
    if (helper->is_meeting_closing) {
        return; /* its end calls this again */
    }
    if (helper->meeting == NULL && open_meeting(helper, &failure) != P2_OK) {
        P2_LOG(&helper->daemon->log, P2_LEVEL_ERROR, "no_overlay",
               P2_LOG_STR("why", failure.message));
        (void)uv_timer_start(&helper->meeting_timer, on_meeting_timer, MEETING_RETRY_MS, 0);
        return;
    }
    publish(helper);
}

/* ---- events of the daemon ---------------------------------------------------------------------- */

/* Lists the kernels that passed, in HELLO and in the table that leases refer to. */
static void fill_offers(struct p2_helperd *helper, const struct p2_self_test_row *rows)
{
    struct p2_msg_hello *hello = &helper->env.hello;
    for (size_t i = 0; i < helper->daemon->kernel_count; i++) {
        const struct p2c2r_kernel *kernel = helper->daemon->kernels[i];
        if (rows[i].verdict != P2_HARNESS_OK || hello->kernels_count == P2_WIRE_KERNELS_MAX) {
            continue;
        }
        struct p2_msg_kernel_offer *offer = &hello->kernels[hello->kernels_count];
        offer->name = p2_span(kernel->name, strlen(kernel->name));
        offer->version = kernel->version;
        memcpy(offer->digest, rows[i].digest, sizeof offer->digest);
        helper->env.offers[hello->kernels_count].kernel = (uint32_t)i;
        helper->env.offers[hello->kernels_count].version = kernel->version;
        hello->kernels_count++;
    }
}

static void on_tested(void *ctx, const struct p2_self_test_row *rows)
{
    struct p2_helperd *helper = ctx;
    char line[128];
    fill_offers(helper, rows);
    helper->is_tested = true;
    if (helper->env.hello.kernels_count == 0) {
        P2_LOG_EVENT(&helper->daemon->log, P2_LEVEL_ERROR, "no_kernel_passed");
        helper->outcome = P2_E_UNSUPPORTED;
        helper->is_terminating = true;
        finish_if_gone(helper);
        return;
    }
    bool is_enabled = p2_config_bool(helper->config, P2_HELPER_OPTION_ENABLED);
    P2_LOG(&helper->daemon->log, P2_LEVEL_NOTICE, "ready",
           P2_LOG_U64("kernels", helper->env.hello.kernels_count),
           P2_LOG_U64("cores", helper->env.hello.cores), P2_LOG_BOOL("enabled", is_enabled));
    (void)snprintf(line, sizeof line, "%u kernels, %s", helper->env.hello.kernels_count,
                   is_enabled ? "lending" : "not enabled: lends nothing");
    p2_notify_ready(line);
    if (!helper->is_terminating) {
        update_links(helper);
        update_meeting(helper);
    }
}

static void on_leave_timeout(uv_timer_t *timer)
{
    struct p2_helperd *helper = timer->data;
    for (size_t i = 0; i < helper->entry_count; i++) {
        p2_authority_link_cut(helper->entries[i].link);
    }
}

static void on_terminate(void *ctx)
{
    struct p2_helperd *helper = ctx;
    helper->is_terminating = true;
    (void)uv_timer_start(&helper->leave_timer, on_leave_timeout, LEAVE_MS, 0);
    for (size_t i = 0; i < helper->entry_count; i++) {
        if (!helper->entries[i].is_leaving) {
            leave(&helper->entries[i], P2_DRAIN_REASON_SHUTDOWN);
        }
    }
    close_meeting(helper);
    finish_if_gone(helper);
}

static void report_frozen(struct p2_helperd *helper, const struct p2_config *fresh)
{
    size_t frozen[P2_HELPER_OPTIONS];
    size_t count = p2_config_frozen_changes(helper->config, fresh, frozen);
    for (size_t i = 0; i < count; i++) {
        P2_LOG(&helper->daemon->log, P2_LEVEL_WARN, "needs_restart",
               P2_LOG_STR("option", p2_helper_option_table.options[frozen[i]].name));
    }
}

/* What may change while running. */
static void apply_config(struct p2_helperd *helper)
{
    static const enum p2_log_level levels[] = {P2_LEVEL_ERROR, P2_LEVEL_WARN, P2_LEVEL_NOTICE,
                                               P2_LEVEL_INFO, P2_LEVEL_DEBUG};
    uint32_t cores = (uint32_t)p2_config_u64(helper->config, P2_HELPER_OPTION_CORES);
    p2_log_set_level(&helper->daemon->log,
                     levels[p2_config_choice(helper->config, P2_HELPER_OPTION_LOG_LEVEL)]);
    if (cores != helper->env.hello.cores && p2_pool_set_workers(helper->env.pool, cores) == P2_OK) {
        helper->env.hello.cores = (uint16_t)cores;
        for (size_t i = 0; i < helper->entry_count; i++) {
            p2_authority_link_offer(helper->entries[i].link);
        }
    }
    if (helper->is_tested && !helper->is_terminating) {
        update_links(helper);
        update_meeting(helper);
    }
}

static void on_reload(void *ctx)
{
    struct p2_helperd *helper = ctx;
    struct p2_config *fresh = NULL;
    struct p2_failure failure = {0};
    int error = p2_options_load(helper->program, helper->options, "", &fresh, &failure);
    if (error == P2_OK) {
        report_frozen(helper, fresh);
        error = p2_config_keep_frozen(fresh, helper->config);
    }
    if (error != P2_OK) {
        P2_LOG(&helper->daemon->log, P2_LEVEL_ERROR, "reload_failed",
               P2_LOG_STR("why", failure.message), P2_LOG_ERROR(error));
        p2_config_free(fresh);
        return;
    }
    p2_config_free(helper->config);
    helper->config = fresh;
    apply_config(helper);
    P2_LOG_EVENT(&helper->daemon->log, P2_LEVEL_NOTICE, "reloaded");
}

static json_t *describe_link(const struct p2_authority_link *link)
{
    struct p2_authority_link_view view = p2_authority_link_view(link);
    char text[P2_ADDRESS_TEXT_MAX];
    p2_address_format(text, view.address);
    return json_pack("{s:s, s:s, s:b, s:I, s:i, s:I, s:i, s:I, s:i, s:s}", "authority", text,
                     "state", view.state, "invited", view.is_invited, "rtt_us",
                     (json_int_t)view.rtt.rtt_us, "leases_open", (int)view.leases_open,
                     "leases_done", (json_int_t)view.leases_done, "blobs", (int)view.blobs,
                     "blob_bytes", (json_int_t)view.blob_bytes, "failures", (int)view.failures,
                     "trouble", view.trouble);
}

static void describe(json_t *status, void *ctx)
{
    struct p2_helperd *helper = ctx;
    json_t *links = json_array();
    for (size_t i = 0; i < helper->entry_count; i++) {
        (void)json_array_append_new(links, describe_link(helper->entries[i].link));
    }
    /* Failing to add shows as a missing member; the answer itself stays well formed. */
    (void)json_object_set_new(
        status, "enabled", json_boolean(p2_config_bool(helper->config, P2_HELPER_OPTION_ENABLED)));
    (void)json_object_set_new(status, "kernels",
                              json_integer((json_int_t)helper->env.hello.kernels_count));
    (void)json_object_set_new(status, "leases_done",
                              json_integer((json_int_t)helper->env.leases_done));
    (void)json_object_set_new(status, "leases_failed",
                              json_integer((json_int_t)helper->env.leases_failed));
    p2_daemon_describe_pool(helper->daemon, status);
    if (helper->meeting != NULL) {
        (void)json_object_set_new(status, "overlay", p2_meeting_describe(helper->meeting));
    }
    (void)json_object_set_new(status, "links", links);
}

static const struct p2_daemon_events daemon_events = {
    .on_tested = on_tested,
    .on_terminate = on_terminate,
    .on_reload = on_reload,
    .describe = describe,
};

/* ---- opening and closing ----------------------------------------------------------------------- */

static int send_really(void *ctx, struct p2_link *link, uint8_t type, struct p2_span body)
{
    (void)ctx;
    return p2_link_send(link, type, body);
}

static void fill_hello(struct p2_helperd *helper)
{
    static const char agent[] = "p2c2rd " PACKAGE_VERSION;
    const char *owner = p2_config_string(helper->config, P2_HELPER_OPTION_OWNER);
    struct p2_msg_hello *hello = &helper->env.hello;
    hello->protocol = P2_WIRE_PROTOCOL;
    hello->node = helper->daemon->id;
    hello->agent = p2_span(agent, sizeof agent - 1);
    hello->owner = owner != NULL ? p2_span(owner, strlen(owner)) : p2_span(NULL, 0);
    hello->cores = (uint16_t)p2_config_u64(helper->config, P2_HELPER_OPTION_CORES);
    hello->slots = SLOTS;
    hello->cache_bytes = p2_config_u64(helper->config, P2_HELPER_OPTION_CACHE_SIZE);
}

static int open_daemon(struct p2_helperd *helper, const struct p2_helperd_setup *setup,
                       struct p2_failure *failure)
{
    const struct p2_config *config = setup->config;
    static const enum p2_log_level levels[] = {P2_LEVEL_ERROR, P2_LEVEL_WARN, P2_LEVEL_NOTICE,
                                               P2_LEVEL_INFO, P2_LEVEL_DEBUG};
    const struct p2_daemon_options options = {
        .program = setup->program->name,
        .state_dir = p2_config_string(config, P2_HELPER_OPTION_STATE_DIR),
        .control_socket = p2_config_string(config, P2_HELPER_OPTION_CONTROL_SOCKET),
        .control_group = p2_config_string(config, P2_HELPER_OPTION_CONTROL_GROUP),
        .network = p2_config_string(config, P2_HELPER_OPTION_NETWORK),
        .log_level = levels[p2_config_choice(config, P2_HELPER_OPTION_LOG_LEVEL)],
        .local_peers = P2_LOCAL_PEERS_STRICT, /* nobody dials a helper */
        .launcher = setup->launcher,
        .pool = {.workers = (uint32_t)p2_config_u64(config, P2_HELPER_OPTION_CORES),
                 .queue_capacity = P2_POOL_TASKS_MAX,
                 .nice = NICE,
                 .cpu_permille = 1000,
                 .batches = true},
        .events = &daemon_events,
        .ctx = helper,
    };
    return p2_daemon_open(&options, failure, &helper->daemon);
}

int p2_helperd_open(const struct p2_helperd_setup *setup, struct p2_failure *failure,
                    struct p2_helperd **ret_helper)
{
    uint8_t seed[P2_KEY_BYTES];
    struct p2_helperd *helper = calloc(1, sizeof *helper);
    if (helper == NULL) {
        p2_launcher_stop(setup->launcher);
        p2_config_free(setup->config);
        return p2_fail(failure, P2_E_NOMEM, "out of memory");
    }
    helper->program = setup->program;
    helper->options = setup->options;
    helper->config = setup->config;
    int error = open_daemon(helper, setup, failure);
    if (error != P2_OK) {
        p2_helperd_close(helper);
        return error;
    }
    helper->env.loop = &helper->daemon->loop;
    helper->env.transport = helper->daemon->transport;
    helper->env.pool = helper->daemon->pool;
    helper->env.log = &helper->daemon->log;
    helper->env.next_tag = P2_DAEMON_TAG_FIRST;
    helper->env.send = setup->send != NULL ? setup->send : send_really;
    helper->env.send_ctx = setup->send_ctx;
    helper->env.on_gone = on_gone;
    helper->env.on_dialled = on_dialled;
    p2_entropy(seed, sizeof seed);
    p2_rng_init(&helper->env.rng, seed, "helper back-off");
    p2_buf_init(&helper->env.scratch, P2_WIRE_SLOT_MSG_MAX + 64u);
    fill_hello(helper);
    (void)uv_timer_init(helper->env.loop, &helper->leave_timer); /* cannot fail */
    (void)uv_timer_init(helper->env.loop, &helper->meeting_timer);
    helper->leave_timer.data = helper;
    helper->meeting_timer.data = helper;
    helper->timers = 2;
    *ret_helper = helper;
    return P2_OK;
}

int p2_helperd_run(struct p2_helperd *helper)
{
    p2_daemon_run(helper->daemon);
    return helper->outcome;
}

struct uv_loop_s *p2_helperd_loop(struct p2_helperd *helper)
{
    return &helper->daemon->loop;
}

void p2_helperd_close(struct p2_helperd *helper)
{
    if (helper != NULL) {
        p2_daemon_close(helper->daemon);
        p2_buf_free(&helper->env.scratch);
        p2_config_free(helper->config);
        free(helper);
    }
}
