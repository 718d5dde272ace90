/* render-png: a picture of a generated island out of the four ray kernels, as a PNG, with the time
 * each kernel took and the bytes its tiles take under zstd. */
#include "base/crypto.h"
#include "kernels/palette.h"
#include "tests/tools/picture.h"
#include "tests/tools/png-file.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

static const char *const places[P2_PICTURE_PLACES] = {"village", "lake", "bird"};
static const char *const times[P2_DAYTIMES] = {"morning", "noon",    "afternoon",
                                               "dusk",    "evening", "night"};
#define KERNELS 4u

struct figures {
    const char *name[KERNELS];
    double us[KERNELS];
    size_t packed[KERNELS]; /* bytes of all tiles, zstd level 1 each */
    unsigned tiles[KERNELS];
    double last_us; /* process time at the end of the tile before */
};

static double cpu_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now); /* fails for bad clock ids only */
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void on_tile(void *context, const char *kernel, const struct p2c2r_bytes *result)
{
    struct figures *figures = context;
    char packed[2 * P2_RAY_PIXELS_MAX];
    unsigned i = 0;
    double now = cpu_us();
    while (i < KERNELS - 1 && figures->name[i] != NULL && strcmp(figures->name[i], kernel) != 0) {
        i++;
    }
    size_t size = ZSTD_compress(packed, sizeof packed, result->data, result->size, 1);
    figures->name[i] = kernel;
    figures->us[i] += now - figures->last_us;
    figures->packed[i] += ZSTD_isError(size) != 0 ? result->size : size;
    figures->tiles[i]++;
    figures->last_us = cpu_us();
}

static int index_of(const char *const names[], unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static int usage(void)
{
    (void)fputs("usage: render-png [-s SEED] [-p village|lake|bird] [-r 1|2|4] [-x WIDTHxHEIGHT]\n"
                "       [-t morning|noon|afternoon|dusk|evening|night] OUT.png\n",
                stderr);
    return 2;
}

static int parse(int argc, char **argv, struct p2_picture_order *order)
{
    int option, place = 0, daytime = P2_DAYTIME_AFTERNOON;
    while ((option = getopt(argc, argv, "s:p:r:t:x:")) != -1) {
        if (option == 's') {
            order->seed = strtoull(optarg, NULL, 0);
        } else if (option == 'p') {
            place = index_of(places, P2_PICTURE_PLACES, optarg);
        } else if (option == 't') {
            daytime = index_of(times, P2_DAYTIMES, optarg);
        } else if (option == 'r') {
            order->rays = (unsigned)strtoul(optarg, NULL, 10);
        } else if (option != 'x' || sscanf(optarg, "%ux%u", &order->width, &order->height) != 2) {
            return -1;
        }
    }
    if (place < 0 || daytime < 0 || argc - optind != 1 || order->width < 1 || order->height < 1 ||
        order->width > 4096 || order->height > 4096) {
        return -1;
    }
    order->place = (enum p2_picture_place)place;
    order->daytime = (enum p2_daytime)daytime;
    return 0;
}

static void print_figures(const struct figures *figures, const uint8_t *pixels, size_t size)
{
    uint8_t digest[16];
    const struct p2_span part = {pixels, size};
    for (unsigned i = 0; i < KERNELS && figures->name[i] != NULL; i++) {
        (void)printf("%-24s %3u tiles, %6.0f us a tile, %6.1f KB zstd-1 in all\n", figures->name[i],
                     figures->tiles[i], figures->us[i] / figures->tiles[i],
                     (double)figures->packed[i] / 1024.0);
    }
    p2_hash(digest, sizeof digest, &part, 1);
    (void)printf("digest ");
    for (unsigned i = 0; i < sizeof digest; i++) {
        (void)printf("%02x", digest[i]);
    }
    (void)printf("\n");
}

int main(int argc, char **argv)
{
    struct p2_picture_order order = {.seed = 1, .width = 640, .height = 360, .rays = 1};
    struct figures figures = {{NULL}, {0}, {0}, {0}, 0};
    uint8_t rgb[P2_PALETTE_SIZE][3];
    if (parse(argc, argv, &order) != 0) {
        return usage();
    }
    size_t size = (size_t)order.width * order.height;
    uint8_t *pixels = calloc(1, size);
    figures.last_us = cpu_us();
    if (pixels == NULL || p2_picture_render(&order, pixels, on_tile, &figures) != 0) {
        (void)fputs("render-png: the picture could not be rendered\n", stderr);
        free(pixels);
        return EXIT_FAILURE;
    }
    p2_palette_table(rgb);
    int status = p2_png_write(argv[optind], pixels, order.width, order.height, rgb);
    print_figures(&figures, pixels, size);
    free(pixels);
    return status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
