/* Pictures to files, inputs from a script. The only includer of libpng here. */
#include "base/crypto.h"
#include "client/show.h"

#include <inttypes.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

struct p2_show {
    struct p2_show_options options;
    struct p2c2r_pad pad;
    uint64_t frames;
};

static int open_headless(struct p2_show **ret_show, const struct p2_show_options *options,
                         struct p2_failure *failure)
{
    struct p2_show *show = calloc(1, sizeof *show);
    if (show == NULL) {
        return p2_fail(failure, P2_E_NOMEM, "no memory");
    }
    show->options = *options;
    *ret_show = show;
    return P2_OK;
}

static void size_headless(const struct p2_show *show, uint32_t *ret_width, uint32_t *ret_height)
{
    *ret_width = show->options.width;
    *ret_height = show->options.height;
}

static void poll_headless(struct p2_show *show, struct p2_intent *ret_intent)
{
    if (show->options.script != NULL) {
        (void)p2_input_script_step(show->options.script, &show->pad);
    }
    ret_intent->pad = show->pad;
}

static int write_png(const char *path, const struct p2_view *view, struct p2_failure *failure)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = view->width,
                       .height = view->height,
                       .format = PNG_FORMAT_RGB};
    if (png_image_write_to_file(&image, path, 0, view->rgb, 0, NULL) == 0) {
        return p2_fail(failure, P2_E_IO, "%s: %s", path, image.message);
    }
    return P2_OK;
}

/* frame, scene version, digest of the picture as it came (palette bytes, no warp, no text). */
static void log_hash(const struct p2_show *show, const struct p2_gamer *gamer)
{
    uint8_t digest[16] = {0};
    const struct p2_picture *picture = &gamer->picture;
    struct p2_span part = p2_span(picture->pixels, (size_t)picture->width * picture->height);
    p2_hash(digest, sizeof digest, &part, picture->pixels != NULL ? 1 : 0);
    (void)fprintf(show->options.hash_log, "%" PRIu64 " %" PRIu64 " ", gamer->figures.frame,
                  gamer->version);
    for (size_t i = 0; i < sizeof digest; i++) {
        (void)fprintf(show->options.hash_log, "%02x", digest[i]);
    }
    (void)fprintf(show->options.hash_log, "\n");
}

static int present_headless(struct p2_show *show, const struct p2_view *view,
                            const struct p2_gamer *gamer, bool is_fresh, struct p2_failure *failure)
{
    if (!is_fresh) {
        return P2_OK;
    }
    if (show->options.hash_log != NULL) {
        log_hash(show, gamer);
    }
    bool is_wanted =
        show->options.dump_dir != NULL && show->frames++ % show->options.dump_every == 0;
    char path[4096];
    if (!is_wanted) {
        return P2_OK;
    }
    int length = snprintf(path, sizeof path, "%s/frame-%06" PRIu64 ".png", show->options.dump_dir,
                          gamer->figures.frame);
    return length < (int)sizeof path ? write_png(path, view, failure)
                                     : p2_fail(failure, P2_E_LIMIT, "the path is too long");
}

static void close_headless(struct p2_show *show)
{
    free(show);
}

const struct p2_show_ops p2_show_headless = {.open = open_headless,
                                             .size = size_headless,
                                             .poll = poll_headless,
                                             .present = present_headless,
                                             .close = close_headless};
