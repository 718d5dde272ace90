/* Slot, blob memory and queue, with a hostile worker played by the test. */
#include "tests/lib/test.h"

#include "base/rng.h"
#include "exec/blobs.h"
#include "exec/queue.h"
#include "exec/share.h"
#include "exec/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct p2_slot slot;
static struct p2_slot_view view;
static uint8_t *buffer;

static void set_up(void)
{
    P2_ASSERT_ERROR(p2_slot_open(&slot), P2_OK);
    P2_ASSERT_ERROR(p2_slot_view_open(&view, slot.fd), P2_OK);
    buffer = malloc(P2_SLOT_OUTPUT_BYTES);
    CU_ASSERT_FATAL(buffer != NULL);
    p2_slot_serve(&slot, 7);
}

static void tear_down(void)
{
    p2_slot_close(&slot);
    free(buffer);
}

/* A hand-over of two tasks with 100 and 200 bytes of output. */
static void publish_two(void)
{
    struct p2_exec_task task = {.kernel = 1, .input = {(const uint8_t *)"input", 5}};
    p2_slot_begin(&slot);
    P2_ASSERT_ERROR(p2_slot_add(&slot, &task, NULL, 100), P2_OK);
    P2_ASSERT_ERROR(p2_slot_add(&slot, &task, NULL, 200), P2_OK);
    p2_slot_publish(&slot);
}

/* What an honest worker would answer. */
static void answer_two(void)
{
    for (uint32_t i = 0; i < 2; i++) {
        const struct p2_slot_entry *entry = &view.request->entries[i];
        memset(view.output + entry->output_offset, (int)i + 1, entry->output_capacity);
        view.reply->outcomes[i].status = P2C2R_KERNEL_OK;
        view.reply->outcomes[i].size = entry->output_capacity;
    }
    view.reply->generation = view.request->generation;
    view.reply->count = 2;
    atomic_store(&view.reply->sequence, atomic_load(&view.request->sequence));
}

static int collect(struct p2_slot_outcome outcomes[P2_BATCH_MAX])
{
    return p2_slot_collect(&slot, outcomes, buffer);
}

static void the_worker_sees_the_request_and_the_daemon_the_answer(void)
{
    struct p2_slot_outcome outcomes[P2_BATCH_MAX];
    publish_two();
    P2_ASSERT_EQUAL(view.request->count, 2);
    P2_ASSERT_BYTES(view.input + view.request->entries[1].input_offset, "input", 5);
    P2_ASSERT_EQUAL(view.request->entries[0].input_offset % 64, 0);
    /* The first task ends where the area does, so that its overrun meets the guard page. */
    P2_ASSERT_EQUAL(view.request->entries[0].input_offset + 64, P2_SLOT_INPUT_BYTES);
    P2_ASSERT_EQUAL(view.request->entries[0].output_offset + 128, P2_SLOT_OUTPUT_BYTES);
    answer_two();
    P2_ASSERT_ERROR(collect(outcomes), P2_OK);
    P2_ASSERT_EQUAL(outcomes[0].output.size, 100);
    P2_ASSERT_EQUAL(outcomes[1].output.size, 200);
    P2_ASSERT_EQUAL(outcomes[0].output.data[99], 1);
    P2_ASSERT_EQUAL(outcomes[1].output.data[199], 2);
}

static void answers_are_copies(void)
{
    struct p2_slot_outcome outcomes[P2_BATCH_MAX];
    publish_two();
    answer_two();
    P2_ASSERT_ERROR(collect(outcomes), P2_OK);
    memset(view.output, 0x77, P2_SLOT_OUTPUT_BYTES);
    P2_ASSERT_EQUAL(outcomes[0].output.data[0], 1);
}

static void an_answer_counts_only_for_its_own_hand_over(void)
{
    struct p2_slot_outcome outcomes[P2_BATCH_MAX];
    publish_two();
    P2_ASSERT_ERROR(collect(outcomes), P2_E_AGAIN);
    answer_two();
    P2_ASSERT_ERROR(collect(outcomes), P2_OK);
    publish_two();
    P2_ASSERT_ERROR(collect(outcomes), P2_E_AGAIN); /* the old answer is still there */
    answer_two();
    P2_ASSERT_ERROR(collect(outcomes), P2_OK);
    publish_two();
    answer_two();
    atomic_store(&view.reply->sequence, slot.sequence + 1);
    P2_ASSERT_ERROR(collect(outcomes), P2_E_MALFORMED);
}

static void a_worker_of_the_past_is_not_heard(void)
{
    struct p2_slot_outcome outcomes[P2_BATCH_MAX];
    uint32_t features;
    publish_two();
    answer_two();
    view.reply->generation = 6;
    P2_ASSERT_ERROR(collect(outcomes), P2_E_MALFORMED);
    atomic_store(&view.reply->sequence, P2_SLOT_READY);
    CU_ASSERT(!p2_slot_is_ready(&slot, &features));
    view.reply->generation = 7;
    CU_ASSERT(p2_slot_is_ready(&slot, &features));
}

static void impossible_answers_are_refused(void)
{
    static const struct {
        int32_t status;
        uint64_t size;
    } rows[] = {{0, 101},       {0, UINT64_MAX}, {0, (uint64_t)1 << 32},
                {1, 0},         {-5, 0},         {INT32_MIN, 0},
                {INT32_MAX, 0}, {-1, 1},         {-4, UINT64_MAX}};
    struct p2_slot_outcome outcomes[P2_BATCH_MAX];
    for (size_t i = 0; i < P2_COUNT_OF(rows); i++) {
        publish_two();
        answer_two();
        view.reply->outcomes[0].status = rows[i].status;
        view.reply->outcomes[0].size = rows[i].size;
        P2_ASSERT_ERROR(collect(outcomes), P2_E_MALFORMED);
    }
    for (uint32_t count = 0; count < 300; count++) {
        publish_two();
        answer_two();
        view.reply->count = count;
        P2_ASSERT_ERROR(collect(outcomes), count == 2 ? P2_OK : P2_E_MALFORMED);
    }
}

/* Whatever a worker writes into its part, outcomes stay inside what the daemon itself set up. */
static void random_replies_never_lead_out_of_bounds(void)
{
    struct p2_rng rng;
    struct p2_slot_outcome outcomes[P2_BATCH_MAX];
    unsigned taken = 0;
    p2_rng_init_u64(&rng, 20260101, "test-slot replies");
    for (int round = 0; round < 20000; round++) {
        uint8_t *bytes = (uint8_t *)view.reply;
        publish_two();
        answer_two();
        /* Flip a few bits of the reply proper; fresh noise in the rest would always be refused. */
        size_t flips = 1 + p2_rng_below(&rng, 4);
        for (size_t i = 0; i < flips; i++) {
            size_t at = p2_rng_below(&rng, sizeof(struct p2_slot_reply));
            bytes[at] ^= (uint8_t)(1u << p2_rng_below(&rng, 8));
        }
        if (collect(outcomes) != P2_OK) {
            continue;
        }
        taken++;
        for (size_t i = 0; i < 2; i++) {
            CU_ASSERT_FATAL(outcomes[i].status <= P2C2R_KERNEL_OK &&
                            outcomes[i].status >= P2C2R_KERNEL_BAD_RESULT);
            CU_ASSERT_FATAL(outcomes[i].output.size <= (i == 0 ? 100u : 200u));
            CU_ASSERT_FATAL(outcomes[i].output.data >= buffer &&
                            outcomes[i].output.data + outcomes[i].output.size <=
                                buffer + P2_SLOT_OUTPUT_BYTES);
        }
    }
    CU_ASSERT(taken > 0 && taken < 20000); /* both paths were taken */
}

static void a_hand_over_takes_what_fits_and_no_more(void)
{
    static uint8_t big[P2C2R_INPUT_MAX];
    struct p2_exec_task task = {.input = {big, sizeof big}};
    p2_slot_begin(&slot);
    P2_ASSERT_ERROR(p2_slot_add(&slot, &task, NULL, P2_SLOT_OUTPUT_BYTES), P2_OK);
    task.input.size = 1;
    P2_ASSERT_ERROR(p2_slot_add(&slot, &task, NULL, 0), P2_E_FULL);
    task.input.size = 0;
    P2_ASSERT_ERROR(p2_slot_add(&slot, &task, NULL, 1), P2_E_FULL);
    P2_ASSERT_ERROR(p2_slot_add(&slot, &task, NULL, 0), P2_OK);
    task.input.size = sizeof big + 1;
    P2_ASSERT_ERROR(p2_slot_add(&slot, &task, NULL, 0), P2_E_TOO_BIG);
    task.input.size = 0;
    P2_ASSERT_ERROR(p2_slot_add(&slot, &task, NULL, P2_SLOT_OUTPUT_BYTES + 1), P2_E_TOO_BIG);
    task.result.size = P2_SLOT_RESULT_BYTES + 1;
    P2_ASSERT_ERROR(p2_slot_add(&slot, &task, NULL, 0), P2_E_TOO_BIG);
    task.result.size = 0;
    task.blob_count = P2C2R_BLOBS_MAX + 1;
    P2_ASSERT_ERROR(p2_slot_add(&slot, &task, NULL, 0), P2_E_TOO_BIG);
    task.blob_count = 0;
    while (slot.count < P2_BATCH_MAX) {
        P2_ASSERT_ERROR(p2_slot_add(&slot, &task, NULL, 0), P2_OK);
    }
    P2_ASSERT_ERROR(p2_slot_add(&slot, &task, NULL, 0), P2_E_FULL);
}

static void wiping_leaves_nothing_but_zeroes(void)
{
    size_t left = 0;
    memset(slot.map, 0xee, P2_SLOT_BYTES);
    P2_ASSERT_ERROR(p2_slot_wipe(&slot), P2_OK);
    for (size_t i = 0; i < P2_SLOT_BYTES; i++) {
        left += slot.map[i] != 0;
    }
    P2_ASSERT_EQUAL(left, 0);
}

static void nobody_can_resize_the_slot_under_the_daemon(void)
{
    CU_ASSERT(ftruncate(slot.fd, 0) != 0);
    CU_ASSERT(ftruncate(slot.fd, 2 * (off_t)P2_SLOT_BYTES) != 0);
    CU_ASSERT(fcntl(slot.fd, F_ADD_SEALS, F_SEAL_WRITE) != 0);
}

/* ---- blobs --------------------------------------------------------------------------------- */

static void blob_memory_can_only_be_read_by_others(void)
{
    struct p2_blobs *blobs = NULL;
    struct p2_blob_handle handle;
    struct p2_slot_blob place;
    P2_ASSERT_ERROR(p2_blobs_open(100000, &blobs), P2_OK);
    P2_ASSERT_ERROR(p2_blobs_put(blobs, p2_span("chunk", 5), &handle), P2_OK);
    P2_ASSERT_ERROR(p2_blobs_hold(blobs, handle, &place), P2_OK);
    size_t size = (size_t)p2_blobs_capacity(blobs);
    CU_ASSERT(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, p2_blobs_fd(blobs), 0) ==
              MAP_FAILED);
    CU_ASSERT(pwrite(p2_blobs_fd(blobs), "x", 1, 0) < 0);
    CU_ASSERT(ftruncate(p2_blobs_fd(blobs), 0) != 0);
    uint8_t *map = mmap(NULL, size, PROT_READ, MAP_SHARED, p2_blobs_fd(blobs), 0);
    CU_ASSERT_FATAL(map != MAP_FAILED);
    P2_ASSERT_BYTES(map + place.offset, "chunk", 5);
    CU_ASSERT(mprotect(map, size, PROT_READ | PROT_WRITE) != 0);
    (void)munmap(map, size);
    p2_blobs_release(blobs, handle);
    p2_blobs_close(blobs);
}

static void blob_handles_have_bounds_and_generations(void)
{
    struct p2_blobs *blobs = NULL;
    struct p2_blob_handle first, second;
    struct p2_slot_blob place;
    P2_ASSERT_ERROR(p2_blobs_open(0, &blobs), P2_E_INVALID);
    P2_ASSERT_ERROR(p2_blobs_open(P2_BLOBS_BYTES_MAX + 1, &blobs), P2_E_INVALID);
    P2_ASSERT_ERROR(p2_blobs_open(P2_SLOT_AREA_BYTES, &blobs), P2_OK);
    P2_ASSERT_ERROR(p2_blobs_put(blobs, p2_span("", 0), &first), P2_E_INVALID);
    P2_ASSERT_ERROR(p2_blobs_put(blobs, p2_span(buffer, P2C2R_BLOB_MAX + 1), &first), P2_E_INVALID);
    P2_ASSERT_ERROR(p2_blobs_put(blobs, p2_span(buffer, 40000), &first), P2_OK);
    P2_ASSERT_ERROR(p2_blobs_put(blobs, p2_span(buffer, 40000), &second), P2_E_FULL);
    P2_ASSERT_ERROR(p2_blobs_hold(blobs, first, &place), P2_OK);
    P2_ASSERT_EQUAL(place.size, 40000);
    P2_ASSERT_ERROR(p2_blobs_drop(blobs, first), P2_OK);
    P2_ASSERT_ERROR(p2_blobs_drop(blobs, first), P2_E_NOENT);
    P2_ASSERT_ERROR(p2_blobs_hold(blobs, first, &place), P2_E_NOENT);
    /* Held: its place is not given away. */
    P2_ASSERT_ERROR(p2_blobs_put(blobs, p2_span(buffer, 40000), &second), P2_E_FULL);
    p2_blobs_release(blobs, first);
    P2_ASSERT_EQUAL(p2_blobs_used(blobs), 0);
    P2_ASSERT_ERROR(p2_blobs_put(blobs, p2_span(buffer, 40000), &second), P2_OK);
    P2_ASSERT_EQUAL(second.index, first.index);
    P2_ASSERT_ERROR(p2_blobs_hold(blobs, first, &place), P2_E_NOENT); /* an old handle */
    P2_ASSERT_ERROR(p2_blobs_hold(blobs, (struct p2_blob_handle){P2_BLOBS_MAX, 1}, &place),
                    P2_E_NOENT);
    P2_ASSERT_ERROR(p2_blobs_hold(blobs, (struct p2_blob_handle){0, 0}, &place), P2_E_NOENT);
    p2_blobs_close(blobs);
}

/* Random puts and drops; blobs never overlap and keep their bytes. */
static void blobs_keep_their_bytes_whatever_comes_and_goes(void)
{
    enum { LIVE = 50 };
    struct p2_blobs *blobs = NULL;
    struct p2_blob_handle handles[LIVE];
    size_t sizes[LIVE] = {0};
    static uint8_t bytes[5000];
    struct p2_rng rng;
    p2_rng_init_u64(&rng, 7, "test-slot blobs");
    P2_ASSERT_ERROR(p2_blobs_open(2 * P2_SLOT_AREA_BYTES, &blobs), P2_OK);
    size_t capacity = (size_t)p2_blobs_capacity(blobs);
    const uint8_t *map = mmap(NULL, capacity, PROT_READ, MAP_SHARED, p2_blobs_fd(blobs), 0);
    CU_ASSERT_FATAL(map != MAP_FAILED);
    for (int round = 0; round < 5000; round++) {
        size_t i = p2_rng_below(&rng, LIVE);
        struct p2_slot_blob place;
        if (sizes[i] == 0) {
            sizes[i] = 1 + p2_rng_below(&rng, sizeof bytes);
            memset(bytes, (int)i + 1, sizes[i]);
            if (p2_blobs_put(blobs, p2_span(bytes, sizes[i]), &handles[i]) != P2_OK) {
                sizes[i] = 0;
            }
            continue;
        }
        CU_ASSERT_FATAL(p2_blobs_hold(blobs, handles[i], &place) == P2_OK);
        CU_ASSERT_FATAL(place.size == sizes[i] && place.offset + place.size <= capacity);
        memset(bytes, (int)i + 1, sizes[i]);
        CU_ASSERT_FATAL(memcmp(map + place.offset, bytes, sizes[i]) == 0);
        p2_blobs_release(blobs, handles[i]);
        CU_ASSERT_FATAL(p2_blobs_drop(blobs, handles[i]) == P2_OK);
        sizes[i] = 0;
    }
    (void)munmap((void *)(uintptr_t)map, capacity);
    p2_blobs_close(blobs);
}

/* ---- queue and share ----------------------------------------------------------------------- */

/* Against a plain search for the least key. */
static void the_queue_always_gives_the_first(void)
{
    enum { TASKS = 64 };
    struct p2_queue queue;
    struct p2_queue_key keys[TASKS];
    bool is_in[TASKS] = {false};
    struct p2_rng rng;
    uint64_t arrivals = 0;
    p2_rng_init_u64(&rng, 11, "test-slot queue");
    P2_ASSERT_ERROR(p2_queue_open(&queue, TASKS), P2_OK);
    CU_ASSERT(p2_queue_first(&queue) == NULL);
    for (int round = 0; round < 20000; round++) {
        uint32_t task = (uint32_t)p2_rng_below(&rng, TASKS);
        if (is_in[task]) {
            p2_queue_remove(&queue, task);
        } else {
            keys[task] = (struct p2_queue_key){p2_rng_below(&rng, 10), ++arrivals,
                                               (uint32_t)p2_rng_below(&rng, 3)};
            p2_queue_push(&queue, task, &keys[task]);
        }
        is_in[task] = !is_in[task];
        int least = -1;
        for (int i = 0; i < TASKS; i++) {
            if (is_in[i] && (least < 0 || p2_queue_is_before(&keys[i], &keys[least]))) {
                least = i;
            }
        }
        const struct p2_queue_node *first = p2_queue_first(&queue);
        CU_ASSERT_FATAL(least < 0 ? first == NULL : first != NULL && (int)first->task == least);
    }
    p2_queue_close(&queue);
}

static void quotas_keep_the_share_and_the_kernels_minimum(void)
{
    static const struct {
        uint32_t permille, cpus;
        uint64_t quota, period; /* by hand */
    } rows[] = {{1000, 1, 5000, 5000}, {500, 2, 5000, 5000},  {200, 1, 1000, 5000},
                {100, 1, 1000, 10000}, {10, 1, 1000, 100000}, {250, 4, 5000, 5000}};
    for (size_t i = 0; i < P2_COUNT_OF(rows); i++) {
        uint64_t quota, period;
        p2_share_quota(rows[i].permille, rows[i].cpus, &quota, &period);
        P2_ASSERT_EQUAL(quota, rows[i].quota);
        P2_ASSERT_EQUAL(period, rows[i].period);
    }
}

/* ---- cgroups in a fake tree ----------------------------------------------------------------- */

static const char *path_in(const char *root, const char *name)
{
    static char path[512];
    CU_ASSERT_FATAL(snprintf(path, sizeof path, "%s%s", root, name) < (int)sizeof path);
    return path;
}

static void add_folder(const char *root, const char *name)
{
    CU_ASSERT(mkdir(path_in(root, name), 0700) == 0);
}

static void add_file(const char *root, const char *name, const char *text)
{
    FILE *file = fopen(path_in(root, name), "we");
    CU_ASSERT_FATAL(file != NULL);
    CU_ASSERT(fputs(text, file) >= 0);
    CU_ASSERT(fclose(file) == 0);
}

static void assert_file(const char *root, const char *name, const char *wanted)
{
    char text[128] = "";
    FILE *file = fopen(path_in(root, name), "re");
    CU_ASSERT(file != NULL);
    if (file != NULL) {
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        (void)fclose(file); /* it was only read */
    }
    CU_ASSERT_STRING_EQUAL(text, wanted);
}

/* A tree with one hierarchy, mounted at /cg, in which we are the group /own. */
static const char *fake_tree(const char *mounts, const char *groups)
{
    const char *root = p2_test_folder_make();
    add_folder(root, "/proc");
    add_folder(root, "/proc/self");
    add_file(root, "/proc/self/mounts", mounts);
    add_file(root, "/proc/self/cgroup", groups);
    add_folder(root, "/cg");
    add_folder(root, "/cg/own");
    return root;
}

/* Formats: Linux's Documentation/admin-guide/cgroup-v2.rst, "cpu.max": "$MAX $PERIOD". */
static void version_2_gets_a_quota_and_a_period_in_one_line(void)
{
    struct p2_share *share = NULL;
    const char *root =
        fake_tree("proc /proc proc rw 0 0\ncgroup2 /cg cgroup2 rw,nsdelegate 0 0\n", "0::/own\n");
    P2_ASSERT_ERROR(p2_share_open_in(root, 4711, &share), P2_OK);
    assert_file(root, "/cg/own/cgroup.subtree_control", "+cpu");
    assert_file(root, "/cg/own/p2c2r-workers-4711/cgroup.procs", "4711");
    assert_file(root, "/cg/own/p2c2r-workers-4711/cpu.max", "max 5000");
    P2_ASSERT_ERROR(p2_share_set(share, 500, 2), P2_OK);
    assert_file(root, "/cg/own/p2c2r-workers-4711/cpu.max", "5000 5000");
    P2_ASSERT_ERROR(p2_share_set(share, 10, 1), P2_OK);
    assert_file(root, "/cg/own/p2c2r-workers-4711/cpu.max", "1000 100000");
    P2_ASSERT_ERROR(p2_share_set(share, 1000, 2), P2_OK);
    assert_file(root, "/cg/own/p2c2r-workers-4711/cpu.max", "max 5000");
    p2_share_close(share);
    p2_test_folder_remove();
}

static void version_2_that_is_not_delegated_is_refused_and_left(void)
{
    struct p2_share *share = NULL;
    char self[32];
    const char *root = fake_tree("cgroup2 /cg cgroup2 rw 0 0\n", "0::/own\n");
    (void)snprintf(self, sizeof self, "%ld", (long)getpid());
    add_folder(root, "/cg/own/cgroup.subtree_control"); /* cannot be written */
    P2_ASSERT_ERROR(p2_share_open_in(root, 4711, &share), P2_E_UNSUPPORTED);
    CU_ASSERT(share == NULL);
    assert_file(root, "/cg/own/cgroup.procs", self); /* back from the leaf */
    CU_ASSERT(access(path_in(root, "/cg/own/p2c2r-workers-4711"), F_OK) != 0);
    p2_test_folder_remove();
}

/* Formats: Linux's Documentation/scheduler/sched-bwc.rst. */
static void version_1_is_used_where_version_2_has_no_group(void)
{
    struct p2_share *share = NULL;
    const char *root = fake_tree("cgroup /cpuset cgroup rw,cpuset 0 0\n"
                                 "cgroup /cg cgroup rw,cpu,cpuacct 0 0\n",
                                 "5:cpuset:/other\n4:cpu,cpuacct:/own\n");
    P2_ASSERT_ERROR(p2_share_open_in(root, 4711, &share), P2_OK);
    P2_ASSERT_ERROR(p2_share_set(share, 10, 1), P2_OK);
    assert_file(root, "/cg/own/p2c2r-workers-4711/cpu.cfs_quota_us", "1000");
    assert_file(root, "/cg/own/p2c2r-workers-4711/cpu.cfs_period_us", "100000");
    P2_ASSERT_ERROR(p2_share_set(share, 1000, 1), P2_OK);
    assert_file(root, "/cg/own/p2c2r-workers-4711/cpu.cfs_quota_us", "-1");
    p2_share_close(share);
    p2_test_folder_remove();
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(the_worker_sees_the_request_and_the_daemon_the_answer),
        P2_TEST(answers_are_copies),
        P2_TEST(an_answer_counts_only_for_its_own_hand_over),
        P2_TEST(a_worker_of_the_past_is_not_heard),
        P2_TEST(impossible_answers_are_refused),
        P2_TEST(random_replies_never_lead_out_of_bounds),
        P2_TEST(a_hand_over_takes_what_fits_and_no_more),
        P2_TEST(wiping_leaves_nothing_but_zeroes),
        P2_TEST(nobody_can_resize_the_slot_under_the_daemon),
        P2_TEST(blob_memory_can_only_be_read_by_others),
        P2_TEST(blob_handles_have_bounds_and_generations),
        P2_TEST(blobs_keep_their_bytes_whatever_comes_and_goes),
        P2_TEST(the_queue_always_gives_the_first),
        P2_TEST(quotas_keep_the_share_and_the_kernels_minimum),
        P2_TEST(version_2_gets_a_quota_and_a_period_in_one_line),
        P2_TEST(version_2_that_is_not_delegated_is_refused_and_left),
        P2_TEST(version_1_is_used_where_version_2_has_no_group),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"slot", NULL, NULL, set_up, tear_down, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
