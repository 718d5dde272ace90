/* The helper's side of the overlay, put together. */
#include "helper/meeting.h"

#include "base/config.h"
#include "base/file.h"
#include "link/network.h"
#include "overlay/overlay_dht.h"
#include "overlay/puzzle_solver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct p2_meeting {
    struct p2_meeting_options options; /* strings are not used after open */
    struct p2_overlay_rules rules;
    struct p2_overlay *overlay;
    struct p2_puzzle_solver *solver;
    struct p2_helper_presence *presence; /* NULL until the puzzle is solved */
    struct p2_capacity_ad ad;
    bool has_ad;
    char nodes_path[P2_CONFIG_VALUE_MAX];
    unsigned closing; /* of overlay and solver */
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

/* ---- the node ---------------------------------------------------------------------------------- */

static void on_nodes(struct p2_span nodes, void *ctx)
{
    struct p2_meeting *meeting = ctx;
    struct p2_failure failure = {0};
    int error = p2_file_replace(meeting->nodes_path, nodes, 0600, P2_FILE_VOLATILE, &failure);
    if (error != P2_OK) {
        P2_LOG(meeting->options.log, P2_LEVEL_WARN, "nodes_not_kept",
               P2_LOG_STR("why", failure.message), P2_LOG_ERROR(error));
    }
}

static void on_down(int error, const char *text, void *ctx)
{
    struct p2_meeting *meeting = ctx;
    P2_LOG(meeting->options.log, P2_LEVEL_WARN, "overlay_down", P2_LOG_STR("why", text),
           P2_LOG_ERROR(error));
}

static void on_state(struct p2_overlay *overlay, void *ctx)
{
    struct p2_meeting *meeting = ctx;
    struct p2_overlay_status status = p2_overlay_status(overlay);
    P2_LOG(meeting->options.log, P2_LEVEL_NOTICE, "overlay",
           P2_LOG_STR("state", p2_overlay_state_name(status.state)),
           P2_LOG_U64("port", status.port_v4));
}

/* The nodes of the last run; none is no error. */
static void read_nodes(const struct p2_meeting *meeting, struct p2_buf *nodes)
{
    static const struct p2_file_rules rules = {.forbidden_mode = 0022, .no_symlink = true};
    struct p2_failure failure = {0};
    int error = p2_file_read(nodes, meeting->nodes_path, &rules, NULL, &failure);
    if (error != P2_OK && error != P2_E_NOENT) {
        P2_LOG(meeting->options.log, P2_LEVEL_WARN, "nodes_not_read",
               P2_LOG_STR("why", failure.message), P2_LOG_ERROR(error));
        p2_buf_clear(nodes);
    }
}

static int open_overlay(struct p2_meeting *meeting, struct p2_failure *failure)
{
    const struct p2_meeting_options *options = &meeting->options;
    struct p2_buf nodes;
    p2_buf_init(&nodes, P2_OVERLAY_DHT_NODES_BYTES);
    read_nodes(meeting, &nodes);
    const struct p2_overlay_dht_config config = {
        .program = options->program,
        .network = p2_network_number(options->network),
        .port = options->port,
        .finds_lan = options->finds_lan,
        .bootstrap = options->bootstrap,
        .bootstrap_count = options->bootstrap_count,
        .nodes = p2_span(nodes.data, nodes.size),
        .on_nodes = on_nodes,
        .on_down = on_down,
        .ctx = meeting,
    };
    int error = p2_overlay_dht_open(&meeting->overlay, options->loop, &config, failure);
    p2_buf_free(&nodes);
    if (error == P2_OK) {
        p2_overlay_on_state(meeting->overlay, on_state, meeting);
    }
    return error;
}

/* ---- puzzle and presence ----------------------------------------------------------------------- */

static bool on_dial(const struct p2_presence_dial *dial, void *ctx)
{
    struct p2_meeting *meeting = ctx;
    return meeting->options.on_dial(dial, meeting->options.ctx);
}

static void on_published(const struct p2_capacity_ad *ad, void *ctx)
{
    struct p2_meeting *meeting = ctx;
    P2_LOG(meeting->options.log, P2_LEVEL_INFO, "ad_published", P2_LOG_STR("region", ad->region),
           P2_LOG_U64("depth", ad->depth), P2_LOG_U64("cores", ad->cores));
}

static void on_progress(uint32_t progress_ppm, void *ctx)
{
    struct p2_meeting *meeting = ctx;
    P2_LOG(meeting->options.log, P2_LEVEL_DEBUG, "puzzle", P2_LOG_U64("ppm", progress_ppm));
}

static void on_solved(uint64_t nonce, int stored, void *ctx)
{
    static const struct p2_presence_events events = {.on_dial = on_dial,
                                                     .on_published = on_published};
    struct p2_meeting *meeting = ctx;
    const struct p2_meeting_options *from = &meeting->options;
    const struct p2_presence_options options = {
        .overlay = meeting->overlay,
        .rules = &meeting->rules,
        .identity = from->identity,
        .puzzle_nonce = nonce,
        .first_sequence = p2_overlay_now(meeting->overlay).unix_s,
        .dial = {.private_allowed = from->local_peers == P2_LOCAL_PEERS_ALLOW,
                 .local_peers = from->local_peers},
        .rng = from->rng,
    };
    if (stored != P2_OK) {
        P2_LOG(from->log, P2_LEVEL_WARN, "puzzle_not_kept", P2_LOG_ERROR(stored));
    }
    P2_LOG_EVENT(from->log, P2_LEVEL_NOTICE, "puzzle_solved");
    int error = p2_helper_presence_open(&meeting->presence, &options, &events, meeting);
    if (error == P2_OK && meeting->has_ad) {
        error = p2_helper_presence_offer(meeting->presence, &meeting->ad);
    }
    if (error != P2_OK) {
        P2_LOG(from->log, P2_LEVEL_ERROR, "no_ad", P2_LOG_ERROR(error));
    }
    from->on_solved(nonce, from->ctx);
}

static int open_solver(struct p2_meeting *meeting)
{
    static const struct p2_puzzle_solver_events events = {.on_progress = on_progress,
                                                          .on_solved = on_solved};
    const struct p2_meeting_options *options = &meeting->options;
    struct p2_id id;
    memcpy(id.bytes, options->identity->public_key, sizeof id.bytes);
    return p2_puzzle_solver_open(&meeting->solver, options->loop, options->state_dir, &id,
                                 options->puzzle_bits, &events, meeting);
}

/* ---- public ------------------------------------------------------------------------------------ */

static void free_closed(void *ctx)
{
    free(ctx);
}

int p2_meeting_open(struct p2_meeting **ret_meeting, const struct p2_meeting_options *options,
                    struct p2_failure *failure)
{
    struct p2_meeting *meeting = calloc(1, sizeof *meeting);
    if (meeting == NULL) {
        return p2_fail(failure, P2_E_NOMEM, "out of memory");
    }
    meeting->options = *options;
    meeting->rules.puzzle_bits = options->puzzle_bits;
    meeting->rules.stamp_bits = P2_STAMP_BITS_DEFAULT;
    p2_network_id(meeting->rules.network_id, options->network);
    int length = snprintf(meeting->nodes_path, sizeof meeting->nodes_path, "%s/%s",
                          options->state_dir, P2_MEETING_NODES_FILE);
    int error = length < 0 || (size_t)length >= sizeof meeting->nodes_path
                    ? p2_fail(failure, P2_E_INVALID, "the path of the state folder is too long")
                    : open_overlay(meeting, failure);
    if (error != P2_OK) {
        free(meeting);
        return error;
    }
    error = open_solver(meeting);
    if (error != P2_OK) {
        p2_overlay_close(meeting->overlay, free_closed, meeting);
        return p2_fail(failure, error, "cannot solve the identity puzzle: %s",
                       p2_error_text(error));
    }
    *ret_meeting = meeting;
    return P2_OK;
}

int p2_meeting_offer(struct p2_meeting *meeting, const struct p2_capacity_ad *ad)
{
    meeting->has_ad = ad != NULL;
    if (ad != NULL) {
        meeting->ad = *ad;
    }
    return meeting->presence != NULL ? p2_helper_presence_offer(meeting->presence, ad) : P2_OK;
}

void p2_meeting_dialled(struct p2_meeting *meeting, const struct p2_link_address *address,
                        enum p2_dial_outcome outcome)
{
    if (meeting->presence != NULL) {
        p2_helper_presence_dialled(meeting->presence, address, outcome);
    }
}

static json_t *describe_presence(const struct p2_helper_presence *presence)
{
    struct p2_presence_status status = p2_helper_presence_status(presence);
    return json_pack("{s:b, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "offered", status.is_offered,
                     "depth", status.depth, "ads", (int)status.ads, "invites", (int)status.invites,
                     "refused", (int)status.refused, "dials", (int)status.dials, "unwanted",
                     (int)status.unwanted, "expired", (int)status.expired);
}

json_t *p2_meeting_describe(const struct p2_meeting *meeting)
{
    struct p2_overlay_status status = p2_overlay_status(meeting->overlay);
    json_t *object =
        json_pack("{s:s, s:i, s:i, s:i, s:I, s:i}", "state", p2_overlay_state_name(status.state),
                  "port_v4", (int)status.port_v4, "port_v6", (int)status.port_v6, "restarts",
                  (int)status.restarts, "published", (json_int_t)status.published, "puzzle_ppm",
                  (int)p2_puzzle_solver_progress_ppm(meeting->solver));
    if (object != NULL && meeting->presence != NULL) {
        /* Failing to add shows as a missing member. */
        (void)json_object_set_new(object, "presence", describe_presence(meeting->presence));
    }
    return object;
}

static void on_part_closed(void *ctx)
{
    struct p2_meeting *meeting = ctx;
    if (--meeting->closing == 0) {
        meeting->on_closed(meeting->closed_ctx);
        free(meeting);
    }
}

void p2_meeting_close(struct p2_meeting *meeting, void (*on_closed)(void *ctx), void *ctx)
{
    meeting->on_closed = on_closed;
    meeting->closed_ctx = ctx;
    meeting->closing = 2;
    p2_helper_presence_close(meeting->presence);
    meeting->presence = NULL;
    p2_puzzle_solver_close(meeting->solver, on_part_closed, meeting);
    p2_overlay_close(meeting->overlay, on_part_closed, meeting);
}
