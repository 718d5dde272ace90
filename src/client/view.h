/* The picture for the eye: what is newest, as the person looks now.
 *
 * Late warp (Mark, McMillan and Bishop, "Post-Rendering 3D Warping", 1997, for rotations alone): the
 * tiles were drawn for the angles the person had a round trip ago. Every pixel of the shown picture is
 * looked up where its direction lies in the tile that has it; the overscan hides the edge. So turning
 * the head feels as if nothing were far away. Entities are drawn on top with the newest angles.
 *
 * Thread: one. */
#ifndef P2_CLIENT_VIEW_H
#define P2_CLIENT_VIEW_H

#include "client/gamer.h"

struct p2_state_view;

struct p2_view {
    uint32_t width, height;
    uint8_t *pixels;            /* owned; palette bytes [height][width] */
    uint8_t *tiers;             /* owned; enum p2_tier of each pixel, for tinting */
    uint8_t *rgb;               /* owned; [height][width][3] */
    struct p2_state_view *eyes; /* owned; opened when needed */
    bool is_tinted;
    bool is_warped;
    bool has_camera;
    struct p2c2r_scene_camera camera; /* of the shown picture: for placing text */
};

/* P2_E_NOMEM. Free in any case. */
int p2_view_init(struct p2_view *view, uint32_t width, uint32_t height);
void p2_view_free(struct p2_view *view);

/* Draws into view->rgb. `yaw` and `pitch`: where the person looks now; NULL: where the newest picture
 * looked. */
void p2_view_draw(struct p2_view *view, const struct p2_gamer *gamer, const uint16_t *yaw,
                  const int16_t *pitch);

#endif
