/* Reads the section every ray kernel starts with and makes rays of its pixels. */
#include "kernels/ray_view.h"

#include <string.h>

/* Where the rays of a pixel go through it, in 1/8 pixel: middle, diagonal, rotated grid. */
static const uint8_t sample_spots[3][4][2] = {
    {{4, 4}, {4, 4}, {4, 4}, {4, 4}},
    {{2, 2}, {6, 6}, {2, 2}, {6, 6}},
    {{3, 1}, {7, 3}, {1, 5}, {5, 7}},
};

_Static_assert(sizeof(struct p2_ray_face) * P2_RAY_FACES == P2_RAY_ARENA_BYTES,
               "the declared arena is what the faces take");

static float read_fixed(struct p2_unpack *in, int32_t low, int32_t high)
{
    int32_t value = p2_unpack_i32(in);
    if (value < low * 65536 || value > high * 65536) {
        in->failed = true;
        return 0.0F;
    }
    return (float)value * 0x1p-16F;
}

static struct p2_vec3 read_basis(struct p2_unpack *in)
{
    struct p2_vec3 vector;
    vector.x = read_fixed(in, -4, 4);
    vector.y = read_fixed(in, -4, 4);
    vector.z = read_fixed(in, -4, 4);
    return vector;
}

static float read_q14(struct p2_unpack *in)
{
    uint16_t bits = p2_unpack_u16(in);
    int value = bits < 0x8000u ? (int)bits : (int)bits - 0x10000;
    return (float)value * 0x1p-14F;
}

static unsigned read_within(struct p2_unpack *in, unsigned low, unsigned high)
{
    unsigned value = p2_unpack_u8(in);
    if (value < low || value > high) {
        in->failed = true;
    }
    return value;
}

static float length_squared(struct p2_vec3 v)
{
    float sum = v.x * v.x + v.y * v.y;
    return sum + v.z * v.z;
}

static void read_camera(struct p2_ray_view *view, struct p2_unpack *in)
{
    view->position.x = read_fixed(in, -256, 512);
    view->position.y = read_fixed(in, -64, 256);
    view->position.z = read_fixed(in, -256, 512);
    view->forward = read_basis(in);
    view->right = read_basis(in);
    view->up = read_basis(in);
    view->picture_w = p2_unpack_u16(in);
    view->picture_h = p2_unpack_u16(in);
    view->tile_x = p2_unpack_u16(in);
    view->tile_y = p2_unpack_u16(in);
    view->tile_w = read_within(in, 1, P2_RAY_TILE_W);
    view->tile_h = read_within(in, 1, P2_RAY_TILE_H);
    if (view->picture_w > 4096 || view->picture_h > 4096 ||
        view->tile_x + view->tile_w > view->picture_w ||
        view->tile_y + view->tile_h > view->picture_h ||
        length_squared(view->forward) < 1.0F / 16.0F) {
        in->failed = true;
    }
}

static void read_sky(struct p2_ray_view *view, struct p2_unpack *in)
{
    view->sun.x = read_q14(in);
    view->sun.y = read_q14(in);
    view->sun.z = read_q14(in);
    float squared = length_squared(view->sun);
    view->sun_level = (int)read_within(in, 0, 15);
    view->ambient_level = (int)read_within(in, 0, 15);
    view->sky_zenith = (int)read_within(in, 0, 15);
    view->sky_horizon = (int)read_within(in, 0, 15);
    view->sky_glow = (int)read_within(in, 0, 15);
    view->sea_level = (int)read_within(in, 0, P2_VOXEL_SIZE_Y);
    unsigned fog_start = p2_unpack_u16(in);
    view->fog_start = (float)fog_start;
    view->rays = read_within(in, 1, 4);
    view->flags = read_within(in, 0, P2_RAY_FLAGS);
    view->clouds = p2_unpack_u8(in);
    view->phase = p2_unpack_u8(in);
    if (p2_unpack_u32(in) != 0 || squared < 0.9F || squared > 1.1F || fog_start < 16 ||
        fog_start > 1024 || view->rays == 3) {
        in->failed = true;
    }
}

static void read_lamps(struct p2_ray_view *view, struct p2_unpack *in)
{
    for (unsigned i = 0; i < view->lamp_count; i++) {
        struct p2_ray_lamp *lamp = &view->lamps[i];
        lamp->position.x = (float)p2_unpack_u16(in) * 0x1p-8F;
        lamp->position.y = (float)p2_unpack_u16(in) * 0x1p-8F;
        lamp->position.z = (float)p2_unpack_u16(in) * 0x1p-8F;
        lamp->level = (float)read_within(in, 1, 15);
        lamp->radius = (float)read_within(in, 1, 32);
    }
}

/* Faces have six directions only, so the sun's share of each is known before the first ray. */
static void prepare_sun(struct p2_ray_view *view)
{
    for (unsigned face = 0; face < P2_FACES; face++) {
        struct p2_vec3 n = p2_voxel_normal(face);
        float cosine = n.x * view->sun.x + n.y * view->sun.y;
        cosine = cosine + n.z * view->sun.z;
        float level = (float)view->sun_level * cosine + 0.5F;
        view->sun_on[face] = level > 0.0F && level < 32.0F ? (int)level : 0;
    }
}

bool p2_ray_view_read(struct p2_ray_view *view, struct p2_unpack *in,
                      const struct p2c2r_bytes *blobs, uint32_t blob_count)
{
    unsigned format = p2_unpack_u16(in);
    unsigned chunk_count = p2_unpack_u8(in);
    view->lamp_count = read_within(in, 0, P2_RAY_LAMPS_MAX);
    if (in->failed || format != P2_RAY_VIEW_FORMAT || chunk_count != blob_count) {
        return false;
    }
    read_camera(view, in);
    read_sky(view, in);
    const uint8_t *coords = p2_unpack_bytes(in, (size_t)chunk_count * 2);
    read_lamps(view, in);
    if (in->failed || !p2_voxel_scene_open(&view->scene, blobs, blob_count, coords)) {
        return false;
    }
    prepare_sun(view);
    view->faces = NULL;
    view->steps = 0;
    view->ray_count = 0;
    view->face_count = 0;
    return true;
}

void p2_ray_view_remember(struct p2_ray_view *view, void *memory)
{
    memset(memory, 0, P2_RAY_ARENA_BYTES);
    view->faces = memory;
}

void p2_ray_view_ray(const struct p2_ray_view *view, unsigned x, unsigned y, unsigned sample,
                     struct p2_ray *ret_ray)
{
    unsigned pattern = sample == P2_RAY_MIDDLE ? 0 : view->rays >> 1;
    const uint8_t *spot = sample_spots[pattern][sample & 3u];
    float px = (float)(view->tile_x + x) + (float)spot[0] * 0.125F;
    float py = (float)(view->tile_y + y) + (float)spot[1] * 0.125F;
    float u = 2.0F * px / (float)view->picture_w - 1.0F;
    float v = 1.0F - 2.0F * py / (float)view->picture_h;
    struct p2_vec3 d;
    d.x = view->forward.x + view->right.x * u + view->up.x * v;
    d.y = view->forward.y + view->right.y * u + view->up.y * v;
    d.z = view->forward.z + view->right.z * u + view->up.z * v;
    p2_ray_set(ret_ray, view->position, d);
}
