/* What the journal, checkpoints and autosaves of a session cost the threads that must not wait, and
 * how long a promise takes.
 *
 * Sessions are real: libuv loop, writer thread, and a thread per session that changes its world and
 * builds images, handing them over as a host does. Checkpoints come every second, autosaves every
 * three, so that a short run has some. Times are of the wall clock and, for the session thread, of
 * its own CPU as well: on a busy machine the first includes the neighbours. */
#include "tests/bench/bench_store.h"

#include "authority/store/schema.h"
#include "authority/store/session_store.h"
#include "base/buf.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#define FRAMES_PER_S 60u
#define WORLD        ((size_t)4 << 20) /* the issue's */
#define CHUNKS       (WORLD / P2_SNAPSHOT_CHUNK)
#define SESSIONS     32u /* the issue's */
#define FRAMES_MAX   (FRAMES_PER_S * 60u)
#define SAMPLES_MAX  (SESSIONS * FRAMES_MAX)
#define INPUTS       4u /* of a frame */
#define RESULT       1024u

static uint64_t thread_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now); /* always there on Linux */
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- one session with a world ----------------------------------------------------------------- */

enum snapshot_mode {
    MODE_SAME,  /* the game says what did not change */
    MODE_PUT,   /* the game gives all of it; what is equal is found by comparing */
    MODE_DIRTY, /* all of it changed */
};

struct world_run {
    uv_loop_t loop;
    uv_timer_t timer;
    uv_async_t handed; /* the session thread has an image */
    struct p2_store_writer *writer;
    struct p2_session_store *session;
    enum snapshot_mode mode;
    unsigned frames, frame;
    uint64_t begin_ns;
    /* Shared with the session thread. */
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    unsigned wanted; /* P2_DUE_* bits */
    bool is_ending;
    struct p2_image *image;
    uint64_t image_frame;
    unsigned image_kinds;
    bool is_asked;
    /* Figures, microseconds. */
    double loop_us[FRAMES_MAX], image_us[FRAMES_MAX], image_cpu_us[FRAMES_MAX];
    size_t images;
};

/* Changes the world as a game would in a second: eight places, or all of it. */
static void play(struct world_run *run, uint8_t *world, uint8_t dirty[CHUNKS / 8], uint64_t seed)
{
    memset(dirty, 0, CHUNKS / 8);
    for (size_t i = 0; i < CHUNKS; i++) {
        bool is_changed = run->mode == MODE_DIRTY || (i * 7 + seed) % 8 == 0;
        if (is_changed) {
            p2_store_be64(world + i * P2_SNAPSHOT_CHUNK + seed % 8000 * 8, seed + i);
            dirty[i / 8] = (uint8_t)(dirty[i / 8] | 1u << i % 8);
        }
    }
}

/* What a game's snapshot callback does: the world in order, through put and same. */
static struct p2_image *snapshot(const struct world_run *run, struct p2_image_builder *builder,
                                 const uint8_t *world, const uint8_t *dirty)
{
    struct p2_image *image = NULL;
    bool has_last = p2_image_builder_size(builder) == WORLD;
    p2_image_builder_rewind(builder);
    for (size_t i = 0; i < CHUNKS; i++) {
        if (run->mode == MODE_SAME && has_last && (dirty[i / 8] & 1u << i % 8) == 0) {
            p2_image_builder_same(builder, P2_SNAPSHOT_CHUNK);
        } else {
            p2_image_builder_put(builder,
                                 p2_span(world + i * P2_SNAPSHOT_CHUNK, P2_SNAPSHOT_CHUNK));
        }
    }
    bench_store_must(p2_image_builder_finish(builder) == P2_OK &&
                         p2_image_take(builder, &image) == P2_OK,
                     "an image");
    return image;
}

static void *session_thread(void *ctx)
{
    struct world_run *run = ctx;
    struct p2_image_builder *builder = NULL;
    uint8_t *world = malloc(WORLD), dirty[CHUNKS / 8];
    uint64_t second = 0;
    bench_store_must(world != NULL && p2_image_builder_new(&builder, WORLD) == P2_OK, "memory");
    for (size_t i = 0; i < WORLD; i += 8) {
        p2_store_be64(world + i, i * i / 4096); /* compresses, but not to nothing */
    }
    bench_store_must(pthread_mutex_lock(&run->mutex) == 0, "a lock");
    for (;;) {
        while (run->wanted == 0 && !run->is_ending) {
            (void)pthread_cond_wait(&run->wake, &run->mutex);
        }
        if (run->is_ending) {
            break;
        }
        unsigned kinds = run->wanted;
        run->wanted = 0;
        (void)pthread_mutex_unlock(&run->mutex);
        play(run, world, dirty, ++second);
        uint64_t begin = uv_hrtime(), cpu = thread_ns();
        struct p2_image *image = snapshot(run, builder, world, dirty);
        double took = (double)(uv_hrtime() - begin) / 1000,
               busy = (double)(thread_ns() - cpu) / 1000;
        (void)pthread_mutex_lock(&run->mutex);
        run->image = image;
        run->image_kinds = kinds;
        run->image_us[run->images] = took;
        run->image_cpu_us[run->images++] = busy;
        (void)uv_async_send(&run->handed);
    }
    (void)pthread_mutex_unlock(&run->mutex);
    p2_image_builder_free(builder);
    free(world);
    return NULL;
}

/* The loop takes the image over; its time counts for the frame it falls into. */
static void on_handed(uv_async_t *async)
{
    struct world_run *run = async->data;
    static uint8_t host[4096];
    (void)pthread_mutex_lock(&run->mutex);
    struct p2_session_image image = {.kinds = run->image_kinds,
                                     .frame = run->image_frame,
                                     .made_ms = uv_now(&run->loop),
                                     .now_ms = uv_now(&run->loop),
                                     .image = run->image,
                                     .host = p2_span(host, sizeof host)};
    run->image = NULL;
    (void)pthread_mutex_unlock(&run->mutex);
    if (image.image == NULL) {
        return;
    }
    uint64_t begin = uv_hrtime();
    bench_store_must(p2_session_store_write(run->session, &image, NULL, NULL) == P2_OK,
                     "a checkpoint");
    run->loop_us[run->frame > 0 ? run->frame - 1 : 0] += (double)(uv_hrtime() - begin) / 1000;
    run->is_asked = false;
}

static void add_frame(struct p2_session_store *session, uint64_t frame)
{
    static uint8_t bytes[RESULT];
    for (uint8_t i = 0; i < INPUTS; i++) {
        p2_session_store_add(session, &(struct p2_journal_entry){.kind = P2_ENTRY_INPUT,
                                                                 .player = i,
                                                                 .sequence = (uint32_t)frame,
                                                                 .bytes = p2_span(bytes, 16)});
    }
    p2_session_store_add(session, &(struct p2_journal_entry){.kind = P2_ENTRY_RESULT,
                                                             .task = frame,
                                                             .bytes = p2_span(bytes, RESULT)});
    bench_store_must(p2_session_store_frame(session, frame) == P2_OK, "a frame");
}

static void on_stopped(void *ctx)
{
    (void)ctx;
}

static void end_world(struct world_run *run)
{
    (void)pthread_mutex_lock(&run->mutex);
    run->is_ending = true;
    (void)pthread_cond_signal(&run->wake);
    (void)pthread_mutex_unlock(&run->mutex);
    uv_close((uv_handle_t *)&run->timer, NULL);
    uv_close((uv_handle_t *)&run->handed, NULL);
    p2_session_store_close(run->session);
    p2_store_writer_stop(run->writer, on_stopped, NULL);
}

static void on_tick(uv_timer_t *timer)
{
    struct world_run *run = timer->data;
    uint64_t due = (uv_hrtime() - run->begin_ns) * FRAMES_PER_S / 1000000000u;
    while (run->frame < run->frames && run->frame <= due) {
        uint64_t begin = uv_hrtime();
        add_frame(run->session, run->frame + 1);
        unsigned kinds = run->is_asked ? 0 : p2_session_store_due(run->session, uv_now(&run->loop));
        if (kinds != 0) {
            (void)pthread_mutex_lock(&run->mutex);
            run->wanted = kinds;
            run->image_frame = run->frame + 2;
            run->is_asked = true;
            (void)pthread_cond_signal(&run->wake);
            (void)pthread_mutex_unlock(&run->mutex);
        }
        run->loop_us[run->frame++] += (double)(uv_hrtime() - begin) / 1000;
    }
    if (run->frame == run->frames) {
        end_world(run);
    }
}

static struct p2_store *open_store(const char *folder, const char *name)
{
    char path[4200];
    struct p2_store *store = NULL;
    struct p2_failure failure = {0};
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    struct p2_store_options options = {.folder = path, .schema = &p2_authority_schema};
    bench_store_must(p2_store_open(&store, &options, &failure) == P2_OK, failure.message);
    return store;
}

static void ignore_durable(void *ctx, uint64_t next, const uint32_t *sequences)
{
    (void)ctx;
    (void)next;
    (void)sequences;
}

static void on_trouble(void *ctx, int error, const struct p2_failure *failure)
{
    (void)ctx;
    bench_store_must(error == P2_OK, failure != NULL ? failure->message : "the journal");
}

static void print_line(const char *what, double p50, double p99, double worst, double aim_us)
{
    (void)printf("D\t%s: p50, p99, max\t%.1f us\t%.1f us\t%.1f us\t", what, p50, p99, worst);
    if (aim_us > 0) {
        (void)printf("p99 <= %.0f us\t%s\n", aim_us, p99 <= aim_us ? "holds" : "MISSED");
    } else {
        (void)printf("-\t-\n");
    }
}

static void print_times(const char *what, double *values, size_t count, double aim_us)
{
    double p50 = bench_store_quantile(values, count, 0.5);
    print_line(what, p50, bench_store_quantile(values, count, 0.99), values[count - 1], aim_us);
}

static void bench_world(const char *folder, enum snapshot_mode mode, unsigned frames)
{
    static const char *const names[] = {"1/8 changed, the game says which", "1/8 changed, all put",
                                        "all changed"};
    static const struct p2_session_store_events events = {ignore_durable, on_trouble};
    static struct world_run run;
    char what[128], name[32];
    pthread_t thread;
    run = (struct world_run){.mode = mode, .frames = frames};
    (void)snprintf(name, sizeof name, "world-%d", (int)mode);
    struct p2_store *store = open_store(folder, name);
    bench_store_must(uv_loop_init(&run.loop) == 0 && uv_timer_init(&run.loop, &run.timer) == 0 &&
                         uv_async_init(&run.loop, &run.handed, on_handed) == 0 &&
                         pthread_mutex_init(&run.mutex, NULL) == 0 &&
                         pthread_cond_init(&run.wake, NULL) == 0,
                     "the loop");
    run.timer.data = run.handed.data = &run;
    struct p2_store_writer_options writer = {.store = store, .loop = &run.loop};
    bench_store_must(p2_store_writer_new(&run.writer, &writer) == P2_OK, "the writer");
    struct p2_session_store_options options = {.writer = run.writer,
                                               .session = 1,
                                               .position = {.next = 1},
                                               .events = &events,
                                               .now_ms = uv_now(&run.loop),
                                               .autosave_every_ms = 3000};
    bench_store_must(p2_session_store_open(&run.session, &options) == P2_OK, "the session");
    bench_store_must(pthread_create(&thread, NULL, session_thread, &run) == 0, "a thread");
    run.begin_ns = uv_hrtime();
    (void)uv_timer_start(&run.timer, on_tick, 1, 1);
    (void)uv_run(&run.loop, UV_RUN_DEFAULT);
    (void)pthread_join(thread, NULL);
    p2_image_free(run.image); /* one that came after the end */
    p2_store_writer_free(run.writer);
    bench_store_must(uv_loop_close(&run.loop) == 0, "closing the loop");
    p2_store_close(store);
    (void)pthread_mutex_destroy(&run.mutex);
    (void)pthread_cond_destroy(&run.wake);
    (void)snprintf(what, sizeof what, "4 MiB world, %s: loop, per frame", names[mode]);
    print_times(what, run.loop_us, run.frame, 1000);
    (void)snprintf(what, sizeof what, "4 MiB world, %s: session thread, per image", names[mode]);
    print_times(what, run.image_us, run.images, mode == MODE_DIRTY ? 0 : 1000);
    (void)snprintf(what, sizeof what, "4 MiB world, %s: its CPU", names[mode]);
    print_times(what, run.image_cpu_us, run.images, 0);
}

/* ---- promises of many sessions ------------------------------------------------------------------ */

struct promises {
    uv_loop_t loop;
    uv_timer_t timer;
    struct p2_store_writer *writer;
    unsigned frames;
    uint64_t begin_ns;
    struct one {
        struct promises *all;
        struct p2_session_store *store;
        uint64_t next, told;
        uint64_t closed_ns[FRAMES_MAX + 2];
    } sessions[SESSIONS];
    double latency_us[SAMPLES_MAX];
    size_t samples;
};

static void on_durable(void *ctx, uint64_t next, const uint32_t *sequences)
{
    struct one *one = ctx;
    uint64_t now = uv_hrtime();
    (void)sequences;
    for (; one->told < next; one->told++) {
        one->all->latency_us[one->all->samples++] =
            (double)(now - one->closed_ns[one->told]) / 1000;
    }
}

/* Each session has its own phase within the sixtieth of a second, as real ones have. */
static void on_promise_tick(uv_timer_t *timer)
{
    struct promises *all = timer->data;
    uint64_t now = uv_hrtime() - all->begin_ns;
    bool is_over = true;
    for (unsigned i = 0; i < SESSIONS; i++) {
        struct one *one = &all->sessions[i];
        uint64_t phase = (uint64_t)i * 1000000000u / FRAMES_PER_S / SESSIONS;
        uint64_t due = now < phase ? 0 : (now - phase) * FRAMES_PER_S / 1000000000u + 1;
        while (one->next <= all->frames && one->next <= due) {
            one->closed_ns[one->next] = uv_hrtime();
            add_frame(one->store, one->next++);
        }
        is_over = is_over && one->next > all->frames;
    }
    if (is_over) {
        uv_close((uv_handle_t *)timer, NULL);
        p2_store_writer_stop(all->writer, on_stopped, NULL);
    }
}

static void bench_promises(const char *folder, unsigned frames)
{
    static const struct p2_session_store_events events = {on_durable, on_trouble};
    static struct promises all;
    all = (struct promises){.frames = frames};
    struct p2_store *store = open_store(folder, "promises");
    bench_store_must(uv_loop_init(&all.loop) == 0 && uv_timer_init(&all.loop, &all.timer) == 0,
                     "the loop");
    all.timer.data = &all;
    struct p2_store_writer_options writer = {.store = store, .loop = &all.loop};
    bench_store_must(p2_store_writer_new(&all.writer, &writer) == P2_OK, "the writer");
    for (unsigned i = 0; i < SESSIONS; i++) {
        struct one *one = &all.sessions[i];
        one->all = &all;
        one->next = one->told = 1;
        struct p2_session_store_options options = {.writer = all.writer,
                                                   .session = i + 1,
                                                   .position = {.next = 1},
                                                   .events = &events,
                                                   .ctx = one};
        bench_store_must(p2_session_store_open(&one->store, &options) == P2_OK, "a session");
    }
    all.begin_ns = uv_hrtime();
    (void)uv_timer_start(&all.timer, on_promise_tick, 0, 1);
    (void)uv_run(&all.loop, UV_RUN_DEFAULT);
    struct p2_store_writer_stats stats = p2_store_writer_stats(all.writer);
    for (unsigned i = 0; i < SESSIONS; i++) {
        p2_session_store_close(all.sessions[i].store);
    }
    p2_store_writer_free(all.writer);
    bench_store_must(uv_loop_close(&all.loop) == 0, "closing the loop");
    p2_store_close(store);
    double mean = (double)stats.commit_us / (double)stats.commits;
    double p50 = bench_store_quantile(all.latency_us, all.samples, 0.5);
    double p99 = bench_store_quantile(all.latency_us, all.samples, 0.99);
    (void)printf("D\tpromise, %u sessions at %u Hz: p50 against the mean commit of the run\t%.0f us"
                 "\t%.0f us\t%.2f\t<= 2.00\t%s\n",
                 SESSIONS, FRAMES_PER_S, p50, mean, p50 / mean,
                 p50 <= 2 * mean ? "holds" : "MISSED");
    (void)printf("D\tpromise, the same: p99 against the slowest commit\t%.0f us\t%.0f us\t%.2f\t"
                 "<= 2.00\t%s\n",
                 p99, (double)stats.commit_max_us, p99 / (double)stats.commit_max_us,
                 p99 <= 2 * (double)stats.commit_max_us ? "holds" : "MISSED");
    (void)printf("D\tpromise, the same: commits, promises per commit\t%llu\t%.1f\t-\t-\t-\n",
                 (unsigned long long)stats.commits, (double)all.samples / (double)stats.commits);
}

void bench_session(const char *folder, bool is_quick)
{
    unsigned frames = is_quick ? 4 * FRAMES_PER_S : 20 * FRAMES_PER_S;
    bench_world(folder, MODE_SAME, frames);
    bench_world(folder, MODE_PUT, frames);
    bench_world(folder, MODE_DIRTY, frames);
    bench_promises(folder, is_quick ? 2 * FRAMES_PER_S : 10 * FRAMES_PER_S);
}
