/* Late warp, entities, colours. */
#include "client/view.h"

#include "base/error.h"
#include "client/state_view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NOTHING      0u /* black: before the first frame */
#define NO_TIER      255u
#define TINT_SHARE   3u /* of 4: what stays of the picture's own colour */
#define ENTITIES_MAX (P2C2R_SCENE_PAGES * P2C2R_SCENE_PAGE_ENTITIES)

/* A camera, so that a direction becomes a pixel with three dot products. */
struct lens {
    float forward[3], right[3], up[3]; /* each over its squared length */
};

int p2_view_init(struct p2_view *view, uint32_t width, uint32_t height)
{
    memset(view, 0, sizeof *view);
    view->width = width;
    view->height = height;
    view->is_warped = true;
    view->pixels = calloc(height, width);
    view->tiers = calloc(height, width);
    view->rgb = calloc((size_t)height * width, 3);
    return view->pixels == NULL || view->tiers == NULL || view->rgb == NULL ? P2_E_NOMEM : P2_OK;
}

void p2_view_free(struct p2_view *view)
{
    free(view->pixels);
    free(view->tiers);
    free(view->rgb);
    p2_state_view_close(view->eyes);
    memset(view, 0, sizeof *view);
}

static void grind(float out[3], const int32_t axis[3])
{
    float squared = 0;
    for (int i = 0; i < 3; i++) {
        out[i] = (float)axis[i];
        squared += out[i] * out[i];
    }
    for (int i = 0; i < 3; i++) {
        out[i] = squared > 0 ? out[i] / squared : 0;
    }
}

static void grind_lens(struct lens *lens, const struct p2c2r_scene_camera *camera)
{
    grind(lens->forward, camera->forward);
    grind(lens->right, camera->right);
    grind(lens->up, camera->up);
}

static float dot(const float a[3], const float b[3])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/* Where a direction shows in a picture of width x height; clamped to its edge. False: behind. */
static bool look_up(const struct lens *lens, const float direction[3], uint32_t width,
                    uint32_t height, uint32_t *ret_x, uint32_t *ret_y)
{
    float ahead = dot(direction, lens->forward);
    if (ahead <= 0) {
        return false;
    }
    float x = (dot(direction, lens->right) / ahead + 1) / 2 * (float)width;
    float y = (1 - dot(direction, lens->up) / ahead) / 2 * (float)height;
    float right = (float)(width - 1), bottom = (float)(height - 1);
    *ret_x = (uint32_t)(x < 0 ? 0 : x > right ? right : x);
    *ret_y = (uint32_t)(y < 0 ? 0 : y > bottom ? bottom : y);
    return true;
}

/* The camera of the shown picture: the newest one, turned to where the person looks, without its
 * overscan. */
static void aim(struct p2_view *view, const struct p2c2r_scene_camera *from, const uint16_t *yaw,
                const int16_t *pitch)
{
    float right = 0, forward = 0;
    for (int i = 0; i < 3; i++) {
        right += (float)from->right[i] * (float)from->right[i];
        forward += (float)from->forward[i] * (float)from->forward[i];
    }
    float half = forward > 0 ? sqrtf(right / forward) : 1;
    half = half * 256.0f / (256.0f + (float)from->overscan) * 65536.0f;
    view->camera = *from;
    view->camera.overscan = 0;
    view->camera.yaw = yaw != NULL ? *yaw : from->yaw;
    view->camera.pitch = pitch != NULL ? *pitch : from->pitch;
    p2c2r_scene_camera_turn(&view->camera,
                            (int32_t)(half < 1      ? 1
                                      : half > 4e6f ? 4e6f
                                                    : half),
                            view->width, view->height);
}

/* The pixel of one direction: where the newest camera has it, or, if that tile is older than the
 * camera, where the tile's own camera had it. */
static void sample(struct p2_view *view, const struct p2_picture *picture,
                   const struct lens *newest, const struct lens *lenses, const bool *is_older,
                   const float direction[3], size_t at)
{
    uint32_t x = 0, y = 0;
    if (!look_up(newest, direction, picture->width, picture->height, &x, &y)) {
        return;
    }
    uint32_t tile = y / picture->tile_height * picture->columns + x / picture->tile_width;
    if (is_older[tile] &&
        !look_up(&lenses[tile], direction, picture->width, picture->height, &x, &y)) {
        return;
    }
    tile = y / picture->tile_height * picture->columns + x / picture->tile_width;
    view->pixels[at] = picture->pixels[(size_t)y * picture->width + x];
    view->tiers[at] = picture->tiles[tile].frame != 0 ? picture->tiles[tile].tier : NO_TIER;
}

static void warp(struct p2_view *view, const struct p2_picture *picture)
{
    struct lens newest, lenses[P2_WIRE_TILES_MAX];
    bool is_older[P2_WIRE_TILES_MAX] = {false};
    grind_lens(&newest, p2_picture_newest(picture));
    for (uint32_t tile = 0; tile < picture->columns * picture->rows; tile++) {
        const struct p2c2r_scene_camera *camera = p2_picture_camera_of(picture, tile);
        is_older[tile] = camera != NULL && picture->tiles[tile].frame != picture->newest;
        if (is_older[tile]) {
            grind_lens(&lenses[tile], camera);
        }
    }
    const struct p2c2r_scene_camera *camera = &view->camera;
    for (uint32_t y = 0; y < view->height; y++) {
        float v = 1 - (2 * (float)y + 1) / (float)view->height;
        for (uint32_t x = 0; x < view->width; x++) {
            float u = (2 * (float)x + 1) / (float)view->width - 1;
            float direction[3];
            for (int i = 0; i < 3; i++) {
                direction[i] = (float)camera->forward[i] + u * (float)camera->right[i] +
                               v * (float)camera->up[i];
            }
            sample(view, picture, &newest, lenses, is_older, direction,
                   (size_t)y * view->width + x);
        }
    }
}

/* The picture as it came, without its overscan: nearest pixel. */
static void crop(struct p2_view *view, const struct p2_picture *picture, uint8_t overscan)
{
    uint32_t width = picture->width * 256 / (256u + overscan);
    uint32_t height = picture->height * 256 / (256u + overscan);
    uint32_t left = (picture->width - width) / 2, top = (picture->height - height) / 2;
    for (uint32_t y = 0; y < view->height; y++) {
        for (uint32_t x = 0; x < view->width; x++) {
            uint32_t from_x = left + x * width / view->width;
            uint32_t from_y = top + y * height / view->height;
            uint32_t tile =
                from_y / picture->tile_height * picture->columns + from_x / picture->tile_width;
            size_t at = (size_t)y * view->width + x;
            view->pixels[at] = picture->pixels[(size_t)from_y * picture->width + from_x];
            view->tiers[at] = picture->tiles[tile].frame != 0 ? picture->tiles[tile].tier : NO_TIER;
        }
    }
}

static void enlarge(struct p2_view *view, const uint8_t *small)
{
    memset(view->tiers, NO_TIER, (size_t)view->width * view->height);
    for (uint32_t y = 0; y < view->height; y++) {
        const uint8_t *row =
            small + (size_t)(y * P2_STATE_VIEW_HEIGHT / view->height) * P2_STATE_VIEW_WIDTH;
        for (uint32_t x = 0; x < view->width; x++) {
            view->pixels[(size_t)y * view->width + x] = row[x * P2_STATE_VIEW_WIDTH / view->width];
        }
    }
}

static void draw_entities(struct p2_view *view, const struct p2_scene_store *scene)
{
    struct p2c2r_scene_entity entities[ENTITIES_MAX];
    uint32_t count = p2_scene_store_entities(scene, entities, ENTITIES_MAX);
    p2c2r_scene_draw(&view->camera, entities, count, view->pixels, view->width, view->height);
}

static void colour(struct p2_view *view, const struct p2_gamer *gamer)
{
    static const uint8_t tints[5][3] = {
        {80, 220, 120}, {240, 220, 80}, {90, 160, 255}, {230, 120, 230}, {240, 70, 60}};
    size_t count = (size_t)view->width * view->height;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *rgb = gamer->palette[view->pixels[i]];
        uint8_t *out = view->rgb + 3 * i;
        if (view->is_tinted && view->tiers[i] < 5) {
            const uint8_t *tint = tints[view->tiers[i]];
            for (int c = 0; c < 3; c++) {
                out[c] = (uint8_t)((rgb[c] * TINT_SHARE + tint[c]) / (TINT_SHARE + 1));
            }
        } else {
            memcpy(out, rgb, 3);
        }
    }
}

void p2_view_draw(struct p2_view *view, const struct p2_gamer *gamer, const uint16_t *yaw,
                  const int16_t *pitch)
{
    const struct p2_picture *picture = &gamer->picture;
    const struct p2c2r_scene_camera *newest = p2_picture_newest(picture);
    const uint8_t *small = NULL;
    view->has_camera = newest != NULL;
    if (newest == NULL) {
        memset(view->rgb, NOTHING, (size_t)view->width * view->height * 3);
        return;
    }
    aim(view, newest, view->is_warped ? yaw : NULL, view->is_warped ? pitch : NULL);
    if (picture->pixels == NULL) {
        if (view->eyes != NULL || p2_state_view_open(&view->eyes) == P2_OK) {
            small = p2_state_view_draw(view->eyes, &gamer->scene, &view->camera);
        }
        if (small != NULL) {
            enlarge(view, small);
        }
    } else if (view->is_warped) {
        warp(view, picture);
    } else {
        crop(view, picture, newest->overscan);
    }
    draw_entities(view, &gamer->scene);
    colour(view, gamer);
}
