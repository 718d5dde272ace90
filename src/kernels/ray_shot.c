/* Cameras, times of day and chunk lists for ray tasks. */
#include "kernels/ray_shot.h"

#include "kernels/palette.h"

#include <math.h>
#include <string.h>

/* Rows of the table: sun direction (Q2.14, towards it), then levels of VIEW, by eye on pictures. */
struct daytime {
    int16_t sun[3];
    uint8_t sun_level, ambient_level, sky_zenith, sky_horizon, sky_glow, clouds, flags;
};

static const struct daytime daytimes[P2_DAYTIMES] = {
    [P2_DAYTIME_MORNING] = {{13107, 6881, 7045}, 7, 8, 9, 14, 5, 92, 0},
    [P2_DAYTIME_NOON] = {{5734, 14254, 5734}, 7, 8, 9, 14, 0, 104, 0},
    [P2_DAYTIME_AFTERNOON] = {{-10813, 9830, 7373}, 7, 8, 9, 14, 0, 100, 0},
    [P2_DAYTIME_DUSK] = {{-15073, 3277, -5571}, 8, 5, 3, 5, 14, 96, 0},
    [P2_DAYTIME_EVENING] = {{-15237, 1475, -5898}, 2, 4, 2, 5, 9, 80, 0},
    [P2_DAYTIME_NIGHT] = {{8192, 10158, -9830}, 3, 3, 1, 3, 0, 64, P2_RAY_MOON},
};

#define LIGHT_FLAGS (P2_RAY_SUN | P2_RAY_LAMPS | P2_RAY_OCCLUSION | P2_RAY_TEXTURE)
/* Voxels: land further away is haze. Chosen: five sixths of an island are in sight. */
#define FOG_START 210
/* How far the generator follows shadows towards the sun: the highest island over its sea. */
#define SHADOW_RISE 40.0F

static int32_t fixed(float value)
{
    float scaled = value * 65536.0F;
    float limit = 16777216.0F * 2.0F;
    scaled = scaled < -limit ? -limit : scaled > limit ? limit : scaled;
    return (int32_t)scaled;
}

static void store_vector(int32_t out[3], struct p2_vec3 v, float scale)
{
    out[0] = fixed(v.x * scale);
    out[1] = fixed(v.y * scale);
    out[2] = fixed(v.z * scale);
}

static struct p2_vec3 unit(struct p2_vec3 v)
{
    float squared = v.x * v.x + v.y * v.y;
    squared = squared + v.z * v.z;
    float scale = squared > 0x1p-20F ? 1.0F / sqrtf(squared) : 0.0F;
    return (struct p2_vec3){v.x * scale, v.y * scale, v.z * scale};
}

static struct p2_vec3 cross(struct p2_vec3 a, struct p2_vec3 b)
{
    struct p2_vec3 c;
    c.x = a.y * b.z - a.z * b.y;
    c.y = a.z * b.x - a.x * b.z;
    c.z = a.x * b.y - a.y * b.x;
    return c;
}

void p2_ray_shot_look(struct p2_ray_shot *shot, struct p2_vec3 eye, struct p2_vec3 target,
                      float half_width, unsigned w, unsigned h)
{
    struct p2_vec3 forward = {target.x - eye.x, target.y - eye.y, target.z - eye.z};
    forward = unit(forward);
    struct p2_vec3 right = unit(cross((struct p2_vec3){0.0F, 1.0F, 0.0F}, forward));
    struct p2_vec3 up = cross(forward, right);
    store_vector(shot->position, eye, 1.0F);
    store_vector(shot->forward, forward, 1.0F);
    store_vector(shot->right, right, half_width);
    store_vector(shot->up, up, half_width * (float)h / (float)w);
    shot->picture_w = (uint16_t)w;
    shot->picture_h = (uint16_t)h;
    shot->rays = 1;
    (void)p2_ray_shot_tile(shot, 0);
}

void p2_ray_shot_daytime(struct p2_ray_shot *shot, enum p2_daytime daytime)
{
    const struct daytime *row = &daytimes[daytime];
    memcpy(shot->sun, row->sun, sizeof shot->sun);
    shot->sun_level = row->sun_level;
    shot->ambient_level = row->ambient_level;
    shot->sky_zenith = row->sky_zenith;
    shot->sky_horizon = row->sky_horizon;
    shot->sky_glow = row->sky_glow;
    shot->clouds = row->clouds;
    shot->flags = (uint8_t)(row->flags | LIGHT_FLAGS);
    shot->sea_level = P2_ISLAND_SEA;
    shot->fog_start = FOG_START;
}

bool p2_ray_shot_tile(struct p2_ray_shot *shot, unsigned index)
{
    unsigned columns = (shot->picture_w + P2_RAY_TILE_W - 1) / P2_RAY_TILE_W;
    unsigned rows = (shot->picture_h + P2_RAY_TILE_H - 1) / P2_RAY_TILE_H;
    if (columns == 0 || index >= columns * rows) {
        return false;
    }
    unsigned x = index % columns * P2_RAY_TILE_W, y = index / columns * P2_RAY_TILE_H;
    unsigned w = shot->picture_w - x, h = shot->picture_h - y;
    shot->tile_x = (uint16_t)x;
    shot->tile_y = (uint16_t)y;
    shot->tile_w = (uint8_t)(w < P2_RAY_TILE_W ? w : P2_RAY_TILE_W);
    shot->tile_h = (uint8_t)(h < P2_RAY_TILE_H ? h : P2_RAY_TILE_H);
    return true;
}

/* ---- chunks in reach ------------------------------------------------------------------------ */

/* How often each chunk was met. At most 45 rays of 80 steps with 13 marks: no overflow. */
struct reach {
    uint16_t marks[P2_VOXEL_CHUNKS];
};

static void mark(struct reach *reach, float x, float z)
{
    if (x >= 0.0F && x < 256.0F && z >= 0.0F && z < 256.0F) {
        reach->marks[((unsigned)z >> 5) * P2_VOXEL_CHUNKS_SIDE + ((unsigned)x >> 5)]++;
    }
}

static void mark_around(struct reach *reach, float x, float z, float margin)
{
    for (int i = -1; i <= 1; i++) {
        for (int k = -1; k <= 1; k++) {
            mark(reach, x + (float)i * margin, z + (float)k * margin);
        }
    }
}

/* Marks what one ray passes, in steps of 6 voxels, and what may shade it. */
static void mark_ray(struct reach *reach, const struct p2_ray_shot *shot, const struct p2_ray *ray,
                     float margin, bool is_mirrored)
{
    float sun_y = shot->sun[1] > 1024 ? (float)shot->sun[1] : 1024.0F;
    float shift_x = (float)shot->sun[0] / sun_y, shift_z = (float)shot->sun[2] / sun_y;
    for (int i = 0; i < 80; i++) {
        float t = (float)i * 6.0F;
        float y = ray->origin.y + ray->direction.y * t;
        float x = ray->origin.x + ray->direction.x * t, z = ray->origin.z + ray->direction.z * t;
        if ((y > 80.0F && ray->direction.y > 0.0F) || (y < 0.0F && !is_mirrored)) {
            return;
        }
        if (y > 70.0F) {
            continue;
        }
        mark_around(reach, x, z, margin);
        for (int k = 1; k <= 4; k++) {
            float rise = SHADOW_RISE * 0.25F * (float)k;
            mark(reach, x + shift_x * rise, z + shift_z * rise);
        }
    }
}

/* Follows rays through every `stride`-th point of a lattice of 9 x 5 over the tile. */
static void mark_tile(struct reach *reach, const struct p2_ray_shot *shot, float margin,
                      bool is_mirrored, int stride)
{
    struct p2_ray ray;
    struct p2_vec3 eye = {(float)shot->position[0] * 0x1p-16F, (float)shot->position[1] * 0x1p-16F,
                          (float)shot->position[2] * 0x1p-16F};
    for (int row = 0; row <= 4; row += stride) {
        for (int column = 0; column <= 8; column += stride) {
            float px = (float)shot->tile_x + (float)shot->tile_w * 0.125F * (float)column;
            float py = (float)shot->tile_y + (float)shot->tile_h * 0.25F * (float)row;
            float u = 2.0F * px / (float)shot->picture_w - 1.0F;
            float v = 1.0F - 2.0F * py / (float)shot->picture_h;
            float d[3];
            for (unsigned i = 0; i < 3; i++) {
                d[i] = (float)shot->forward[i] + (float)shot->right[i] * u + (float)shot->up[i] * v;
                d[i] = d[i] * 0x1p-16F;
            }
            p2_ray_set(&ray, eye, (struct p2_vec3){d[0], d[1], d[2]});
            mark_ray(reach, shot, &ray, margin, is_mirrored);
        }
    }
}

static void list_chunks(struct p2_ray_shot *shot, const struct reach *reach)
{
    shot->chunk_count = 0;
    for (unsigned i = 0; i < P2_VOXEL_CHUNKS; i++) {
        if (reach->marks[i] > 0) {
            shot->chunks[shot->chunk_count][0] = (uint8_t)(i % P2_VOXEL_CHUNKS_SIDE);
            shot->chunks[shot->chunk_count++][1] = (uint8_t)(i / P2_VOXEL_CHUNKS_SIDE);
        }
    }
    if (shot->chunk_count == 0) { /* only sky: a task has at least one chunk */
        shot->chunks[0][0] = shot->chunks[0][1] = P2_VOXEL_CHUNKS_SIDE / 2;
        shot->chunk_count = 1;
    }
}

void p2_ray_shot_reach(struct p2_ray_shot *shot, float margin, bool is_mirrored)
{
    struct reach reach = {{0}};
    mark_tile(&reach, shot, margin, is_mirrored, 1);
    list_chunks(shot, &reach);
}

/* Lists only the chunks that are met most often: a small case makes no others. */
static void reach_few(struct p2_ray_shot *shot, float margin, bool is_mirrored, unsigned count)
{
    struct reach reach = {{0}}, few = {{0}};
    mark_tile(&reach, shot, margin, is_mirrored, 4);
    for (; count > 0; count--) {
        unsigned best = 0;
        for (unsigned i = 1; i < P2_VOXEL_CHUNKS; i++) {
            best = reach.marks[i] > reach.marks[best] ? i : best;
        }
        few.marks[best] = reach.marks[best];
        reach.marks[best] = 0;
    }
    list_chunks(shot, &few);
}

static bool is_near_chunk(const struct p2_island_lamp *lamp, const uint8_t chunk[2])
{
    int x0 = chunk[0] * P2_VOXEL_CHUNK - lamp->radius,
        z0 = chunk[1] * P2_VOXEL_CHUNK - lamp->radius;
    int side = P2_VOXEL_CHUNK + 2 * lamp->radius;
    return lamp->x >= x0 && lamp->x < x0 + side && lamp->z >= z0 && lamp->z < z0 + side;
}

void p2_ray_shot_lamps(struct p2_ray_shot *shot, const struct p2_island *island)
{
    shot->lamp_count = 0;
    for (unsigned i = 0; i < island->lamp_count; i++) {
        bool is_near = false;
        for (unsigned k = 0; k < shot->chunk_count; k++) {
            is_near = is_near || is_near_chunk(&island->lamps[i], shot->chunks[k]);
        }
        if (is_near) {
            shot->lamps[shot->lamp_count++] = island->lamps[i];
        }
    }
}

/* ---- writing -------------------------------------------------------------------------------- */

static void write_vectors(const struct p2_ray_shot *shot, struct p2_pack *out)
{
    const int32_t *const vectors[4] = {shot->position, shot->forward, shot->right, shot->up};
    for (unsigned v = 0; v < 4; v++) {
        for (unsigned i = 0; i < 3; i++) {
            p2_pack_i32(out, vectors[v][i]);
        }
    }
}

void p2_ray_shot_write(const struct p2_ray_shot *shot, struct p2_pack *out)
{
    p2_pack_u16(out, P2_RAY_VIEW_FORMAT);
    p2_pack_u8(out, shot->chunk_count);
    p2_pack_u8(out, shot->lamp_count);
    write_vectors(shot, out);
    p2_pack_u16(out, shot->picture_w);
    p2_pack_u16(out, shot->picture_h);
    p2_pack_u16(out, shot->tile_x);
    p2_pack_u16(out, shot->tile_y);
    p2_pack_u8(out, shot->tile_w);
    p2_pack_u8(out, shot->tile_h);
    for (unsigned i = 0; i < 3; i++) {
        p2_pack_u16(out, (uint16_t)shot->sun[i]);
    }
    const uint8_t sky[] = {shot->sun_level,   shot->ambient_level, shot->sky_zenith,
                           shot->sky_horizon, shot->sky_glow,      shot->sea_level};
    p2_pack_bytes(out, sky, sizeof sky);
    p2_pack_u16(out, shot->fog_start);
    const uint8_t rest[] = {shot->rays, shot->flags, shot->clouds, shot->phase, 0, 0, 0, 0};
    p2_pack_bytes(out, rest, sizeof rest);
    p2_pack_bytes(out, shot->chunks[0], (size_t)shot->chunk_count * 2);
    for (unsigned i = 0; i < shot->lamp_count; i++) {
        const struct p2_island_lamp *lamp = &shot->lamps[i];
        p2_pack_u16(out, (uint16_t)(lamp->x * 256u + 128u));
        p2_pack_u16(out, (uint16_t)(lamp->y * 256u + 128u));
        p2_pack_u16(out, (uint16_t)(lamp->z * 256u + 128u));
        p2_pack_u8(out, lamp->level);
        p2_pack_u8(out, lamp->radius);
    }
}

void p2_ray_shot_blobs(const struct p2_ray_shot *shot, const struct p2_island *island,
                       uint8_t *scratch, struct p2c2r_kernel_case *test_case)
{
    for (unsigned i = 0; i < shot->chunk_count; i++) {
        uint8_t *blob = test_case->blob_storage + (size_t)i * P2_VOXEL_CHUNK_BYTES;
        p2_island_chunk(island, shot->chunks[i][0], shot->chunks[i][1], scratch);
        p2_voxel_chunk_pack(blob, scratch);
        test_case->blobs[i] = (struct p2c2r_bytes){blob, P2_VOXEL_CHUNK_BYTES};
    }
    test_case->blob_count = shot->chunk_count;
}

/* ---- generated shots ------------------------------------------------------------------------ */

static struct p2_vec3 spot_at(const struct p2_island *island, int x, int z, float above)
{
    int ground = p2_island_ground(island, x, z);
    ground = ground > P2_ISLAND_SEA ? ground : P2_ISLAND_SEA;
    return (struct p2_vec3){(float)x + 0.5F, (float)ground + above, (float)z + 0.5F};
}

static void random_camera(struct p2_ray_shot *shot, const struct p2_island *island,
                          struct p2_kernel_random *random, bool is_mirrored)
{
    const int *village = island->village[p2_kernel_random_below(random, P2_ISLAND_VILLAGES)];
    struct p2_vec3 eye, target;
    int dx = p2_kernel_random_between(random, -14, 14);
    int dz = p2_kernel_random_between(random, -14, 14);
    unsigned kind = p2_kernel_random_below(random, 4);
    target = spot_at(island, village[0], village[2], 2.0F);
    if (kind == 0) { /* a villager */
        eye = spot_at(island, village[0] + dx, village[2] + dz, 2.6F);
    } else if (kind == 1) { /* a bird */
        eye = spot_at(island, village[0] + dx * 4, village[2] + dz * 4, 30.0F);
    } else { /* a player somewhere on the island */
        int x = p2_kernel_random_between(random, 40, 216);
        int z = p2_kernel_random_between(random, 40, 216);
        eye = spot_at(island, x, z, kind == 2 ? 2.6F : 9.0F);
        target = spot_at(island, x + dx * 3 + (dx == 0 ? 9 : 0), z + dz * 3, 3.0F);
    }
    bool is_lake = is_mirrored && !p2_kernel_random_percent(random, 25);
    if (is_lake) { /* whoever asks for mirrors looks at water */
        eye = spot_at(island, island->lake[0] + dx * 2, island->lake[1] + dz * 2, 6.0F);
        target = spot_at(island, island->lake[0], island->lake[1], 0.0F);
    }
    if (target.x == eye.x && target.z == eye.z) {
        target.x += 1.0F;
    }
    unsigned scale = 1 + p2_kernel_random_below(random, 2);
    p2_ray_shot_look(shot, eye, target, p2_kernel_random_f32(random, 0.7F, 1.2F), 640 * scale,
                     360 * scale);
    unsigned tiles = 60 * scale * scale, sky = is_lake ? tiles / 3 : 0;
    (void)p2_ray_shot_tile(shot, sky + p2_kernel_random_below(random, tiles - sky));
}

/* Makes the tile a piece of itself, of at most 8 x 8 pixels. */
static void cut_tile(struct p2_ray_shot *shot, struct p2_kernel_random *random)
{
    unsigned w = 1 + p2_kernel_random_below(random, shot->tile_w < 8 ? shot->tile_w : 8);
    unsigned h = 1 + p2_kernel_random_below(random, shot->tile_h < 8 ? shot->tile_h : 8);
    shot->tile_x = (uint16_t)(shot->tile_x + p2_kernel_random_below(random, shot->tile_w - w + 1));
    shot->tile_y = (uint16_t)(shot->tile_y + p2_kernel_random_below(random, shot->tile_h - h + 1));
    shot->tile_w = (uint8_t)w;
    shot->tile_h = (uint8_t)h;
}

void p2_ray_shot_generate(struct p2_ray_shot *shot, struct p2_kernel_random *random, float margin,
                          bool is_mirrored, struct p2c2r_kernel_case *test_case)
{
    static const uint8_t ray_choices[8] = {1, 1, 1, 1, 1, 2, 2, 4};
    struct p2_island island;
    uint8_t *scratch = test_case->input + P2C2R_INPUT_MAX / 2;
    memset(shot, 0, sizeof *shot);
    p2_island_start(&island, p2_kernel_random_u64(random));
    random_camera(shot, &island, random, is_mirrored);
    p2_ray_shot_daytime(shot, (enum p2_daytime)p2_kernel_random_below(random, P2_DAYTIMES));
    shot->rays = ray_choices[p2_kernel_random_below(random, 8)];
    shot->phase = (uint8_t)p2_kernel_random_below(random, 256);
    if (test_case->is_small != 0) {
        cut_tile(shot, random);
        reach_few(shot, margin, is_mirrored, 1 + p2_kernel_random_below(random, 2));
    } else {
        p2_ray_shot_reach(shot, margin, is_mirrored);
    }
    p2_ray_shot_lamps(shot, &island);
    p2_ray_shot_blobs(shot, &island, scratch, test_case);
}

/* ---- lists of faces and pixels -------------------------------------------------------------- */

static bool is_open(const struct p2_voxel_scene *scene, int x, int y, int z, unsigned face)
{
    struct p2_vec3 n = p2_voxel_normal(face);
    uint64_t column = p2_voxel_column(scene, x + (int)n.x, z + (int)n.z);
    int front = y + (int)n.y;
    return front >= P2_VOXEL_SIZE_Y || (front >= 0 && (column >> front & 1u) == 0);
}

/* The n-th occupied voxel of a column from the top, or -1. */
static int nth_from_top(uint64_t column, unsigned n)
{
    for (int y = P2_VOXEL_SIZE_Y - 1; y >= 0; y--) {
        if ((column >> y & 1u) != 0 && n-- == 0) {
            return y;
        }
    }
    return -1;
}

void p2_ray_shot_faces(const struct p2_ray_shot *shot, struct p2_kernel_random *random,
                       unsigned count, const struct p2c2r_kernel_case *test_case,
                       struct p2_pack *out)
{
    struct p2_voxel_scene scene;
    (void)p2_voxel_scene_open(&scene, test_case->blobs, test_case->blob_count, shot->chunks[0]);
    p2_pack_u16(out, (uint16_t)count);
    for (unsigned i = 0; i < count; i++) {
        unsigned face = P2_FACE_Y_PLUS;
        int x = 0, y = -1, z = 0;
        for (unsigned attempt = 0; attempt < 8; attempt++) {
            unsigned chunk = p2_kernel_random_below(random, shot->chunk_count);
            unsigned depth = p2_kernel_random_below(random, 3);
            x = shot->chunks[chunk][0] * P2_VOXEL_CHUNK + p2_kernel_random_between(random, 0, 31);
            z = shot->chunks[chunk][1] * P2_VOXEL_CHUNK + p2_kernel_random_between(random, 0, 31);
            face = p2_kernel_random_below(random, P2_FACES);
            y = nth_from_top(p2_voxel_column(&scene, x, z), depth);
            if (y >= 0 && is_open(&scene, x, y, z, face)) {
                break;
            }
        }
        const uint8_t bytes[4] = {(uint8_t)x, (uint8_t)(y < 0 ? 0 : y), (uint8_t)z, (uint8_t)face};
        p2_pack_bytes(out, bytes, sizeof bytes);
    }
}

void p2_ray_shot_mirrors(const struct p2c2r_kernel_case *test_case, struct p2_pack *out)
{
    struct p2_ray_view view;
    struct p2_unpack in = p2_unpack_start((struct p2c2r_bytes){out->data, out->size});
    uint8_t *count_at = p2_pack_space(out, 2);
    unsigned count = 0;
    if (count_at == NULL ||
        !p2_ray_view_read(&view, &in, test_case->blobs, test_case->blob_count)) {
        return;
    }
    for (unsigned i = 0; i < view.tile_w * view.tile_h; i++) {
        struct p2_voxel_hit hit;
        struct p2_ray ray;
        p2_ray_view_ray(&view, i % view.tile_w, i / view.tile_w, P2_RAY_MIDDLE, &ray);
        if (p2_voxel_trace(&view.scene, &ray, P2_RAY_REACH, &hit, &view.steps) &&
            (hit.material == P2_MATERIAL_WATER || hit.material == P2_MATERIAL_GLASS)) {
            p2_pack_u16(out, (uint16_t)i);
            count++;
        }
    }
    p2_store_le16(count_at, (uint16_t)count);
}
