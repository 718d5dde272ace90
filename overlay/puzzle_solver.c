/* Solving in the thread pool; see the header.
 *
 * One piece of work is queued at a time, and everything said to the user comes when one is done:
 * the puzzle belongs to the worker between queueing and that moment, to the loop otherwise. */
#include "overlay/puzzle_solver.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tries in one piece of work. Chosen: 18 ms of a core at 0.55 ms each, so that closing is quick. */
#define TRIES 32u

#define PROGRESS_MS 500u

struct p2_puzzle_solver {
    uv_loop_t *loop;
    uv_work_t work;
    const struct p2_puzzle_solver_events *events;
    void *ctx;
    struct p2_puzzle puzzle;
    int error;  /* of the last piece; memory may come back */
    int stored; /* of writing the solution */
    bool is_queued;
    bool is_told; /* on_solved came */
    bool is_closing;
    uint32_t progress_ppm;
    uint64_t progress_ms; /* when progress was told last */
    void (*on_closed)(void *ctx);
    void *closed_ctx;
    char path[]; /* "": nothing is stored */
};

static int store(const struct p2_puzzle_solver *solver, enum p2_file_durability durability)
{
    uint8_t bytes[P2_PUZZLE_STORED_BYTES];
    p2_puzzle_encode(bytes, &solver->puzzle);
    return p2_file_replace(solver->path, p2_span(bytes, sizeof bytes), 0600, durability, NULL);
}

static void on_work(uv_work_t *work)
{
    struct p2_puzzle_solver *solver = work->data;
    if (solver->puzzle.is_solved) {
        return;
    }
    solver->error = p2_puzzle_step(&solver->puzzle, TRIES);
    if (solver->puzzle.is_solved) {
        solver->stored = store(solver, P2_FILE_DURABLE);
    }
}

static void on_done(uv_work_t *work, int status);

static void queue(struct p2_puzzle_solver *solver)
{
    solver->is_queued = true;
    solver->work.data = solver;
    (void)uv_queue_work(solver->loop, &solver->work, on_work, on_done); /* cannot fail */
}

static void tell(struct p2_puzzle_solver *solver)
{
    uint64_t now = uv_now(solver->loop);
    solver->progress_ppm = p2_puzzle_progress_ppm(&solver->puzzle);
    if (solver->puzzle.is_solved) {
        solver->is_told = true;
        solver->events->on_solved(solver->puzzle.nonce, solver->stored, solver->ctx);
    } else if (solver->events->on_progress != NULL && now - solver->progress_ms >= PROGRESS_MS) {
        solver->progress_ms = now;
        solver->events->on_progress(solver->progress_ppm, solver->ctx);
    }
}

static void on_done(uv_work_t *work, int status)
{
    struct p2_puzzle_solver *solver = work->data;
    (void)status; /* it is never cancelled */
    solver->is_queued = false;
    if (!solver->is_closing && !solver->is_told) {
        tell(solver); /* may close it */
    }
    if (!solver->is_closing) {
        if (!solver->is_told) {
            queue(solver);
        }
        return;
    }
    if (solver->is_queued) {
        return; /* closed just now: once more, which ends it */
    }
    void (*on_closed)(void *ctx) = solver->on_closed;
    void *ctx = solver->closed_ctx;
    if (!solver->puzzle.is_solved) {
        (void)store(solver, P2_FILE_VOLATILE); /* else it begins anew, which costs seconds */
    }
    on_closed(ctx);
    free(solver);
}

/* What an earlier run left, if it fits; the solution of a file is tried before it is believed. */
static void load(struct p2_puzzle_solver *solver)
{
    static const struct p2_file_rules rules = {.forbidden_mode = 0077, .no_symlink = true};
    struct p2_puzzle stored;
    struct p2_buf bytes;
    p2_buf_init(&bytes, P2_PUZZLE_STORED_BYTES);
    if (p2_file_read(&bytes, solver->path, &rules, NULL, NULL) == P2_OK &&
        p2_puzzle_decode(&stored, p2_buf_span(&bytes)) == P2_OK &&
        p2_id_equal(&stored.key, &solver->puzzle.key) && stored.bits >= solver->puzzle.bits &&
        (!stored.is_solved ||
         p2_puzzle_check(&stored.key, stored.nonce, solver->puzzle.bits) == P2_OK)) {
        /* A harder puzzle that is not solved yet goes on as ours. */
        stored.bits = stored.is_solved ? stored.bits : solver->puzzle.bits;
        solver->puzzle = stored;
    }
    p2_buf_free(&bytes);
}

int p2_puzzle_solver_open(struct p2_puzzle_solver **ret_solver, uv_loop_t *loop, const char *folder,
                          const struct p2_id *key, uint8_t bits,
                          const struct p2_puzzle_solver_events *events, void *ctx)
{
    size_t size = strlen(folder) + sizeof "/" P2_PUZZLE_FILE;
    struct p2_puzzle_solver *solver = calloc(1, sizeof *solver + size);
    if (solver == NULL) {
        return P2_E_NOMEM;
    }
    (void)snprintf(solver->path, size, "%s/%s", folder, P2_PUZZLE_FILE);
    solver->loop = loop;
    solver->events = events;
    solver->ctx = ctx;
    solver->progress_ms = uv_now(loop);
    p2_puzzle_begin(&solver->puzzle, key, bits);
    load(solver);
    queue(solver);
    *ret_solver = solver;
    return P2_OK;
}

void p2_puzzle_solver_close(struct p2_puzzle_solver *solver, void (*on_closed)(void *ctx),
                            void *ctx)
{
    if (solver->is_closing) {
        return;
    }
    solver->is_closing = true;
    solver->on_closed = on_closed;
    solver->closed_ctx = ctx;
    if (!solver->is_queued) {
        queue(solver); /* solved or not: on_done then comes from the loop */
    }
}

bool p2_puzzle_solver_is_solved(const struct p2_puzzle_solver *solver)
{
    return solver->is_told;
}

uint32_t p2_puzzle_solver_progress_ppm(const struct p2_puzzle_solver *solver)
{
    return solver->progress_ppm;
}
