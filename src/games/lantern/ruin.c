/* Bombs, debris, collapse and flood: the physics tasks and what their answers do to the world. */
#include "lantern.h"

#define GROUP_BODIES (LAN_BODIES / LAN_GROUPS)
#define PATIENCE     900 /* as in tasks.c */
#define GRAVITY      (-9.8F)
#define DEBRIS_TIME  (6 * LAN_HZ)

static void give_up(const struct lan_state *s, struct lan_request *request)
{
    if (request->is_open != 0 && (uint32_t)s->frame - request->since > PATIENCE) {
        request->is_open = 0;
        request->number++;
    }
}

/* ---- bodies --------------------------------------------------------------------------------- */

bool lan_ruin_throw(struct lan *lan, const int32_t at[3], const int32_t speed[3], unsigned kind,
                    unsigned material, unsigned fuse, uint32_t owner)
{
    struct lan_state *s = lan->s;
    unsigned best = LAN_BODIES, crowd = GROUP_BODIES + 1;
    for (unsigned g = 0; g < LAN_GROUPS; g++) { /* the emptiest group */
        unsigned count = 0, place = LAN_BODIES;
        for (unsigned i = g * GROUP_BODIES; i < (g + 1) * GROUP_BODIES; i++) {
            count += s->bodies[i].kind != LAN_NO_BODY;
            place = s->bodies[i].kind == LAN_NO_BODY && place == LAN_BODIES ? i : place;
        }
        if (place < LAN_BODIES && count < crowd) {
            best = place;
            crowd = count;
        }
    }
    if (best == LAN_BODIES) {
        return false;
    }
    struct lan_body *b = &s->bodies[best];
    memset(b, 0, sizeof *b);
    b->kind = (uint8_t)kind;
    b->material = (uint8_t)material;
    b->owner = (uint8_t)owner;
    b->fuse = (uint16_t)fuse;
    b->turn[0] = 65536;
    for (unsigned i = 0; i < 3; i++) {
        b->half[i] = kind == LAN_BOMB ? 8 : (uint8_t)(8 + lan_random(lan, 7));
        b->at[i] = at[i] * 256;
        b->speed[i] = speed[i];
        b->spin[i] = kind == LAN_BOMB ? 65536 : (int32_t)lan_random(lan, 8 * 65536) - 4 * 65536;
    }
    return true;
}

struct island {
    struct p2c2r_rigid_body bodies[GROUP_BODIES];
    struct p2c2r_rigid_static statics[P2C2R_RIGID_STATICS];
    uint32_t body_count, static_count;
    int origin[3];
    uint8_t seen[64][64]; /* columns around the origin that have their box */
};

/* The solid run that a body in column (x, z) at height y could meet, as one static box. */
static void add_column(const struct lan_state *s, struct island *island, int x, int y, int z)
{
    const int sx = x - island->origin[0] + 32, sz = z - island->origin[2] + 32;
    if (island->static_count == P2C2R_RIGID_STATICS || sx < 0 || sx > 63 || sz < 0 || sz > 63 ||
        island->seen[sz][sx] != 0) {
        return;
    }
    island->seen[sz][sx] = 1;
    int top = y + 2;
    while (top > y - 4 && !lan_is_solid(lan_voxel(s, x, top, z))) {
        top--;
    }
    int low = top;
    while (low > top - 6 && lan_is_solid(lan_voxel(s, x, low - 1, z))) {
        low--;
    }
    if (!lan_is_solid(lan_voxel(s, x, top, z))) {
        return;
    }
    struct p2c2r_rigid_static *box = &island->statics[island->static_count++];
    const float height = (float)(top - low + 1);
    *box = (struct p2c2r_rigid_static){{(float)(x - island->origin[0]) + 0.5F,
                                        (float)(low - island->origin[1]) + height * 0.5F,
                                        (float)(z - island->origin[2]) + 0.5F},
                                       {0.5F, height * 0.5F, 0.5F},
                                       0.6F,
                                       0.2F};
}

static void add_body(const struct lan_state *s, struct island *island, unsigned index)
{
    const struct lan_body *b = &s->bodies[index];
    struct p2c2r_rigid_body *body = &island->bodies[island->body_count];
    memset(body, 0, sizeof *body);
    body->id = island->body_count++; /* rebased: the world's number is not told */
    body->is_box = b->kind == LAN_DEBRIS;
    body->rest = b->rest;
    body->mass = b->kind == LAN_BOMB ? 3.0F : 5.0F;
    body->friction = 0.6F;
    body->restitution = b->kind == LAN_BOMB ? 0.45F : 0.2F;
    float length = 0.0F;
    for (unsigned i = 0; i < 4; i++) {
        body->orientation[i] = p2c2r_float(b->turn[i]);
        length = length + body->orientation[i] * body->orientation[i];
    }
    if (!(length > 0.998F && length < 1.002F)) { /* roundings added up, or an imported save */
        body->orientation[0] = 1.0F;
        body->orientation[1] = body->orientation[2] = body->orientation[3] = 0.0F;
    }
    for (unsigned i = 0; i < 3; i++) {
        body->half[i] = (float)b->half[i] * 0.03125F;
        body->position[i] = p2c2r_float(b->at[i] - island->origin[i] * 65536);
        body->velocity[i] = p2c2r_float(b->speed[i]);
        body->spin[i] = p2c2r_float(b->spin[i]);
    }
    const int x = b->at[0] >> 16, y = b->at[1] >> 16, z = b->at[2] >> 16;
    for (int dz = -2; dz <= 2; dz++) {
        for (int dx = -2; dx <= 2; dx++) {
            add_column(s, island, x + dx, y, z + dz);
        }
    }
}

static void ask_group(struct lan *lan, unsigned group, const struct p2c2r_frame *frame)
{
    struct lan_state *s = lan->s;
    struct island island;
    bool has_origin = false;
    island.body_count = island.static_count = 0;
    memset(island.seen, 0, sizeof island.seen);
    for (unsigned i = group * GROUP_BODIES; i < (group + 1) * GROUP_BODIES; i++) {
        struct lan_body *b = &s->bodies[i];
        b->is_asked = 0;
        if (b->kind == LAN_NO_BODY || b->is_asleep != 0) {
            continue;
        }
        for (unsigned k = 0; !has_origin && k < 3; k++) {
            island.origin[k] = s->group_origin[group][k] = b->at[k] >> 16;
        }
        has_origin = true;
        b->is_asked = (uint8_t)(island.body_count + 1);
        add_body(s, &island, i);
    }
    if (island.body_count == 0) {
        return;
    }
    const uint32_t steps = frame->depth + 1 > 4 ? 4 : frame->depth + 1;
    const struct p2c2r_rigid_world world = {
        .bodies = island.bodies,
        .statics = island.statics,
        .body_count = island.body_count,
        .static_count = island.static_count,
        .steps = (uint8_t)steps,
        .iterations = 8,
        .dt = 0.0166666675F,
        .gravity = {0.0F, GRAVITY, 0.0F},
    };
    s->group_steps[group] = (uint8_t)steps;
    const size_t size = p2c2r_physics_rigid_body_input(lan->input, sizeof lan->input, &world);
    (void)lan_submit(lan, "physics_rigid_body", LAN_TASK_RIGID, group, &s->groups[group], size,
                     P2C2R_CLASS_FRAME, 0, 2); /* refused: the bodies wait */
}

static int32_t clamp(int64_t value, int64_t low, int64_t high)
{
    return (int32_t)(value < low ? low : value > high ? high : value);
}

/* Keeps a body over the map; below it, it is gone. */
static void bound(struct lan_body *b)
{
    b->at[0] = clamp(b->at[0], 65536, (LAN_SIDE - 1) * 65536);
    b->at[2] = clamp(b->at[2], 65536, (LAN_SIDE - 1) * 65536);
    if (b->at[1] < 65536) {
        b->kind = LAN_NO_BODY;
    }
}

/* Degraded: it flies on and stops where it meets something. */
static void fly(const struct lan_state *s, struct lan_body *b, unsigned steps)
{
    for (unsigned i = 0; i < steps; i++) {
        int32_t to[3];
        b->speed[1] = clamp((int64_t)b->speed[1] - 10704, -100 * 65536, 100 * 65536);
        for (unsigned k = 0; k < 3; k++) {
            to[k] = b->at[k] + b->speed[k] / 60;
        }
        if (lan_is_solid(lan_voxel(s, to[0] >> 16, to[1] >> 16, to[2] >> 16))) {
            memset(b->speed, 0, sizeof b->speed);
            return;
        }
        memcpy(b->at, to, sizeof to);
    }
}

void lan_ruin_rigid_result(struct lan *lan, unsigned group, const struct p2c2r_result *result)
{
    struct lan_state *s = lan->s;
    const bool is_given =
        result->status != P2C2R_RESULT_DEGRADED && result->status != P2C2R_RESULT_BAD_INPUT;
    for (unsigned i = group * GROUP_BODIES; i < (group + 1) * GROUP_BODIES; i++) {
        struct lan_body *b = &s->bodies[i];
        struct p2c2r_rigid_body body;
        if (b->kind == LAN_NO_BODY || b->is_asked == 0) {
            continue;
        }
        if (!is_given || !p2c2r_physics_rigid_body_result(result->bytes, b->is_asked - 1u, &body)) {
            fly(s, b, s->group_steps[group]);
            bound(b);
            continue;
        }
        b->is_asleep = body.is_asleep ? 1 : 0;
        b->rest = body.rest;
        for (unsigned k = 0; k < 4; k++) {
            b->turn[k] = p2c2r_fixed(body.orientation[k]);
        }
        for (unsigned k = 0; k < 3; k++) {
            b->at[k] =
                clamp((int64_t)s->group_origin[group][k] * 65536 + p2c2r_fixed(body.position[k]),
                      -1000 * 65536, 1000 * 65536);
            b->speed[k] = p2c2r_fixed(body.velocity[k]);
            b->spin[k] = p2c2r_fixed(body.spin[k]);
        }
        bound(b);
    }
}

/* Debris becomes a voxel of rubble where it lies on something, or dust. */
static void crumble(struct lan *lan, struct lan_body *b)
{
    const int x = b->at[0] >> 16, y = b->at[1] >> 16, z = b->at[2] >> 16;
    if (lan_is_inside(x, y, z) && lan_voxel(lan->s, x, y, z) == P2C2R_AIR &&
        lan_is_solid(lan_voxel(lan->s, x, y - 1, z)) && b->half[0] > 11) {
        lan_world_set(lan, x, y, z, b->material);
    }
    b->kind = LAN_NO_BODY;
}

static void tick_bodies(struct lan *lan)
{
    for (unsigned i = 0; i < LAN_BODIES; i++) {
        struct lan_body *b = &lan->s->bodies[i];
        if (b->kind == LAN_NO_BODY || (b->fuse > 0 && --b->fuse > 0)) {
            continue;
        }
        const int32_t at[3] = {b->at[0] / 256, b->at[1] / 256, b->at[2] / 256};
        if (b->kind == LAN_BOMB) {
            b->kind = LAN_NO_BODY;
            lan_ruin_blast(lan, at, 5, b->owner);
        } else {
            crumble(lan, b);
        }
    }
}

/* ---- demolition ----------------------------------------------------------------------------- */

static const struct p2c2r_material materials[15] = {
    {1500, 25, false}, {1500, 25, false}, {2500, 60, false}, {1600, 20, false}, {1000, 255, true},
    {700, 50, false},  {100, 5, false},   {600, 40, false},  {900, 40, false},  {1200, 8, false},
    {300, 10, false},  {300, 15, false},  {3000, 80, false}, {1000, 60, false}, {1000, 60, false}};

static struct lan_demolition *free_demolition(struct lan_state *s)
{
    for (unsigned i = 0; i < LAN_DEMOLITIONS; i++) {
        if (s->demolitions[i].is_used == 0) {
            return &s->demolitions[i];
        }
    }
    return NULL;
}

static void add_demolition(struct lan_state *s, int x, int y, int z, unsigned radius)
{
    struct lan_demolition *d = free_demolition(s);
    if (d != NULL && lan_is_inside(x, y, z)) {
        const uint16_t number = d->request.number;
        memset(d, 0, sizeof *d);
        d->request.number = number;
        d->is_used = 1;
        d->has_blast = radius > 0;
        d->radius = (uint8_t)radius;
        d->middle[0] = (uint8_t)x;
        d->middle[1] = (uint8_t)y;
        d->middle[2] = (uint8_t)z;
    }
}

void lan_ruin_blast(struct lan *lan, const int32_t at[3], unsigned radius, uint32_t player)
{
    struct lan_state *s = lan->s;
    const int64_t reach = (int64_t)(radius + 1) * LAN_ONE;
    lan_event(s, P2C2R_EVENT_BLAST, radius * 16, at);
    for (unsigned i = 0; i < LAN_FOLK; i++) {
        const struct lan_folk *f = &s->folk[i];
        const int64_t dx = f->at[0] - at[0], dy = f->at[1] - at[1], dz = f->at[2] - at[2];
        const int64_t squared = dx * dx + dy * dy + dz * dz;
        if (f->kind != LAN_NOBODY && squared < reach * reach) {
            lan_folk_hurt(lan, i, squared * 4 < reach * reach ? 6 : 3, player);
        }
    }
    for (uint32_t i = 0; i < LAN_PLAYERS; i++) {
        const int32_t *p = s->players[i].at;
        const int64_t dx = p[0] - at[0], dy = p[1] - at[1], dz = p[2] - at[2];
        if (dx * dx + dy * dy + dz * dz < reach * reach) {
            lan_player_hurt(lan, i, 3);
        }
    }
    add_demolition(s, at[0] >> 8, at[1] >> 8, at[2] >> 8, radius);
}

static bool is_structure(uint8_t material)
{
    return material >= P2C2R_WOOD && material <= P2C2R_LANTERN;
}

static int even_corner(int middle, int side, int limit)
{
    const int low = middle - side / 2;
    return (low < 0 ? 0 : low > limit - side ? limit - side : low) & ~1;
}

static void ask_demolition(struct lan *lan, unsigned index)
{
    struct lan_state *s = lan->s;
    struct lan_demolition *d = &s->demolitions[index];
    static const size_t count = (size_t)LAN_BLOCK_X * LAN_BLOCK_Y * LAN_BLOCK_X;
    uint8_t *voxels = lan->input + sizeof lan->input - count;
    d->origin[0] = (uint8_t)even_corner(d->middle[0], LAN_BLOCK_X, LAN_SIDE);
    d->origin[1] = (uint8_t)even_corner(d->middle[1], LAN_BLOCK_Y, LAN_HEIGHT);
    d->origin[2] = (uint8_t)even_corner(d->middle[2], LAN_BLOCK_X, LAN_SIDE);
    for (int z = 0; z < LAN_BLOCK_X; z++) {
        for (int x = 0; x < LAN_BLOCK_X; x++) {
            const uint8_t *column =
                s->voxels + lan_at(d->origin[0] + x, d->origin[1], d->origin[2] + z);
            for (int y = 0; y < LAN_BLOCK_Y; y++) {
                voxels[x + LAN_BLOCK_X * (y + LAN_BLOCK_Y * z)] =
                    lan_is_solid(column[y]) ? column[y] : 0;
            }
        }
    }
    const struct p2c2r_blast blast = {{(d->middle[0] - d->origin[0]) * 256 + 128,
                                       (d->middle[1] - d->origin[1]) * 256 + 128,
                                       (d->middle[2] - d->origin[2]) * 256 + 128},
                                      (uint16_t)(d->radius * 256),
                                      100};
    const struct p2c2r_destruction block = {
        .size = {LAN_BLOCK_X, LAN_BLOCK_Y, LAN_BLOCK_X},
        .faces = 0x37, /* all but the upper one: the ground goes on there */
        .dust = 4,
        .materials = materials,
        .material_count = 15,
        .blasts = &blast,
        .blast_count = d->has_blast,
        .voxels = voxels,
    };
    const size_t size =
        p2c2r_physics_destruction_input(lan->input, sizeof lan->input - count, &block);
    if (!lan_submit(lan, "physics_destruction", LAN_TASK_BLAST, index, &d->request, size,
                    P2C2R_CLASS_SOON, 6, 5)) {
        d->is_used = 0;
    }
}

/* Takes the voxels of a run out; the material of the first of them. */
static uint8_t take_run(struct lan *lan, const struct lan_demolition *d, struct p2c2r_run run,
                        bool *has_water)
{
    static const int8_t sides[5][3] = {{1, 0, 0}, {-1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {0, 0, -1}};
    uint8_t first = P2C2R_AIR;
    for (uint32_t i = 0; i < run.count; i++) {
        const uint32_t at = run.first + i;
        const int x = d->origin[0] + (int)(at % LAN_BLOCK_X);
        const int y = d->origin[1] + (int)(at / LAN_BLOCK_X % LAN_BLOCK_Y);
        const int z = d->origin[2] + (int)(at / LAN_BLOCK_X / LAN_BLOCK_Y);
        const uint8_t material = lan_voxel(lan->s, x, y, z);
        if (!lan_is_inside(x, y, z) || !lan_is_solid(material)) {
            continue;
        }
        first = first == P2C2R_AIR ? material : first;
        lan_world_set(lan, x, y, z, P2C2R_AIR);
        for (unsigned k = 0; !*has_water && k < 5; k++) {
            *has_water =
                lan_voxel(lan->s, x + sides[k][0], y + sides[k][1], z + sides[k][2]) == P2C2R_WATER;
        }
    }
    return first;
}

static void toss(struct lan *lan, const int32_t at[3], uint8_t material, unsigned count, int power)
{
    for (unsigned i = 0; i < count && material != P2C2R_AIR; i++) {
        int32_t speed[3], from[3];
        for (unsigned k = 0; k < 3; k++) {
            speed[k] = ((int32_t)lan_random(lan, 512) - 256) * power * 128;
            from[k] = at[k] + (int32_t)lan_random(lan, 256) - 128;
        }
        speed[1] = speed[1] / 2 + power * 65536 / 2;
        (void)lan_ruin_throw(lan, from, speed, LAN_DEBRIS, material,
                             DEBRIS_TIME + lan_random(lan, 90), LAN_PLAYERS); /* full: dust */
    }
}

static void start_fluid(struct lan *lan, int x, int y, int z);

void lan_ruin_blast_result(struct lan *lan, unsigned index, const struct p2c2r_result *result)
{
    struct lan_state *s = lan->s;
    struct lan_demolition *d = &s->demolitions[index];
    struct p2c2r_destruction_head head;
    struct p2c2r_fragment fragment;
    struct p2c2r_run run;
    bool has_water = false;
    uint8_t material = P2C2R_AIR;
    const int32_t middle[3] = {d->middle[0] * LAN_ONE + 128, d->middle[1] * LAN_ONE + 128,
                               d->middle[2] * LAN_ONE + 128};
    d->is_used = 0;
    if (result->status == P2C2R_RESULT_DEGRADED || result->status == P2C2R_RESULT_BAD_INPUT ||
        !p2c2r_physics_destruction_head(result->bytes, &head)) {
        d->is_used = result->status == P2C2R_RESULT_DEGRADED; /* the collapse comes later */
        return;
    }
    const uint32_t all = head.fragment_runs + head.dust_runs + head.removed_runs;
    for (uint32_t i = 0; i < head.fragments; i++) {
        if (p2c2r_physics_destruction_fragment(result->bytes, i, &fragment) &&
            p2c2r_physics_destruction_run(result->bytes, fragment.first_run, &run)) {
            const int32_t at[3] = {d->origin[0] * LAN_ONE + fragment.centre[0],
                                   d->origin[1] * LAN_ONE + fragment.centre[1],
                                   d->origin[2] * LAN_ONE + fragment.centre[2]};
            const int x = d->origin[0] + (int)(run.first % LAN_BLOCK_X);
            const int y = d->origin[1] + (int)(run.first / LAN_BLOCK_X % LAN_BLOCK_Y);
            const int z = d->origin[2] + (int)(run.first / LAN_BLOCK_X / LAN_BLOCK_Y);
            lan_event(s, P2C2R_EVENT_COLLAPSE, fragment.voxels, at);
            toss(lan, at, lan_voxel(s, x, y, z), 2u + s->quality / 64u, 2);
        }
    }
    for (uint32_t i = 0; i < all; i++) {
        if (p2c2r_physics_destruction_run(result->bytes, i, &run)) {
            const uint8_t taken = take_run(lan, d, run, &has_water);
            material = taken != P2C2R_AIR ? taken : material;
        }
    }
    if (d->has_blast != 0) {
        toss(lan, middle, material, 3u + s->quality / 48u, 5);
    }
    if (has_water) {
        start_fluid(lan, d->middle[0], d->middle[1], d->middle[2]);
    }
    if (all > 0) {
        lan_folk_reconsider(lan, d->middle[0], d->middle[2]);
    }
}

void lan_ruin_disturb(struct lan *lan, int x, int y, int z)
{
    static const int8_t sides[6][3] = {{1, 0, 0},  {-1, 0, 0}, {0, 1, 0},
                                       {0, -1, 0}, {0, 0, 1},  {0, 0, -1}};
    bool is_propped = false, is_wet = false;
    for (unsigned i = 0; i < 6; i++) {
        const uint8_t near = lan_voxel(lan->s, x + sides[i][0], y + sides[i][1], z + sides[i][2]);
        is_propped = is_propped || is_structure(near);
        is_wet = is_wet || (near == P2C2R_WATER && i != 3);
    }
    if (is_propped) {
        add_demolition(lan->s, x, y, z, 0);
    }
    if (is_wet) {
        start_fluid(lan, x, y, z);
    }
}

/* ---- flood ---------------------------------------------------------------------------------- */

#define WET         1500 /* amount from which a cell shows as water, */
#define DRY         1000 /* and below which it does not any more */
#define CALM_ROUNDS 15

static size_t cell_at(int x, int y, int z)
{
    return (size_t)(x + LAN_FLUID_X * (z + LAN_FLUID_X * y)); /* the kernel's z points up */
}

/* Water of a column weighs on what is below it: 64 units a cell, so calm water stays calm. */
static void fill_column(const struct lan_state *s, struct lan_fluid *f, int x, int z)
{
    uint32_t pressure = 0;
    for (int y = LAN_FLUID_Z - 1; y >= 0; y--) {
        const uint8_t material = lan_voxel(s, f->origin[0] + x, f->origin[1] + y, f->origin[2] + z);
        uint16_t *cell = &f->cells[cell_at(x, y, z)];
        pressure = material == P2C2R_WATER ? pressure + 64 : 0;
        *cell = lan_is_solid(material)    ? P2C2R_FLUID_SOLID
                : material == P2C2R_WATER ? (uint16_t)(P2C2R_FLUID_FULL + pressure - 64)
                                          : (uint16_t)0;
    }
}

static void start_fluid(struct lan *lan, int x, int y, int z)
{
    struct lan_state *s = lan->s;
    struct lan_fluid *f = NULL;
    for (unsigned i = 0; i < LAN_FLUIDS; i++) {
        struct lan_fluid *have = &s->fluids[i];
        const int dx = x - have->origin[0], dy = y - have->origin[1], dz = z - have->origin[2];
        if (have->is_used != 0 && dx >= 4 && dx < LAN_FLUID_X - 4 && dz >= 4 &&
            dz < LAN_FLUID_X - 4 && dy >= 2 && dy < LAN_FLUID_Z) {
            have->calm = 0;
            return;
        }
        f = f == NULL && have->is_used == 0 && have->request.is_open == 0 ? have : f;
    }
    if (f == NULL) {
        return; /* two floods at a time; the water stays where it is until one is over */
    }
    f->is_used = 1;
    f->phase = f->calm = 0;
    f->origin[0] = (uint8_t)even_corner(x, LAN_FLUID_X, LAN_SIDE);
    f->origin[1] = (uint8_t)even_corner(y, LAN_FLUID_Z, LAN_HEIGHT);
    f->origin[2] = (uint8_t)even_corner(z, LAN_FLUID_X, LAN_SIDE);
    for (int k = 0; k < LAN_FLUID_X; k++) {
        for (int i = 0; i < LAN_FLUID_X; i++) {
            fill_column(s, f, i, k);
        }
    }
}

/* What was dug or built since the last round; and at the block's sides, what the lake holds. */
static void refresh_column(const struct lan_state *s, struct lan_fluid *f, int x, int z)
{
    const bool is_rim = x == 0 || z == 0 || x == LAN_FLUID_X - 1 || z == LAN_FLUID_X - 1;
    const uint8_t *column = s->voxels + lan_at(f->origin[0] + x, f->origin[1], f->origin[2] + z);
    for (int y = 0; y < LAN_FLUID_Z; y++) {
        uint16_t *cell = &f->cells[cell_at(x, y, z)];
        if (lan_is_solid(column[y])) {
            *cell = P2C2R_FLUID_SOLID;
        } else if (*cell == P2C2R_FLUID_SOLID) {
            *cell = 0;
        } else if (is_rim && column[y] == P2C2R_WATER && f->origin[1] + y < LAN_SEA) {
            *cell = (uint16_t)(P2C2R_FLUID_FULL + 64u * (uint32_t)(LAN_SEA - 1 - f->origin[1] - y));
        }
    }
}

static void ask_fluid(struct lan *lan, unsigned index)
{
    struct lan_fluid *f = &lan->s->fluids[index];
    static const uint8_t size[3] = {LAN_FLUID_X, LAN_FLUID_X, LAN_FLUID_Z};
    for (int z = 0; z < LAN_FLUID_X; z++) {
        for (int x = 0; x < LAN_FLUID_X; x++) {
            refresh_column(lan->s, f, x, z);
        }
    }
    const size_t bytes =
        p2c2r_physics_fluid_input(lan->input, sizeof lan->input, size, 6, f->phase, f->cells);
    (void)lan_submit(lan, "physics_fluid", LAN_TASK_FLUID, index, &f->request, bytes,
                     P2C2R_CLASS_SOON, 5, 4); /* refused: the flood stands still for a frame */
}

void lan_ruin_fluid_result(struct lan *lan, unsigned index, const struct p2c2r_result *result)
{
    struct lan_state *s = lan->s;
    struct lan_fluid *f = &s->fluids[index];
    unsigned changes = 0;
    if (f->is_used == 0 || result->status == P2C2R_RESULT_DEGRADED ||
        result->status == P2C2R_RESULT_BAD_INPUT) {
        return; /* degraded: the flood stands still */
    }
    for (int y = 0; y < LAN_FLUID_Z; y++) {
        for (int i = 0; i < LAN_FLUID_X * LAN_FLUID_X; i++) {
            const int x = f->origin[0] + i % LAN_FLUID_X, z = f->origin[2] + i / LAN_FLUID_X;
            const size_t at = (size_t)y * LAN_FLUID_X * LAN_FLUID_X + (size_t)i;
            uint16_t amount;
            if (f->cells[at] == P2C2R_FLUID_SOLID ||
                !p2c2r_physics_fluid_cell(result->bytes, at, &amount) ||
                amount == P2C2R_FLUID_SOLID || amount == f->cells[at]) {
                continue;
            }
            f->cells[at] = amount;
            const uint8_t material = s->voxels[lan_at(x, f->origin[1] + y, z)];
            if (material == P2C2R_AIR && amount >= WET) {
                lan_world_set(lan, x, f->origin[1] + y, z, P2C2R_WATER);
                changes++;
            } else if (material == P2C2R_WATER && amount < DRY) {
                lan_world_set(lan, x, f->origin[1] + y, z, P2C2R_AIR);
                changes++;
            }
        }
    }
    if (result->status == P2C2R_RESULT_OK) {
        f->phase = (uint8_t)((f->phase + 6) & 1);
    }
    f->calm = changes > 0 ? 0 : (uint8_t)(f->calm + 1);
    f->is_used = f->calm < CALM_ROUNDS;
}

/* ---- all ------------------------------------------------------------------------------------ */

/* A lantern whose voxel is gone gives no light. */
static void check_lamps(struct lan_state *s)
{
    for (unsigned i = 0; i < s->lamp_count; i++) {
        struct lan_lamp *lamp = &s->lamps[i];
        lamp->is_lit = s->voxels[lan_at(lamp->x, lamp->y, lamp->z)] == P2C2R_LANTERN;
    }
}

void lan_ruin_tick(struct lan *lan, const struct p2c2r_frame *frame)
{
    struct lan_state *s = lan->s;
    unsigned asked = 0;
    tick_bodies(lan);
    check_lamps(s);
    for (unsigned i = 0; i < LAN_GROUPS; i++) {
        give_up(s, &s->groups[i]);
        if (s->groups[i].is_open == 0) {
            ask_group(lan, i, frame);
        }
    }
    for (unsigned i = 0; i < LAN_DEMOLITIONS; i++) { /* one block a frame: it is much to copy */
        struct lan_demolition *d = &s->demolitions[i];
        give_up(s, &d->request);
        if (d->is_used != 0 && d->request.is_open == 0 && asked == 0) {
            ask_demolition(lan, i);
            asked++;
        }
    }
    for (unsigned i = 0; i < LAN_FLUIDS; i++) {
        struct lan_fluid *f = &s->fluids[i];
        give_up(s, &f->request);
        if (f->is_used != 0 && f->request.is_open == 0 && (asked == 0 || s->frame % 4 == 0)) {
            ask_fluid(lan, i);
            asked++;
        }
    }
}
