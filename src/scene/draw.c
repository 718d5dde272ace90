/* Cameras in whole numbers, and entities drawn as small pictures that turn with the viewer.
 *
 * A picture of an entity is a pattern of 8 x 16 marks in code, stretched to the entity's size where
 * it shows: no assets, and any client draws the same bytes. */
#include "p2c2r/scene.h"

#define ONE16 65536

/* ---- angles --------------------------------------------------------------------------------- */

/* Sine of a part of a quarter turn, 0..16384, Q16: the odd polynomial of degree 7 with the Taylor
 * coefficients of sin(x pi / 2), the last one fitted so that the quarter ends at exactly 1. */
static int32_t sine_quarter(int32_t part)
{
    const int64_t x = (int64_t)part << 16; /* Q30 */
    const int64_t square = x * x >> 30;
    int64_t sum = -4858467;                      /* -0.0045248 * 2^30 */
    sum = 85569000 + (sum * square >> 30);       /* 0.0796926 */
    sum = -693598986 + (sum * square >> 30);     /* -0.6459641 */
    sum = 1686629713 + (sum * square >> 30);     /* 1.5707963 */
    const int64_t sine = (x * sum >> 30) + 8192; /* Q30, rounded to Q16 */
    const int32_t value = (int32_t)(sine >> 14);
    return value > ONE16 ? ONE16 : value;
}

int32_t p2c2r_scene_sine(uint16_t angle)
{
    const int32_t within = angle & 16383;
    switch (angle >> 14) {
    case 0:
        return sine_quarter(within);
    case 1:
        return sine_quarter(16384 - within);
    case 2:
        return -sine_quarter(within);
    default:
        return -sine_quarter(16384 - within);
    }
}

int32_t p2c2r_scene_cosine(uint16_t angle)
{
    return p2c2r_scene_sine((uint16_t)(angle + 16384u));
}

void p2c2r_scene_camera_turn(struct p2c2r_scene_camera *camera, int32_t half_width, uint32_t width,
                             uint32_t height)
{
    const int64_t sy = p2c2r_scene_sine(camera->yaw), cy = p2c2r_scene_cosine(camera->yaw);
    const int64_t sp = p2c2r_scene_sine((uint16_t)camera->pitch);
    const int64_t cp = p2c2r_scene_cosine((uint16_t)camera->pitch);
    const int64_t half_height = width > 0 ? (int64_t)half_width * height / width : half_width;
    const int64_t forward[3] = {sy * cp / ONE16, sp, cy * cp / ONE16};
    const int64_t right[3] = {cy, 0, -sy};
    const int64_t up[3] = {-sy * sp / ONE16, cp, -cy * sp / ONE16};
    for (unsigned i = 0; i < 3; i++) {
        camera->forward[i] = (int32_t)forward[i];
        camera->right[i] = (int32_t)(right[i] * half_width / ONE16);
        camera->up[i] = (int32_t)(up[i] * half_height / ONE16);
    }
}

/* ---- projection ----------------------------------------------------------------------------- */

/* |a|^2 and a . b of Q16.16 axes by 1/256 voxel vectors stay below 2^62 within the ranges that the
 * readers enforce. */
static int64_t dot(const int32_t axis[3], const int64_t v[3])
{
    return axis[0] * v[0] + axis[1] * v[1] + axis[2] * v[2];
}

/* The coordinate of v along an axis, in 1/256 of the axis' length. */
static int64_t along(const int32_t axis[3], const int64_t v[3])
{
    const int64_t self[3] = {axis[0], axis[1], axis[2]};
    const int64_t squared = dot(axis, self) >> 16; /* Q16 */
    return squared > 0 ? dot(axis, v) / squared : 0;
}

bool p2c2r_scene_project(const struct p2c2r_scene_camera *camera, const int32_t point[3],
                         uint32_t width, uint32_t height, int32_t ret_pixel[2], int32_t *ret_depth)
{
    int64_t v[3];
    for (unsigned i = 0; i < 3; i++) {
        v[i] = point[i] - (int64_t)camera->position[i] / 256;
    }
    const int64_t depth = along(camera->forward, v);
    if (depth < P2C2R_SCENE_ONE / 2) {
        return false;
    }
    const int64_t x = along(camera->right, v) * 4096 / depth;
    const int64_t y = along(camera->up, v) * 4096 / depth;
    const int64_t limit = (int64_t)1 << 14; /* far outside of any picture */
    const int64_t px = (x < -limit ? -limit : x > limit ? limit : x) + 4096;
    const int64_t py = 4096 - (y < -limit ? -limit : y > limit ? limit : y);
    ret_pixel[0] = (int32_t)((px * width) >> 13);
    ret_pixel[1] = (int32_t)((py * height) >> 13);
    *ret_depth = (int32_t)depth;
    return true;
}

/* ---- pictures ------------------------------------------------------------------------------- */

#define COLUMNS 8
#define ROWS    16

/* Marks: '.' nothing, a: colour[0], A: a level darker, d: two darker, b: colour[1], B: darker,
 * k: nearly black, L: a lantern's light. The other step and a raised arm replace rows. */
static const char *const figure[ROWS] = {
    "..bbbb..", "..bbbb..", "..bkbk..", "..bbbb..", "...BB...", ".aaaaaa.", "aaaaaaaa", "aaaaaaAa",
    "a.aaaA.a", "b.aaaA.b", "..AAAA..", "..dddd..", "..dd.dd.", "..dd.dd.", ".ddd..dd", ".kk...kk",
};
static const char *const stepping[5] = {"..dddd..", "..ddd...", "..ddd...", "...ddd..", "...kkk.."};
static const char *const raised[5] = {".aaaaaab", "aaaaaaab", "aaaaaaAa", "a.aaaA..", "b.aaaA.."};
static const char *const box[ROWS] = {
    "aaaaaaaa", "aaaaaaaa", "aaaaaaaa", "aaaaaaaA", "abaaaaaA", "aaaaaaaA", "aaaaabaA", "aaaaaaaA",
    "aaaaaaaA", "abaaaaaA", "aaaaaaaA", "aaaaaaaA", "aaaabaAA", "aaaaaaAA", "AAAAAAAA", "dAAAAAAd",
};
static const char *const ball[ROWS] = {
    "...aa...", "..aaaa..", ".aabaaa.", ".abbaaa.", "aabbaaaa", "aabaaaaa", "aaaaaaaa", "aaaaaaaA",
    "aaaaaaaA", "aaaaaaAA", "AaaaaaAA", "AAaaaAAd", ".AAAAAA.", ".dAAAAd.", "..dAAd..", "...dd...",
};
static const char *const flame[ROWS] = {
    "........", "...a....", "...aa...", "..aaa...", "..aaaa..", ".aaLaa..", ".aLLaaa.", "aaLLLaa.",
    "aaLLLaaa", "aLLLLLaa", "aLLLLLLa", "aLLLLLLa", "aaLLLLaa", ".aLLLLa.", "..aLLa..", "...aa...",
};
static const char *const boat[ROWS] = {
    "...a....", "...ab...", "...abb..", "...abbb.", "...abbbb", "...abbbb", "...abbbb", "...abbb.",
    "...a....", "...a....", "a..a...a", "aa.a..aa", "aaaaaaaa", "AAAAAAAA", ".AAAAAA.", "..dddd..",
};
static const char *const mark[ROWS] = {
    "...LL...", "..LaaL..", ".LaaaaL.", "LaaaaaaL", "LaaaaaaL", ".LaaaaL.", "..LaaL..", "...LL...",
    "...LL...", "........", "........", "........", "........", "........", "........", "........",
};
static const char *const *const shapes[P2C2R_SHAPES] = {box, figure, ball, flame, boat, mark};

static char mark_at(const struct p2c2r_scene_entity *entity, unsigned column, unsigned row)
{
    const char *line = shapes[entity->shape][row];
    if (entity->shape == P2C2R_SHAPE_FIGURE) {
        if ((entity->pose & P2C2R_POSE_STEP) != 0 && row >= 11) {
            line = stepping[row - 11];
        }
        if ((entity->pose & P2C2R_POSE_RAISED) != 0 && row >= 5 && row < 10) {
            line = raised[row - 5];
        }
        if ((entity->pose & P2C2R_POSE_LANTERN) != 0 && column == 7 && row >= 9 && row <= 11) {
            return 'L';
        }
    }
    return line[column];
}

/* The lantern material at its highest level: the brightest warm byte of the palette. */
#define LANTERN_BYTE 0xbf

static uint8_t darker(uint8_t byte, unsigned levels)
{
    const unsigned level = byte & 15u;
    return (uint8_t)((byte & 0xf0u) | (level > levels ? level - levels : 0));
}

/* The byte of a mark; false: nothing is there. */
static bool colour_of(const struct p2c2r_scene_entity *entity, char mark_char, uint8_t *ret_byte)
{
    switch (mark_char) {
    case 'a':
        *ret_byte = entity->colour[0];
        return true;
    case 'A':
        *ret_byte = darker(entity->colour[0], 1);
        return true;
    case 'd':
        *ret_byte = darker(entity->colour[0], 3);
        return true;
    case 'b':
        *ret_byte = entity->colour[1];
        return true;
    case 'B':
        *ret_byte = darker(entity->colour[1], 2);
        return true;
    case 'k':
        *ret_byte = darker(entity->colour[1], 9);
        return true;
    case 'L':
        *ret_byte = LANTERN_BYTE;
        return true;
    default:
        return false;
    }
}

struct rectangle {
    int32_t left, right, top, bottom; /* pixels; right and bottom excluded */
};

/* Where the entity's picture stands; false: nowhere. */
static bool find_place(const struct p2c2r_scene_camera *camera,
                       const struct p2c2r_scene_entity *entity, uint32_t width, uint32_t height,
                       struct rectangle *ret_place)
{
    int32_t feet[2], depth;
    int64_t tall = (int64_t)entity->height * (P2C2R_SCENE_ONE / 16);
    int64_t wide = (int64_t)entity->width * (P2C2R_SCENE_ONE / 16);
    if ((entity->pose & P2C2R_POSE_LYING) != 0) {
        const int64_t swap = tall;
        tall = wide;
        wide = swap;
    }
    if (!p2c2r_scene_project(camera, entity->position, width, height, feet, &depth)) {
        return false;
    }
    const int64_t right[3] = {camera->right[0], camera->right[1], camera->right[2]};
    const int64_t squared = dot(camera->right, right) >> 16; /* Q16 of the half width squared */
    int64_t half = 1;                                        /* Q8 of its root, by bisection */
    for (int64_t step = 1024; step > 0; step >>= 1) {
        half += (half + step) * (half + step) <= squared ? step : 0;
    }
    /* Pixels of a voxel's side at this depth: width / (2 half) / depth. */
    const int64_t scale = (int64_t)width * 256 * 128 / half;
    const int64_t w = wide * scale / depth / 256, h = tall * scale / depth / 256;
    if (h < 1 || h > 4 * (int64_t)height || w > 4 * (int64_t)width) {
        return false;
    }
    ret_place->left = (int32_t)(feet[0] - w / 2);
    ret_place->right = (int32_t)(ret_place->left + (w > 0 ? w : 1));
    ret_place->bottom = feet[1] + 1;
    ret_place->top = (int32_t)(ret_place->bottom - h);
    return ret_place->right > 0 && ret_place->bottom > 0 && ret_place->left < (int32_t)width &&
           ret_place->top < (int32_t)height;
}

static void draw_entity(const struct p2c2r_scene_camera *camera,
                        const struct p2c2r_scene_entity *entity, uint8_t *pixels, uint32_t width,
                        uint32_t height)
{
    struct rectangle place;
    if (!find_place(camera, entity, width, height, &place)) {
        return;
    }
    const int32_t w = place.right - place.left, h = place.bottom - place.top;
    const int32_t first_y = place.top > 0 ? place.top : 0;
    const int32_t first_x = place.left > 0 ? place.left : 0;
    for (int32_t y = first_y; y < place.bottom && y < (int32_t)height; y++) {
        const unsigned row = (unsigned)((int64_t)(y - place.top) * ROWS / h);
        if (entity->shape != P2C2R_SHAPE_MARK &&
            (entity->slices >> ((ROWS - 1 - row) / 4) & 1u) == 0) {
            continue;
        }
        for (int32_t x = first_x; x < place.right && x < (int32_t)width; x++) {
            const unsigned column = (unsigned)((int64_t)(x - place.left) * COLUMNS / w);
            uint8_t byte;
            const bool is_lying = (entity->pose & P2C2R_POSE_LYING) != 0;
            const char found =
                is_lying ? mark_at(entity, row / 2, column * 2) : mark_at(entity, column, row);
            if (colour_of(entity, found, &byte)) {
                pixels[(size_t)y * width + (size_t)x] = byte;
            }
        }
    }
}

static int64_t distance_of(const struct p2c2r_scene_camera *camera,
                           const struct p2c2r_scene_entity *entity)
{
    int64_t v[3];
    for (unsigned i = 0; i < 3; i++) {
        v[i] = entity->position[i] - (int64_t)camera->position[i] / 256;
    }
    return dot(camera->forward, v);
}

void p2c2r_scene_draw(const struct p2c2r_scene_camera *camera, struct p2c2r_scene_entity *entities,
                      uint32_t count, uint8_t *pixels, uint32_t width, uint32_t height)
{
    for (uint32_t i = 1; i < count; i++) { /* insertion: few, and nearly in order from before */
        const struct p2c2r_scene_entity moved = entities[i];
        const int64_t distance = distance_of(camera, &moved);
        uint32_t at = i;
        while (at > 0) {
            const int64_t before = distance_of(camera, &entities[at - 1]);
            if (before > distance || (before == distance && entities[at - 1].id < moved.id)) {
                break;
            }
            entities[at] = entities[at - 1];
            at--;
        }
        entities[at] = moved;
    }
    for (uint32_t i = 0; i < count; i++) {
        draw_entity(camera, &entities[i], pixels, width, height);
    }
}
