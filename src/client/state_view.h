/* The state view's own eyes: a small picture traced from the scene's chunks on this machine, for links
 * that cannot carry tiles. The same ray kernel as everywhere, at a quarter of the resolution each way.
 *
 * Chunks outside 0..15 are not shown (a scene of the ray kernels is 256 x 256 voxels).
 * Thread: one. */
#ifndef P2_CLIENT_STATE_VIEW_H
#define P2_CLIENT_STATE_VIEW_H

#include "client/scene_store.h"

/* Chosen: 3 x 2 tiles, some 10 ms a picture on one core. */
#define P2_STATE_VIEW_WIDTH  160u
#define P2_STATE_VIEW_HEIGHT 90u

struct p2_state_view;

/* Gives: p2_state_view_close. P2_E_NOMEM. 3 MiB. */
int p2_state_view_open(struct p2_state_view **ret_view);
void p2_state_view_close(struct p2_state_view *view); /* accepts NULL */

/* Traces `scene` as `camera` sees it; palette bytes [P2_STATE_VIEW_HEIGHT][P2_STATE_VIEW_WIDTH],
 * borrowed until the next call, or NULL when there is nothing to see yet. Packs chunks that changed
 * first: 0.1 ms each. */
const uint8_t *p2_state_view_draw(struct p2_state_view *view, const struct p2_scene_store *scene,
                                  const struct p2c2r_scene_camera *camera);

#endif
