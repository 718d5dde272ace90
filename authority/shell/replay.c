/* A journal run again. */
#include "authority/shell/replay.h"

#include "authority/shell/game_run.h"
#include "authority/shell/game_tasks.h"
#include "authority/shell/journal_file.h"
#include "base/error.h"
#include "exec/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUDGET_US 5000000u

/* A STATE task that was submitted: its input may be needed to compute its result again. */
struct pending {
    uint64_t id;
    uint32_t kernel;
    uint8_t *input;
    size_t size;
};

struct replay {
    struct p2_journal_file *journal;
    struct p2_game_module *module;
    struct p2_game_run *run;
    struct p2_runner *runner;
    struct p2_frame_in in;
    struct p2_frame_in full; /* with the results that the journal left out */
    struct p2_frame_out out;
    struct pending pending[P2_GAME_TASKS_MAX]; /* by rising id */
    uint32_t pending_count;
    uint8_t output[P2C2R_OUTPUT_MAX];
    uint64_t frames, hashes, computed;
    uint64_t last_hash;
    uint64_t differs; /* first frame; 0: none */
};

static struct pending *find(struct replay *replay, uint64_t id)
{
    for (uint32_t i = 0; i < replay->pending_count; i++) {
        if (replay->pending[i].id == id) {
            return &replay->pending[i];
        }
    }
    return NULL;
}

static void drop(struct replay *replay, uint64_t id)
{
    struct pending *task = find(replay, id);
    if (task != NULL) {
        free(task->input);
        replay->pending_count--;
        size_t after = replay->pending_count - (size_t)(task - replay->pending);
        memmove(task, task + 1, after * sizeof *task);
    }
}

/* Keeps what the frame asked for. */
static int keep(struct replay *replay)
{
    for (uint32_t i = 0; i < replay->out.count; i++) {
        const struct p2_out_item *item = &replay->out.items[i];
        struct p2_span input = p2_frame_out_bytes(&replay->out, item);
        if (item->kind == P2_OUT_CANCEL) {
            drop(replay, item->task);
        }
        if (item->kind != P2_OUT_SUBMIT || replay->pending_count == P2_GAME_TASKS_MAX) {
            continue;
        }
        struct pending *task = &replay->pending[replay->pending_count];
        *task = (struct pending){.id = item->task, .kernel = item->spec.kernel, .size = input.size};
        task->input = malloc(input.size > 0 ? input.size : 1);
        if (task->input == NULL) {
            return P2_E_NOMEM;
        }
        if (input.size > 0) {
            memcpy(task->input, input.data, input.size);
        }
        replay->pending_count++;
    }
    return P2_OK;
}

static int compute(struct replay *replay, uint64_t id, struct p2_span *ret_bytes)
{
    const struct pending *task = find(replay, id);
    struct p2_run_result result = {0};
    if (task == NULL) {
        return P2_E_CORRUPT; /* a result of a task that was never submitted */
    }
    const struct p2_exec_task job = {.kernel = task->kernel,
                                     .operation = P2_TASK_RUN,
                                     .input = p2_span(task->input, task->size),
                                     .budget_us = BUDGET_US};
    int error = p2_runner_run(replay->runner, &job, NULL, 0, replay->output, sizeof replay->output,
                              &result);
    if (error == P2_OK && result.status != P2_TASK_OK) {
        error = P2_E_TIMEOUT;
    }
    replay->computed++;
    *ret_bytes = p2_span(replay->output, result.output_size);
    return error;
}

/* Copies the frame and fills in what the journal left out. */
static int fill(struct replay *replay)
{
    p2_frame_in_clear(&replay->full);
    replay->full.frame = replay->in.frame;
    replay->full.depth = replay->in.depth;
    replay->full.quality = replay->in.quality;
    replay->full.wants_hash = true;
    for (uint32_t i = 0; i < replay->in.count; i++) {
        struct p2_in_item item = replay->in.items[i];
        struct p2_span bytes = p2_frame_in_bytes(&replay->in, &item);
        int error = P2_OK;
        if (item.status == P2_JOURNAL_FILE_COMPUTE) {
            item.status = P2C2R_RESULT_OK;
            error = compute(replay, item.task, &bytes);
        }
        if (error == P2_OK) {
            error = p2_frame_in_add(&replay->full, &item, bytes);
        }
        if (error != P2_OK) {
            return error;
        }
        if (item.kind == P2_IN_RESULT) {
            drop(replay, item.task);
        }
    }
    return P2_OK;
}

static int run_frames(struct replay *replay)
{
    for (;;) {
        enum p2_journal_file_record record;
        uint64_t frame = 0;
        uint64_t hash = 0;
        int error = p2_journal_file_read(replay->journal, &record, &replay->in, &frame, &hash);
        if (error != P2_OK || record == P2_JOURNAL_FILE_END) {
            return error;
        }
        if (record == P2_JOURNAL_FILE_HASH) {
            replay->hashes++;
            if (hash != replay->last_hash) {
                replay->differs = frame;
                return P2_OK;
            }
            continue;
        }
        error = fill(replay);
        if (error != P2_OK) {
            return error;
        }
        p2_game_run_frame(replay->run, &replay->full, &replay->out);
        replay->frames++;
        replay->last_hash = replay->out.hash;
        error = keep(replay);
        if (error != P2_OK) {
            return error;
        }
    }
}

static int open_game(struct replay *replay, const struct p2_journal_file_head *head,
                     const struct p2c2r_kernel *const *kernels, size_t kernel_count,
                     struct p2_failure *failure)
{
    const struct p2_game_run_options options = {
        .module = replay->module,
        .kernels = kernels,
        .kernel_count = (uint32_t)kernel_count,
        .usable = UINT32_MAX,
        .seed = head->seed,
        .options = head->options,
    };
    int error = p2_game_run_open(&options, &replay->out, failure, &replay->run);
    if (error != P2_OK) {
        return error;
    }
    const struct p2c2r_game *game = p2_game_run_game(replay->run);
    if (strcmp(game->name, head->game) != 0 || game->version != head->version) {
        return p2_fail(failure, P2_E_UNSUPPORTED,
                       "the journal is of %s version %u, the module is %s version %u", head->game,
                       head->version, game->name, game->version);
    }
    return P2_OK;
}

static int report(const struct replay *replay, int error, struct p2_failure *failure)
{
    if (error != P2_OK) {
        return p2_fail(failure, error, "the journal cannot be replayed beyond frame %llu: %s",
                       (unsigned long long)replay->frames, p2_error_text(error));
    }
    (void)printf("{\"frames\":%llu,\"hashes\":%llu,\"computed\":%llu,\"hash\":\"%016llx\","
                 "\"differs\":%llu}\n",
                 (unsigned long long)replay->frames, (unsigned long long)replay->hashes,
                 (unsigned long long)replay->computed, (unsigned long long)replay->last_hash,
                 (unsigned long long)replay->differs);
    return replay->differs == 0
               ? P2_OK
               : p2_fail(failure, P2_E_CORRUPT, "the state differs after frame %llu",
                         (unsigned long long)replay->differs);
}

int p2_replay(const char *path, const char *module, struct p2_launcher *launcher,
              struct p2_failure *failure)
{
    size_t kernel_count = 0;
    const struct p2c2r_kernel *const *kernels = p2_launcher_kernels(launcher, &kernel_count);
    struct p2_journal_file_head head;
    struct replay *replay = calloc(1, sizeof *replay);
    if (replay == NULL) {
        p2_launcher_stop(launcher);
        return p2_fail(failure, P2_E_NOMEM, "out of memory");
    }
    p2_frame_in_init(&replay->in);
    p2_frame_in_init(&replay->full);
    p2_frame_out_init(&replay->out);
    int error = p2_runner_open(launcher, failure, &replay->runner);
    if (error == P2_OK) {
        error = p2_journal_file_open(&replay->journal, path, &head, failure);
    }
    if (error == P2_OK) {
        error = p2_game_module_load(module, failure, &replay->module);
    }
    if (error == P2_OK) {
        error = open_game(replay, &head, kernels, kernel_count, failure);
    }
    if (error == P2_OK) {
        error = report(replay, run_frames(replay), failure);
    }
    p2_game_run_close(replay->run);
    p2_game_module_free(replay->module);
    (void)p2_journal_file_close(replay->journal); /* only read */
    p2_runner_close(replay->runner);
    while (replay->pending_count > 0) {
        free(replay->pending[--replay->pending_count].input);
    }
    p2_frame_in_free(&replay->in);
    p2_frame_in_free(&replay->full);
    p2_frame_out_free(&replay->out);
    free(replay);
    return error;
}
