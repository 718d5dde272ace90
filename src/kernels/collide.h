/* Contacts of boxes, spheres and planes in binary32, for the rigid-body kernel.
 *
 * Only + - * / and sqrt, in a fixed order; ties go to the lower index. Lengths in metres. All
 * functions are pure. */
#ifndef P2_KERNELS_COLLIDE_H
#define P2_KERNELS_COLLIDE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

struct p2_vec3 {
    float x, y, z;
};

static inline struct p2_vec3 p2_vec3(float x, float y, float z)
{
    return (struct p2_vec3){x, y, z};
}

static inline struct p2_vec3 p2_vec3_add(struct p2_vec3 a, struct p2_vec3 b)
{
    return p2_vec3(a.x + b.x, a.y + b.y, a.z + b.z);
}

static inline struct p2_vec3 p2_vec3_sub(struct p2_vec3 a, struct p2_vec3 b)
{
    return p2_vec3(a.x - b.x, a.y - b.y, a.z - b.z);
}

static inline struct p2_vec3 p2_vec3_scale(struct p2_vec3 a, float s)
{
    return p2_vec3(a.x * s, a.y * s, a.z * s);
}

/* a + b * s */
static inline struct p2_vec3 p2_vec3_mad(struct p2_vec3 a, struct p2_vec3 b, float s)
{
    return p2_vec3(a.x + b.x * s, a.y + b.y * s, a.z + b.z * s);
}

static inline float p2_vec3_dot(struct p2_vec3 a, struct p2_vec3 b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z;
}

static inline struct p2_vec3 p2_vec3_cross(struct p2_vec3 a, struct p2_vec3 b)
{
    return p2_vec3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x);
}

static inline float p2_vec3_length(struct p2_vec3 a)
{
    return sqrtf(p2_vec3_dot(a, a));
}

static inline float p2_abs_f32(float a)
{
    return a < 0.0F ? -a : a;
}

enum p2_shape_kind { P2_SHAPE_SPHERE = 0, P2_SHAPE_BOX = 1, P2_SHAPE_PLANE = 2 };

/* A shape in its place. */
struct p2_shape {
    enum p2_shape_kind kind;
    struct p2_vec3 half;     /* box: half its sides; sphere: radius in x; plane: unused */
    struct p2_vec3 position; /* centre; plane: its outward unit normal */
    struct p2_vec3 axis[3];  /* box: unit vectors of its sides */
    float offset;            /* plane: points with normal . point = offset lie on it */
};

#define P2_MANIFOLD_POINTS 4

struct p2_contact {
    struct p2_vec3 point; /* halfway between the surfaces */
    float separation;     /* negative: depth of penetration */
};

/* Where two shapes touch or nearly touch. */
struct p2_manifold {
    struct p2_vec3 normal; /* unit, from the first shape to the second */
    uint32_t count;        /* 0: not touching */
    struct p2_contact contacts[P2_MANIFOLD_POINTS];
};

/* Finds the contacts of `a` and `b` whose separation is at most `margin`. The first shape is no
 * plane. Boxes: separating axes (Gottschalk, Lin, Manocha, "OBBTree", SIGGRAPH 1996) with a
 * preference for faces, then the incident face is clipped against the reference face (Sutherland
 * and Hodgman, "Reentrant polygon clipping", CACM 17, 1974) and reduced to four points. */
void p2_collide(const struct p2_shape *a, const struct p2_shape *b, float margin,
                struct p2_manifold *manifold);

/* About how many contacts p2_collide would find, without looking for them: face axes only. */
uint32_t p2_collide_estimate(const struct p2_shape *a, const struct p2_shape *b, float margin);

#endif
