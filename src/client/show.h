/* Where pictures go and inputs come from: a window, a terminal, or files. One table of functions with
 * three implementations; each lives in the file of its name. Thread: the main one. */
#ifndef P2_CLIENT_SHOW_H
#define P2_CLIENT_SHOW_H

#include "base/error.h"
#include "client/hud.h"
#include "client/input_script.h"
#include "client/view.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* What the person wants, gathered since the last call. */
struct p2_intent {
    struct p2c2r_pad pad; /* as held now; absolute angles, kept by the show */
    bool quits;
    bool toggles_figures, toggles_tint, toggles_view, toggles_warp;
};

/* Everything an implementation may need; unused members are ignored. Borrowed for its life. */
struct p2_show_options {
    uint32_t width, height; /* of the picture */
    const char *title;
    const char *dump_dir;           /* headless: PNG files here, or NULL */
    uint32_t dump_every;            /* frames */
    FILE *hash_log;                 /* headless: a line for each frame, or NULL */
    struct p2_input_script *script; /* headless: inputs, or NULL */
    bool has_vsync;
};

struct p2_show;

struct p2_show_ops {
    /* Gives *ret_show. P2_E_UNSUPPORTED: no display, no terminal; with a message. */
    int (*open)(struct p2_show **ret_show, const struct p2_show_options *options,
                struct p2_failure *failure);
    /* The size pictures should have now. */
    void (*size)(const struct p2_show *show, uint32_t *ret_width, uint32_t *ret_height);
    void (*poll)(struct p2_show *show, struct p2_intent *ret_intent);
    /* Shows view->rgb. `is_fresh`: a frame came since the last call. */
    int (*present)(struct p2_show *show, const struct p2_view *view, const struct p2_gamer *gamer,
                   bool is_fresh, struct p2_failure *failure);
    void (*close)(struct p2_show *show); /* accepts NULL */
};

extern const struct p2_show_ops p2_show_headless;
extern const struct p2_show_ops p2_show_tty;
extern const struct p2_show_ops p2_show_sdl;

#endif
