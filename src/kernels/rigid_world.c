/* One step of rigid bodies: near pairs, contacts, impulses, motion. */
#include "kernels/rigid_world.h"

/* Penetration that is left alone, so that resting contacts persist (Box2D's linear slop). */
#define SLOP 0.005F
/* Share of the penetration beyond slop that a step removes, and the fastest it may push. Chosen
 * after Catto 2005 (0.1 .. 0.3); the bound keeps deep overlaps from exploding. */
#define PUSH_SHARE 0.2F
#define PUSH_MAX   1.0F
/* Closing speeds below this do not bounce; one 60 Hz step of gravity is 0.16 m/s. */
#define BOUNCE_MIN 0.5F
/* How far contacts are looked for beyond the motion of a step, and at most. */
#define REACH_MIN 0.02F
#define REACH_MAX 0.25F
/* A contact inherits impulses from one of the step before within this distance, squared. */
#define SAME_POINT2 0.0025F

bool p2_rigid_world_take(struct p2_rigid_world *world, struct p2_arena *arena)
{
    world->things = p2_arena_take(arena, P2_RIGID_THINGS_MAX, sizeof *world->things);
    world->joints = p2_arena_take(arena, P2_RIGID_PAIRS_MAX, sizeof *world->joints);
    world->before = p2_arena_take(arena, P2_RIGID_PAIRS_MAX, sizeof *world->before);
    world->order = p2_arena_take(arena, P2_RIGID_THINGS_MAX, sizeof *world->order);
    world->keys = p2_arena_take(arena, P2_RIGID_PAIRS_MAX, sizeof *world->keys);
    world->joint_count = world->before_count = 0;
    return !arena->failed;
}

/* ---- single bodies -------------------------------------------------------------------------- */

void p2_rigid_prepare(struct p2_rigid *thing)
{
    struct p2_vec3 half = thing->shape.half;
    float *q = thing->orientation;
    if (thing->shape.kind == P2_SHAPE_BOX) {
        float third = thing->mass / 3.0F;
        float xx = half.x * half.x, yy = half.y * half.y, zz = half.z * half.z;
        thing->inertia = p2_vec3(third * (yy + zz), third * (xx + zz), third * (xx + yy));
        thing->radius = p2_vec3_length(half);
    } else {
        float inertia = 0.4F * thing->mass * half.x * half.x;
        thing->inertia = p2_vec3(inertia, inertia, inertia);
        thing->radius = half.x;
    }
    thing->inverse_mass = 0.0F;
    thing->inverse_inertia = p2_vec3(0.0F, 0.0F, 0.0F);
    if (thing->mass > 0.0F) {
        struct p2_vec3 i = thing->inertia;
        thing->inverse_mass = 1.0F / thing->mass;
        thing->inverse_inertia = p2_vec3(1.0F / i.x, 1.0F / i.y, 1.0F / i.z);
    }
    /* Only when needed: a body at rest keeps its bits from call to call. */
    float length2 = q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3];
    if (p2_abs_f32(length2 - 1.0F) > 1e-6F) {
        float scale = 1.0F / sqrtf(length2);
        for (size_t i = 0; i < 4; i++) {
            q[i] *= scale;
        }
    }
}

void p2_rigid_refresh(struct p2_rigid *thing, const struct p2_rigid_world *world)
{
    const float *q = thing->orientation;
    struct p2_vec3 *axis = thing->shape.axis, inverse = thing->inverse_inertia;
    float speed = p2_vec3_length(thing->velocity) + p2_vec3_length(world->gravity) * world->dt;
    float reach = REACH_MIN + speed * world->dt;
    thing->reach = thing->mass > 0.0F ? (reach < REACH_MAX ? reach : REACH_MAX) : 0.0F;
    if (thing->shape.kind == P2_SHAPE_PLANE) {
        return;
    }
    float w = q[0], x = q[1], y = q[2], z = q[3];
    axis[0] =
        p2_vec3(1.0F - 2.0F * (y * y + z * z), 2.0F * (x * y + w * z), 2.0F * (x * z - w * y));
    axis[1] =
        p2_vec3(2.0F * (x * y - w * z), 1.0F - 2.0F * (x * x + z * z), 2.0F * (y * z + w * x));
    axis[2] =
        p2_vec3(2.0F * (x * z + w * y), 2.0F * (y * z - w * x), 1.0F - 2.0F * (x * x + y * y));
    struct p2_vec3 a = p2_vec3_scale(axis[0], inverse.x), b = p2_vec3_scale(axis[1], inverse.y),
                   c = p2_vec3_scale(axis[2], inverse.z);
    /* Sum of inverse_i * axis_i axis_i^T. */
    struct p2_vec3 *rows = thing->inverse_world;
    rows[0] = p2_vec3(a.x * axis[0].x + b.x * axis[1].x + c.x * axis[2].x,
                      a.x * axis[0].y + b.x * axis[1].y + c.x * axis[2].y,
                      a.x * axis[0].z + b.x * axis[1].z + c.x * axis[2].z);
    rows[1] = p2_vec3(rows[0].y, a.y * axis[0].y + b.y * axis[1].y + c.y * axis[2].y,
                      a.y * axis[0].z + b.y * axis[1].z + c.y * axis[2].z);
    rows[2] = p2_vec3(rows[0].z, rows[1].z, a.z * axis[0].z + b.z * axis[1].z + c.z * axis[2].z);
}

bool p2_rigid_is_near(const struct p2_rigid *a, const struct p2_rigid *b)
{
    float reach = a->radius + a->reach + b->reach;
    if (b->shape.kind == P2_SHAPE_PLANE) {
        return p2_vec3_dot(b->shape.position, a->shape.position) - b->shape.offset <= reach;
    }
    struct p2_vec3 away = p2_vec3_sub(b->shape.position, a->shape.position);
    if (b->mass <= 0.0F) { /* a static box has sides along the axes */
        struct p2_vec3 half = b->shape.half;
        return p2_abs_f32(away.x) <= half.x + reach && p2_abs_f32(away.y) <= half.y + reach &&
               p2_abs_f32(away.z) <= half.z + reach;
    }
    reach += b->radius;
    return p2_vec3_dot(away, away) <= reach * reach;
}

/* One Newton step of the implicit gyroscopic equation in the body's own axes (Catto 2015): it
 * never adds energy, which explicit integration does. */
static void rigid_gyrate(struct p2_rigid *body, float dt)
{
    const struct p2_vec3 *axis = body->shape.axis;
    struct p2_vec3 i = body->inertia;
    struct p2_vec3 w = p2_vec3(p2_vec3_dot(body->spin, axis[0]), p2_vec3_dot(body->spin, axis[1]),
                               p2_vec3_dot(body->spin, axis[2]));
    struct p2_vec3 force = p2_vec3(dt * (i.z - i.y) * w.y * w.z, dt * (i.x - i.z) * w.z * w.x,
                                   dt * (i.y - i.x) * w.x * w.y);
    /* The columns of I + dt (skew(w) I - skew(I w)). */
    struct p2_vec3 c0 = p2_vec3(i.x, dt * w.z * (i.x - i.z), dt * w.y * (i.y - i.x));
    struct p2_vec3 c1 = p2_vec3(dt * w.z * (i.z - i.y), i.y, dt * w.x * (i.y - i.x));
    struct p2_vec3 c2 = p2_vec3(dt * w.y * (i.z - i.y), dt * w.x * (i.x - i.z), i.z);
    struct p2_vec3 c12 = p2_vec3_cross(c1, c2);
    float determinant = p2_vec3_dot(c0, c12);
    if (!(determinant > 0.1F * i.x * i.y * i.z)) {
        return; /* far from the solution: leave the spin as it is */
    }
    float scale = 1.0F / determinant;
    struct p2_vec3 change =
        p2_vec3(p2_vec3_dot(force, c12) * scale, p2_vec3_dot(c0, p2_vec3_cross(force, c2)) * scale,
                p2_vec3_dot(c0, p2_vec3_cross(c1, force)) * scale);
    body->spin = p2_vec3_mad(body->spin, axis[0], -change.x);
    body->spin = p2_vec3_mad(body->spin, axis[1], -change.y);
    body->spin = p2_vec3_mad(body->spin, axis[2], -change.z);
}

static void rigid_accelerate(struct p2_rigid *body, const struct p2_rigid_world *world)
{
    struct p2_vec3 i = body->inertia;
    body->velocity = p2_vec3_mad(body->velocity, world->gravity, world->dt);
    if (i.x != i.y || i.y != i.z) {
        rigid_gyrate(body, world->dt);
    }
}

static struct p2_vec3 rigid_bounded(struct p2_vec3 v, float limit)
{
    float length2 = p2_vec3_dot(v, v);
    if (length2 <= limit * limit) {
        return p2_vec3(v.x == 0.0F ? 0.0F : v.x, v.y == 0.0F ? 0.0F : v.y,
                       v.z == 0.0F ? 0.0F : v.z); /* no minus zero */
    }
    /* Too large to square, or no number: stop. */
    return length2 < 1e30F ? p2_vec3_scale(v, limit / sqrtf(length2)) : p2_vec3(0.0F, 0.0F, 0.0F);
}

void p2_rigid_bound(struct p2_rigid *body)
{
    body->velocity = rigid_bounded(body->velocity, P2_RIGID_SPEED_MAX);
    body->spin = rigid_bounded(body->spin, P2_RIGID_SPIN_MAX);
}

void p2_rigid_fly(struct p2_rigid *body, const struct p2_rigid_world *world)
{
    rigid_accelerate(body, world);
    p2_rigid_bound(body);
}

bool p2_rigid_is_slow(const struct p2_rigid *body)
{
    return p2_vec3_dot(body->velocity, body->velocity) < P2_RIGID_SLOW * P2_RIGID_SLOW &&
           p2_vec3_dot(body->spin, body->spin) < P2_RIGID_SLOW * P2_RIGID_SLOW;
}

void p2_rigid_doze(struct p2_rigid *body)
{
    float moving =
        p2_vec3_dot(body->velocity, body->velocity) + p2_vec3_dot(body->spin, body->spin);
    body->is_awake = moving > 0.0F || body->rest < P2_RIGID_REST_STEPS;
}

void p2_rigid_age(struct p2_rigid *body)
{
    uint32_t longer = body->rest < UINT16_MAX ? body->rest + 1 : UINT16_MAX;
    body->rest = p2_rigid_is_slow(body) ? longer : 0;
}

void p2_rigid_move(struct p2_rigid *body, float dt)
{
    struct p2_vec3 s = body->spin;
    float *q = body->orientation, half = 0.5F * dt;
    body->shape.position = p2_vec3_mad(body->shape.position, body->velocity, dt);
    if (s.x == 0.0F && s.y == 0.0F && s.z == 0.0F) {
        return;
    }
    float w = q[0], x = q[1], y = q[2], z = q[3];
    q[0] = w - half * (s.x * x + s.y * y + s.z * z);
    q[1] = x + half * (s.x * w + s.y * z - s.z * y);
    q[2] = y + half * (s.y * w + s.z * x - s.x * z);
    q[3] = z + half * (s.z * w + s.x * y - s.y * x);
    float scale = 1.0F / sqrtf(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
    for (size_t i = 0; i < 4; i++) {
        q[i] *= scale;
    }
}

/* ---- pairs ---------------------------------------------------------------------------------- */

static float rigid_low_x(const struct p2_rigid *thing)
{
    float extent = thing->mass > 0.0F ? thing->radius + thing->reach : thing->shape.half.x;
    return thing->shape.position.x - extent;
}

static float rigid_high_x(const struct p2_rigid *thing)
{
    float extent = thing->mass > 0.0F ? thing->radius + thing->reach : thing->shape.half.x;
    return thing->shape.position.x + extent;
}

/* Sorts ascending; the numbers are distinct, so any correct sort gives one answer (Shell 1959, gaps
 * of Ciura 2001). `low` gives the first key of a number when not NULL; ties by number. */
static void rigid_sort(uint32_t *numbers, uint32_t count, const float *low)
{
    static const uint32_t gaps[] = {701, 301, 132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < sizeof gaps / sizeof *gaps; g++) {
        uint32_t gap = gaps[g];
        for (uint32_t i = gap; i < count; i++) {
            uint32_t moving = numbers[i], at = i;
            while (at >= gap) {
                uint32_t other = numbers[at - gap];
                bool is_after = low == NULL ? other > moving
                                            : low[other] > low[moving] ||
                                                  (low[other] == low[moving] && other > moving);
                if (!is_after) {
                    break;
                }
                numbers[at] = other;
                at -= gap;
            }
            numbers[at] = moving;
        }
    }
}

static void rigid_add_pair(struct p2_rigid_world *world, uint32_t a, uint32_t b, uint32_t *count)
{
    uint32_t low = a < b ? a : b, high = a < b ? b : a;
    if (*count < P2_RIGID_PAIRS_MAX && low < world->bodies &&
        p2_rigid_is_near(&world->things[low], &world->things[high])) {
        world->keys[(*count)++] = low << 16 | high;
    }
}

/* Sweep and prune along x (Baraff, "Dynamic simulation of non-penetrating rigid bodies", 1992).
 * Returns the number of near pairs; world->keys holds them ascending. */
static uint32_t rigid_find_pairs(struct p2_rigid_world *world)
{
    float low[P2_RIGID_THINGS_MAX] = {0};
    uint32_t boxes = world->bodies + world->statics, count = 0;
    for (uint32_t i = 0; i < boxes; i++) {
        world->order[i] = i;
        low[i] = rigid_low_x(&world->things[i]);
    }
    rigid_sort(world->order, boxes, low);
    for (uint32_t i = 0; i < boxes; i++) {
        uint32_t a = world->order[i];
        float high = rigid_high_x(&world->things[a]);
        for (uint32_t j = i + 1; j < boxes && low[world->order[j]] <= high; j++) {
            rigid_add_pair(world, a, world->order[j], &count);
        }
    }
    for (uint32_t i = 0; i < world->bodies; i++) {
        for (uint32_t plane = boxes; plane < boxes + world->planes; plane++) {
            rigid_add_pair(world, i, plane, &count);
        }
    }
    rigid_sort(world->keys, count, NULL);
    return count;
}

/* ---- contacts ------------------------------------------------------------------------------- */

static struct p2_vec3 rigid_turn(const struct p2_rigid *thing, struct p2_vec3 torque)
{
    const struct p2_vec3 *rows = thing->inverse_world;
    return p2_vec3(p2_vec3_dot(rows[0], torque), p2_vec3_dot(rows[1], torque),
                   p2_vec3_dot(rows[2], torque));
}

static struct p2_vec3 rigid_slip(const struct p2_rigid *a, const struct p2_rigid *b,
                                 const struct p2_rigid_point *point)
{
    struct p2_vec3 of_b = p2_vec3_add(b->velocity, p2_vec3_cross(b->spin, point->arm_b));
    struct p2_vec3 of_a = p2_vec3_add(a->velocity, p2_vec3_cross(a->spin, point->arm_a));
    return p2_vec3_sub(of_b, of_a);
}

static void rigid_push(struct p2_rigid *a, struct p2_rigid *b, const struct p2_rigid_point *point,
                       struct p2_vec3 impulse)
{
    a->velocity = p2_vec3_mad(a->velocity, impulse, -a->inverse_mass);
    a->spin = p2_vec3_sub(a->spin, rigid_turn(a, p2_vec3_cross(point->arm_a, impulse)));
    if (b->inverse_mass > 0.0F) {
        b->velocity = p2_vec3_mad(b->velocity, impulse, b->inverse_mass);
        b->spin = p2_vec3_add(b->spin, rigid_turn(b, p2_vec3_cross(point->arm_b, impulse)));
    }
}

static float rigid_effective_mass(const struct p2_rigid *a, const struct p2_rigid *b,
                                  const struct p2_rigid_point *point, struct p2_vec3 direction)
{
    struct p2_vec3 ra = p2_vec3_cross(point->arm_a, direction);
    struct p2_vec3 rb = p2_vec3_cross(point->arm_b, direction);
    float inverse = a->inverse_mass + p2_vec3_dot(ra, rigid_turn(a, ra));
    if (b->inverse_mass > 0.0F) {
        inverse += b->inverse_mass + p2_vec3_dot(rb, rigid_turn(b, rb));
    }
    return 1.0F / inverse; /* a is a body: its inverse mass is positive */
}

/* Tangents: the first along the sliding, so that friction acts against it, else any. */
static void joint_tangents(struct p2_rigid_joint *joint, struct p2_vec3 slip)
{
    struct p2_vec3 n = joint->manifold.normal;
    struct p2_vec3 along = p2_vec3_mad(slip, n, -p2_vec3_dot(slip, n));
    float length = p2_vec3_length(along);
    if (!(length > 1e-3F)) {
        along = p2_abs_f32(n.x) < 0.6F ? p2_vec3(0.0F, n.z, -n.y) : p2_vec3(-n.z, 0.0F, n.x);
        length = p2_vec3_length(along); /* at least 0.6 */
    }
    joint->tangent[0] = p2_vec3_scale(along, 1.0F / length);
    joint->tangent[1] = p2_vec3_cross(n, joint->tangent[0]);
}

/* Takes over the impulses of the nearest point of the same pair in the step before. */
static void joint_inherit(struct p2_rigid_joint *joint, const struct p2_rigid_joint *old)
{
    for (uint32_t i = 0; i < joint->manifold.count; i++) {
        const struct p2_rigid_point *nearest = NULL;
        float best = SAME_POINT2;
        for (uint32_t k = 0; k < old->manifold.count; k++) {
            struct p2_vec3 away =
                p2_vec3_sub(joint->manifold.contacts[i].point, old->manifold.contacts[k].point);
            float distance2 = p2_vec3_dot(away, away);
            if (distance2 < best) {
                best = distance2;
                nearest = &old->points[k];
            }
        }
        if (nearest == NULL) {
            continue;
        }
        struct p2_vec3 drag = p2_vec3_scale(old->tangent[0], nearest->tangent_impulse[0]);
        drag = p2_vec3_mad(drag, old->tangent[1], nearest->tangent_impulse[1]);
        joint->points[i].normal_impulse = nearest->normal_impulse;
        joint->points[i].tangent_impulse[0] = p2_vec3_dot(drag, joint->tangent[0]);
        joint->points[i].tangent_impulse[1] = p2_vec3_dot(drag, joint->tangent[1]);
    }
}

static void joint_prepare(struct p2_rigid_world *world, struct p2_rigid_joint *joint)
{
    const struct p2_rigid *a = &world->things[joint->key >> 16];
    const struct p2_rigid *b = &world->things[joint->key & 0xffff];
    joint->friction = sqrtf(a->friction * b->friction);
    joint->restitution = a->restitution > b->restitution ? a->restitution : b->restitution;
    for (uint32_t i = 0; i < joint->manifold.count; i++) {
        struct p2_rigid_point *point = &joint->points[i];
        struct p2_contact contact = joint->manifold.contacts[i];
        *point = (struct p2_rigid_point){.arm_a = p2_vec3_sub(contact.point, a->shape.position)};
        if (b->inverse_mass > 0.0F) {
            point->arm_b = p2_vec3_sub(contact.point, b->shape.position);
        }
        struct p2_vec3 slip = rigid_slip(a, b, point);
        if (i == 0) {
            joint_tangents(joint, slip);
        }
        point->approach = p2_vec3_dot(slip, joint->manifold.normal);
        point->normal_mass = rigid_effective_mass(a, b, point, joint->manifold.normal);
        for (size_t t = 0; t < 2; t++) {
            point->tangent_mass[t] = rigid_effective_mass(a, b, point, joint->tangent[t]);
        }
        float deep = -contact.separation - SLOP;
        float push = deep > 0.0F ? PUSH_SHARE * deep / world->dt : 0.0F;
        push = push < PUSH_MAX ? push : PUSH_MAX;
        point->target = contact.separation > 0.0F ? -contact.separation / world->dt : push;
    }
}

/* Builds the joints of this step from near pairs, with the impulses of the step before. */
static void rigid_find_joints(struct p2_rigid_world *world)
{
    struct p2_rigid_joint *swap = world->before;
    world->before = world->joints;
    world->before_count = world->joint_count;
    world->joints = swap;
    world->joint_count = 0;
    uint32_t pairs = rigid_find_pairs(world), old = 0;
    for (uint32_t i = 0; i < pairs; i++) {
        struct p2_rigid_joint *joint = &world->joints[world->joint_count];
        const struct p2_rigid *a = &world->things[world->keys[i] >> 16];
        const struct p2_rigid *b = &world->things[world->keys[i] & 0xffff];
        p2_collide(&a->shape, &b->shape, a->reach + b->reach, &joint->manifold);
        if (joint->manifold.count == 0) {
            continue;
        }
        joint->key = world->keys[i];
        joint_prepare(world, joint);
        while (old < world->before_count && world->before[old].key < joint->key) {
            old++;
        }
        if (old < world->before_count && world->before[old].key == joint->key) {
            joint_inherit(joint, &world->before[old]);
        }
        world->joint_count++;
    }
}

/* ---- groups --------------------------------------------------------------------------------- */

static uint32_t rigid_group(struct p2_rigid_world *world, uint32_t body)
{
    while (world->things[body].group != body) {
        uint32_t parent = world->things[body].group;
        world->things[body].group = world->things[parent].group;
        body = world->things[body].group;
    }
    return body;
}

/* Joins bodies that touch; a group with one awake is awake. */
static void rigid_group_bodies(struct p2_rigid_world *world)
{
    for (uint32_t i = 0; i < world->bodies; i++) {
        world->things[i].group = i;
    }
    for (uint32_t i = 0; i < world->joint_count; i++) {
        uint32_t a = world->joints[i].key >> 16, b = world->joints[i].key & 0xffff;
        if (b < world->bodies) {
            a = rigid_group(world, a);
            b = rigid_group(world, b);
            world->things[a > b ? a : b].group = a < b ? a : b;
        }
    }
    for (uint32_t i = 0; i < world->bodies; i++) {
        if (world->things[i].is_awake) {
            world->things[rigid_group(world, i)].is_awake = true;
        }
    }
    for (uint32_t i = 0; i < world->bodies; i++) {
        world->things[i].is_awake = world->things[rigid_group(world, i)].is_awake;
    }
}

/* Counts steps of rest; puts groups to sleep in which all rested long enough. */
static void rigid_rest(struct p2_rigid_world *world)
{
    bool may_sleep[P2_RIGID_BODIES_MAX];
    for (uint32_t i = 0; i < world->bodies; i++) {
        p2_rigid_age(&world->things[i]);
        may_sleep[i] = true;
    }
    for (uint32_t i = 0; i < world->bodies; i++) {
        if (world->things[i].rest < P2_RIGID_REST_STEPS) {
            may_sleep[rigid_group(world, i)] = false;
        }
    }
    for (uint32_t i = 0; i < world->bodies; i++) {
        struct p2_rigid *body = &world->things[i];
        if (may_sleep[rigid_group(world, i)]) {
            body->velocity = body->spin = p2_vec3(0.0F, 0.0F, 0.0F);
        }
        p2_rigid_doze(body);
    }
}

/* ---- solver --------------------------------------------------------------------------------- */

static void joint_warm_start(struct p2_rigid_world *world, struct p2_rigid_joint *joint)
{
    struct p2_rigid *a = &world->things[joint->key >> 16];
    struct p2_rigid *b = &world->things[joint->key & 0xffff];
    for (uint32_t i = 0; i < joint->manifold.count; i++) {
        const struct p2_rigid_point *point = &joint->points[i];
        struct p2_vec3 impulse = p2_vec3_scale(joint->manifold.normal, point->normal_impulse);
        impulse = p2_vec3_mad(impulse, joint->tangent[0], point->tangent_impulse[0]);
        impulse = p2_vec3_mad(impulse, joint->tangent[1], point->tangent_impulse[1]);
        if (point->normal_impulse > 0.0F) {
            rigid_push(a, b, point, impulse);
        }
    }
}

/* Friction against sliding, within the cone of the normal impulse so far. */
static void joint_solve_friction(struct p2_rigid *a, struct p2_rigid *b,
                                 const struct p2_rigid_joint *joint, struct p2_rigid_point *point)
{
    struct p2_vec3 slip = rigid_slip(a, b, point);
    float limit = joint->friction * point->normal_impulse, wanted[2];
    for (size_t t = 0; t < 2; t++) {
        wanted[t] = point->tangent_impulse[t] -
                    point->tangent_mass[t] * p2_vec3_dot(slip, joint->tangent[t]);
    }
    float length2 = wanted[0] * wanted[0] + wanted[1] * wanted[1];
    if (length2 > limit * limit) {
        float scale = limit / sqrtf(length2);
        wanted[0] *= scale;
        wanted[1] *= scale;
    }
    struct p2_vec3 impulse =
        p2_vec3_scale(joint->tangent[0], wanted[0] - point->tangent_impulse[0]);
    impulse = p2_vec3_mad(impulse, joint->tangent[1], wanted[1] - point->tangent_impulse[1]);
    point->tangent_impulse[0] = wanted[0];
    point->tangent_impulse[1] = wanted[1];
    rigid_push(a, b, point, impulse);
}

/* Pushes until the normal speed is `target`; the sum of pushes never pulls. */
static void joint_solve_normal(struct p2_rigid *a, struct p2_rigid *b,
                               const struct p2_rigid_joint *joint, struct p2_rigid_point *point,
                               float target)
{
    struct p2_vec3 normal = joint->manifold.normal;
    float speed = p2_vec3_dot(rigid_slip(a, b, point), normal);
    float sum = point->normal_impulse + point->normal_mass * (target - speed);
    sum = sum > 0.0F ? sum : 0.0F;
    float change = sum - point->normal_impulse;
    point->normal_impulse = sum;
    rigid_push(a, b, point, p2_vec3_scale(normal, change));
}

static bool joint_is_awake(const struct p2_rigid_world *world, const struct p2_rigid_joint *joint)
{
    return world->things[joint->key >> 16].is_awake;
}

/* Solves one joint; `back` takes its points in reverse. */
static void joint_solve(struct p2_rigid_world *world, struct p2_rigid_joint *joint, bool back)
{
    struct p2_rigid *a = &world->things[joint->key >> 16];
    struct p2_rigid *b = &world->things[joint->key & 0xffff];
    uint32_t count = joint->manifold.count;
    if (!a->is_awake) {
        return;
    }
    for (uint32_t k = 0; k < count; k++) {
        joint_solve_friction(a, b, joint, &joint->points[back ? count - 1 - k : k]);
    }
    for (uint32_t k = 0; k < count; k++) {
        struct p2_rigid_point *point = &joint->points[back ? count - 1 - k : k];
        joint_solve_normal(a, b, joint, point, point->target);
    }
}

static void rigid_solve(struct p2_rigid_world *world)
{
    /* Nothing to start from in a call's first step: more iterations make up for it. */
    uint32_t iterations = world->iterations * (world->is_warm ? 1 : P2_RIGID_COLD_FACTOR);
    world->is_warm = true;
    for (uint32_t i = 0; i < world->joint_count; i++) {
        if (joint_is_awake(world, &world->joints[i])) {
            joint_warm_start(world, &world->joints[i]);
        }
    }
    /* There and back: one direction alone would push a stack sideways, always to the same side. */
    for (uint32_t iteration = 0; iteration < iterations; iteration++) {
        bool back = (iteration & 1) != 0;
        for (uint32_t i = 0; i < world->joint_count; i++) {
            joint_solve(world, &world->joints[back ? world->joint_count - 1 - i : i], back);
        }
    }
}

/* Contacts that were hit hard and carry an impulse leave at restitution times the closing speed. */
static void rigid_bounce(struct p2_rigid_world *world)
{
    for (uint32_t i = 0; i < world->joint_count; i++) {
        struct p2_rigid_joint *joint = &world->joints[i];
        struct p2_rigid *a = &world->things[joint->key >> 16];
        struct p2_rigid *b = &world->things[joint->key & 0xffff];
        for (uint32_t k = 0; k < joint->manifold.count; k++) {
            struct p2_rigid_point *point = &joint->points[k];
            if (joint->restitution > 0.0F && point->approach < -BOUNCE_MIN &&
                point->normal_impulse > 0.0F && a->is_awake) {
                joint_solve_normal(a, b, joint, point, -joint->restitution * point->approach);
            }
        }
    }
}

void p2_rigid_world_step(struct p2_rigid_world *world)
{
    for (uint32_t i = 0; i < world->bodies + world->statics + world->planes; i++) {
        p2_rigid_refresh(&world->things[i], world);
    }
    rigid_find_joints(world);
    rigid_group_bodies(world);
    for (uint32_t i = 0; i < world->bodies; i++) {
        if (world->things[i].is_awake) {
            rigid_accelerate(&world->things[i], world);
        }
    }
    rigid_solve(world);
    rigid_bounce(world);
    for (uint32_t i = 0; i < world->bodies; i++) {
        p2_rigid_bound(&world->things[i]);
    }
    rigid_rest(world);
    for (uint32_t i = 0; i < world->bodies; i++) {
        p2_rigid_move(&world->things[i], world->dt);
    }
}
