/* The world of physics_rigid_body: bodies, contacts and one step of time. Split from the kernel so
 * that layouts and checks stand apart from mechanics. Units and rules: physics_rigid_body.h.
 * Everything lives in the arena of a call. */
#ifndef P2_KERNELS_RIGID_WORLD_H
#define P2_KERNELS_RIGID_WORLD_H

#include "kernels/collide.h"
#include "kernels/pack.h"
#include "kernels/physics_rigid_body.h"

/* Bodies, static boxes and planes share one numbering, in this order. */
#define P2_RIGID_THINGS_MAX (P2_RIGID_BODIES_MAX + P2_RIGID_STATICS_MAX + P2_RIGID_PLANES_MAX)
#define P2_RIGID_PAIRS_MAX  1024u

/* Bounds of the result; scaling to them may round up by a few units in the last place. */
#define P2_RIGID_SPEED_MAX 200.0F
#define P2_RIGID_SPIN_MAX  100.0F

/* How many times the iterations the first step of a call makes. Chosen: a stack of eight boxes then
 * rests in calls of one step. */
#define P2_RIGID_COLD_FACTOR 4u

/* A body slower than this for this many steps may fall asleep. Chosen: gravity of one 60 Hz step
 * (0.16 m/s) is well above, a settled stack's jitter below. */
#define P2_RIGID_SLOW       0.1F
#define P2_RIGID_REST_STEPS 30u

/* A moving or static thing. Static ones have inverse mass and inertia 0. */
struct p2_rigid {
    struct p2_shape shape;
    float orientation[4]; /* w x y z */
    struct p2_vec3 velocity, spin;
    float mass, inverse_mass;
    struct p2_vec3 inertia;          /* about the body's own axes */
    struct p2_vec3 inverse_inertia;  /* the same, inverted */
    struct p2_vec3 inverse_world[3]; /* rows of the inverse inertia about world axes */
    float friction, restitution;
    float radius; /* of the bounding sphere */
    float reach;  /* how far from its surface contacts are looked for */
    uint32_t id;
    uint32_t rest;
    uint32_t group; /* union-find parent among bodies */
    bool is_awake;
};

struct p2_rigid_point {
    struct p2_vec3 arm_a, arm_b; /* from the centres to the contact */
    float normal_mass, tangent_mass[2];
    float target;   /* the normal speed the solver aims at, at least */
    float approach; /* normal speed before the step; negative when closing */
    float normal_impulse, tangent_impulse[2];
};

/* A touching pair. */
struct p2_rigid_joint {
    uint32_t key; /* number of a << 16 | number of b; a < b */
    struct p2_manifold manifold;
    struct p2_vec3 tangent[2];
    float friction, restitution;
    struct p2_rigid_point points[P2_MANIFOLD_POINTS];
};

struct p2_rigid_world {
    uint32_t bodies, statics, planes; /* things: bodies first, then static boxes, then planes */
    uint32_t steps, iterations;
    float dt;
    struct p2_vec3 gravity;
    struct p2_rigid *things;       /* things[P2_RIGID_THINGS_MAX] */
    struct p2_rigid_joint *joints; /* joints[joint_count], ascending by key */
    struct p2_rigid_joint *before; /* those of the step before */
    uint32_t *order;               /* order[P2_RIGID_THINGS_MAX]: for the sweep */
    uint32_t *keys;                /* keys[P2_RIGID_PAIRS_MAX] */
    uint32_t joint_count, before_count;
    bool is_warm; /* a step was made: `joints` hold impulses to start from */
};

/* Takes the world's arrays from `arena` (at most P2_RIGID_WORLD_BYTES); false when it is too small. */
bool p2_rigid_world_take(struct p2_rigid_world *world, struct p2_arena *arena);
#define P2_RIGID_WORLD_BYTES                               \
    (P2_RIGID_THINGS_MAX * (sizeof(struct p2_rigid) + 4) + \
     P2_RIGID_PAIRS_MAX * (2 * sizeof(struct p2_rigid_joint) + 4) + 5 * 64)

/* Fills what follows from shape, mass and orientation, once after parsing. */
void p2_rigid_prepare(struct p2_rigid *thing);

/* Brings axes, inverse inertia and reach up to date with orientation and velocity. */
void p2_rigid_refresh(struct p2_rigid *thing, const struct p2_rigid_world *world);

/* True when two things are near enough for contacts. p2_rigid_world_step never joins others, so a
 * body near nothing moves as p2_rigid_fly says. Both are refreshed; `a` is a body. */
bool p2_rigid_is_near(const struct p2_rigid *a, const struct p2_rigid *b);

/* Velocity and spin after a step without contacts, bounded. */
void p2_rigid_fly(struct p2_rigid *body, const struct p2_rigid_world *world);
void p2_rigid_bound(struct p2_rigid *body);

/* True when the body counts as slow. */
bool p2_rigid_is_slow(const struct p2_rigid *body);

/* Counts the step as one of rest or not. */
void p2_rigid_age(struct p2_rigid *body);

/* A body is asleep when it does not move at all and rested long enough: a function of what a result
 * shows, so that check can follow it. */
void p2_rigid_doze(struct p2_rigid *body);

/* Moves the body by its velocity and spin for one step. */
void p2_rigid_move(struct p2_rigid *body, float dt);

/* One step. */
void p2_rigid_world_step(struct p2_rigid_world *world);

#endif
