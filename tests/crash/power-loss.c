/* Replays the recorded writes of a run up to every point, as a power cut would leave them.
 *
 *   power-loss [SEED]
 *
 * At each cut what was synced is there; of the rest nothing, everything, some writes, or some
 * sectors of 512 bytes of some writes. The store must open, be consistent, and hold every transfer
 * that was acknowledged before the cut. The run itself is this program with --work, under
 * record_writes. */
#include "tests/crash/record_writes.h"
#include "tests/crash/workload.h"

#include "base/crypto.h"
#include "tests/lib/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRANSFERS      240
#define CUTS_MIN       500 /* the issue's */
#define SECTOR         512u
#define IMAGE_MAX      ((size_t)64 << 20)
#define OPERATIONS_MAX 20000

extern void p2_record_mark(uint64_t number) __attribute__((weak));

/* ---- the run that is recorded ------------------------------------------------------------------ */

static void on_done(void *ctx, int error, const struct p2_failure *failure)
{
    if (error != P2_OK) {
        (void)fprintf(stderr, "%s\n", failure->message);
        exit(1);
    }
    p2_record_mark((uintptr_t)ctx);
}

static int run_work(const char *folder)
{
    struct p2_store *store = NULL;
    struct p2_store_writer *writer = NULL;
    if (p2_record_mark == NULL || crash_open(&store, folder, NULL) != P2_OK) {
        return 1;
    }
    struct p2_store_writer_options options = {.store = store};
    if (p2_store_writer_new(&writer, &options) != P2_OK) {
        return 1;
    }
    for (uint64_t n = 1; n <= TRANSFERS; n++) {
        if (p2_store_writer_submit(writer, crash_batch(n), on_done, (void *)(uintptr_t)n) !=
            P2_OK) {
            return 1;
        }
        if (n % 3 != 0) { /* groups of one and of two */
            (void)p2_store_writer_run(writer);
        }
    }
    p2_store_writer_stop(writer, NULL, NULL);
    p2_store_writer_free(writer);
    p2_store_close(store);
    return 0;
}

static bool run_recorded(const char *folder, const char *log)
{
    char self[4096], library[4200];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0) {
        return false;
    }
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    (void)snprintf(library, sizeof library, "%s/record_writes.so", self);
    pid_t child = fork();
    if (child == 0) {
        (void)setenv("LD_PRELOAD", library, 1);
        (void)setenv("P2_RECORD_LOG", log, 1);
        (void)execl("/proc/self/exe", "power-loss", "--work", folder, (char *)NULL);
        _exit(99);
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

/* ---- the replay --------------------------------------------------------------------------------- */

struct operation {
    struct record_head head;
    const uint8_t *bytes;
};

static struct operation operations[OPERATIONS_MAX];
static size_t operation_count;

/* The disk: what is synced, and what is not yet. */
static uint8_t *image;
static size_t image_size;
static size_t pending[OPERATIONS_MAX], pending_count; /* indices of operations */
static bool is_named, is_name_durable;

static uint8_t *copy; /* of the image, for one cut */
static size_t copy_size;

static uint64_t random_state;

static uint64_t draw(void)
{
    uint64_t x = random_state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static bool load_log(const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        return false;
    }
    size_t left = (size_t)status.st_size;
    const uint8_t *bytes = mmap(NULL, left, PROT_READ, MAP_PRIVATE, fd, 0);
    (void)close(fd);
    if (bytes == MAP_FAILED) {
        return false;
    }
    while (left >= sizeof(struct record_head) && operation_count < OPERATIONS_MAX) {
        struct operation *operation = &operations[operation_count++];
        memcpy(&operation->head, bytes, sizeof operation->head);
        operation->bytes = bytes + sizeof operation->head;
        size_t size = sizeof operation->head + operation->head.size;
        if (size > left || operation->head.kind == RECORD_UNEXPECTED) {
            return false;
        }
        bytes += size;
        left -= size;
    }
    return left == 0;
}

static void apply_part(uint8_t *to, size_t *size, uint64_t offset, const uint8_t *bytes,
                       size_t count)
{
    if (offset + count > IMAGE_MAX) {
        abort();
    }
    if (offset + count > *size) {
        memset(to + *size, 0, offset + count - *size);
        *size = offset + count;
    }
    memcpy(to + offset, bytes, count);
}

static void apply_whole(uint8_t *to, size_t *size, const struct operation *operation)
{
    if (operation->head.kind == RECORD_TRUNCATE) {
        *size = operation->head.offset;
    } else {
        apply_part(to, size, operation->head.offset, operation->bytes, operation->head.size);
    }
}

static void apply_torn(uint8_t *to, size_t *size, const struct operation *operation)
{
    uint64_t at = operation->head.offset, end = at + operation->head.size;
    while (at < end) {
        uint64_t next = (at / SECTOR + 1) * SECTOR;
        next = next < end ? next : end;
        if (draw() % 2 == 0) {
            apply_part(to, size, at, operation->bytes + (at - operation->head.offset), next - at);
        }
        at = next;
    }
}

/* The operation returned: what it promised is on the disk. */
static void complete(size_t index)
{
    const struct operation *operation = &operations[index];
    switch ((enum record_kind)operation->head.kind) {
    case RECORD_WRITE:
    case RECORD_TRUNCATE:
        pending[pending_count++] = index;
        break;
    case RECORD_WRITE_SYNC:
        apply_whole(image, &image_size, operation);
        break;
    case RECORD_SYNC:
        for (size_t i = 0; i < pending_count; i++) {
            apply_whole(image, &image_size, &operations[pending[i]]);
        }
        pending_count = 0;
        break;
    case RECORD_RENAME:
        is_named = true;
        break;
    case RECORD_SYNC_FOLDER:
        is_name_durable = is_named;
        break;
    case RECORD_MARK:
    case RECORD_UNEXPECTED:
        break;
    }
}

enum variant { NOTHING, EVERYTHING, SOME, TORN, VARIANTS };

static void apply_pending(enum variant variant, size_t index)
{
    const struct operation *operation = &operations[index];
    switch (variant) {
    case NOTHING:
    case VARIANTS:
        break;
    case EVERYTHING:
        apply_whole(copy, &copy_size, operation);
        break;
    case SOME:
        if (draw() % 2 == 0) {
            apply_whole(copy, &copy_size, operation);
        }
        break;
    case TORN:
        if (operation->head.kind != RECORD_TRUNCATE) {
            apply_torn(copy, &copy_size, operation);
        }
        break;
    }
}

/* Makes the disk as the cut leaves it; the operation `index` was under way. Unsynced writes reach
 * the disk in any order: they are applied from a random one on, around. */
static bool make_disk(const char *folder, size_t index, enum variant variant)
{
    char path[4200];
    memcpy(copy, image, image_size);
    copy_size = image_size;
    size_t start = pending_count > 0 ? draw() % pending_count : 0;
    for (size_t i = 0; i < pending_count; i++) {
        apply_pending(variant, pending[(start + i) % pending_count]);
    }
    uint64_t kind = operations[index].head.kind;
    if (kind == RECORD_WRITE || kind == RECORD_WRITE_SYNC || kind == RECORD_TRUNCATE) {
        apply_pending(variant, index);
    }
    bool has_name = is_name_durable || (is_named && variant != NOTHING && draw() % 2 == 0);
    (void)snprintf(path, sizeof path, "%s/lock.mdb", folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/data.mdb", folder);
    (void)unlink(path);
    (void)mkdir(folder, 0700);
    if (!has_name) {
        (void)snprintf(path, sizeof path, "%s/new", folder);
        (void)mkdir(path, 0700);
        (void)snprintf(path, sizeof path, "%s/new/data.mdb", folder);
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool is_good = fd >= 0 && write(fd, copy, copy_size) == (ssize_t)copy_size;
    return fd >= 0 && close(fd) == 0 && is_good;
}

static bool survives(const char *folder, uint64_t acknowledged)
{
    struct p2_failure failure = {0};
    struct p2_store *store = NULL;
    uint64_t count = 0;
    if (crash_open(&store, folder, &failure) != P2_OK) {
        (void)fprintf(stderr, "%s\n", failure.message);
        return false;
    }
    bool is_good = crash_verify(store, &count);
    p2_store_close(store);
    if (is_good && (count < acknowledged || count > TRANSFERS)) {
        (void)fprintf(stderr, "%llu transfers, %llu were acknowledged\n", (unsigned long long)count,
                      (unsigned long long)acknowledged);
        is_good = false;
    }
    return is_good;
}

static bool replay(const char *folder, size_t *ret_cuts, size_t *ret_states)
{
    uint64_t acknowledged = 0;
    image = malloc(IMAGE_MAX);
    copy = malloc(IMAGE_MAX);
    if (image == NULL || copy == NULL) {
        return false;
    }
    for (size_t i = 0; i < operation_count; i++) {
        if (operations[i].head.kind == RECORD_MARK) {
            acknowledged = operations[i].head.offset;
            continue;
        }
        ++*ret_cuts;
        for (int variant = NOTHING; variant < VARIANTS; variant++) {
            ++*ret_states;
            if (!make_disk(folder, i, (enum variant)variant) || !survives(folder, acknowledged)) {
                (void)printf("FAILED: cut at operation %zu, variant %d\n", i, variant);
                return false;
            }
        }
        complete(i);
    }
    return acknowledged == TRANSFERS;
}

int main(int argc, char **argv)
{
#ifdef P2_SANITIZED
    (void)puts("skipped: a sanitizer must be loaded before any other library");
    (void)argc;
    (void)argv;
    return 77;
#endif
    char store[4096], log[4096], disk[4096];
    size_t cuts = 0, states = 0;
    if (p2_crypto_init() != P2_OK) {
        return 99;
    }
    if (argc == 3 && strcmp(argv[1], "--work") == 0) {
        return run_work(argv[2]);
    }
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
    random_state = seed;
    const char *folder = p2_test_folder_make();
    (void)snprintf(store, sizeof store, "%s/store", folder);
    (void)snprintf(log, sizeof log, "%s/log", folder);
    (void)snprintf(disk, sizeof disk, "%s/disk", folder);
    bool is_good = run_recorded(store, log) && load_log(log);
    if (!is_good) {
        (void)puts("FAILED: the run could not be recorded");
    }
    is_good = is_good && replay(disk, &cuts, &states);
    p2_test_folder_remove();
    (void)printf("seed %llu\n", (unsigned long long)seed);
    (void)printf("figure: power loss: %zu cut points, %zu states of the disk reopened\n", cuts,
                 states);
    is_good = is_good && cuts >= CUTS_MIN;
    (void)printf("%d passed, %d failed\n", is_good, !is_good);
    return is_good ? 0 : 1;
}
