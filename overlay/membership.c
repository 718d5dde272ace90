/* Node, puzzle and remembered nodes of a daemon. */
#include "overlay/membership.h"

#include "base/config.h"
#include "base/file.h"
#include "link/network.h"
#include "overlay/overlay_dht.h"
#include "overlay/puzzle_solver.h"
#include "overlay/stamp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct p2_membership {
    struct p2_membership_options options; /* strings are not used after open */
    struct p2_overlay_rules rules;
    struct p2_overlay *overlay;
    struct p2_puzzle_solver *solver;
    char nodes_path[P2_CONFIG_VALUE_MAX];
    unsigned closing; /* of overlay and solver */
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

/* ---- the node ---------------------------------------------------------------------------------- */

static void on_nodes(struct p2_span nodes, void *ctx)
{
    struct p2_membership *membership = ctx;
    struct p2_failure failure = {0};
    int error = p2_file_replace(membership->nodes_path, nodes, 0600, P2_FILE_VOLATILE, &failure);
    if (error != P2_OK) {
        P2_LOG(membership->options.log, P2_LEVEL_WARN, "nodes_not_kept",
               P2_LOG_STR("why", failure.message), P2_LOG_ERROR(error));
    }
}

static void on_down(int error, const char *text, void *ctx)
{
    struct p2_membership *membership = ctx;
    P2_LOG(membership->options.log, P2_LEVEL_WARN, "overlay_down", P2_LOG_STR("why", text),
           P2_LOG_ERROR(error));
}

static void on_state(struct p2_overlay *overlay, void *ctx)
{
    struct p2_membership *membership = ctx;
    struct p2_overlay_status status = p2_overlay_status(overlay);
    P2_LOG(membership->options.log, P2_LEVEL_NOTICE, "overlay",
           P2_LOG_STR("state", p2_overlay_state_name(status.state)),
           P2_LOG_U64("port", status.port_v4));
}

/* The nodes of the last run; none is no error. */
static void read_nodes(const struct p2_membership *membership, struct p2_buf *nodes)
{
    static const struct p2_file_rules rules = {.forbidden_mode = 0022, .no_symlink = true};
    struct p2_failure failure = {0};
    int error = p2_file_read(nodes, membership->nodes_path, &rules, NULL, &failure);
    if (error != P2_OK && error != P2_E_NOENT) {
        P2_LOG(membership->options.log, P2_LEVEL_WARN, "nodes_not_read",
               P2_LOG_STR("why", failure.message), P2_LOG_ERROR(error));
        p2_buf_clear(nodes);
    }
}

static int open_node(struct p2_membership *membership, struct p2_failure *failure)
{
    const struct p2_membership_options *options = &membership->options;
    struct p2_buf nodes;
    p2_buf_init(&nodes, P2_OVERLAY_DHT_NODES_BYTES);
    read_nodes(membership, &nodes);
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
        .ctx = membership,
    };
    int error = p2_overlay_dht_open(&membership->overlay, options->loop, &config, failure);
    p2_buf_free(&nodes);
    if (error == P2_OK) {
        p2_overlay_on_state(membership->overlay, on_state, membership);
    }
    return error;
}

/* ---- the puzzle -------------------------------------------------------------------------------- */

static void on_progress(uint32_t progress_ppm, void *ctx)
{
    struct p2_membership *membership = ctx;
    P2_LOG(membership->options.log, P2_LEVEL_DEBUG, "puzzle", P2_LOG_U64("ppm", progress_ppm));
}

static void on_solved(uint64_t nonce, int stored, void *ctx)
{
    struct p2_membership *membership = ctx;
    if (stored != P2_OK) {
        P2_LOG(membership->options.log, P2_LEVEL_WARN, "puzzle_not_kept", P2_LOG_ERROR(stored));
    }
    P2_LOG_EVENT(membership->options.log, P2_LEVEL_NOTICE, "puzzle_solved");
    membership->options.on_solved(nonce, membership->options.ctx);
}

static int open_solver(struct p2_membership *membership)
{
    static const struct p2_puzzle_solver_events events = {.on_progress = on_progress,
                                                          .on_solved = on_solved};
    const struct p2_membership_options *options = &membership->options;
    struct p2_id id;
    memcpy(id.bytes, options->identity->public_key, sizeof id.bytes);
    return p2_puzzle_solver_open(&membership->solver, options->loop, options->state_dir, &id,
                                 options->puzzle_bits, &events, membership);
}

/* ---- public ------------------------------------------------------------------------------------ */

static void free_closed(void *ctx)
{
    free(ctx);
}

int p2_membership_open(struct p2_membership **ret_membership,
                       const struct p2_membership_options *options, struct p2_failure *failure)
{
    struct p2_membership *membership = calloc(1, sizeof *membership);
    if (membership == NULL) {
        return p2_fail(failure, P2_E_NOMEM, "out of memory");
    }
    membership->options = *options;
    membership->rules.puzzle_bits = options->puzzle_bits;
    membership->rules.stamp_bits = P2_STAMP_BITS_DEFAULT;
    p2_network_id(membership->rules.network_id, options->network);
    int length = snprintf(membership->nodes_path, sizeof membership->nodes_path, "%s/%s",
                          options->state_dir, P2_MEMBERSHIP_NODES_FILE);
    int error = length < 0 || (size_t)length >= sizeof membership->nodes_path
                    ? p2_fail(failure, P2_E_INVALID, "the path of the state folder is too long")
                    : open_node(membership, failure);
    if (error != P2_OK) {
        free(membership);
        return error;
    }
    error = open_solver(membership);
    if (error != P2_OK) {
        p2_overlay_close(membership->overlay, free_closed, membership);
        return p2_fail(failure, error, "cannot solve the identity puzzle: %s",
                       p2_error_text(error));
    }
    *ret_membership = membership;
    return P2_OK;
}

struct p2_overlay *p2_membership_overlay(const struct p2_membership *membership)
{
    return membership->overlay;
}

const struct p2_overlay_rules *p2_membership_rules(const struct p2_membership *membership)
{
    return &membership->rules;
}

uint32_t p2_membership_puzzle_ppm(const struct p2_membership *membership)
{
    return p2_puzzle_solver_progress_ppm(membership->solver);
}

static void on_part_closed(void *ctx)
{
    struct p2_membership *membership = ctx;
    if (--membership->closing == 0) {
        membership->on_closed(membership->closed_ctx);
        free(membership);
    }
}

void p2_membership_close(struct p2_membership *membership, void (*on_closed)(void *ctx), void *ctx)
{
    membership->on_closed = on_closed;
    membership->closed_ctx = ctx;
    membership->closing = 2;
    p2_puzzle_solver_close(membership->solver, on_part_closed, membership);
    p2_overlay_close(membership->overlay, on_part_closed, membership);
}
