/* Games on their own: modules, frames, the state as bytes, the session's thread, the journal. The
 * module is src/games/steady, copied to a private folder as the loader wants it. Kernels are not run:
 * results are made up, which to a game is the same. */
#include "authority/shell/game_run.h"
#include "authority/shell/game_tasks.h"
#include "authority/shell/game_thread.h"
#include "authority/shell/journal_file.h"

#include "base/error.h"
#include "kernels/registry.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KERNELS_MAX 24u
#define FRAMES      40u

static const struct p2c2r_kernel *kernels[KERNELS_MAX];
static char module_path[512];

static int copy_file(const char *from, const char *to)
{
    char bytes[4096];
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    size_t got = 0;
    while (in != NULL && out != NULL && (got = fread(bytes, 1, sizeof bytes, in)) > 0) {
        (void)fwrite(bytes, 1, got, out);
    }
    bool is_good = in != NULL && out != NULL && ferror(in) == 0 && fclose(out) == 0;
    if (in != NULL) {
        (void)fclose(in);
    }
    return is_good && chmod(to, 0755) == 0 ? 0 : -1;
}

static int setup_suite(void)
{
    const char *build = getenv("top_builddir");
    const char *folder = p2_test_folder_make();
    char from[512];
    (void)snprintf(from, sizeof from, "%s/src/games/steady.so", build != NULL ? build : ".");
    (void)snprintf(module_path, sizeof module_path, "%s/steady.so", folder);
    for (size_t i = 0; i < p2_kernel_count() && i < KERNELS_MAX; i++) {
        kernels[i] = p2_kernel_at(i);
    }
    return copy_file(from, module_path);
}

static int teardown_suite(void)
{
    p2_test_folder_remove();
    return 0;
}

static struct p2_game_module *load(void)
{
    struct p2_failure failure = {0};
    struct p2_game_module *module = NULL;
    P2_ASSERT_ERROR(p2_game_module_load(module_path, &failure, &module), P2_OK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(module);
    return module;
}

static struct p2_game_run_options options_of(struct p2_game_module *module)
{
    return (struct p2_game_run_options){
        .module = module,
        .kernels = kernels,
        .kernel_count = (uint32_t)p2_kernel_count(),
        .usable = UINT32_MAX,
        .seed = 77,
        .options = "tasks=3 views=2 slack=5 depth=4 cases=2",
        .is_viewed = true,
    };
}

/* ---- what stands for the core: results that are a function of the task's id ---------------------- */

struct pretend {
    uint64_t due[FRAMES + 64][64]; /* ids by frame */
    uint32_t count[FRAMES + 64];
};

static void take_tasks(struct pretend *core, const struct p2_frame_out *out, uint64_t frame)
{
    for (uint32_t i = 0; i < out->count; i++) {
        const struct p2_out_item *item = &out->items[i];
        if (item->kind == P2_OUT_SUBMIT && (item->task & P2_GAME_TASK_VIEW) == 0) {
            uint64_t due = frame + item->spec.slack_frames;
            core->due[due][core->count[due]++] = item->task;
        }
    }
}

static void fill_frame(struct p2_frame_in *in, const struct pretend *core, uint64_t frame)
{
    p2_frame_in_clear(in);
    in->frame = frame;
    in->depth = 2;
    in->quality = 255;
    in->wants_hash = true;
    if (frame == 3) {
        const struct p2_in_item join = {.kind = P2_IN_JOIN, .player = 1, .version = 9};
        (void)p2_frame_in_add(in, &join, p2_span("eve", 3));
        const struct p2_in_item look = {
            .kind = P2_IN_LOOK, .player = 1, .width = 640, .height = 480};
        (void)p2_frame_in_add(in, &look, p2_span(NULL, 0));
    }
    if (frame > 3 && frame % 2 == 0) {
        const struct p2_in_item input = {
            .kind = P2_IN_INPUT, .player = 1, .sequence = (uint32_t)frame};
        (void)p2_frame_in_add(in, &input, p2_span("left", 4));
    }
    for (uint32_t i = 0; i < core->count[frame]; i++) {
        uint8_t bytes[8];
        uint64_t id = core->due[frame][i];
        const struct p2_in_item result = {.kind = P2_IN_RESULT,
                                          .task = id,
                                          .status = id % 5 == 0 ? P2C2R_RESULT_DEGRADED
                                                                : P2C2R_RESULT_OK};
        p2_store_be64(bytes, id * UINT64_C(0x9e3779b97f4a7c15));
        (void)p2_frame_in_add(in, &result, p2_span(bytes, id % 5 == 0 ? 0 : sizeof bytes));
    }
}

/* Plays `frames` frames; the hash of the last one. The journal may be NULL. */
static uint64_t play(struct p2_game_run *run, uint64_t frames, struct p2_journal_file *journal,
                     uint32_t *ret_frames_sent, bool *ret_in_sync)
{
    static struct pretend core;
    struct p2_frame_in in;
    struct p2_frame_out out;
    uint64_t hash = 0;
    memset(&core, 0, sizeof core);
    p2_frame_in_init(&in);
    p2_frame_out_init(&out);
    *ret_frames_sent = 0;
    *ret_in_sync = true;
    for (uint64_t frame = 1; frame <= frames; frame++) {
        fill_frame(&in, &core, frame);
        if (journal != NULL) {
            p2_journal_file_frame(journal, &in, 1u << 20);
        }
        p2_game_run_frame(run, &in, &out);
        take_tasks(&core, &out, frame);
        for (uint32_t i = 0; i < out.count; i++) {
            *ret_frames_sent += out.items[i].kind == P2_OUT_FRAME ? 1 : 0;
        }
        *ret_in_sync = *ret_in_sync && !out.is_out_of_sync;
        hash = out.hash;
        if (journal != NULL) {
            p2_journal_file_hash(journal, frame, hash);
        }
    }
    p2_frame_in_free(&in);
    p2_frame_out_free(&out);
    return hash;
}

/* ---- modules ----------------------------------------------------------------------------------- */

static void a_module_others_can_write_is_refused_in_words(void)
{
    struct p2_failure failure = {0};
    struct p2_game_module *module = NULL;
    CU_ASSERT_EQUAL(chmod(module_path, 0777), 0);
    P2_ASSERT_ERROR(p2_game_module_load(module_path, &failure, &module), P2_E_PERM);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "others can write"));
    CU_ASSERT_EQUAL(chmod(module_path, 0755), 0);
}

static void what_is_no_module_is_refused_in_words(void)
{
    struct p2_failure failure = {0};
    struct p2_game_module *module = NULL;
    P2_ASSERT_ERROR(p2_game_module_load("/nowhere/x.so", &failure, &module), P2_E_NOENT);
    P2_ASSERT_ERROR(p2_game_module_load("no-such-game", &failure, &module), P2_E_NOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "no-such-game.so"));
    char path[600];
    (void)snprintf(path, sizeof path, "%s.txt", module_path);
    FILE *file = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    (void)fputs("no module\n", file);
    (void)fclose(file);
    P2_ASSERT_ERROR(p2_game_module_load(path, &failure, &module), P2_E_UNSUPPORTED);
}

static int entry_of_another_version(const struct p2c2r_host *host, struct p2c2r_game *ret_game)
{
    (void)host;
    ret_game->abi = P2C2R_GAME_ABI + 1;
    return -1;
}

static int entry_that_lacks_callbacks(const struct p2c2r_host *host, struct p2c2r_game *ret_game)
{
    (void)host;
    ret_game->abi = P2C2R_GAME_ABI;
    ret_game->name = "lacking";
    ret_game->players_max = 1;
    return 0;
}

static void a_table_of_another_version_is_explained(void)
{
    struct p2_failure failure = {0};
    struct p2_game_module module = {.entry = entry_of_another_version, .path = "old.so"};
    struct p2c2r_game game;
    const struct p2c2r_host host = {.size = sizeof host, .abi = P2C2R_GAME_ABI};
    P2_ASSERT_ERROR(p2_game_module_table(&module, &host, &game, &failure), P2_E_UNSUPPORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "version 2"));
    module.entry = entry_that_lacks_callbacks;
    P2_ASSERT_ERROR(p2_game_module_table(&module, &host, &game, &failure), P2_E_UNSUPPORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "lacks a callback"));
}

/* ---- frames ------------------------------------------------------------------------------------ */

static struct p2_game_run *open_run(struct p2_game_module *module, bool is_viewed, bool is_synctest,
                                    struct p2_frame_out *out)
{
    struct p2_failure failure = {0};
    struct p2_game_run *run = NULL;
    struct p2_game_run_options options = options_of(module);
    options.is_viewed = is_viewed;
    options.is_synctest = is_synctest;
    P2_ASSERT_ERROR(p2_game_run_open(&options, out, &failure, &run), P2_OK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(run);
    return run;
}

static void the_state_does_not_depend_on_who_looks(void)
{
    struct p2_game_module *module = load();
    struct p2_frame_out out;
    uint32_t sent;
    bool in_sync;
    p2_frame_out_init(&out);
    struct p2_game_run *seen = open_run(module, true, true, &out);
    uint64_t hash = play(seen, FRAMES, NULL, &sent, &in_sync);
    CU_ASSERT_TRUE(in_sync);
    CU_ASSERT_TRUE(sent >= 2); /* a whole scene, and again after half a second without an ACK */
    p2_game_run_close(seen);
    struct p2_game_run *unseen = open_run(module, false, false, &out);
    CU_ASSERT_EQUAL(play(unseen, FRAMES, NULL, &sent, &in_sync), hash);
    P2_ASSERT_EQUAL(sent, 0);
    p2_game_run_close(unseen);
    p2_frame_out_free(&out);
    p2_game_module_free(module);
}

static void a_state_that_is_written_and_read_is_the_same(void)
{
    struct p2_game_module *module = load();
    struct p2_frame_out out;
    struct p2_buf host, world, host2, world2;
    uint32_t sent;
    bool in_sync;
    p2_frame_out_init(&out);
    p2_buf_init(&host, 1u << 20);
    p2_buf_init(&world, 1u << 20);
    p2_buf_init(&host2, 1u << 20);
    p2_buf_init(&world2, 1u << 20);
    struct p2_game_run *run = open_run(module, false, false, &out);
    (void)play(run, 20, NULL, &sent, &in_sync);
    P2_ASSERT_ERROR(p2_game_run_state(run, &host, &world), P2_OK);
    struct p2_game_run *other = open_run(module, false, false, &out);
    P2_ASSERT_ERROR(p2_game_run_restore(other, 1, p2_buf_span(&host), p2_buf_span(&world), &out),
                    P2_OK);
    P2_ASSERT_ERROR(p2_game_run_state(other, &host2, &world2), P2_OK);
    CU_ASSERT_TRUE(p2_span_equal(p2_buf_span(&host), p2_buf_span(&host2)));
    CU_ASSERT_TRUE(p2_span_equal(p2_buf_span(&world), p2_buf_span(&world2)));
    for (size_t cut = 0; cut < host.size; cut += 7) { /* hostile bytes: refused, never read over */
        P2_ASSERT_ERROR(
            p2_game_run_restore(other, 1, p2_span(host.data, cut), p2_buf_span(&world), &out),
            P2_E_CORRUPT);
    }
    P2_ASSERT_ERROR(p2_game_run_restore(other, 2, p2_buf_span(&host), p2_buf_span(&world), &out),
                    P2_E_CORRUPT);
    p2_game_run_close(other);
    p2_game_run_close(run);
    p2_buf_free(&host);
    p2_buf_free(&world);
    p2_buf_free(&host2);
    p2_buf_free(&world2);
    p2_frame_out_free(&out);
    p2_game_module_free(module);
}

static void a_new_build_takes_the_state_over(void)
{
    struct p2_game_module *module = load();
    struct p2_game_module *fresh = load();
    struct p2_game_module *old = NULL;
    struct p2_failure failure = {0};
    struct p2_frame_out out;
    uint32_t sent;
    bool in_sync;
    p2_frame_out_init(&out);
    struct p2_game_run *run = open_run(module, true, false, &out);
    (void)play(run, 10, NULL, &sent, &in_sync);
    struct p2_buf host, before, after;
    p2_buf_init(&host, 1u << 20);
    p2_buf_init(&before, 1u << 20);
    p2_buf_init(&after, 1u << 20);
    P2_ASSERT_ERROR(p2_game_run_state(run, &host, &before), P2_OK);
    P2_ASSERT_ERROR(p2_game_run_swap(run, fresh, &out, &failure, &old), P2_OK);
    CU_ASSERT_PTR_EQUAL(old, module);
    P2_ASSERT_ERROR(p2_game_run_state(run, &host, &after), P2_OK);
    CU_ASSERT_TRUE(p2_span_equal(p2_buf_span(&before), p2_buf_span(&after)));
    p2_game_module_free(old);
    p2_game_run_close(run);
    p2_game_module_free(fresh);
    p2_buf_free(&host);
    p2_buf_free(&before);
    p2_buf_free(&after);
    p2_frame_out_free(&out);
}

/* ---- the journal ------------------------------------------------------------------------------- */

static void a_journal_gives_back_what_was_written(void)
{
    struct p2_game_module *module = load();
    struct p2_failure failure = {0};
    struct p2_frame_out out;
    struct p2_journal_file *journal = NULL;
    struct p2_journal_file_head head = {.game = "steady", .version = 1, .schema = 1, .seed = 77};
    struct p2_journal_file_head read;
    char path[600];
    uint32_t sent;
    bool in_sync;
    (void)snprintf(path, sizeof path, "%s.journal", module_path);
    p2_frame_out_init(&out);
    P2_ASSERT_ERROR(p2_journal_file_create(&journal, path, &head, &failure), P2_OK);
    struct p2_game_run *run = open_run(module, true, false, &out);
    uint64_t hash = play(run, FRAMES, journal, &sent, &in_sync);
    P2_ASSERT_ERROR(p2_journal_file_close(journal), P2_OK);
    P2_ASSERT_ERROR(p2_journal_file_create(&journal, path, &head, &failure), P2_E_EXIST);
    p2_game_run_close(run);

    struct p2_frame_in in;
    uint64_t frame = 0;
    uint64_t wanted = 0;
    uint64_t last = 0;
    enum p2_journal_file_record record = P2_JOURNAL_FILE_FRAME;
    p2_frame_in_init(&in);
    run = open_run(module, false, false, &out);
    P2_ASSERT_ERROR(p2_journal_file_open(&journal, path, &read, &failure), P2_OK);
    P2_ASSERT_EQUAL(read.seed, 77);
    while (record != P2_JOURNAL_FILE_END) {
        P2_ASSERT_ERROR(p2_journal_file_read(journal, &record, &in, &frame, &wanted), P2_OK);
        if (record == P2_JOURNAL_FILE_FRAME) {
            in.wants_hash = true;
            p2_game_run_frame(run, &in, &out);
            last = out.hash;
        } else if (record == P2_JOURNAL_FILE_HASH) {
            CU_ASSERT_EQUAL(wanted, last);
        }
    }
    CU_ASSERT_EQUAL(last, hash);
    (void)p2_journal_file_close(journal);
    p2_game_run_close(run);
    p2_frame_in_free(&in);
    p2_frame_out_free(&out);
    p2_game_module_free(module);
}

/* Every cut and many flipped bits: an error, or other records, never more than that. */
static void a_damaged_journal_is_refused(void)
{
    struct p2_failure failure = {0};
    struct p2_journal_file_head head = {.game = "steady", .seed = 1};
    struct p2_journal_file *journal = NULL;
    struct p2_frame_in in;
    char path[600], damaged[640];
    uint8_t bytes[512];
    (void)snprintf(path, sizeof path, "%s.short", module_path);
    (void)snprintf(damaged, sizeof damaged, "%s.damaged", module_path);
    p2_frame_in_init(&in);
    in.frame = 1;
    in.depth = 1;
    const struct p2_in_item item = {.kind = P2_IN_INPUT, .player = 1, .sequence = 5};
    P2_ASSERT_ERROR(p2_frame_in_add(&in, &item, p2_span("abcd", 4)), P2_OK);
    P2_ASSERT_ERROR(p2_journal_file_create(&journal, path, &head, &failure), P2_OK);
    p2_journal_file_frame(journal, &in, 1000);
    P2_ASSERT_ERROR(p2_journal_file_close(journal), P2_OK);
    FILE *file = fopen(path, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    for (size_t i = 0; i < 2 * size; i++) {
        size_t kept = i < size ? i : size;
        bytes[i % size] ^= i < size ? 0 : 0x41;
        file = fopen(damaged, "wb");
        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        (void)fwrite(bytes, 1, kept, file);
        (void)fclose(file);
        bytes[i % size] ^= i < size ? 0 : 0x41;
        enum p2_journal_file_record record = P2_JOURNAL_FILE_FRAME;
        uint64_t frame, hash;
        int error = p2_journal_file_open(&journal, damaged, &head, &failure);
        bool was_opened = error == P2_OK;
        while (error == P2_OK && record != P2_JOURNAL_FILE_END) {
            error = p2_journal_file_read(journal, &record, &in, &frame, &hash);
        }
        if (i < size && was_opened && record != P2_JOURNAL_FILE_END) {
            P2_ASSERT_ERROR(error, P2_E_CORRUPT);
        }
        if (was_opened) {
            (void)p2_journal_file_close(journal);
        }
    }
    p2_frame_in_free(&in);
}

/* ---- the thread -------------------------------------------------------------------------------- */

struct loop_side {
    uv_loop_t loop;
    struct p2_game_thread *thread;
    struct p2_frame_in in;
    struct p2_frame_out out;
    struct pretend core;
    uint64_t frame;
    uint64_t hash;
    uint32_t swaps;
    int error;
    bool is_stopped;
};

static void hand_over(struct loop_side *side)
{
    fill_frame(&side->in, &side->core, ++side->frame);
    p2_game_thread_frame(side->thread, &side->in, &side->out);
}

static void on_ready(void *ctx, int error, const struct p2_failure *failure,
                     const struct p2_frame_out *out)
{
    struct loop_side *side = ctx;
    (void)failure;
    (void)out;
    side->error = error;
    if (error == P2_OK) {
        hand_over(side);
    } else {
        p2_game_thread_stop(side->thread);
    }
}

static void on_frame(void *ctx, struct p2_frame_in *in, struct p2_frame_out *out)
{
    struct loop_side *side = ctx;
    (void)in;
    take_tasks(&side->core, out, side->frame);
    side->hash = out->hash;
    if (side->frame == FRAMES) {
        p2_game_thread_stop(side->thread);
    } else if (side->frame == FRAMES / 2 && side->swaps == 0) {
        p2_game_thread_swap(side->thread, load());
    } else {
        hand_over(side);
    }
}

static void on_swapped(void *ctx, int error, const struct p2_failure *failure,
                       const struct p2_frame_out *out)
{
    struct loop_side *side = ctx;
    (void)failure;
    (void)out;
    P2_ASSERT_ERROR(error, P2_OK);
    side->swaps++;
    hand_over(side);
}

static void on_stopped(void *ctx)
{
    ((struct loop_side *)ctx)->is_stopped = true;
}

static const struct p2_game_thread_events events = {
    .on_ready = on_ready, .on_frame = on_frame, .on_swapped = on_swapped, .on_stopped = on_stopped};

static void run_thread(struct loop_side *side, const char *text)
{
    struct p2_game_module *module = load();
    struct p2_game_run_options options = options_of(module);
    memset(side, 0, sizeof *side);
    options.options = text;
    p2_frame_in_init(&side->in);
    p2_frame_out_init(&side->out);
    CU_ASSERT_EQUAL(uv_loop_init(&side->loop), 0);
    P2_ASSERT_ERROR(
        p2_game_thread_start(&side->loop, &options, module, &events, side, &side->thread), P2_OK);
    (void)uv_run(&side->loop, UV_RUN_DEFAULT);
    CU_ASSERT_EQUAL(uv_loop_close(&side->loop), 0);
    CU_ASSERT_TRUE(side->is_stopped);
    p2_frame_in_free(&side->in);
    p2_frame_out_free(&side->out);
}

static void the_thread_comes_to_the_state_that_no_thread_comes_to(void)
{
    static struct loop_side side;
    struct p2_game_module *module = load();
    struct p2_frame_out out;
    uint32_t sent;
    bool in_sync;
    p2_frame_out_init(&out);
    run_thread(&side, options_of(NULL).options);
    P2_ASSERT_EQUAL(side.swaps, 1);
    struct p2_game_run *run = open_run(module, false, false, &out);
    CU_ASSERT_EQUAL(play(run, FRAMES, NULL, &sent, &in_sync), side.hash);
    p2_game_run_close(run);
    p2_frame_out_free(&out);
    p2_game_module_free(module);
}

static void a_game_that_refuses_its_options_ends_its_thread(void)
{
    static struct loop_side side;
    run_thread(&side, "tasks=many");
    P2_ASSERT_ERROR(side.error, P2_E_UNSUPPORTED);
}

static CU_TestInfo tests[] = {
    P2_TEST(a_module_others_can_write_is_refused_in_words),
    P2_TEST(what_is_no_module_is_refused_in_words),
    P2_TEST(a_table_of_another_version_is_explained),
    P2_TEST(the_state_does_not_depend_on_who_looks),
    P2_TEST(a_state_that_is_written_and_read_is_the_same),
    P2_TEST(a_new_build_takes_the_state_over),
    P2_TEST(a_journal_gives_back_what_was_written),
    P2_TEST(a_damaged_journal_is_refused),
    P2_TEST(the_thread_comes_to_the_state_that_no_thread_comes_to),
    P2_TEST(a_game_that_refuses_its_options_ends_its_thread),
    CU_TEST_INFO_NULL,
};

int main(int argc, char **argv)
{
    CU_SuiteInfo suites[] = {{"games", setup_suite, teardown_suite, NULL, NULL, tests},
                             CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
