/* Chunks as shared contents of ray tasks, in the session's own frame of reference.
 *
 * Helpers see the island turned or mirrored (one of 8 ways, by session), so that two sessions of one
 * map do not give the same bytes; pictures are the same whichever it is. */
#include "view.h"

#define PACK_A_FRAME  2  /* chunks packed anew a frame: 0.2 ms */
#define PACK_INTERVAL 6  /* frames between two packings of a chunk */
#define RETIRE        60 /* frames tasks under way may still name an old content */

uint64_t lan_hash(const void *data, size_t size)
{
    const uint8_t *at = data;
    uint64_t hash = size, word;
    while (size >= 8) {
        memcpy(&word, at, 8);
        hash = lan_mix(hash, word);
        at += 8;
        size -= 8;
    }
    for (word = 0; size > 0; size--) {
        word = word << 8 | *at++;
    }
    return lan_mix(hash, word + 1);
}

/* ---- frame of reference ---------------------------------------------------------------------- */

void lan_scene_point(const struct lan_view *view, int32_t one, int32_t *x, int32_t *z)
{
    const int32_t side = LAN_SIDE * one;
    const int32_t fx = (view->symmetry & 1u) != 0 ? side - *x : *x;
    const int32_t fz = (view->symmetry & 2u) != 0 ? side - *z : *z;
    *x = (view->symmetry & 4u) != 0 ? fz : fx;
    *z = (view->symmetry & 4u) != 0 ? fx : fz;
}

void lan_scene_vector(const struct lan_view *view, int32_t *x, int32_t *z)
{
    const int32_t fx = (view->symmetry & 1u) != 0 ? -*x : *x;
    const int32_t fz = (view->symmetry & 2u) != 0 ? -*z : *z;
    *x = (view->symmetry & 4u) != 0 ? fz : fx;
    *z = (view->symmetry & 4u) != 0 ? fx : fz;
}

uint8_t lan_scene_face(const struct lan_view *view, uint8_t face)
{
    if (face / 2 == 0 && (view->symmetry & 1u) != 0) {
        face ^= 1u;
    } else if (face / 2 == 2 && (view->symmetry & 2u) != 0) {
        face ^= 1u;
    }
    return face / 2 != 1 && (view->symmetry & 4u) != 0 ? (uint8_t)((4 - face / 2 * 2) + face % 2)
                                                       : face;
}

/* The world's column that the task's column (x, z) shows. */
static void world_column(const struct lan_view *view, int x, int z, int ret_column[2])
{
    int fx = (view->symmetry & 4u) != 0 ? z : x, fz = (view->symmetry & 4u) != 0 ? x : z;
    ret_column[0] = (view->symmetry & 1u) != 0 ? LAN_SIDE - 1 - fx : fx;
    ret_column[1] = (view->symmetry & 2u) != 0 ? LAN_SIDE - 1 - fz : fz;
}

/* ---- packing --------------------------------------------------------------------------------- */

/* Sum of the versions of the four small chunks that a packed chunk shows. */
static uint32_t version_of(const struct lan *lan, unsigned chunk)
{
    int low[2];
    uint32_t sum = 1;
    world_column(lan->views, (int)(chunk % 8) * 32, (int)(chunk / 8) * 32, low);
    const int x = low[0] / 32 * 2, z = low[1] / 32 * 2;
    for (int i = 0; i < 4; i++) {
        sum += lan->version[(z + i / 2) * 16 + x + i % 2];
    }
    return sum;
}

static struct lan_slot *free_slot(struct lan *lan)
{
    struct lan_view *view = lan->views;
    for (unsigned i = 0; i < LAN_SLOTS; i++) {
        struct lan_slot *slot = &view->slots[i];
        if (slot->is_used == 0) {
            return slot;
        }
        if (slot->retired != 0 && (uint32_t)lan->s->frame - slot->retired > RETIRE) {
            lan->host.content_remove(lan->host.ctx, slot->key);
            slot->is_used = 0;
            return slot;
        }
    }
    return NULL;
}

static void pack(struct lan *lan, unsigned chunk)
{
    struct lan_view *view = lan->views;
    struct lan_slot *slot = free_slot(lan);
    if (slot == NULL) {
        return;
    }
    const unsigned place = (unsigned)(slot - view->slots);
    for (int i = 0; i < 1024; i++) {
        int column[2];
        world_column(view, (int)(chunk % 8) * 32 + (i & 31), (int)(chunk / 8) * 32 + (i >> 5),
                     column);
        memcpy(view->scratch + (size_t)i * LAN_HEIGHT,
               lan->s->voxels + lan_at(column[0], 0, column[1]), LAN_HEIGHT);
    }
    p2c2r_scene_blob(view->blobs[place], view->scratch);
    const uint64_t key = lan_mix(lan_hash(view->blobs[place], P2C2R_SCENE_BLOB), chunk) | 1;
    const struct p2c2r_content content = {key, {view->blobs[place], P2C2R_SCENE_BLOB}};
    if (view->packed[chunk] != 0 && view->slots[view->slot_of[chunk]].key == key) {
        return; /* changed and changed back */
    }
    unsigned used = place;
    for (unsigned i = 0; i < LAN_SLOTS; i++) { /* as it was a while ago: the host still has it */
        used = view->slots[i].is_used != 0 && view->slots[i].key == key ? i : used;
    }
    if (used == place && lan->host.content_put(lan->host.ctx, &content) != 0) {
        return; /* tried again later; tiles go on showing the old chunk */
    }
    if (view->packed[chunk] != 0) {
        view->slots[view->slot_of[chunk]].retired = (uint32_t)lan->s->frame;
    }
    view->slots[used] = (struct lan_slot){key, 0, 1};
    view->slot_of[chunk] = (uint16_t)used;
    view->serial++;
}

void lan_scene_tick(struct lan *lan)
{
    struct lan_view *view = lan->views;
    const uint32_t frame = (uint32_t)lan->s->frame;
    unsigned done = 0;
    for (unsigned k = 0; k < 64 && done < PACK_A_FRAME; k++) {
        const unsigned chunk = (frame + k) % 64;
        const uint32_t version = version_of(lan, chunk);
        if (view->packed[chunk] != version &&
            (view->packed[chunk] == 0 || frame - view->packed_frame[chunk] >= PACK_INTERVAL)) {
            const uint32_t before = view->serial;
            pack(lan, chunk);
            if (view->serial != before || view->packed[chunk] != 0) {
                view->packed[chunk] = version;
            }
            view->packed_frame[chunk] = frame;
            done++;
        }
    }
}

bool lan_scene_is_ready(const struct lan_view *view)
{
    for (unsigned i = 0; i < 64; i++) {
        if (view->packed[i] == 0) {
            return false;
        }
    }
    return true;
}

uint64_t lan_scene_contents(const struct lan_view *view, const struct p2c2r_ray_view *ray,
                            uint64_t ret_keys[64])
{
    uint64_t hash = ray->chunk_count;
    for (unsigned i = 0; i < ray->chunk_count; i++) {
        const unsigned chunk = ray->chunks[i][1] * 8u + ray->chunks[i][0];
        ret_keys[i] = view->slots[view->slot_of[chunk]].key;
        hash = lan_mix(hash, ret_keys[i]);
    }
    return hash;
}

/* ---- light ----------------------------------------------------------------------------------- */

void lan_scene_light(struct lan *lan, struct p2c2r_ray_view *ray)
{
    const struct lan_view *view = lan->views;
    struct p2c2r_scene_sky sky;
    lan_night_sky(lan->s, &sky);
    int32_t x = sky.sun[0], z = sky.sun[2];
    lan_scene_vector(view, &x, &z);
    ray->sun[0] = (int16_t)x;
    ray->sun[1] = sky.sun[1];
    ray->sun[2] = (int16_t)z;
    ray->sun_level = sky.sun_level;
    ray->ambient_level = sky.ambient_level;
    ray->sky_zenith = sky.zenith;
    ray->sky_horizon = sky.horizon;
    ray->sky_glow = sky.glow;
    ray->sea_level = sky.sea_level;
    ray->fog_start = sky.fog_start;
    ray->clouds = sky.clouds;
    ray->phase = (uint8_t)(lan->s->frame / 120);
    ray->flags = P2C2R_RAY_SUN | P2C2R_RAY_LAMPLIGHT | P2C2R_RAY_OCCLUSION | P2C2R_RAY_TEXTURE;
    ray->flags |= sky.is_moon ? P2C2R_RAY_MOON : 0;
    ray->lamp_count = (uint8_t)view->lamp_count;
    memcpy(ray->lamps, view->lamps, view->lamp_count * sizeof view->lamps[0]);
}

static void add_lamp(struct lan_view *view, int32_t x, int32_t y, int32_t z, unsigned level,
                     unsigned radius)
{
    lan_scene_point(view, LAN_ONE, &x, &z);
    if (view->lamp_count < P2C2R_RAY_LAMPS && x > 0 && x < 65536 && z > 0 && z < 65536 && y > 0 &&
        y < LAN_HEIGHT * LAN_ONE) {
        view->lamps[view->lamp_count++] = (struct p2c2r_ray_lamp){
            {(uint16_t)x, (uint16_t)y, (uint16_t)z}, (uint8_t)level, (uint8_t)radius};
    }
}

#define TORCHES 6

static void add_torches(struct lan *lan, uint32_t player)
{
    const struct lan_eye *eye = &lan->views->eyes[player];
    unsigned count = 0;
    for (unsigned i = 0; i < LAN_FOLK && count < TORCHES; i++) {
        const struct lan_folk *f = &lan->s->folk[i];
        if (eye->slices[i] != 0 && i % 3 == 0 && f->kind != LAN_NOBODY) { /* whole voxels only */
            add_lamp(lan->views, (f->at[0] | 255) - 127, (f->at[1] | 255) - 127 + 2 * LAN_ONE,
                     (f->at[2] | 255) - 127, 5, 7);
            count++;
        }
    }
}

void lan_scene_choose_lamps(struct lan *lan, uint32_t player)
{
    const struct lan_state *s = lan->s;
    struct lan_view *view = lan->views;
    const struct lan_player *p = &s->players[player];
    uint8_t order[LAN_LAMPS];
    int64_t distance[LAN_LAMPS];
    unsigned count = 0;
    view->lamp_count = 0;
    add_lamp(view, (p->at[0] | 127) - 63, (p->at[1] | 127) + 300, (p->at[2] | 127) - 63, 2, 7);
    add_torches(lan, player);
    for (unsigned i = 0; i < s->lamp_count; i++) {
        const struct lan_lamp *lamp = &s->lamps[i];
        const int64_t dx = lamp->x * LAN_ONE - p->at[0], dz = lamp->z * LAN_ONE - p->at[2];
        if (lamp->is_lit == 0) {
            continue;
        }
        unsigned at = count++;
        const int64_t here = dx * dx + dz * dz;
        for (; at > 0 && distance[at - 1] > here; at--) {
            distance[at] = distance[at - 1];
            order[at] = order[at - 1];
        }
        distance[at] = here;
        order[at] = (uint8_t)i;
    }
    for (unsigned i = 0; i < count; i++) {
        const struct lan_lamp *lamp = &s->lamps[order[i]];
        add_lamp(view, lamp->x * LAN_ONE + 128, lamp->y * LAN_ONE + 128, lamp->z * LAN_ONE + 128,
                 lamp->level, lamp->radius);
    }
}
