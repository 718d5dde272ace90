/* game-run: a game module without network: frames, replays by hash, time of its callbacks, pictures.
 * The host behind it is tests/lib/game_host.h. */
#include "base/crypto.h"
#include "tests/lib/game_host.h"
#include "tests/tools/png-file.h"

#include <dlfcn.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct options {
    struct p2_game_settings settings;
    const char *module, *dump, *script, *console;
    uint64_t frames, view_from;
    uint32_t dump_every;
    bool is_synctest;
};

struct step { /* of a script: these pads hold from this frame on */
    uint64_t frame;
    uint32_t player;
    struct p2c2r_pad pad;
};

struct run {
    struct options options;
    struct p2_game_host *host;
    struct step *steps;
    size_t step_count, step_at;
    struct p2c2r_pad pads[P2C2R_PLAYERS_MAX];
    double entered_us, frame_us;
    double *times; /* times[frames]: callbacks of a frame */
};

static int usage(void)
{
    (void)fputs("usage: game-run MODULE.so [--frames N] [--seed S] [--players P] [--script FILE]\n"
                "       [--quality 0..255] [--local] [--depth 1..3] [--drop-results PERCENT]\n"
                "       [--correct-results PERCENT] [--options TEXT] [--synctest]\n"
                "       [--size WIDTHxHEIGHT] [--dump DIR] [--dump-every N] [--view-from FRAME]\n"
                "       [--console LINE, before the first frame]\n"
                "A line of a script: FRAME PLAYER BUTTONS RIGHT FORWARD YAW PITCH SLOT\n",
                stderr);
    return 2;
}

static double now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID,
                        &now); /* on a shared machine only CPU time is the game's */
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void on_callback(void *context, bool is_inside)
{
    struct run *run = context;
    if (is_inside) {
        run->entered_us = now_us();
    } else {
        run->frame_us += now_us() - run->entered_us;
    }
}

/* ---- options --------------------------------------------------------------------------------- */

enum long_option {
    FRAMES = 1,
    SEED,
    PLAYERS,
    SCRIPT,
    QUALITY,
    LOCAL,
    DEPTH,
    DROP,
    CORRECT,
    OPTIONS,
    SYNCTEST,
    SIZE,
    DUMP,
    DUMP_EVERY,
    VIEW_FROM,
    CONSOLE
};

static const struct option long_options[] = {{"frames", 1, NULL, FRAMES},
                                             {"seed", 1, NULL, SEED},
                                             {"players", 1, NULL, PLAYERS},
                                             {"script", 1, NULL, SCRIPT},
                                             {"quality", 1, NULL, QUALITY},
                                             {"local", 0, NULL, LOCAL},
                                             {"depth", 1, NULL, DEPTH},
                                             {"drop-results", 1, NULL, DROP},
                                             {"correct-results", 1, NULL, CORRECT},
                                             {"options", 1, NULL, OPTIONS},
                                             {"synctest", 0, NULL, SYNCTEST},
                                             {"size", 1, NULL, SIZE},
                                             {"dump", 1, NULL, DUMP},
                                             {"dump-every", 1, NULL, DUMP_EVERY},
                                             {"view-from", 1, NULL, VIEW_FROM},
                                             {"console", 1, NULL, CONSOLE},
                                             {NULL, 0, NULL, 0}};

static bool take_option(struct options *options, int option)
{
    struct p2_game_settings *settings = &options->settings;
    const unsigned long number = optarg != NULL ? strtoul(optarg, NULL, 0) : 0;
    switch (option) {
    case FRAMES:
        options->frames = number;
        return true;
    case SEED:
        settings->seed = strtoull(optarg, NULL, 0);
        return true;
    case PLAYERS:
        settings->players = (uint32_t)number;
        return number <= P2C2R_PLAYERS_MAX;
    case SCRIPT:
        options->script = optarg;
        return true;
    case QUALITY:
        settings->quality = (uint32_t)number;
        return number <= P2C2R_QUALITY_FULL;
    case LOCAL: /* what two own cores can do in time: chosen near the measured share of a frame */
        settings->quality = 32;
        return true;
    case DEPTH:
        settings->depth = (uint32_t)number;
        return number >= 1 && number <= 3;
    case DROP:
        settings->drop_percent = (uint32_t)number;
        return number <= 100;
    case CORRECT:
        settings->again_percent = (uint32_t)number;
        return number <= 100;
    case OPTIONS:
        settings->options = optarg;
        return true;
    case SYNCTEST:
        options->is_synctest = true;
        return true;
    case SIZE:
        return sscanf(optarg, "%ux%u", &settings->width, &settings->height) == 2 &&
               settings->width <= 1280 && settings->height <= 720;
    case VIEW_FROM:
        options->view_from = number;
        return true;
    case CONSOLE:
        options->console = optarg;
        return true;
    case DUMP:
        options->dump = optarg;
        return true;
    case DUMP_EVERY:
        options->dump_every = (uint32_t)number;
        return number > 0;
    default:
        return false;
    }
}

static bool read_script(struct run *run)
{
    FILE *file = fopen(run->options.script, "r");
    char line[256];
    size_t room = 0;
    if (file == NULL) {
        return false;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned long long frame;
        unsigned player, buttons, yaw, slot;
        int right, forward, pitch;
        if (line[0] == '#' || line[0] == '\n') {
            continue;
        }
        if (run->step_count == room) {
            room = room * 2 + 64;
            struct step *larger = realloc(run->steps, room * sizeof *larger);
            if (larger == NULL) {
                break;
            }
            run->steps = larger;
        }
        if (sscanf(line, "%llu %u %u %d %d %u %d %u", &frame, &player, &buttons, &right, &forward,
                   &yaw, &pitch, &slot) != 8 ||
            player >= P2C2R_PLAYERS_MAX) {
            (void)fclose(file); /* only read */
            return false;
        }
        run->steps[run->step_count++] =
            (struct step){frame,
                          player,
                          {(uint8_t)buttons, (int8_t)right, (int8_t)forward, (uint16_t)yaw,
                           (int16_t)pitch, (uint8_t)slot}};
    }
    return fclose(file) == 0;
}

/* ---- frames ---------------------------------------------------------------------------------- */

static void choose_pads(struct run *run)
{
    const uint64_t frame = p2_game_host_frame(run->host) + 1;
    if (run->options.script == NULL) {
        for (uint32_t i = 0; i < run->options.settings.players; i++) {
            run->pads[i] = p2_game_bot(run->options.settings.seed, i, frame);
        }
    }
    while (run->step_at < run->step_count && run->steps[run->step_at].frame <= frame) {
        run->pads[run->steps[run->step_at].player] = run->steps[run->step_at].pad;
        run->step_at++;
    }
}

static bool is_equal(struct run *run, struct p2_span before, struct p2_span after, const char *what)
{
    size_t at = 0;
    if (p2_span_equal(before, after)) {
        return true;
    }
    while (at < before.size && at < after.size && before.data[at] == after.data[at]) {
        at++;
    }
    (void)fprintf(stderr, "game-run: frame %llu: the state differs %s, from byte %zu of %zu on\n",
                  (unsigned long long)p2_game_host_frame(run->host), what, at, before.size);
    return false;
}

/* Each frame twice, the second time from a snapshot; and the views change nothing. */
static bool sync_frame(struct run *run)
{
    struct p2_game_host *host = run->host;
    bool is_fine = true;
    uint64_t submitted;
    choose_pads(run);
    const struct p2_span start = p2_game_host_snapshot(host, 0, true);
    p2_game_host_keep(host);
    p2_game_host_state(host, run->pads);
    submitted = p2_game_host_submitted(host);
    p2_game_host_views(host);
    static struct p2_buf first;
    first.limit = P2C2R_GAME_WORLD_MAX;
    const struct p2_span once = p2_game_host_snapshot(host, 1, true);
    p2_buf_clear(&first);
    is_fine = p2_buf_append(&first, once) == 0 && p2_game_host_back(host, start);
    if (!is_fine) {
        (void)fputs("game-run: the game refuses its own snapshot\n", stderr);
        return false;
    }
    p2_game_host_state(host, run->pads);
    is_fine = is_equal(run, p2_buf_span(&first), p2_game_host_snapshot(host, 1, true),
                       "after a restore or with views");
    if (submitted != p2_game_host_submitted(host)) {
        (void)fputs("game-run: other tasks after a restore\n", stderr);
        is_fine = false;
    }
    return is_fine;
}

static bool plain_frame(struct run *run)
{
    struct p2_game_host *host = run->host;
    const uint64_t frame = p2_game_host_frame(host) + 1;
    choose_pads(run);
    run->frame_us = 0;
    p2_game_host_state(host, run->pads);
    if (frame >= run->options.view_from) {
        p2_game_host_views(host);
    }
    run->times[frame - 1] = run->frame_us;
    if (frame % 97 != 0) {
        return true;
    }
    const struct p2_span part = p2_game_host_snapshot(host, 0, false);
    return is_equal(run, part, p2_game_host_snapshot(host, 1, true), "when parts are `same`");
}

static bool dump(struct run *run)
{
    const struct p2_game_settings *settings = &run->options.settings;
    struct p2_game_screen *screen = p2_game_host_screen(run->host, 0);
    struct p2c2r_scene_entity all[P2C2R_SCENE_PAGES * P2C2R_SCENE_PAGE_ENTITIES];
    char path[4096];
    uint32_t count = 0;
    void *self;
    const size_t size = (size_t)settings->width * settings->height;
    uint8_t *picture = malloc(size), rgb[256][3];
    if (picture == NULL) {
        return false;
    }
    memcpy(picture, screen->pixels, size);
    memcpy(rgb, p2_game_host_game(run->host, &self)->palette, sizeof rgb);
    for (uint32_t i = 0; i < P2C2R_SCENE_PAGES; i++) {
        memcpy(all + count, screen->pages[i], screen->counts[i] * sizeof all[0]);
        count += screen->counts[i];
    }
    p2c2r_scene_draw(&screen->camera, all, count, picture, settings->width, settings->height);
    (void)snprintf(path, sizeof path, "%s/frame-%06llu.png", run->options.dump,
                   (unsigned long long)p2_game_host_frame(run->host));
    const int status = p2_png_write(path, picture, settings->width, settings->height, rgb);
    (void)printf("%s: %s\n", path, screen->texts[0].text);
    free(picture);
    return status == 0;
}

/* ---- figures --------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool print_kernels(const struct run *run)
{
    const struct p2_game_kernel_count *kernels = p2_game_host_kernels(run->host);
    bool is_fine = true;
    for (unsigned i = 0; i < P2_GAME_HOST_KERNELS && kernels[i].name != NULL; i++) {
        const struct p2_game_kernel_count *k = &kernels[i];
        (void)printf("%-24s %8llu tasks %6llu degraded %4llu bad  %8.1f units  %7.0f B in  %7.0f B "
                     "out\n",
                     k->name, (unsigned long long)k->tasks, (unsigned long long)k->degraded,
                     (unsigned long long)k->bad_input, (double)k->units / (double)k->tasks,
                     (double)k->input_bytes / (double)k->tasks,
                     (double)k->output_bytes / (double)k->tasks);
        is_fine = is_fine && k->bad_input == 0;
    }
    if (!is_fine) {
        (void)fputs("game-run: a kernel refused an input: the game's mistake\n", stderr);
    }
    return is_fine;
}

static bool print_figures(struct run *run, uint64_t frames)
{
    uint8_t hash[16];
    const struct p2_span state = p2_game_host_snapshot(run->host, 0, true);
    bool is_fine = print_kernels(run);
    for (uint32_t i = 0; i < run->options.settings.players; i++) {
        const struct p2_game_screen *screen = p2_game_host_screen(run->host, i);
        (void)printf("player %u: %.1f deltas and %.0f B a frame (%llu chunks, %llu bundles), %.1f "
                     "tiles a frame, %llu malformed; %s\n",
                     i, (double)screen->deltas / (double)frames,
                     (double)screen->delta_bytes / (double)frames,
                     (unsigned long long)screen->chunk_deltas, (unsigned long long)screen->bundles,
                     (double)screen->tiles / (double)frames, (unsigned long long)screen->malformed,
                     screen->texts[0].text);
        is_fine = is_fine && screen->malformed == 0;
    }
    if (!run->options.is_synctest && frames > 0) {
        qsort(run->times, frames, sizeof run->times[0], compare);
        (void)printf("callbacks of a frame: p50 %.0f us, p99 %.0f us, max %.0f us\n",
                     run->times[frames / 2], run->times[frames * 99 / 100], run->times[frames - 1]);
    }
    p2_hash(hash, sizeof hash, &state, 1);
    (void)printf("frames %llu%s state ", (unsigned long long)frames,
                 p2_game_host_is_over(run->host) ? " (ended)" : "");
    for (unsigned i = 0; i < sizeof hash; i++) {
        (void)printf("%02x", hash[i]);
    }
    (void)printf("\n");
    return is_fine;
}

static bool play(struct run *run)
{
    bool is_fine = true;
    uint64_t done = 0;
    if (run->options.console != NULL) {
        char answer[256] = "no console";
        void *self;
        const struct p2c2r_game *game = p2_game_host_game(run->host, &self);
        if (game->console != NULL) {
            game->console(self, run->options.console, answer, sizeof answer);
        }
        (void)printf("console: %s\n", answer);
    }
    while (is_fine && done < run->options.frames && !p2_game_host_is_over(run->host)) {
        is_fine = run->options.is_synctest ? sync_frame(run) : plain_frame(run);
        done++;
        if (is_fine && run->options.dump != NULL && done % run->options.dump_every == 0) {
            is_fine = dump(run);
        }
    }
    return print_figures(run, done) && is_fine;
}

static p2_game_entry *find_entry(const char *path, void **ret_module)
{
    p2_game_entry *entry = NULL;
    *ret_module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *symbol = *ret_module != NULL ? dlsym(*ret_module, "p2c2r_game_entry") : NULL;
    if (symbol == NULL) {
        (void)fprintf(stderr, "game-run: %s\n", dlerror());
    } else {
        memcpy(&entry, &symbol, sizeof entry); /* C has no cast from object to function */
    }
    return entry;
}

int main(int argc, char **argv)
{
    static struct run run = {
        .options = {
            .settings = {.seed = 1, .options = "", .players = 1, .depth = 2, .quality = 255},
            .frames = 600,
            .dump_every = 60}};
    void *module = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (!take_option(&run.options, option)) {
            return usage();
        }
    }
    if (argc - optind != 1 || p2_crypto_init() != 0) {
        return usage();
    }
    if (run.options.dump != NULL && run.options.settings.width == 0) {
        run.options.settings.width = 640;
        run.options.settings.height = 360;
    }
    if (run.options.script != NULL && !read_script(&run)) {
        (void)fprintf(stderr, "game-run: %s cannot be read\n", run.options.script);
        return EXIT_FAILURE;
    }
    p2_game_entry *entry = find_entry(argv[optind], &module);
    run.times = calloc(run.options.frames + 1, sizeof *run.times);
    bool is_fine = entry != NULL && run.times != NULL &&
                   p2_game_host_open(&run.host, entry, &run.options.settings) == 0;
    if (!is_fine) {
        (void)fputs("game-run: the game does not begin\n", stderr);
    } else {
        p2_game_host_watch(run.host, on_callback, &run);
        is_fine = play(&run);
    }
    p2_game_host_close(run.host);
    free(run.times);
    free(run.steps);
    if (module != NULL) {
        (void)dlclose(module); /* the process ends anyway */
    }
    return is_fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
