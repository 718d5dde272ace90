/* Pictures: which tiles are asked for, out of which kernels, and how results become pixels.
 *
 * A tile is asked for again when anything it shows changed (camera, lamps, sky, chunks in reach), as
 * many a frame as the quality allows, oldest first. While a new one is under way the old one stays,
 * and its age tells the client how to warp it. By quality:
 *   below 96   one task, rt_render_tile with all light, or rt_reflections where water is seen
 *   from 96    and rt_global_illumination
 *   from 128   light split off: rt_render_tile without, rt_shadows, rt_reflections beside it: each
 *              is a shorter task, all run at the same time
 *   from 200   as from 96, with 2 rays a pixel; from 240 with 4 */
#include "view.h"

#include <stdlib.h>

#define TILES_MIN      2  /* asked for a frame and player, whatever the quality */
#define ANSWER_FRAMES  30 /* a tile asked for so long ago may be asked for again */
#define REDRAW         2  /* no key: those are odd */
#define BOUNCES        2
#define INDIRECT_REACH 24

static unsigned tile_count(const struct lan_eye *eye)
{
    const uint32_t columns = (eye->width + P2C2R_RAY_TILE_W - 1) / P2C2R_RAY_TILE_W;
    const uint32_t rows = (eye->height + P2C2R_RAY_TILE_H - 1) / P2C2R_RAY_TILE_H;
    return columns * rows < LAN_TILES ? columns * rows : LAN_TILES;
}

static void place_tile(const struct lan_eye *eye, unsigned index, struct p2c2r_ray_view *ray)
{
    const uint32_t columns = (eye->width + P2C2R_RAY_TILE_W - 1) / P2C2R_RAY_TILE_W;
    const uint32_t x = index % columns * P2C2R_RAY_TILE_W, y = index / columns * P2C2R_RAY_TILE_H;
    const uint32_t w = eye->width - x, h = eye->height - y;
    ray->picture_w = (uint16_t)eye->width;
    ray->picture_h = (uint16_t)eye->height;
    ray->tile_x = (uint16_t)x;
    ray->tile_y = (uint16_t)y;
    ray->tile_w = (uint8_t)(w < P2C2R_RAY_TILE_W ? w : P2C2R_RAY_TILE_W);
    ray->tile_h = (uint8_t)(h < P2C2R_RAY_TILE_H ? h : P2C2R_RAY_TILE_H);
}

static void place_camera(const struct lan_view *view, const struct p2c2r_scene_camera *camera,
                         struct p2c2r_ray_view *ray)
{
    memcpy(ray->position, camera->position, sizeof ray->position);
    memcpy(ray->forward, camera->forward, sizeof ray->forward);
    memcpy(ray->right, camera->right, sizeof ray->right);
    memcpy(ray->up, camera->up, sizeof ray->up);
    lan_scene_point(view, 65536, &ray->position[0], &ray->position[2]);
    lan_scene_vector(view, &ray->forward[0], &ray->forward[2]);
    lan_scene_vector(view, &ray->right[0], &ray->right[2]);
    lan_scene_vector(view, &ray->up[0], &ray->up[2]);
}

/* ---- asking ---------------------------------------------------------------------------------- */

struct order {
    const char *kernel;
    enum lan_part part;
    size_t size;
};

static bool submit_part(struct lan *lan, struct lan_job *job, const struct order *order,
                        const struct p2c2r_ray_view *ray, const uint64_t *keys)
{
    uint64_t id;
    const uint64_t index = (uint64_t)(job - lan->views->jobs);
    const struct p2c2r_task task = {
        .size = sizeof task,
        .kernel = order->kernel,
        .task_class = P2C2R_CLASS_FRAME,
        .weight = 1,
        .player = job->player,
        .tag = (uint64_t)LAN_VIEW_TILE << 56 | (uint64_t)(job->number & 0xffffff) << 24 |
               index << 8 | (uint64_t)order->part,
        .input = {lan->input, order->size},
        .contents = keys,
        .content_count = ray->chunk_count,
    };
    if (order->size == 0 || lan->host.submit(lan->host.ctx, &task, &id) != 0) {
        return false;
    }
    job->want |= (uint8_t)(1u << order->part);
    return true;
}

static void submit_job(struct lan *lan, struct lan_job *job, struct p2c2r_ray_view *ray,
                       const uint64_t *keys, unsigned quality, bool has_mirror)
{
    const bool is_split = quality >= 128 && quality < 200;
    const uint8_t all = ray->flags;
    struct order order = {"rt_render_tile", LAN_PART_BASE, 0};
    ray->rays = quality >= 240 ? 4 : quality >= 200 ? 2 : 1;
    if (has_mirror) {
        order =
            (struct order){"rt_reflections", LAN_PART_MIRROR,
                           p2c2r_rt_reflections_input(lan->input, sizeof lan->input, ray, BOUNCES)};
        (void)submit_part(lan, job, &order, ray, keys);
    }
    if (!has_mirror || is_split) {
        if (is_split) {
            ray->flags = (uint8_t)(all & ~(P2C2R_RAY_SUN | P2C2R_RAY_LAMPLIGHT));
        }
        order = (struct order){"rt_render_tile", LAN_PART_BASE,
                               p2c2r_rt_render_tile_input(lan->input, sizeof lan->input, ray)};
        (void)submit_part(lan, job, &order, ray, keys);
        ray->flags = all;
    }
    if (is_split) {
        order = (struct order){"rt_shadows", LAN_PART_SHADOW,
                               p2c2r_rt_shadows_input(lan->input, sizeof lan->input, ray, NULL, 0)};
        (void)submit_part(lan, job, &order, ray, keys);
    }
    if (quality >= 96) {
        const uint8_t directions = quality >= 200 ? 16 : 8;
        order =
            (struct order){"rt_global_illumination", LAN_PART_INDIRECT,
                           p2c2r_rt_global_illumination_input(lan->input, sizeof lan->input, ray,
                                                              directions, INDIRECT_REACH, 0)};
        (void)submit_part(lan, job, &order, ray, keys);
    }
}

static struct lan_job *free_job(struct lan_view *view, uint32_t frame)
{
    for (unsigned i = 0; i < LAN_JOBS; i++) {
        struct lan_job *job = &view->jobs[i];
        if (job->is_used == 0 || frame - job->frame > 4 * ANSWER_FRAMES) {
            return job;
        }
    }
    return NULL;
}

/* Asks for a tile when what it shows changed. True when it did. */
static bool ask_tile(struct lan *lan, uint32_t player, unsigned index, uint64_t base_key,
                     struct p2c2r_ray_view *ray, const struct p2c2r_frame *frame)
{
    struct lan_view *view = lan->views;
    struct lan_eye *eye = &view->eyes[player];
    struct lan_tile *tile = &eye->tiles[index];
    uint64_t keys[64];
    place_tile(eye, index, ray);
    p2c2r_ray_reach(ray, tile->has_mirror != 0);
    const uint64_t key = lan_mix(base_key, lan_scene_contents(view, ray, keys)) | 1;
    if (key == tile->key) {
        tile->frame = (uint32_t)frame->number; /* the same picture, newly placed */
        tile->serial = view->serial;
        return false;
    }
    if (key == tile->wanted && (uint32_t)frame->number - tile->asked < ANSWER_FRAMES) {
        return false;
    }
    struct lan_job *job = free_job(view, (uint32_t)frame->number);
    if (job == NULL) {
        return false;
    }
    job->is_used = 1;
    job->player = (uint8_t)player;
    job->want = job->have = job->tier = job->is_lost = 0;
    job->tile = (uint16_t)index;
    job->frame = (uint32_t)frame->number;
    job->number = ++view->number;
    job->pixels = (uint32_t)ray->tile_w * ray->tile_h;
    job->key = key;
    job->sun_level = ray->sun_level;
    memcpy(job->sun, ray->sun, sizeof job->sun);
    submit_job(lan, job, ray, keys, frame->quality, tile->has_mirror != 0);
    if (job->want == 0) {
        job->is_used = 0;
        return false;
    }
    tile->wanted = key;
    tile->asked = job->frame;
    return true;
}

static uint64_t key_of(const struct p2c2r_ray_view *ray)
{
    uint64_t hash = lan_hash(ray->position, sizeof ray->position);
    hash = lan_mix(hash, lan_hash(ray->forward, sizeof ray->forward));
    hash = lan_mix(hash, lan_hash(ray->right, sizeof ray->right));
    hash = lan_mix(hash, lan_hash(ray->sun, sizeof ray->sun));
    hash = lan_mix(hash, (uint64_t)ray->sun_level << 32 | (uint64_t)ray->ambient_level << 24 |
                             (uint64_t)ray->sky_zenith << 16 | (uint64_t)ray->sky_glow << 8 |
                             ray->phase);
    return lan_mix(hash, lan_hash(ray->lamps, ray->lamp_count * sizeof ray->lamps[0]));
}

static void ask_tiles(struct lan *lan, uint32_t player, const struct p2c2r_frame *frame,
                      const struct p2c2r_scene_camera *camera)
{
    struct lan_view *view = lan->views;
    struct lan_eye *eye = &view->eyes[player];
    struct p2c2r_ray_view ray;
    const unsigned count = tile_count(eye);
    /* Squared: where nobody helps, the host's lowest quality (64) means few tiles. */
    unsigned budget = count * frame->quality * frame->quality /
                      (P2C2R_QUALITY_FULL * P2C2R_QUALITY_FULL),
             looked = 0;
    budget = budget < TILES_MIN ? TILES_MIN : budget;
    memset(&ray, 0, sizeof ray);
    place_camera(view, camera, &ray);
    lan_scene_choose_lamps(lan, player);
    lan_scene_light(lan, &ray);
    const uint64_t base_key = key_of(&ray);
    for (; looked < count && budget > 0; looked++) {
        const unsigned index = (eye->next_tile + looked) % count;
        budget -= ask_tile(lan, player, index, base_key, &ray, frame) ? 1 : 0;
    }
    eye->next_tile = count > 0 ? (eye->next_tile + looked) % count : 0;
}

/* ---- results --------------------------------------------------------------------------------- */

static bool is_mirror(uint8_t byte)
{
    return byte >> 4 == P2C2R_WATER || byte >> 4 == P2C2R_GLASS;
}

/* Levels that each byte of rt_shadows adds: what it makes of a dark byte of grass. */
static void shadow_levels(const struct lan_job *job, uint8_t ret_levels[256])
{
    const struct p2c2r_ray_view light = {.sun_level = job->sun_level,
                                         .sun = {job->sun[0], job->sun[1], job->sun[2]}};
    for (unsigned i = 0; i < 256; i++) {
        ret_levels[i] = p2c2r_rt_compose(&light, P2C2R_GRASS << 4, (uint8_t)i) & 15u;
    }
}

static void compose(const struct lan_view *view, struct lan_tile *tile, const struct lan_job *job)
{
    static const uint8_t none[LAN_PIXELS];
    uint8_t levels[256];
    const bool has_base = (job->have & 1u << LAN_PART_BASE) != 0;
    const bool has_shadow = has_base && (job->have & 1u << LAN_PART_SHADOW) != 0;
    const bool has_indirect = (job->have & 1u << LAN_PART_INDIRECT) != 0;
    const bool has_mirror = (job->have & 1u << LAN_PART_MIRROR) != 0;
    const uint8_t *mirror = job->part[LAN_PART_MIRROR];
    const uint8_t *base = has_base ? job->part[LAN_PART_BASE] : mirror;
    const uint8_t *indirect = has_indirect ? job->part[LAN_PART_INDIRECT] : none;
    unsigned mirrors = 0;
    if (has_shadow) {
        shadow_levels(job, levels);
    }
    for (uint32_t i = 0; i < job->pixels; i++) {
        const bool is_glossy = is_mirror(base[i]);
        uint8_t byte = base[i];
        mirrors += is_glossy;
        if (has_shadow) {
            byte = view->lighter[levels[job->part[LAN_PART_SHADOW][i]]][byte];
        }
        if (has_base && has_mirror && is_glossy) {
            byte = mirror[i];
        } else if (indirect[i] != P2C2R_RAY_NO_LIGHT) {
            byte = view->lighter[(indirect[i] + 4u) >> 3][byte];
        }
        tile->pixels[i] = byte;
    }
    /* A tile of mirrored things may show no water byte any more: it stays a mirror's for a while,
     * until its picture changes without one. */
    tile->has_mirror =
        mirrors > 8 || (has_mirror && !has_base && tile->has_mirror != 0 && job->number % 16 != 0);
}

static void finish_job(struct lan *lan, struct lan_job *job)
{
    struct lan_eye *eye = &lan->views->eyes[job->player];
    job->is_used = 0;
    if (eye->tiles == NULL || job->tile >= tile_count(eye) || job->is_lost != 0) {
        return; /* degraded: the old tile stays and is warped */
    }
    struct lan_tile *tile = &eye->tiles[job->tile];
    if (tile->key != 0 && (int32_t)(job->frame - tile->frame) < 0) {
        return; /* a newer one was faster */
    }
    compose(lan->views, tile, job);
    const bool lacks_mirror = tile->has_mirror != 0 && (job->have & 1u << LAN_PART_MIRROR) == 0;
    tile->key = lacks_mirror ? REDRAW : job->key; /* water turned up: once more, with its mirror */
    tile->wanted = lacks_mirror ? 0 : tile->wanted;
    tile->frame = job->frame;
    tile->tier = job->tier;
    tile->is_fresh = 1;
    if ((int32_t)(job->frame - eye->shown.frame) > 0) {
        eye->shown = eye->cameras[job->frame % LAN_CAMERAS];
    }
}

void lan_tiles_result(struct lan *lan, const struct p2c2r_result *result)
{
    struct lan_view *view = lan->views;
    const unsigned index = (unsigned)(result->tag >> 8) & 0xffffu;
    const unsigned part = (unsigned)result->tag & 255u;
    if (index >= LAN_JOBS || part >= LAN_PARTS) {
        return;
    }
    struct lan_job *job = &view->jobs[index];
    if (job->is_used == 0 || (job->number & 0xffffff) != ((result->tag >> 24) & 0xffffff)) {
        return;
    }
    if (result->status == P2C2R_RESULT_OK && result->bytes.size == job->pixels) {
        memcpy(job->part[part], result->bytes.data, job->pixels);
        job->have |= (uint8_t)(1u << part);
        job->tier = result->tier > job->tier ? (uint8_t)result->tier : job->tier;
    } else { /* indirect light may be missing, the picture itself may not */
        job->want &= (uint8_t) ~(1u << part);
        job->is_lost = job->is_lost != 0 || part != LAN_PART_INDIRECT;
    }
    if ((job->want & ~job->have) == 0) {
        finish_job(lan, job);
    }
}

/* ---- showing --------------------------------------------------------------------------------- */

static bool open_picture(struct lan_eye *eye, const struct p2c2r_view_writer *writer)
{
    if (writer->tile_width != P2C2R_RAY_TILE_W || writer->tile_height != P2C2R_RAY_TILE_H ||
        writer->picture_width > 4096 || writer->picture_height > 4096) {
        return false;
    }
    if (eye->tiles == NULL) {
        eye->tiles = calloc(LAN_TILES, sizeof *eye->tiles);
    }
    if (eye->tiles != NULL &&
        (eye->width != writer->picture_width || eye->height != writer->picture_height)) {
        memset(eye->tiles, 0, LAN_TILES * sizeof *eye->tiles);
        eye->width = writer->picture_width;
        eye->height = writer->picture_height;
    }
    return eye->tiles != NULL;
}

/* Tiles at the picture's right and lower edge are smaller; they are sent whole, with black beside. */
static void write_tile(struct lan *lan, const struct lan_eye *eye, unsigned index, uint32_t age,
                       const struct p2c2r_view_writer *writer)
{
    const struct lan_tile *tile = &eye->tiles[index];
    struct p2c2r_ray_view place;
    uint8_t *whole = lan->views->scratch;
    place_tile(eye, index, &place);
    if (place.tile_w == P2C2R_RAY_TILE_W && place.tile_h == P2C2R_RAY_TILE_H) {
        writer->tile(writer->ctx, index, tile->tier, age, tile->pixels);
        return;
    }
    memset(whole, 0, LAN_PIXELS);
    for (unsigned y = 0; y < place.tile_h; y++) {
        memcpy(whole + (size_t)y * P2C2R_RAY_TILE_W, tile->pixels + (size_t)y * place.tile_w,
               place.tile_w);
    }
    writer->tile(writer->ctx, index, tile->tier, age, whole);
}

void lan_tiles(struct lan *lan, uint32_t player, const struct p2c2r_frame *frame,
               const struct p2c2r_view_writer *writer)
{
    struct lan_eye *eye = &lan->views->eyes[player];
    uint8_t bytes[P2C2R_SCENE_CAMERA_BYTES];
    struct p2c2r_scene_camera *camera = &eye->cameras[frame->number % LAN_CAMERAS];
    lan_player_camera(&lan->s->players[player], camera, frame->number, writer->picture_width,
                      writer->picture_height);
    if (writer->picture_width == 0 || !open_picture(eye, writer)) {
        eye->shown = *camera;
    } else if (lan_scene_is_ready(lan->views)) {
        ask_tiles(lan, player, frame, camera);
    }
    if (eye->shown.frame == 0 || (uint32_t)frame->number - eye->shown.frame > 3 * LAN_CAMERAS / 4) {
        eye->shown = *camera; /* nothing moved for long: what stands there is still right */
    }
    const size_t size = p2c2r_scene_camera_write(bytes, sizeof bytes, &eye->shown);
    if (size > 0) {
        writer->camera(writer->ctx, bytes, size);
    }
    for (unsigned i = 0; eye->tiles != NULL && writer->picture_width != 0 && i < tile_count(eye);
         i++) {
        struct lan_tile *tile = &eye->tiles[i];
        if (tile->is_fresh != 0) {
            const int32_t age = (int32_t)(eye->shown.frame - tile->frame);
            tile->is_fresh = 0;
            write_tile(lan, eye, i, age < 0 ? 0 : age > 255 ? 255 : (uint32_t)age, writer);
        }
    }
}

void lan_tiles_forget(struct lan *lan, uint32_t player)
{
    struct lan_eye *eye = &lan->views->eyes[player];
    free(eye->tiles);
    eye->tiles = NULL;
    eye->width = eye->height = 0;
}
