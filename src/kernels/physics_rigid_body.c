/* The rigid-body kernel: layouts, check, cost and cases around rigid_world. */
#include "kernels/physics_rigid_body.h"

#include "kernels/rigid_world.h"

/* ---- parsing -------------------------------------------------------------------------------- */

static struct p2_vec3 rigid_unpack_vec3(struct p2_unpack *in, float limit)
{
    float x = p2_unpack_f32(in, limit), y = p2_unpack_f32(in, limit), z = p2_unpack_f32(in, limit);
    return p2_vec3(x, y, z);
}

/* A number in [low, high]; fails otherwise. */
static float rigid_unpack_range(struct p2_unpack *in, float low, float high)
{
    float value = p2_unpack_f32(in, high);
    if (value < low) {
        in->failed = true;
    }
    return value;
}

static bool rigid_is_unit(float length2)
{
    return length2 > 0.998F && length2 < 1.002F;
}

static bool rigid_sides_are_in(struct p2_vec3 half, float low)
{
    return half.x >= low && half.y >= low && half.z >= low;
}

static bool rigid_parse_plane(struct p2_unpack *in, struct p2_rigid *plane)
{
    *plane = (struct p2_rigid){.shape = {.kind = P2_SHAPE_PLANE}};
    struct p2_vec3 normal = rigid_unpack_vec3(in, 2.0F);
    float length2 = p2_vec3_dot(normal, normal);
    plane->shape.offset = p2_unpack_f32(in, 2048.0F);
    plane->friction = rigid_unpack_range(in, 0.0F, 2.0F);
    plane->restitution = rigid_unpack_range(in, 0.0F, 1.0F);
    if (!rigid_is_unit(length2)) {
        return false;
    }
    plane->shape.position = p2_vec3_scale(normal, 1.0F / sqrtf(length2));
    return true;
}

static bool rigid_parse_static(struct p2_unpack *in, struct p2_rigid *box)
{
    *box = (struct p2_rigid){.shape = {.kind = P2_SHAPE_BOX}, .orientation = {1.0F}};
    box->shape.position = rigid_unpack_vec3(in, 1024.0F);
    box->shape.half = rigid_unpack_vec3(in, 256.0F);
    box->friction = rigid_unpack_range(in, 0.0F, 2.0F);
    box->restitution = rigid_unpack_range(in, 0.0F, 1.0F);
    p2_rigid_prepare(box);
    return rigid_sides_are_in(box->shape.half, 0.01F);
}

static bool rigid_parse_body(struct p2_unpack *in, struct p2_rigid *body)
{
    *body = (struct p2_rigid){0};
    body->id = p2_unpack_u32(in);
    uint32_t shape = p2_unpack_u8(in), asleep = p2_unpack_u8(in);
    body->rest = p2_unpack_u16(in);
    body->mass = rigid_unpack_range(in, 0.001F, 100000.0F);
    body->friction = rigid_unpack_range(in, 0.0F, 2.0F);
    body->restitution = rigid_unpack_range(in, 0.0F, 1.0F);
    struct p2_vec3 half = body->shape.half = rigid_unpack_vec3(in, 16.0F);
    body->shape.position = rigid_unpack_vec3(in, 1024.0F);
    float *q = body->orientation;
    for (size_t i = 0; i < 4; i++) {
        q[i] = p2_unpack_f32(in, 2.0F);
    }
    body->velocity = rigid_unpack_vec3(in, 256.0F);
    body->spin = rigid_unpack_vec3(in, 128.0F);
    body->is_awake = asleep == 0;
    float moving =
        p2_vec3_dot(body->velocity, body->velocity) + p2_vec3_dot(body->spin, body->spin);
    if (in->failed || shape > 1 || asleep > 1 ||
        (asleep == 1 && (moving > 0.0F || body->rest < P2_RIGID_REST_STEPS)) ||
        !rigid_is_unit(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])) {
        return false;
    }
    body->shape.kind = shape == 1 ? P2_SHAPE_BOX : P2_SHAPE_SPHERE;
    if (shape == 1 ? !rigid_sides_are_in(half, 0.01F)
                   : half.x < 0.01F || half.y != 0.0F || half.z != 0.0F) {
        return false;
    }
    p2_rigid_prepare(body);
    return true;
}

struct rigid_header {
    uint32_t bodies, statics, planes, steps, iterations;
    float dt;
    struct p2_vec3 gravity;
};

static bool rigid_parse_header(struct p2_unpack *in, struct rigid_header *header)
{
    header->bodies = p2_unpack_u16(in);
    header->statics = p2_unpack_u16(in);
    header->planes = p2_unpack_u8(in);
    header->steps = p2_unpack_u8(in);
    header->iterations = p2_unpack_u8(in);
    uint32_t reserved = p2_unpack_u8(in);
    header->dt = rigid_unpack_range(in, 0.001F, 0.05F);
    header->gravity = rigid_unpack_vec3(in, 50.0F);
    return !in->failed && reserved == 0 && header->bodies >= 1 &&
           header->bodies <= P2_RIGID_BODIES_MAX && header->statics <= P2_RIGID_STATICS_MAX &&
           header->planes <= P2_RIGID_PLANES_MAX && header->steps >= 1 &&
           header->steps <= P2_RIGID_STEPS_MAX && header->iterations >= 1 &&
           header->iterations <= P2_RIGID_ITERATIONS_MAX;
}

/* Fills `world`, whose arrays are taken, from the input. */
static int rigid_parse(struct p2c2r_bytes bytes, struct p2_rigid_world *world)
{
    struct p2_unpack in = p2_unpack_start(bytes);
    struct rigid_header header;
    bool good = rigid_parse_header(&in, &header);
    if (!good || in.left != (size_t)P2_RIGID_PLANE * header.planes +
                                (size_t)P2_RIGID_STATIC * header.statics +
                                (size_t)P2_RIGID_BODY * header.bodies) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    world->bodies = header.bodies;
    world->statics = header.statics;
    world->planes = header.planes;
    world->steps = header.steps;
    world->iterations = header.iterations;
    world->dt = header.dt;
    world->gravity = header.gravity;
    world->joint_count = world->before_count = 0;
    world->is_warm = false;
    struct p2_rigid *statics = world->things + header.bodies;
    for (uint32_t i = 0; i < header.planes; i++) {
        good = rigid_parse_plane(&in, &statics[header.statics + i]) && good;
    }
    for (uint32_t i = 0; i < header.statics; i++) {
        good = rigid_parse_static(&in, &statics[i]) && good;
    }
    for (uint32_t i = 0; i < header.bodies; i++) {
        good = rigid_parse_body(&in, &world->things[i]) && good;
    }
    return good && p2_unpack_done(&in) ? P2C2R_KERNEL_OK : P2C2R_KERNEL_BAD_INPUT;
}

/* ---- run ------------------------------------------------------------------------------------ */

static void rigid_pack_vec3(struct p2_pack *out, struct p2_vec3 v)
{
    p2_pack_f32(out, v.x);
    p2_pack_f32(out, v.y);
    p2_pack_f32(out, v.z);
}

static size_t rigid_output_size(uint32_t bodies, uint32_t steps)
{
    return P2_RIGID_OUT_HEADER +
           (size_t)bodies * (P2_RIGID_OUT_BODY + (size_t)P2_RIGID_OUT_MOTION * steps);
}

/* Where in a result the velocities of step `step` begin. */
static size_t rigid_motion_at(uint32_t bodies, uint32_t step)
{
    return P2_RIGID_OUT_HEADER +
           (size_t)bodies * (P2_RIGID_OUT_BODY + (size_t)P2_RIGID_OUT_MOTION * step);
}

static void rigid_pack_body(struct p2_pack *out, const struct p2_rigid *body)
{
    p2_pack_u32(out, body->id);
    p2_pack_u8(out, !body->is_awake);
    p2_pack_u8(out, 0);
    p2_pack_u16(out, (uint16_t)body->rest);
    rigid_pack_vec3(out, body->shape.position);
    for (size_t i = 0; i < 4; i++) {
        p2_pack_f32(out, body->orientation[i]);
    }
}

/* Simulates a parsed world and writes the result; the storage is large enough. */
static void rigid_simulate(struct p2_rigid_world *world, uint8_t *output)
{
    size_t size = rigid_output_size(world->bodies, world->steps);
    for (uint32_t step = 0; step < world->steps; step++) {
        size_t at = rigid_motion_at(world->bodies, step);
        struct p2_pack motion = p2_pack_start(output + at, size - at);
        p2_rigid_world_step(world);
        for (uint32_t i = 0; i < world->bodies; i++) {
            rigid_pack_vec3(&motion, world->things[i].velocity);
            rigid_pack_vec3(&motion, world->things[i].spin);
        }
    }
    struct p2_pack out = p2_pack_start(output, size);
    p2_pack_u16(&out, (uint16_t)world->bodies);
    p2_pack_u8(&out, (uint8_t)world->steps);
    p2_pack_u8(&out, 0);
    for (uint32_t i = 0; i < world->bodies; i++) {
        rigid_pack_body(&out, &world->things[i]);
    }
}

static int rigid_run(const struct p2c2r_kernel_args *args, size_t *ret_size)
{
    struct p2_arena arena = p2_arena_start(args->arena, args->arena_size);
    struct p2_rigid_world world;
    if (!p2_rigid_world_take(&world, &arena)) {
        return P2C2R_KERNEL_ARENA_FULL;
    }
    if (args->blob_count != 0 || rigid_parse(args->input, &world) != P2C2R_KERNEL_OK) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    size_t size = rigid_output_size(world.bodies, world.steps);
    if (args->output_capacity < size) {
        return P2C2R_KERNEL_OUTPUT_FULL;
    }
    rigid_simulate(&world, args->output);
    *ret_size = size;
    return P2C2R_KERNEL_OK;
}

/* ---- check ---------------------------------------------------------------------------------- */

/* Bodies whose neighbours are looked at. */
#define WITNESSES 24u

/* A result that breaks one of these is suspicious: then, and only then, check recomputes it, so
 * that odd input (bodies inside each other, extreme masses) raises no false alarm. About one
 * generated case in nine is suspicious, all of them for contacts that few iterations left closing. */
#define ENERGY_SHARE   0.02F  /* of the kinetic energy */
#define ENERGY_PER_KG  0.05F  /* J: pushing a body out of an overlap */
#define CLOSING_MAX    0.6F   /* m/s faster into a contact than it allows */
#define MOMENTUM_SHARE 0.001F /* of the sum of all momenta */

enum suspicion { CLEAR = 0, SUSPICIOUS, WRONG };

static double rigid_energy(const struct p2_rigid_world *world, double *ret_kinetic)
{
    double kinetic = 0.0, potential = 0.0;
    for (uint32_t i = 0; i < world->bodies; i++) {
        const struct p2_rigid *body = &world->things[i];
        const struct p2_vec3 *axis = body->shape.axis;
        float x = p2_vec3_dot(body->spin, axis[0]), y = p2_vec3_dot(body->spin, axis[1]),
              z = p2_vec3_dot(body->spin, axis[2]);
        if (body->shape.kind == P2_SHAPE_SPHERE) {
            x = p2_vec3_length(body->spin);
            y = z = 0.0F;
        }
        kinetic += 0.5 * (double)(body->mass * p2_vec3_dot(body->velocity, body->velocity) +
                                  x * x * body->inertia.x + y * y * body->inertia.y +
                                  z * z * body->inertia.z);
        potential -= (double)(body->mass * p2_vec3_dot(world->gravity, body->shape.position));
    }
    *ret_kinetic = kinetic;
    return kinetic + potential;
}

/* Reads the velocities of one step into the bodies. Refuses what no run writes. */
static bool rigid_read_motion(struct p2_rigid_world *world, struct p2c2r_bytes result,
                              uint32_t step)
{
    const float speed = P2_RIGID_SPEED_MAX * 1.00001F, spin = P2_RIGID_SPIN_MAX * 1.00001F;
    size_t at = rigid_motion_at(world->bodies, step);
    size_t size = (size_t)world->bodies * P2_RIGID_OUT_MOTION;
    struct p2_unpack in = p2_unpack_start((struct p2c2r_bytes){result.data + at, size});
    for (size_t i = 0; i < size; i += 4) {
        if (p2_load_le32(result.data + at + i) == 0x80000000u) {
            return false; /* minus zero */
        }
    }
    for (uint32_t i = 0; i < world->bodies; i++) {
        struct p2_rigid *body = &world->things[i];
        body->velocity = rigid_unpack_vec3(&in, speed);
        body->spin = rigid_unpack_vec3(&in, spin);
        if (p2_vec3_dot(body->velocity, body->velocity) > speed * speed ||
            p2_vec3_dot(body->spin, body->spin) > spin * spin) {
            return false;
        }
    }
    return !in.failed;
}

static bool rigid_motion_is(const struct p2_rigid *body, const struct p2_rigid *other)
{
    return memcmp(&body->velocity, &other->velocity, sizeof body->velocity) == 0 &&
           memcmp(&body->spin, &other->spin, sizeof body->spin) == 0;
}

/* True when two things that may touch do not close faster than their contacts allow. */
static bool rigid_contact_holds(const struct p2_rigid_world *world, const struct p2_rigid *a,
                                const struct p2_rigid *b, const struct p2_rigid *a_after,
                                const struct p2_rigid *b_after)
{
    struct p2_manifold manifold;
    p2_collide(&a->shape, &b->shape, a->reach + b->reach, &manifold);
    for (uint32_t i = 0; i < manifold.count; i++) {
        struct p2_vec3 point = manifold.contacts[i].point;
        struct p2_vec3 arm = p2_vec3_sub(point, a->shape.position);
        struct p2_vec3 slip = p2_vec3_add(a_after->velocity, p2_vec3_cross(a_after->spin, arm));
        if (b->inverse_mass > 0.0F) {
            arm = p2_vec3_sub(point, b->shape.position);
            struct p2_vec3 of_b = p2_vec3_add(b_after->velocity, p2_vec3_cross(b_after->spin, arm));
            slip = p2_vec3_sub(slip, of_b);
        }
        float gap = manifold.contacts[i].separation > 0.0F ? manifold.contacts[i].separation : 0.0F;
        if (p2_vec3_dot(slip, manifold.normal) > gap / world->dt + CLOSING_MAX) {
            return false;
        }
    }
    return true;
}

/* Looks at one body: far from everything it must fly as the formula says, bit for bit; near
 * something it must not run into it. `after` holds the bodies with the step's velocities. */
static enum suspicion rigid_witness(const struct p2_rigid_world *world,
                                    const struct p2_rigid *after, uint32_t number)
{
    const struct p2_rigid *body = &world->things[number];
    bool is_near = false;
    for (uint32_t i = 0; i < world->bodies + world->statics + world->planes; i++) {
        const struct p2_rigid *other = &world->things[i];
        /* In the order the kernel uses; nearness of two bodies does not depend on it. */
        const struct p2_rigid *low = i < number ? other : body, *high = i < number ? body : other;
        if (i == number || !p2_rigid_is_near(low, high)) {
            continue;
        }
        is_near = true;
        const struct p2_rigid *other_after = i < world->bodies ? &after[i] : other;
        bool holds = i < number
                         ? rigid_contact_holds(world, other, body, other_after, &after[number])
                         : rigid_contact_holds(world, body, other, &after[number], other_after);
        if (!holds) {
            return SUSPICIOUS;
        }
    }
    if (is_near) {
        return CLEAR;
    }
    struct p2_rigid flown = *body;
    p2_rigid_fly(&flown, world);
    struct p2_rigid asleep = {0};
    if (!body->is_awake) {
        return rigid_motion_is(&after[number], &asleep) ? CLEAR : WRONG;
    }
    bool may_sleep = p2_rigid_is_slow(&flown) && body->rest + 1 >= P2_RIGID_REST_STEPS;
    return rigid_motion_is(&after[number], may_sleep ? &asleep : &flown) ? CLEAR : WRONG;
}

/* Momentum: without a static thing near any body, only gravity changes its sum. */
static bool rigid_momentum_holds(const struct p2_rigid_world *world, const struct p2_rigid *after)
{
    struct p2_vec3 change = {0.0F, 0.0F, 0.0F};
    float scale = 0.0F;
    for (uint32_t i = 0; i < world->bodies; i++) {
        const struct p2_rigid *body = &world->things[i];
        for (uint32_t k = world->bodies; k < world->bodies + world->statics + world->planes; k++) {
            if (p2_rigid_is_near(body, &world->things[k])) {
                return true;
            }
        }
        if (!body->is_awake || p2_vec3_length(after[i].velocity) >= 0.99F * P2_RIGID_SPEED_MAX ||
            p2_rigid_is_slow(&after[i])) {
            return true; /* sleep and the bound on speed take momentum */
        }
        struct p2_vec3 fallen = p2_vec3_mad(body->velocity, world->gravity, world->dt);
        change = p2_vec3_mad(change, p2_vec3_sub(after[i].velocity, fallen), body->mass);
        scale += body->mass * (p2_vec3_length(body->velocity) + p2_vec3_length(after[i].velocity));
    }
    return p2_vec3_length(change) <= MOMENTUM_SHARE * scale;
}

/* Follows one step of the result: before in world->things, the claimed velocities in `after`. */
static enum suspicion rigid_follow(struct p2_rigid_world *world, struct p2_rigid *after,
                                   const bool witness[P2_RIGID_BODIES_MAX])
{
    enum suspicion worst = CLEAR;
    double kinetic, kinetic_after;
    double energy = rigid_energy(world, &kinetic), allowed = 0.0;
    for (uint32_t i = 0; i < world->bodies; i++) {
        allowed += (double)(ENERGY_PER_KG * world->things[i].mass);
        enum suspicion found = witness[i] ? rigid_witness(world, after, i) : CLEAR;
        worst = found > worst ? found : worst;
    }
    if (!rigid_momentum_holds(world, after)) {
        worst = worst > SUSPICIOUS ? worst : SUSPICIOUS;
    }
    for (uint32_t i = 0; i < world->bodies; i++) {
        struct p2_rigid *body = &world->things[i];
        body->velocity = after[i].velocity;
        body->spin = after[i].spin;
        p2_rigid_age(body);
        p2_rigid_doze(body);
        p2_rigid_move(body, world->dt);
        p2_rigid_refresh(body, world);
    }
    double energy_after = rigid_energy(world, &kinetic_after);
    if (energy_after - energy > (double)ENERGY_SHARE * kinetic + allowed) {
        worst = worst > SUSPICIOUS ? worst : SUSPICIOUS;
    }
    return worst;
}

/* True when the result's bodies are byte for byte those the followed world arrived at. */
static bool rigid_ends_here(const struct p2_rigid_world *world, const uint8_t *data)
{
    for (uint32_t i = 0; i < world->bodies; i++) {
        uint8_t expected[P2_RIGID_OUT_BODY];
        const uint8_t *actual = data + P2_RIGID_OUT_HEADER + (size_t)P2_RIGID_OUT_BODY * i;
        struct p2_pack out = p2_pack_start(expected, sizeof expected);
        rigid_pack_body(&out, &world->things[i]);
        if (memcmp(expected, actual, sizeof expected) != 0) {
            return false;
        }
    }
    return true;
}

static int rigid_check(const struct p2c2r_kernel_args *args, struct p2c2r_bytes result,
                       uint64_t secret)
{
    struct p2_arena arena = p2_arena_start(args->arena, args->arena_size);
    struct p2_rigid_world world;
    if (!p2_rigid_world_take(&world, &arena)) {
        return P2C2R_KERNEL_ARENA_FULL;
    }
    struct p2_rigid *after = p2_arena_take(&arena, P2_RIGID_BODIES_MAX, sizeof *after);
    uint8_t *again =
        p2_arena_take(&arena, rigid_output_size(P2_RIGID_BODIES_MAX, P2_RIGID_STEPS_MAX), 1);
    if (arena.failed) {
        return P2C2R_KERNEL_ARENA_FULL;
    }
    if (args->blob_count != 0 || rigid_parse(args->input, &world) != P2C2R_KERNEL_OK) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    if (result.size != rigid_output_size(world.bodies, world.steps) ||
        p2_load_le16(result.data) != world.bodies || result.data[2] != world.steps ||
        result.data[3] != 0) {
        return P2C2R_KERNEL_BAD_RESULT;
    }
    bool witness[P2_RIGID_BODIES_MAX] = {false};
    struct p2_kernel_random random = p2_kernel_random_start(secret, 0);
    for (uint32_t i = 0; i < WITNESSES; i++) {
        uint32_t any = p2_kernel_random_below(&random, world.bodies);
        witness[world.bodies <= WITNESSES ? i % world.bodies : any] = true;
    }
    for (uint32_t i = 0; i < world.bodies + world.statics + world.planes; i++) {
        p2_rigid_refresh(&world.things[i], &world);
    }
    enum suspicion worst = CLEAR;
    struct p2_rigid_world claimed = world;
    claimed.things = after;
    for (uint32_t step = 0; step < world.steps && worst != WRONG; step++) {
        if (!rigid_read_motion(&claimed, result, step)) {
            return P2C2R_KERNEL_BAD_RESULT;
        }
        enum suspicion found = rigid_follow(&world, after, witness);
        worst = found > worst ? found : worst;
    }
    if (worst == WRONG || !rigid_ends_here(&world, result.data)) {
        return P2C2R_KERNEL_BAD_RESULT;
    }
    if (worst == SUSPICIOUS) {
        (void)rigid_parse(args->input, &world); /* it was parsed above */
        rigid_simulate(&world, again);
        return memcmp(again, result.data, result.size) == 0 ? P2C2R_KERNEL_OK
                                                            : P2C2R_KERNEL_BAD_RESULT;
    }
    return P2C2R_KERNEL_OK;
}

/* ---- cost ----------------------------------------------------------------------------------- */

/* Nanoseconds, fitted to 300 generated cases at -O2 by least squares of the relative error. */
#define COST_CALL      250u
#define COST_BODY      95u  /* per body and step */
#define COST_THING     36u  /* per static thing and step */
#define COST_CONTACT   140u /* per contact and step: preparing */
#define COST_ITERATION 60u  /* per contact, step and iteration */

/* What cost needs of a thing. */
struct rigid_outline {
    struct p2_shape shape;
    float radius, reach;
};

static uint32_t rigid_expect_contacts(const struct rigid_outline *a, const struct rigid_outline *b)
{
    struct p2_vec3 away = p2_vec3_sub(b->shape.position, a->shape.position);
    float reach = a->radius + b->radius + a->reach + b->reach;
    if (b->shape.kind != P2_SHAPE_PLANE && p2_vec3_dot(away, away) > reach * reach) {
        return 0;
    }
    return p2_collide_estimate(&a->shape, &b->shape, a->reach + b->reach);
}

static struct rigid_outline rigid_outline_of(struct p2_rigid *thing,
                                             const struct rigid_header *header)
{
    const struct p2_rigid_world world = {.gravity = header->gravity, .dt = header->dt};
    p2_rigid_refresh(thing, &world);
    return (struct rigid_outline){thing->shape, thing->radius, thing->reach};
}

static uint64_t rigid_cost(struct p2c2r_bytes bytes, const struct p2c2r_bytes *blobs,
                           uint32_t blob_count)
{
    struct p2_unpack in = p2_unpack_start(bytes);
    struct rigid_header header;
    struct p2_rigid thing;
    struct rigid_outline things[P2_RIGID_THINGS_MAX]; /* planes, static boxes, bodies */
    uint64_t contacts = 0;
    (void)blobs; /* this kernel takes none */
    if (blob_count != 0 || !rigid_parse_header(&in, &header)) {
        return 0;
    }
    uint32_t fixed = header.planes + header.statics;
    bool good = true;
    for (uint32_t i = 0; i < fixed && good; i++) {
        good = i < header.planes ? rigid_parse_plane(&in, &thing) : rigid_parse_static(&in, &thing);
        things[i] = rigid_outline_of(&thing, &header);
    }
    for (uint32_t i = fixed; i < fixed + header.bodies && good; i++) {
        good = rigid_parse_body(&in, &thing);
        things[i] = rigid_outline_of(&thing, &header);
        for (uint32_t k = 0; k < i && good; k++) {
            contacts += rigid_expect_contacts(&things[i], &things[k]);
        }
    }
    if (!good || !p2_unpack_done(&in)) {
        return 0;
    }
    uint64_t step = (uint64_t)COST_BODY * header.bodies + (uint64_t)COST_THING * fixed +
                    COST_CONTACT * contacts;
    uint64_t iterations =
        (uint64_t)header.iterations * (header.steps + P2_RIGID_COLD_FACTOR - 1) * contacts;
    return 1 + (COST_CALL + step * header.steps + COST_ITERATION * iterations) / 1000u;
}

/* ---- generated cases ------------------------------------------------------------------------ */

struct rigid_scene {
    struct p2_kernel_random random;
    struct p2_pack out;
    uint32_t bodies;
};

static float scene_f32(struct rigid_scene *scene, float low, float high)
{
    return p2_kernel_random_f32(&scene->random, low, high);
}

static void scene_plane(struct rigid_scene *scene)
{
    rigid_pack_vec3(&scene->out, p2_vec3(0.0F, 0.0F, 1.0F));
    p2_pack_f32(&scene->out, 0.0F);
    p2_pack_f32(&scene->out, 0.6F);
    p2_pack_f32(&scene->out, 0.1F);
}

static void scene_static(struct rigid_scene *scene, struct p2_vec3 centre, struct p2_vec3 half)
{
    rigid_pack_vec3(&scene->out, centre);
    rigid_pack_vec3(&scene->out, half);
    p2_pack_f32(&scene->out, 0.7F);
    p2_pack_f32(&scene->out, 0.1F);
}

/* A body of the density of wood or stone. `tumble` scales how it is turned and spins. */
static void scene_body(struct rigid_scene *scene, bool is_box, struct p2_vec3 half,
                       struct p2_vec3 position, struct p2_vec3 velocity, float tumble)
{
    float density = p2_kernel_random_percent(&scene->random, 50) ? 600.0F : 2400.0F;
    float volume = is_box ? 8.0F * half.x * half.y * half.z : 4.19F * half.x * half.x * half.x;
    float q[4], length2 = 0.0F;
    for (size_t i = 0; i < 4; i++) {
        q[i] = i == 0 ? 1.0F : tumble * scene_f32(scene, -1.0F, 1.0F);
        length2 += q[i] * q[i];
    }
    p2_pack_u32(&scene->out, p2_kernel_random_u32(&scene->random));
    p2_pack_u8(&scene->out, is_box);
    p2_pack_u8(&scene->out, 0);
    p2_pack_u16(&scene->out, 0);
    p2_pack_f32(&scene->out, density * volume);
    p2_pack_f32(&scene->out, scene_f32(scene, 0.3F, 0.9F));
    p2_pack_f32(&scene->out, scene_f32(scene, 0.0F, 0.5F));
    rigid_pack_vec3(&scene->out, is_box ? half : p2_vec3(half.x, 0.0F, 0.0F));
    rigid_pack_vec3(&scene->out, position);
    for (size_t i = 0; i < 4; i++) {
        p2_pack_f32(&scene->out, q[i] / sqrtf(length2));
    }
    rigid_pack_vec3(&scene->out, velocity);
    for (size_t i = 0; i < 3; i++) {
        p2_pack_f32(&scene->out, 4.0F * tumble * scene_f32(scene, -1.0F, 1.0F));
    }
}

/* Three draws, in the order x, y, z on every compiler. */
static struct p2_vec3 scene_vec3(struct rigid_scene *scene, float low, float high)
{
    float x = scene_f32(scene, low, high), y = scene_f32(scene, low, high);
    return p2_vec3(x, y, scene_f32(scene, low, high));
}

/* Loose debris that falls or lies closely packed, in layers of at most 25. */
static void scene_debris(struct rigid_scene *scene)
{
    float spacing = scene_f32(scene, 0.7F, 1.6F), tumble = scene_f32(scene, 0.0F, 1.0F);
    float height =
        p2_kernel_random_percent(&scene->random, 50) ? 0.4F : scene_f32(scene, 1.0F, 8.0F);
    float fall = scene_f32(scene, 0.0F, 6.0F);
    for (uint32_t i = 0; i < scene->bodies; i++) {
        struct p2_vec3 at = p2_vec3((float)(i % 5), (float)(i / 5 % 5), (float)(i / 25));
        struct p2_vec3 jitter = scene_vec3(scene, -0.1F, 0.1F);
        jitter.z = height;
        struct p2_vec3 drift = scene_vec3(scene, -2.0F, 2.0F);
        drift.z = -fall;
        bool is_box = p2_kernel_random_percent(&scene->random, 75);
        scene_body(scene, is_box, scene_vec3(scene, 0.15F, 0.4F), p2_vec3_mad(jitter, at, spacing),
                   drift, tumble);
    }
}

/* Stacks of up to eight boxes on the ground, one of them pushed. */
static void scene_stacks(struct rigid_scene *scene)
{
    uint32_t tall = 2 + p2_kernel_random_below(&scene->random, 7);
    for (uint32_t i = 0; i < scene->bodies; i++) {
        float level = (float)(i % tall), place = (float)(i / tall);
        struct p2_vec3 at =
            p2_vec3(2.0F * place, scene_f32(scene, -0.02F, 0.02F), 0.5F + 0.998F * level);
        float push = i == 0 ? scene_f32(scene, 0.0F, 3.0F) : 0.0F;
        scene_body(scene, true, p2_vec3(0.5F, 0.5F, 0.5F), at, p2_vec3(push, 0.0F, 0.0F), 0.0F);
    }
}

/* A brick wall blasted from one side. */
static void scene_wall(struct rigid_scene *scene)
{
    uint32_t wide = 4 + p2_kernel_random_below(&scene->random, 8);
    float blast = scene_f32(scene, 0.0F, 15.0F);
    uint32_t hit = p2_kernel_random_below(&scene->random, scene->bodies);
    for (uint32_t i = 0; i < scene->bodies; i++) {
        uint32_t row = i / wide;
        float x = (float)(i % wide) * 0.81F + ((row & 1) != 0 ? 0.4F : 0.0F);
        uint32_t distance = i > hit ? i - hit : hit - i;
        float kick = distance < 6 ? blast / (float)(1 + distance) : 0.0F;
        scene_body(scene, true, p2_vec3(0.4F, 0.2F, 0.2F),
                   p2_vec3(x, 0.0F, 0.2F + 0.4F * (float)row), p2_vec3(0.0F, kick, 0.3F * kick),
                   0.0F);
    }
}

/* Pieces thrown far apart by an explosion: few contacts. */
static void scene_burst(struct rigid_scene *scene)
{
    float speed = scene_f32(scene, 2.0F, 25.0F);
    for (uint32_t i = 0; i < scene->bodies; i++) {
        struct p2_vec3 out = scene_vec3(scene, -1.0F, 1.0F);
        out.z = p2_abs_f32(out.z);
        struct p2_vec3 at = p2_vec3_mad(p2_vec3(0.0F, 0.0F, 1.0F), out, 6.0F);
        bool is_box = p2_kernel_random_percent(&scene->random, 60);
        scene_body(scene, is_box, scene_vec3(scene, 0.1F, 0.35F), at, p2_vec3_scale(out, speed),
                   1.0F);
    }
}

static void rigid_generate(uint64_t seed, uint32_t index, struct p2c2r_kernel_case *test_case)
{
    static void (*const scenes[])(struct rigid_scene * scene) = {scene_debris, scene_stacks,
                                                                 scene_wall, scene_burst};
    struct rigid_scene scene = {p2_kernel_random_start(seed, index),
                                p2_pack_start(test_case->input, P2C2R_INPUT_MAX), 0};
    uint32_t kind = p2_kernel_random_below(&scene.random, sizeof scenes / sizeof *scenes);
    uint32_t statics =
        p2_kernel_random_percent(&scene.random, 40) ? p2_kernel_random_below(&scene.random, 40) : 0;
    scene.bodies = (uint32_t)p2_kernel_random_between(&scene.random, 1, P2_RIGID_BODIES_MAX);
    if (test_case->is_small != 0) {
        statics %= 6;
        scene.bodies = 1 + scene.bodies % 10;
    }
    p2_pack_u16(&scene.out, (uint16_t)scene.bodies);
    p2_pack_u16(&scene.out, (uint16_t)statics);
    p2_pack_u8(&scene.out, 1);
    p2_pack_u8(&scene.out, (uint8_t)p2_kernel_random_between(&scene.random, 1, 4));
    p2_pack_u8(&scene.out, (uint8_t)p2_kernel_random_between(&scene.random, 8, 16));
    p2_pack_u8(&scene.out, 0);
    p2_pack_f32(&scene.out, 1.0F / 60.0F);
    rigid_pack_vec3(&scene.out, p2_vec3(0.0F, 0.0F, -9.81F));
    scene_plane(&scene);
    for (uint32_t i = 0; i < statics; i++) { /* ruins around the middle */
        struct p2_vec3 half = scene_vec3(&scene, 0.5F, 1.5F);
        float x = scene_f32(&scene, -12.0F, 12.0F);
        scene_static(&scene, p2_vec3(x, scene_f32(&scene, 4.0F, 9.0F), half.z), half);
    }
    scenes[kind](&scene);
    test_case->input_size = scene.out.size;
    test_case->blob_count = 0;
}

const struct p2c2r_kernel p2_kernel_physics_rigid_body = {
    .size = sizeof(struct p2c2r_kernel),
    .abi = P2C2R_KERNEL_ABI,
    .name = "physics_rigid_body",
    .version = 1,
    .kind = P2C2R_KERNEL_STATE,
    .privacy = P2C2R_KERNEL_P0,
    .arena_bytes = P2_RIGID_WORLD_BYTES + P2_RIGID_BODIES_MAX * sizeof(struct p2_rigid) +
                   P2_RIGID_OUTPUT_MAX + 2 * 64,
    .input_max = P2_RIGID_HEADER + P2_RIGID_PLANE * P2_RIGID_PLANES_MAX +
                 P2_RIGID_STATIC * P2_RIGID_STATICS_MAX + P2_RIGID_BODY * P2_RIGID_BODIES_MAX,
    .output_max = P2_RIGID_OUTPUT_MAX,
    .check_bound_us = 120000,
    .run = rigid_run,
    .check = rigid_check,
    .cost = rigid_cost,
    .generate = rigid_generate,
};
