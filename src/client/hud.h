/* What stands over the game: the game's own lines, and, on a key, where the time goes and who drew
 * what. Thread: one. */
#ifndef P2_CLIENT_HUD_H
#define P2_CLIENT_HUD_H

#include "client/glyphs.h"
#include "client/view.h"

#include <stdbool.h>

struct p2_hud {
    bool shows_figures;
    uint32_t rtt_us, rtt_jitter_us; /* of the link */
    uint32_t fps;                   /* pictures shown in the last second */
    const char *notice;             /* what the program has to say, or NULL; borrowed */
};

/* Two lines about latency and tiers, as the display and the terminal's title show them:
 *   up 12 queue 8 compute 22 merge 1 down 12 jitter 2 ms
 *   peers 55 second 3 cloud 0 own 2 degraded 0 */
void p2_hud_latency(const struct p2_hud *hud, const struct p2_gamer *gamer, char *text,
                    size_t size);
void p2_hud_tiers(const struct p2_gamer *gamer, char *text, size_t size);

/* Writes everything into view->rgb. `glyphs` may be NULL. */
void p2_hud_draw(const struct p2_hud *hud, struct p2_glyphs *glyphs, struct p2_view *view,
                 const struct p2_gamer *gamer);

#endif
