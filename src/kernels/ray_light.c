/* Sky, sun, lamps, occlusion and mirrors, all in whole levels of light. */
#include "kernels/ray_light.h"

#include "kernels/palette.h"

#include <math.h>
#include <string.h>

/* Rays leave a face this far outside it, so that rounding cannot put them inside. Positions up to
 * 512 have steps of 2^-15. */
#define OUTSIDE 0x1p-6F
/* Share of the ambient light a face gets, in 1/16, by face: chosen, a common convention of voxel
 * games (top, then the z sides and x sides apart, so that edges show). */
static const int face_share[P2_FACES] = {13, 13, 8, 16, 11, 11};
/* Share left under a roof, in 1/16: chosen by eye; rooms and caves stay readable. */
#define ROOF_SHARE 9
/* Discs: cosine of 1.6 degrees for the sun and 1.3 for the moon (larger than life, as games do). */
#define SUN_COSINE  0.9996F
#define MOON_COSINE 0.9990F
#define HALO_COSINE 0.985F
/* Where clouds are, in voxels: above the scene, cells of 24 voxels, fading far away. */
#define CLOUD_HEIGHT 150.0F
#define CLOUD_CELL   24.0F
#define CLOUD_REACH  1600.0F
/* The horizon, in voxels. */
#define SEA_REACH 16384.0F
/* Near voxels show texture. */
#define TEXTURE_REACH 24.0F
/* Cosines to the normal above which one looks into the water or through the glass instead of at
 * what they mirror. Chosen by eye: real water mirrors 5 % at 45 degrees, but a level cannot be
 * blended. */
#define WATER_MIRROR 0.85F
#define GLASS_MIRROR 0.75F

/* ---- small helpers -------------------------------------------------------------------------- */

static uint32_t mix(uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t h = a * 0x9e3779b1u ^ b * 0x85ebca77u ^ c * 0xc2b2ae3du;
    h = (h ^ (h >> 15)) * 0x2c1b3c6du;
    h = (h ^ (h >> 12)) * 0x297a2d39u;
    return h ^ (h >> 15);
}

static float dot(struct p2_vec3 a, struct p2_vec3 b)
{
    float sum = a.x * b.x + a.y * b.y;
    return sum + a.z * b.z;
}

static struct p2_vec3 along(const struct p2_ray *ray, float distance)
{
    struct p2_vec3 point;
    point.x = ray->origin.x + ray->direction.x * distance;
    point.y = ray->origin.y + ray->direction.y * distance;
    point.z = ray->origin.z + ray->direction.z * distance;
    return point;
}

/* Rounds towards minus infinity; the caller knows |value| < 2^20. */
static int floor_small(float value)
{
    int whole = (int)value;
    return (float)whole > value ? whole - 1 : whole;
}

static int clamp_level(int level)
{
    return level < 0 ? 0 : level > 15 ? 15 : level;
}

/* ---- sky ------------------------------------------------------------------------------------ */

int p2_ray_sky_level(const struct p2_ray_view *view, float up)
{
    float height = up < 0.0F ? 0.0F : up > 1.0F ? 1.0F : up;
    float share = 1.0F - (1.0F - height) * (1.0F - height);
    float level =
        (float)view->sky_horizon + (float)(view->sky_zenith - view->sky_horizon) * share + 0.5F;
    return clamp_level((int)level);
}

/* A star in some cells of a cube around the camera. */
static bool is_star(const struct p2_ray *ray)
{
    struct p2_vec3 d = ray->direction;
    float ax = d.x < 0.0F ? -d.x : d.x, az = d.z < 0.0F ? -d.z : d.z;
    float u, v, w;
    uint32_t side;
    if (d.y > ax && d.y > az) {
        u = d.x, v = d.z, w = d.y, side = 0;
    } else if (ax > az) {
        u = d.y, v = d.z, w = ax, side = d.x < 0.0F ? 1 : 2;
    } else {
        u = d.y, v = d.x, w = az, side = d.z < 0.0F ? 3 : 4;
    }
    float cu = u / w * 24.0F, cv = v / w * 24.0F;
    int iu = floor_small(cu), iv = floor_small(cv);
    uint32_t h = mix((uint32_t)(iu + 64), (uint32_t)(iv + 64), side);
    float fu = cu - (float)iu - (float)(h >> 8 & 15u) * 0.06F;
    float fv = cv - (float)iv - (float)(h >> 12 & 15u) * 0.06F;
    return (h & 15u) < 2 && fu > 0.0F && fu < 0.1F && fv > 0.0F && fv < 0.1F;
}

/* Lattice value of the cloud field, 0..255. */
static float cloud_value(int x, int z)
{
    return (float)(mix((uint32_t)(x + 4096), (uint32_t)(z + 4096), 77) & 255u);
}

/* Flat clouds of square pieces, from value noise on a coarse lattice. */
static bool is_cloud(const struct p2_ray_view *view, const struct p2_ray *ray)
{
    float distance = (CLOUD_HEIGHT - ray->origin.y) * ray->inverse.y;
    if (view->clouds == 0 || distance <= 0.0F || distance > CLOUD_REACH) {
        return false;
    }
    struct p2_vec3 point = along(ray, distance);
    int px = floor_small((point.x + (float)view->phase * 4.0F) / CLOUD_CELL);
    int pz = floor_small(point.z / CLOUD_CELL);
    int lx = px >> 2, lz = pz >> 2;
    float fx = (float)(px & 3) * 0.25F, fz = (float)(pz & 3) * 0.25F;
    float a = cloud_value(lx, lz) * (1.0F - fx) + cloud_value(lx + 1, lz) * fx;
    float b = cloud_value(lx, lz + 1) * (1.0F - fx) + cloud_value(lx + 1, lz + 1) * fx;
    float detail = (float)(mix((uint32_t)(px + 9999), (uint32_t)(pz + 9999), 5) & 31u);
    return a * (1.0F - fz) + b * fz + detail < (float)view->clouds;
}

static uint8_t disc(const struct p2_ray_view *view)
{
    bool is_moon = (view->flags & P2_RAY_MOON) != 0;
    return is_moon ? p2_palette_byte(P2_MATERIAL_CLOUD, 14)
                   : p2_palette_byte(P2_MATERIAL_LANTERN, 15);
}

uint8_t p2_ray_sky(const struct p2_ray_view *view, const struct p2_ray *ray)
{
    bool is_moon = (view->flags & P2_RAY_MOON) != 0;
    float up = ray->direction.y, near_sun = dot(ray->direction, view->sun);
    int level = p2_ray_sky_level(view, up);
    if (near_sun > (is_moon ? MOON_COSINE : SUN_COSINE)) {
        return disc(view);
    }
    if (up > 0.02F && is_cloud(view, ray)) {
        int cloud = view->sun_level + view->ambient_level + (is_moon ? -3 : 0);
        if (view->sky_glow > 4 && up < 0.35F && near_sun > 0.2F) {
            return p2_palette_byte(P2_MATERIAL_GLOW, (unsigned)clamp_level(view->sky_glow - 1));
        }
        return p2_palette_byte(P2_MATERIAL_CLOUD, (unsigned)clamp_level(cloud));
    }
    float low = up < 0.0F ? 1.0F : 1.0F - up * 1.8F;
    float warm = (float)view->sky_glow * (0.45F + 0.55F * near_sun) * (low > 0.0F ? low : 0.0F);
    if (warm >= 2.0F) {
        return p2_palette_byte(P2_MATERIAL_GLOW, (unsigned)clamp_level((int)warm));
    }
    if (is_moon && up > 0.0F && is_star(ray)) {
        return p2_palette_byte(P2_MATERIAL_CLOUD, 11);
    }
    if (near_sun > HALO_COSINE) {
        level += near_sun > 0.995F ? 2 : 1;
    }
    return p2_palette_byte(P2_MATERIAL_SKY, (unsigned)clamp_level(level));
}

/* ---- surfaces ------------------------------------------------------------------------------- */

/* Distance at which a ray meets the sea's surface outside the scene; 0 when it does not. */
static float sea_distance(const struct p2_ray_view *view, const struct p2_ray *ray)
{
    float distance = ((float)view->sea_level - ray->origin.y) * ray->inverse.y;
    if (view->sea_level == 0 || ray->direction.y >= 0.0F || distance <= 0.0F) {
        return 0.0F;
    }
    distance = distance < SEA_REACH ? distance : SEA_REACH;
    struct p2_vec3 point = along(ray, distance);
    bool is_inside = point.x >= 0.0F && point.x < (float)P2_VOXEL_SIZE_X && point.z >= 0.0F &&
                     point.z < (float)P2_VOXEL_SIZE_Z;
    return is_inside && p2_voxel_has_chunk(&view->scene, (int)point.x, (int)point.z) ? 0.0F
                                                                                     : distance;
}

bool p2_ray_surface(struct p2_ray_view *view, const struct p2_ray *ray,
                    struct p2_ray_surface *ret_surface)
{
    float sea = sea_distance(view, ray);
    float reach = sea > 0.0F && sea < P2_RAY_REACH ? sea : P2_RAY_REACH;
    ret_surface->is_sea = false;
    view->ray_count++;
    if (p2_voxel_trace(&view->scene, ray, reach, &ret_surface->hit, &view->steps)) {
        return true;
    }
    if (sea == 0.0F) {
        return false;
    }
    ret_surface->is_sea = true;
    memset(&ret_surface->hit, 0, sizeof ret_surface->hit);
    ret_surface->hit.distance = sea;
    ret_surface->hit.face = P2_FACE_Y_PLUS;
    ret_surface->hit.material = P2_MATERIAL_WATER;
    return true;
}

bool p2_ray_is_hazy(const struct p2_ray_view *view, const struct p2_ray_surface *surface)
{
    bool is_water = surface->hit.material == P2_MATERIAL_WATER;
    return surface->hit.distance > view->fog_start * (is_water ? 2.0F : 1.0F);
}

static struct p2_vec3 outside(struct p2_vec3 point, int x, int y, int z, unsigned face)
{
    float offset = (face & 1u) != 0 ? 1.0F + OUTSIDE : -OUTSIDE;
    if (face < 2) {
        point.x = (float)x + offset;
    } else if (face < 4) {
        point.y = (float)y + offset;
    } else {
        point.z = (float)z + offset;
    }
    return point;
}

struct p2_vec3 p2_ray_face_middle(int x, int y, int z, unsigned face)
{
    struct p2_vec3 middle = {(float)x + 0.5F, (float)y + 0.5F, (float)z + 0.5F};
    return outside(middle, x, y, z, face);
}

bool p2_ray_sun_from(struct p2_ray_view *view, struct p2_vec3 from)
{
    struct p2_ray ray;
    struct p2_voxel_hit hit;
    view->ray_count++;
    p2_ray_set(&ray, from, view->sun);
    return !p2_voxel_trace(&view->scene, &ray, P2_RAY_REACH, &hit, &view->steps);
}

float p2_ray_lamp_from(struct p2_ray_view *view, const struct p2_ray_lamp *lamp,
                       struct p2_vec3 from, unsigned face)
{
    struct p2_vec3 to = {lamp->position.x - from.x, lamp->position.y - from.y,
                         lamp->position.z - from.z};
    float squared = dot(to, to);
    float facing = dot(to, p2_voxel_normal(face));
    if (squared >= lamp->radius * lamp->radius || facing <= 0.0F || squared < 0x1p-12F) {
        return 0.0F;
    }
    float distance = sqrtf(squared);
    struct p2_ray ray;
    struct p2_voxel_hit hit;
    view->ray_count++;
    p2_ray_set(&ray, from, to);
    if (p2_voxel_trace(&view->scene, &ray, distance, &hit, &view->steps) &&
        (hit.x != floor_small(lamp->position.x) || hit.y != floor_small(lamp->position.y) ||
         hit.z != floor_small(lamp->position.z))) {
        return 0.0F;
    }
    float fall = 1.0F - distance / lamp->radius;
    return lamp->level * fall * (0.4F + 0.6F * (facing / distance));
}

/* ---- light of a face ------------------------------------------------------------------------ */

static int bit(uint64_t column, int y)
{
    return y >= 0 && y < P2_VOXEL_SIZE_Y ? (int)(column >> y & 1u) : 0;
}

/* Occluders around the voxel in front of a face: 2 for each at its edges, 1 at its corners. */
static int occluders(const struct p2_voxel_scene *scene, const struct p2_voxel_hit *hit)
{
    int x = hit->x, y = hit->y, z = hit->z, sign = (hit->face & 1u) != 0 ? 1 : -1;
    int sum = 0;
    if (hit->face / 2 == 1) {
        for (int dz = -1; dz <= 1; dz++) {
            for (int dx = -1; dx <= 1; dx++) {
                int weight = dx != 0 && dz != 0 ? 1 : 2;
                if (dx != 0 || dz != 0) {
                    sum += weight * bit(p2_voxel_column(scene, x + dx, z + dz), y + sign);
                }
            }
        }
        return sum;
    }
    bool is_x = hit->face / 2 == 0;
    for (int d = -1; d <= 1; d++) {
        uint64_t column = is_x ? p2_voxel_column(scene, x + sign, z + d)
                               : p2_voxel_column(scene, x + d, z + sign);
        int side = d != 0 ? 1 : 2;
        sum += side * (bit(column, y - 1) + bit(column, y + 1));
        sum += d != 0 ? 2 * bit(column, y) : 0;
    }
    return sum;
}

/* True when something is above the voxel in front of the face. */
static bool is_roofed(const struct p2_voxel_scene *scene, const struct p2_voxel_hit *hit)
{
    static const int8_t ahead[P2_FACES][3] = {{-1, 0, 0}, {1, 0, 0},  {0, -1, 0},
                                              {0, 1, 0},  {0, 0, -1}, {0, 0, 1}};
    const int8_t *d = ahead[hit->face];
    uint64_t column = p2_voxel_column(scene, hit->x + d[0], hit->z + d[2]);
    int y = hit->y + d[1] + 1;
    return y < P2_VOXEL_SIZE_Y && y >= 0 && column >> y != 0;
}

/* Three steps instead of thirteen: every further one costs bytes in all tiles (measured: a tenth of a
 * frame) and is hardly seen. */
static int occlusion(int sum)
{
    return sum < 3 ? 0 : sum < 8 ? 5 : 9;
}

static int ambient_of(struct p2_ray_view *view, const struct p2_voxel_hit *hit)
{
    int light = view->ambient_level * 16 * face_share[hit->face]; /* in 1/256 level */
    if ((view->flags & P2_RAY_OCCLUSION) != 0) {
        light = light * (18 - occlusion(occluders(&view->scene, hit))) / 18;
        if (is_roofed(&view->scene, hit)) {
            light = light * ROOF_SHARE / 16;
        }
    }
    return (light + 128) >> 8;
}

static int lamps_of(struct p2_ray_view *view, const struct p2_voxel_hit *hit)
{
    struct p2_vec3 middle = p2_ray_face_middle(hit->x, hit->y, hit->z, hit->face);
    float sum = 0.0F;
    for (unsigned i = 0; i < view->lamp_count; i++) {
        sum += p2_ray_lamp_from(view, &view->lamps[i], middle, hit->face);
    }
    return (int)((sum < 15.0F ? sum : 15.0F) + 0.5F);
}

/* The remembered face, or `fresh` when nothing is remembered. */
static struct p2_ray_face *face_of(struct p2_ray_view *view, const struct p2_voxel_hit *hit,
                                   struct p2_ray_face *fresh)
{
    uint32_t key =
        ((uint32_t)hit->x << 17 | (uint32_t)hit->y << 11 | (uint32_t)hit->z << 3 | hit->face) + 1;
    struct p2_ray_face *face = fresh;
    if (view->faces != NULL) {
        face = &view->faces[(key * 0x9e3779b1u) >> 20];
        if (face->key == key) {
            return face;
        }
    }
    memset(face, 0, sizeof *face);
    face->key = key;
    face->ambient = (uint8_t)ambient_of(view, hit);
    if ((view->flags & P2_RAY_LAMPS) != 0) {
        face->lamps = (uint8_t)lamps_of(view, hit);
    }
    view->face_count++;
    return face;
}

/* Sets u to the quarter 0..3 of a voxel's side that `value` lies in, and returns its middle. */
static float quarter(float value, int voxel, unsigned *ret_quarter)
{
    float inside = (value - (float)voxel) * 4.0F;
    int q = inside > 0.0F ? inside < 3.0F ? (int)inside : 3 : 0;
    *ret_quarter = (unsigned)q;
    return (float)voxel + (float)q * 0.25F + 0.125F;
}

static bool square_sees_sun(struct p2_ray_view *view, const struct p2_ray *ray,
                            const struct p2_voxel_hit *hit, struct p2_ray_face *face)
{
    struct p2_vec3 point = along(ray, hit->distance);
    unsigned q[3];
    point.x = quarter(point.x, hit->x, &q[0]);
    point.y = quarter(point.y, hit->y, &q[1]);
    point.z = quarter(point.z, hit->z, &q[2]);
    unsigned axis = hit->face / 2;
    unsigned square = q[(axis + 1) % 3] * 4 + q[(axis + 2) % 3];
    if (((uint32_t)face->known >> square & 1u) == 0) {
        bool is_lit = p2_ray_sun_from(view, outside(point, hit->x, hit->y, hit->z, hit->face));
        face->known = (uint16_t)(face->known | 1u << square);
        face->lit = (uint16_t)(face->lit | (is_lit ? 1u : 0u) << square);
    }
    return ((uint32_t)face->lit >> square & 1u) != 0;
}

/* Things in the haze have the light of the horizon, a level more or less by face; far water becomes
 * the sky just above it. Neither depends on shadows or lamps, so the parts still add up. */
static uint8_t haze_byte(const struct p2_ray_view *view, const struct p2_ray *ray,
                         const struct p2_voxel_hit *hit)
{
    if (hit->material == P2_MATERIAL_WATER) {
        struct p2_ray level_ray = *ray;
        level_ray.direction.y = 0.0F;
        return p2_ray_sky(view, &level_ray);
    }
    int level = view->sky_horizon - 4 + (view->sun_on[hit->face] > 1 ? 1 : 0);
    return p2_palette_byte(P2_MATERIAL_HAZE, (unsigned)clamp_level(level));
}

static uint8_t sea_byte(const struct p2_ray_view *view)
{
    int level = view->ambient_level;
    if ((view->flags & P2_RAY_SUN) != 0) {
        level += view->sun_on[P2_FACE_Y_PLUS];
    }
    return p2_palette_byte(P2_MATERIAL_WATER, (unsigned)clamp_level(level));
}

uint8_t p2_ray_surface_byte(struct p2_ray_view *view, const struct p2_ray *ray,
                            const struct p2_ray_surface *surface)
{
    const struct p2_voxel_hit *hit = &surface->hit;
    struct p2_ray_face fresh;
    if (hit->material == P2_MATERIAL_LANTERN) {
        return p2_palette_byte(P2_MATERIAL_LANTERN, 15);
    }
    if (p2_ray_is_hazy(view, surface)) {
        return haze_byte(view, ray, hit);
    }
    if (surface->is_sea) {
        return sea_byte(view);
    }
    struct p2_ray_face *face = face_of(view, hit, &fresh);
    int level = face->ambient;
    uint32_t grain = mix((uint32_t)hit->x, (uint32_t)hit->y, (uint32_t)hit->z);
    if ((view->flags & P2_RAY_TEXTURE) != 0 && hit->distance < TEXTURE_REACH && (grain & 7u) == 0 &&
        hit->material != P2_MATERIAL_WATER && level > 0) {
        level--;
    }
    level += face->lamps;
    if ((view->flags & P2_RAY_SUN) != 0 && view->sun_on[hit->face] > 0 &&
        square_sees_sun(view, ray, hit, face)) {
        level += view->sun_on[hit->face];
    }
    return p2_palette_byte(hit->material, (unsigned)clamp_level(level));
}

/* ---- parts of a picture --------------------------------------------------------------------- */

uint8_t p2_ray_shadow_byte(struct p2_ray_view *view, const struct p2_ray *ray)
{
    struct p2_ray_surface surface;
    struct p2_ray_face fresh;
    if (!p2_ray_surface(view, ray, &surface) || p2_ray_is_hazy(view, &surface) ||
        surface.hit.material == P2_MATERIAL_LANTERN) {
        return P2_RAY_NO_FACE;
    }
    unsigned face = surface.hit.face, lamps = 0;
    bool is_lit = view->sun_on[face] > 0;
    if (!surface.is_sea) {
        struct p2_ray_face *known = face_of(view, &surface.hit, &fresh);
        is_lit = is_lit && square_sees_sun(view, ray, &surface.hit, known);
        lamps = known->lamps;
    }
    return (uint8_t)(face | (is_lit ? 8u : 0u) | lamps << 4);
}

uint8_t p2_ray_compose(const struct p2_ray_view *view, uint8_t base, uint8_t shadow)
{
    unsigned face = shadow & 7u;
    if (face >= P2_FACES) {
        return base;
    }
    int levels = (int)(shadow >> 4) + ((shadow & 8u) != 0 ? view->sun_on[face] : 0);
    return p2_palette_add_light(base, levels);
}

/* Share of the light a material throws back, in 1/16: chosen near real surfaces (grass 0.25 ..
 * snow 0.85), rounded up so that the effect is visible. */
static const uint8_t albedo[P2_MATERIALS] = {0, 6, 5, 7, 11, 3, 4, 5, 9, 7, 6, 0, 14, 8, 6, 6};
/* What a lantern sends into each direction it is seen from, in levels. */
#define LANTERN_LEVEL 24

/* Light that comes along one ray, in 1/16 level. */
static int light_along(struct p2_ray_view *view, const struct p2_ray *ray, float reach, int sky)
{
    struct p2_ray_surface surface = {.is_sea = false};
    if (!p2_voxel_trace(&view->scene, ray, reach, &surface.hit, &view->steps)) {
        return view->ambient_level * (ray->direction.y > 0.0F ? sky : sky / 2);
    }
    const struct p2_voxel_hit *hit = &surface.hit;
    if (hit->material == P2_MATERIAL_LANTERN) {
        return LANTERN_LEVEL * 16;
    }
    int light = view->ambient_level * sky / 32; /* half of it is hidden from a surface */
    if (view->sun_on[hit->face] > 0 &&
        p2_ray_sun_from(view, p2_ray_face_middle(hit->x, hit->y, hit->z, hit->face))) {
        light += view->sun_on[hit->face];
    }
    return light * albedo[hit->material & 15u];
}

unsigned p2_ray_gather(struct p2_ray_view *view, const struct p2_ray_gather *gather, int x, int y,
                       int z, unsigned face)
{
    struct p2_vec3 from = p2_ray_face_middle(x, y, z, face);
    unsigned axis = face / 2;
    float sign = (face & 1u) != 0 ? 1.0F : -1.0F;
    int sum = 0;
    for (unsigned i = 0; i < gather->count; i++) {
        const struct p2_vec3 *local = &gather->directions[i];
        float d[3];
        d[axis] = local->z * sign;
        d[(axis + 1) % 3] = local->x;
        d[(axis + 2) % 3] = local->y;
        struct p2_ray ray;
        view->ray_count++;
        p2_ray_set(&ray, from, (struct p2_vec3){d[0], d[1], d[2]});
        sum += light_along(view, &ray, gather->reach, gather->sky);
    }
    int eighths = (sum + (int)gather->count) / (2 * (int)gather->count);
    return (unsigned)(eighths < 120 ? eighths : 120);
}

uint8_t p2_ray_gather_byte(struct p2_ray_view *view, const struct p2_ray_gather *gather,
                           const struct p2_ray *ray)
{
    struct p2_ray_surface surface;
    struct p2_ray_face fresh;
    if (!p2_ray_surface(view, ray, &surface) || p2_ray_is_hazy(view, &surface) || surface.is_sea ||
        surface.hit.material == P2_MATERIAL_LANTERN) {
        return P2_RAY_NO_LIGHT;
    }
    const struct p2_voxel_hit *hit = &surface.hit;
    struct p2_ray_face *face = face_of(view, hit, &fresh);
    if (face->has_indirect == 0) {
        face->indirect = (uint8_t)p2_ray_gather(view, gather, hit->x, hit->y, hit->z, hit->face);
        face->has_indirect = 1;
    }
    return face->indirect;
}

/* ---- mirrors -------------------------------------------------------------------------------- */

bool p2_ray_mirrors(const struct p2_ray *ray, const struct p2_ray_surface *surface)
{
    const float direction[3] = {ray->direction.x, ray->direction.y, ray->direction.z};
    float steep = direction[surface->hit.face / 2];
    steep = steep < 0.0F ? -steep : steep;
    if (surface->hit.material == P2_MATERIAL_WATER) {
        return surface->hit.face == P2_FACE_Y_PLUS && steep < WATER_MIRROR;
    }
    return surface->hit.material == P2_MATERIAL_GLASS && steep < GLASS_MIRROR;
}

/* A slow triangle wave across the water: -1..1. */
static float ripple(float value, unsigned phase)
{
    int at = (floor_small(value * 4.0F) + (int)phase) & 15;
    return (float)(at < 8 ? at - 4 : 12 - at) * 0.25F;
}

static void mirror(const struct p2_ray_view *view, struct p2_ray *ray,
                   const struct p2_ray_surface *surface)
{
    const struct p2_voxel_hit *hit = &surface->hit;
    struct p2_vec3 point = along(ray, hit->distance), d = ray->direction;
    if (hit->face / 2 == 0) {
        d.x = -d.x;
    } else if (hit->face / 2 == 1) {
        d.y = -d.y;
    } else {
        d.z = -d.z;
    }
    if (hit->material == P2_MATERIAL_WATER && point.x > -65536.0F && point.x < 65536.0F &&
        point.z > -65536.0F && point.z < 65536.0F) {
        d.y += 0.02F * ripple(point.x * 0.6F + point.z, view->phase);
        d.y = d.y > 0.01F ? d.y : 0.01F;
    }
    if (surface->is_sea) {
        point.y = (float)view->sea_level + OUTSIDE;
    } else {
        point = outside(point, hit->x, hit->y, hit->z, hit->face);
    }
    p2_ray_set(ray, point, d);
}

/* What is seen in a mirror: sky takes the mirror's own colour, things lose a quarter of their
 * light, shining things stay as they are. */
static uint8_t mirrored(uint8_t byte, unsigned mirror_material)
{
    unsigned material = p2_palette_material(byte), level = p2_palette_level(byte);
    if (material == P2_MATERIAL_LANTERN) {
        return byte;
    }
    if (material == P2_MATERIAL_SKY || material == P2_MATERIAL_CLOUD) {
        return p2_palette_byte(mirror_material, level);
    }
    return p2_palette_byte(material, level * 3 / 4);
}

static uint8_t ray_byte(struct p2_ray_view *view, struct p2_ray *ray, unsigned bounces)
{
    struct p2_ray_surface surface;
    unsigned materials[4], count = 0;
    uint8_t byte;
    for (;;) {
        if (!p2_ray_surface(view, ray, &surface)) {
            byte = p2_ray_sky(view, ray);
            break;
        }
        if (count >= bounces || count >= 4 || !p2_ray_mirrors(ray, &surface)) {
            byte = p2_ray_surface_byte(view, ray, &surface);
            break;
        }
        materials[count++] = surface.hit.material;
        mirror(view, ray, &surface);
    }
    while (count > 0) {
        byte = mirrored(byte, materials[--count]);
    }
    return byte;
}

uint8_t p2_ray_pixel(struct p2_ray_view *view, unsigned x, unsigned y, unsigned bounces)
{
    uint8_t bytes[4] = {0};
    struct p2_ray ray;
    for (unsigned i = 0; i < view->rays; i++) {
        p2_ray_view_ray(view, x, y, i, &ray);
        bytes[i] = ray_byte(view, &ray, bounces);
    }
    unsigned best = 0, best_votes = 0, best_sum = 0;
    for (unsigned i = 0; i < view->rays; i++) {
        unsigned votes = 0, sum = 0;
        for (unsigned j = 0; j < view->rays; j++) {
            bool is_same = bytes[i] >> 4 == bytes[j] >> 4;
            votes += is_same;
            sum += is_same ? bytes[j] & 15u : 0;
        }
        if (votes > best_votes) {
            best = bytes[i] >> 4, best_votes = votes, best_sum = sum;
        }
    }
    return p2_palette_byte(best, (best_sum + best_votes / 2) / best_votes);
}
