/* Lines over the game. */
#include "client/hud.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MARGIN 4
static const uint8_t white[3] = {255, 255, 255};
static const uint8_t yellow[3] = {255, 220, 120};

static unsigned ms(uint32_t us)
{
    return (unsigned)((us + 500) / 1000);
}

void p2_hud_latency(const struct p2_hud *hud, const struct p2_gamer *gamer, char *text, size_t size)
{
    const struct p2_gamer_figures *figures = &gamer->figures;
    (void)snprintf(
        text, size, "input %u ms: up %u queue %u compute %u merge %u down %u  jitter %u  depth %u",
        ms(figures->input_us), ms(hud->rtt_us / 2), ms(figures->queue_us), ms(figures->compute_us),
        ms(figures->merge_us), ms(hud->rtt_us / 2), ms(figures->jitter_us), figures->depth);
}

void p2_hud_tiers(const struct p2_gamer *gamer, char *text, size_t size)
{
    const uint16_t *tiers = gamer->figures.tiers;
    (void)snprintf(text, size, "peers %u second %u cloud %u own %u degraded %u", tiers[0], tiers[1],
                   tiers[2], tiers[3], tiers[4]);
}

/* An entity's head in the shown picture. */
static bool place_speech(const struct p2_view *view, const struct p2_scene_store *scene,
                         uint16_t who, int32_t ret_pixel[2])
{
    for (uint32_t page = 0; page < P2C2R_SCENE_PAGES; page++) {
        for (uint32_t i = 0; i < scene->pages[page].count; i++) {
            const struct p2c2r_scene_entity *entity = &scene->pages[page].entities[i];
            if (entity->id == who) {
                int32_t head[3] = {entity->position[0], entity->position[1] + entity->height * 18,
                                   entity->position[2]};
                int32_t depth = 0;
                return p2c2r_scene_project(&view->camera, head, view->width, view->height,
                                           ret_pixel, &depth);
            }
        }
    }
    return false;
}

static void draw_text(struct p2_glyphs *glyphs, const struct p2_canvas *canvas,
                      struct p2_view *view, const struct p2_gamer *gamer,
                      const struct p2c2r_scene_text *text, uint32_t *log_lines)
{
    const uint8_t *rgb = gamer->palette[text->colour];
    int32_t line = (int32_t)p2_glyphs_line(glyphs);
    int32_t wide = (int32_t)p2_glyphs_width(glyphs, text->text);
    int32_t at[2] = {0, 0};
    switch (text->place) {
    case P2C2R_PLACE_STATUS:
        (void)p2_glyphs_draw(glyphs, canvas, MARGIN, MARGIN, rgb, text->text);
        break;
    case P2C2R_PLACE_LOG:
        (*log_lines)++;
        (void)p2_glyphs_draw(glyphs, canvas, MARGIN,
                             (int32_t)view->height - MARGIN - (int32_t)*log_lines * line, rgb,
                             text->text);
        break;
    case P2C2R_PLACE_SPEECH:
        if (view->has_camera && place_speech(view, &gamer->scene, text->entity, at)) {
            (void)p2_glyphs_draw(glyphs, canvas, at[0] - wide / 2, at[1] - line, rgb, text->text);
        }
        break;
    default:
        (void)p2_glyphs_draw(glyphs, canvas, ((int32_t)view->width - wide) / 2,
                             (int32_t)view->height / 3, rgb, text->text);
        break;
    }
}

static void draw_figures(const struct p2_hud *hud, struct p2_glyphs *glyphs,
                         const struct p2_canvas *canvas, const struct p2_gamer *gamer)
{
    char text[160];
    int32_t line = (int32_t)p2_glyphs_line(glyphs);
    p2_hud_latency(hud, gamer, text, sizeof text);
    (void)p2_glyphs_draw(glyphs, canvas, MARGIN, MARGIN + line, white, text);
    p2_hud_tiers(gamer, text, sizeof text);
    (void)p2_glyphs_draw(glyphs, canvas, MARGIN, MARGIN + 2 * line, white, text);
    (void)snprintf(
        text, sizeof text,
        "frame %" PRIu64 "  shown %u/s  missed %" PRIu64 "  refused %" PRIu64 "  %" PRIu64
        " KB/frame",
        gamer->figures.frame, hud->fps, gamer->figures.frames_missed, gamer->figures.refused,
        gamer->figures.frames > 0 ? gamer->figures.bytes / gamer->figures.frames / 1024 : 0);
    (void)p2_glyphs_draw(glyphs, canvas, MARGIN, MARGIN + 3 * line, white, text);
}

void p2_hud_draw(const struct p2_hud *hud, struct p2_glyphs *glyphs, struct p2_view *view,
                 const struct p2_gamer *gamer)
{
    struct p2_canvas canvas = {view->rgb, view->width, view->height};
    uint32_t log_lines = 0;
    for (uint32_t i = 0; i < P2C2R_SCENE_TEXTS && glyphs != NULL; i++) {
        if (gamer->scene.texts[i].size > 0) {
            draw_text(glyphs, &canvas, view, gamer, &gamer->scene.texts[i], &log_lines);
        }
    }
    if (hud->shows_figures) {
        draw_figures(hud, glyphs, &canvas, gamer);
    }
    if (hud->notice != NULL) {
        int32_t wide = (int32_t)p2_glyphs_width(glyphs, hud->notice);
        (void)p2_glyphs_draw(glyphs, &canvas, ((int32_t)view->width - wide) / 2,
                             (int32_t)view->height / 2, yellow, hud->notice);
    }
}
