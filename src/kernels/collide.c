/* Contact generation between convex primitives. */
#include "kernels/collide.h"

#include <stddef.h>

/* Below this squared length a cross product of unit axes is no axis: they are parallel to 0.03
 * degrees, and a face axis says the same. */
#define EDGE_MIN 2.5e-7F
/* How much better an edge axis must be than a face, or the second box's face than the first's.
 * Chosen: the solver's slop, so that resting boxes keep one manifold from step to step. */
#define PREFERENCE 0.005F
/* A quadrilateral clipped by four planes has at most eight corners. */
#define CLIP_MAX 8u

/* ---- sets of points ------------------------------------------------------------------------- */

struct points {
    struct p2_contact at[CLIP_MAX];
    uint32_t count;
};

static void points_add(struct points *points, struct p2_vec3 point, float separation)
{
    if (points->count < CLIP_MAX) {
        points->at[points->count++] = (struct p2_contact){point, separation};
    }
}

/* Copies the point with the highest score among those not taken; false when no score is above
 * `least`. */
static bool points_take_best(const struct points *points, const float score[CLIP_MAX], float least,
                             bool taken[CLIP_MAX], struct p2_manifold *manifold)
{
    uint32_t best = CLIP_MAX;
    for (uint32_t i = 0; i < points->count; i++) {
        if (!taken[i] && score[i] > least) {
            least = score[i];
            best = i;
        }
    }
    if (best == CLIP_MAX) {
        return false;
    }
    taken[best] = true;
    manifold->contacts[manifold->count++] = points->at[best];
    return true;
}

/* Keeps the deepest point, the one farthest from it, and the two that span most area with them on
 * either side. */
static void points_reduce(const struct points *points, struct p2_manifold *manifold)
{
    float score[CLIP_MAX] = {0};
    bool taken[CLIP_MAX] = {false};
    manifold->count = 0;
    if (points->count <= P2_MANIFOLD_POINTS) {
        for (uint32_t i = 0; i < points->count; i++) {
            manifold->contacts[manifold->count++] = points->at[i];
        }
        return;
    }
    for (uint32_t i = 0; i < points->count; i++) {
        score[i] = -points->at[i].separation;
    }
    (void)points_take_best(points, score, -1e30F, taken, manifold); /* there is one */
    struct p2_vec3 first = manifold->contacts[0].point;
    for (uint32_t i = 0; i < points->count; i++) {
        struct p2_vec3 away = p2_vec3_sub(points->at[i].point, first);
        score[i] = p2_vec3_dot(away, away);
    }
    (void)points_take_best(points, score, -1.0F, taken, manifold); /* four or more are left */
    struct p2_vec3 edge = p2_vec3_sub(manifold->contacts[1].point, first);
    struct p2_vec3 side = p2_vec3_cross(edge, manifold->normal);
    for (uint32_t i = 0; i < points->count; i++) {
        score[i] = p2_vec3_dot(p2_vec3_sub(points->at[i].point, first), side);
    }
    (void)points_take_best(points, score, 0.0F, taken, manifold); /* none on that side: fewer */
    for (uint32_t i = 0; i < points->count; i++) {
        score[i] = -score[i];
    }
    (void)points_take_best(points, score, 0.0F, taken, manifold); /* the same */
}

/* ---- spheres and planes --------------------------------------------------------------------- */

static void manifold_single(struct p2_manifold *manifold, struct p2_vec3 normal,
                            struct p2_vec3 point, float separation)
{
    manifold->normal = normal;
    manifold->count = 1;
    manifold->contacts[0] = (struct p2_contact){point, separation};
}

static void collide_spheres(const struct p2_shape *a, const struct p2_shape *b, float margin,
                            struct p2_manifold *manifold)
{
    struct p2_vec3 away = p2_vec3_sub(b->position, a->position);
    float distance = p2_vec3_length(away);
    float separation = distance - a->half.x - b->half.x;
    if (separation > margin) {
        return;
    }
    /* Spheres with one centre are pushed apart along z. */
    struct p2_vec3 normal =
        distance > 1e-6F ? p2_vec3_scale(away, 1.0F / distance) : p2_vec3(0.0F, 0.0F, 1.0F);
    manifold_single(manifold, normal,
                    p2_vec3_mad(a->position, normal, a->half.x + 0.5F * separation), separation);
}

static float clamp_f32(float value, float limit)
{
    return value < -limit ? -limit : value > limit ? limit : value;
}

/* The sphere is the first shape, the box the second. */
static void collide_sphere_box(const struct p2_shape *sphere, const struct p2_shape *box,
                               float margin, struct p2_manifold *manifold)
{
    struct p2_vec3 away = p2_vec3_sub(sphere->position, box->position);
    float half[3] = {box->half.x, box->half.y, box->half.z};
    float radius = sphere->half.x, local[3], best = -1e30F;
    struct p2_vec3 closest = box->position;
    size_t face = 0;
    for (size_t i = 0; i < 3; i++) {
        local[i] = p2_vec3_dot(away, box->axis[i]);
        closest = p2_vec3_mad(closest, box->axis[i], clamp_f32(local[i], half[i]));
        float outside = p2_abs_f32(local[i]) - half[i];
        if (outside > best) {
            best = outside;
            face = i;
        }
    }
    if (best > 0.0F) {
        struct p2_vec3 gap = p2_vec3_sub(closest, sphere->position);
        float distance = p2_vec3_length(gap);
        if (distance - radius > margin) {
            return;
        }
        if (distance > 1e-6F) {
            manifold_single(manifold, p2_vec3_scale(gap, 1.0F / distance),
                            p2_vec3_mad(closest, gap, 0.5F * (radius - distance) / distance),
                            distance - radius);
            return;
        }
    }
    /* The centre is inside: out through the nearest face. */
    float sign = local[face] < 0.0F ? -1.0F : 1.0F;
    struct p2_vec3 normal = p2_vec3_scale(box->axis[face], -sign);
    float separation = best - radius;
    manifold_single(manifold, normal,
                    p2_vec3_mad(sphere->position, normal, radius + 0.5F * separation), separation);
}

static void collide_plane(const struct p2_shape *body, const struct p2_shape *plane, float margin,
                          struct p2_manifold *manifold)
{
    struct p2_vec3 up = plane->position;
    manifold->normal = p2_vec3(-up.x, -up.y, -up.z);
    if (body->kind == P2_SHAPE_SPHERE) {
        float separation = p2_vec3_dot(up, body->position) - plane->offset - body->half.x;
        if (separation <= margin) {
            manifold_single(manifold, manifold->normal,
                            p2_vec3_mad(body->position, up, -(body->half.x + 0.5F * separation)),
                            separation);
        }
        return;
    }
    struct points points = {.count = 0};
    for (uint32_t i = 0; i < 8; i++) {
        struct p2_vec3 corner = body->position;
        corner = p2_vec3_mad(corner, body->axis[0], (i & 1) != 0 ? body->half.x : -body->half.x);
        corner = p2_vec3_mad(corner, body->axis[1], (i & 2) != 0 ? body->half.y : -body->half.y);
        corner = p2_vec3_mad(corner, body->axis[2], (i & 4) != 0 ? body->half.z : -body->half.z);
        float separation = p2_vec3_dot(up, corner) - plane->offset;
        if (separation <= margin) {
            points_add(&points, p2_vec3_mad(corner, up, -0.5F * separation), separation);
        }
    }
    points_reduce(&points, manifold);
}

/* ---- boxes ---------------------------------------------------------------------------------- */

/* What the separating axis test of two boxes works on. */
struct box_pair {
    const struct p2_shape *a, *b;
    float half_a[3], half_b[3];
    struct p2_vec3 away; /* from a to b */
    float dot[3][3];     /* dot[i][j] = a's axis i . b's axis j */
    float abs_dot[3][3];
    float along_a[3], along_b[3]; /* away . axis */
};

static void box_pair_init(struct box_pair *pair, const struct p2_shape *a, const struct p2_shape *b)
{
    pair->a = a;
    pair->b = b;
    pair->half_a[0] = a->half.x, pair->half_a[1] = a->half.y, pair->half_a[2] = a->half.z;
    pair->half_b[0] = b->half.x, pair->half_b[1] = b->half.y, pair->half_b[2] = b->half.z;
    pair->away = p2_vec3_sub(b->position, a->position);
    for (size_t i = 0; i < 3; i++) {
        pair->along_a[i] = p2_vec3_dot(pair->away, a->axis[i]);
        pair->along_b[i] = p2_vec3_dot(pair->away, b->axis[i]);
        for (size_t j = 0; j < 3; j++) {
            pair->dot[i][j] = p2_vec3_dot(a->axis[i], b->axis[j]);
            pair->abs_dot[i][j] = p2_abs_f32(pair->dot[i][j]);
        }
    }
}

/* Separation along a's face normals (of_b false) or b's; the best axis in *ret_axis. */
static float box_pair_faces(const struct box_pair *pair, bool of_b, size_t *ret_axis)
{
    float best = -1e30F;
    for (size_t i = 0; i < 3; i++) {
        float reach = of_b ? pair->half_b[i] : pair->half_a[i];
        for (size_t j = 0; j < 3; j++) {
            reach += of_b ? pair->half_a[j] * pair->abs_dot[j][i]
                          : pair->half_b[j] * pair->abs_dot[i][j];
        }
        float separation = p2_abs_f32(of_b ? pair->along_b[i] : pair->along_a[i]) - reach;
        if (separation > best) {
            best = separation;
            *ret_axis = i;
        }
    }
    return best;
}

/* Separation along the cross products of edges; -1e30 when all are parallel. The best pair of axes
 * in ret_axes, its unit direction (either sign) in *ret_direction. */
static float box_pair_edges(const struct box_pair *pair, size_t ret_axes[2],
                            struct p2_vec3 *ret_direction)
{
    float best = -1e30F;
    for (size_t i = 0; i < 3; i++) {
        size_t i1 = (i + 1) % 3, i2 = (i + 2) % 3;
        for (size_t j = 0; j < 3; j++) {
            size_t j1 = (j + 1) % 3, j2 = (j + 2) % 3;
            struct p2_vec3 cross = p2_vec3_cross(pair->a->axis[i], pair->b->axis[j]);
            float length2 = p2_vec3_dot(cross, cross);
            if (length2 < EDGE_MIN) {
                continue;
            }
            float reach =
                pair->half_a[i1] * pair->abs_dot[i2][j] + pair->half_a[i2] * pair->abs_dot[i1][j] +
                pair->half_b[j1] * pair->abs_dot[i][j2] + pair->half_b[j2] * pair->abs_dot[i][j1];
            float length = sqrtf(length2);
            float separation = (p2_abs_f32(p2_vec3_dot(pair->away, cross)) - reach) / length;
            if (separation > best) {
                best = separation;
                ret_axes[0] = i;
                ret_axes[1] = j;
                *ret_direction = p2_vec3_scale(cross, 1.0F / length);
            }
        }
    }
    return best;
}

/* The middle of the edge along `along` that lies farthest in `direction`. */
static struct p2_vec3 box_support_edge(const struct p2_shape *box, const float half[3],
                                       size_t along, struct p2_vec3 direction)
{
    struct p2_vec3 point = box->position;
    for (size_t k = 0; k < 3; k++) {
        if (k != along) {
            float side = p2_vec3_dot(direction, box->axis[k]) < 0.0F ? -half[k] : half[k];
            point = p2_vec3_mad(point, box->axis[k], side);
        }
    }
    return point;
}

/* One contact where the two edges come closest (Ericson, "Real-Time Collision Detection", 5.1.8). */
static void box_edge_contact(const struct box_pair *pair, const size_t axes[2],
                             struct p2_vec3 normal, float separation, struct p2_manifold *manifold)
{
    struct p2_vec3 back = p2_vec3(-normal.x, -normal.y, -normal.z);
    struct p2_vec3 on_a = box_support_edge(pair->a, pair->half_a, axes[0], normal);
    struct p2_vec3 on_b = box_support_edge(pair->b, pair->half_b, axes[1], back);
    struct p2_vec3 along_a = pair->a->axis[axes[0]], along_b = pair->b->axis[axes[1]];
    struct p2_vec3 gap = p2_vec3_sub(on_b, on_a);
    float cosine = pair->dot[axes[0]][axes[1]];
    float denominator = 1.0F - cosine * cosine;
    denominator = denominator > EDGE_MIN ? denominator : EDGE_MIN;
    float u = p2_vec3_dot(gap, along_a), v = p2_vec3_dot(gap, along_b);
    float s = clamp_f32((u - cosine * v) / denominator, pair->half_a[axes[0]]);
    float t = clamp_f32((cosine * u - v) / denominator, pair->half_b[axes[1]]);
    struct p2_vec3 point =
        p2_vec3_add(p2_vec3_mad(on_a, along_a, s), p2_vec3_mad(on_b, along_b, t));
    manifold_single(manifold, normal, p2_vec3_scale(point, 0.5F), separation);
}

/* Cuts the polygon in[count] by the half-space normal . point <= offset. */
static uint32_t clip_polygon(const struct p2_vec3 *in, uint32_t count, struct p2_vec3 normal,
                             float offset, struct p2_vec3 *out)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct p2_vec3 here = in[i], next = in[i + 1 < count ? i + 1 : 0];
        float inside = offset - p2_vec3_dot(normal, here);
        float inside_next = offset - p2_vec3_dot(normal, next);
        if (inside >= 0.0F && kept < CLIP_MAX) {
            out[kept++] = here;
        }
        /* One strictly outside: the difference is not 0. */
        if ((inside < 0.0F) != (inside_next < 0.0F) && kept < CLIP_MAX) {
            float part = inside / (inside - inside_next);
            out[kept++] = p2_vec3_mad(here, p2_vec3_sub(next, here), part);
        }
    }
    return kept;
}

/* The four corners, in order, of the face of `box` that faces most against `direction`. */
static void box_incident_face(const struct p2_shape *box, const float half[3],
                              struct p2_vec3 direction, struct p2_vec3 corners[4])
{
    size_t face = 0;
    float best = -1.0F;
    for (size_t k = 0; k < 3; k++) {
        float facing = p2_abs_f32(p2_vec3_dot(direction, box->axis[k]));
        if (facing > best) {
            best = facing;
            face = k;
        }
    }
    size_t k1 = (face + 1) % 3, k2 = (face + 2) % 3;
    float side = p2_vec3_dot(direction, box->axis[face]) > 0.0F ? -half[face] : half[face];
    struct p2_vec3 middle = p2_vec3_mad(box->position, box->axis[face], side);
    struct p2_vec3 u = p2_vec3_scale(box->axis[k1], half[k1]);
    struct p2_vec3 v = p2_vec3_scale(box->axis[k2], half[k2]);
    corners[0] = p2_vec3_add(p2_vec3_add(middle, u), v);
    corners[1] = p2_vec3_add(p2_vec3_sub(middle, u), v);
    corners[2] = p2_vec3_sub(p2_vec3_sub(middle, u), v);
    corners[3] = p2_vec3_sub(p2_vec3_add(middle, u), v);
}

/* Contacts on a face of a (or of b) whose unit normal `out` points to the other box. */
static void box_face_contacts(const struct box_pair *pair, bool of_b, size_t face,
                              struct p2_vec3 out, float margin, struct p2_manifold *manifold)
{
    const struct p2_shape *reference = of_b ? pair->b : pair->a;
    const float *half = of_b ? pair->half_b : pair->half_a;
    struct p2_vec3 first[CLIP_MAX], second[CLIP_MAX];
    box_incident_face(of_b ? pair->a : pair->b, of_b ? pair->half_a : pair->half_b, out, first);
    uint32_t count = 4;
    for (size_t k = 1; k < 3; k++) {
        struct p2_vec3 side = reference->axis[(face + k) % 3];
        float centre = p2_vec3_dot(side, reference->position), reach = half[(face + k) % 3];
        struct p2_vec3 other = p2_vec3(-side.x, -side.y, -side.z);
        count = clip_polygon(first, count, side, centre + reach, second);
        count = clip_polygon(second, count, other, reach - centre, first);
    }
    float top = p2_vec3_dot(out, reference->position) + half[face];
    struct points points = {.count = 0};
    for (uint32_t i = 0; i < count; i++) {
        float separation = p2_vec3_dot(out, first[i]) - top;
        if (separation <= margin) {
            points_add(&points, p2_vec3_mad(first[i], out, -0.5F * separation), separation);
        }
    }
    manifold->normal = of_b ? p2_vec3(-out.x, -out.y, -out.z) : out;
    points_reduce(&points, manifold);
}

static void collide_boxes(const struct p2_shape *a, const struct p2_shape *b, float margin,
                          struct p2_manifold *manifold)
{
    struct box_pair pair;
    size_t face_a = 0, face_b = 0, edges[2] = {0, 0};
    struct p2_vec3 direction = {0.0F, 0.0F, 0.0F};
    box_pair_init(&pair, a, b);
    float separation_a = box_pair_faces(&pair, false, &face_a);
    if (separation_a > margin) {
        return;
    }
    float separation_b = box_pair_faces(&pair, true, &face_b);
    if (separation_b > margin) {
        return;
    }
    float separation = box_pair_edges(&pair, edges, &direction);
    if (separation > margin) {
        return;
    }
    bool of_b = separation_b > separation_a + PREFERENCE;
    if (separation > (of_b ? separation_b : separation_a) + PREFERENCE) {
        bool flip = p2_vec3_dot(direction, pair.away) < 0.0F;
        box_edge_contact(&pair, edges, p2_vec3_scale(direction, flip ? -1.0F : 1.0F), separation,
                         manifold);
        return;
    }
    struct p2_vec3 out = of_b ? b->axis[face_b] : a->axis[face_a];
    bool flip = of_b ? pair.along_b[face_b] > 0.0F : pair.along_a[face_a] < 0.0F;
    out = p2_vec3_scale(out, flip ? -1.0F : 1.0F);
    box_face_contacts(&pair, of_b, of_b ? face_b : face_a, out, margin, manifold);
}

void p2_collide(const struct p2_shape *a, const struct p2_shape *b, float margin,
                struct p2_manifold *manifold)
{
    manifold->count = 0;
    manifold->normal = p2_vec3(0.0F, 0.0F, 1.0F);
    if (b->kind == P2_SHAPE_PLANE) {
        collide_plane(a, b, margin, manifold);
    } else if (a->kind == P2_SHAPE_BOX && b->kind == P2_SHAPE_BOX) {
        collide_boxes(a, b, margin, manifold);
    } else if (a->kind == P2_SHAPE_SPHERE && b->kind == P2_SHAPE_SPHERE) {
        collide_spheres(a, b, margin, manifold);
    } else if (a->kind == P2_SHAPE_SPHERE) {
        collide_sphere_box(a, b, margin, manifold);
    } else {
        collide_sphere_box(b, a, margin, manifold);
        manifold->normal = p2_vec3_scale(manifold->normal, -1.0F);
    }
}

/* ---- estimate ------------------------------------------------------------------------------- */

/* Boxes whose axes agree to 8 degrees usually lie face to face; others touch in a corner or along
 * an edge, which the speculative margin often makes two contacts. */
#define ALIGNED          0.99F
#define CONTACTS_ALIGNED 4u
#define CONTACTS_TILTED  2u

static uint32_t estimate_boxes(const struct p2_shape *a, const struct p2_shape *b, float margin)
{
    struct box_pair pair;
    size_t axis;
    bool aligned = false;
    box_pair_init(&pair, a, b);
    if (box_pair_faces(&pair, false, &axis) > margin ||
        box_pair_faces(&pair, true, &axis) > margin) {
        return 0;
    }
    for (size_t i = 0; i < 9; i++) {
        aligned = aligned || pair.abs_dot[i / 3][i % 3] > ALIGNED;
    }
    return aligned ? CONTACTS_ALIGNED : CONTACTS_TILTED;
}

static uint32_t estimate_plane(const struct p2_shape *body, const struct p2_shape *plane,
                               float margin)
{
    const float half[3] = {body->half.x, body->half.y, body->half.z};
    float height = p2_vec3_dot(plane->position, body->position) - plane->offset;
    bool aligned = false;
    if (body->kind == P2_SHAPE_SPHERE) {
        return height - body->half.x <= margin ? 1 : 0;
    }
    for (size_t i = 0; i < 3; i++) {
        float facing = p2_abs_f32(p2_vec3_dot(plane->position, body->axis[i]));
        height -= half[i] * facing;
        aligned = aligned || facing > ALIGNED;
    }
    return height > margin ? 0 : aligned ? CONTACTS_ALIGNED : CONTACTS_TILTED;
}

uint32_t p2_collide_estimate(const struct p2_shape *a, const struct p2_shape *b, float margin)
{
    struct p2_manifold manifold;
    if (b->kind == P2_SHAPE_PLANE) {
        return estimate_plane(a, b, margin);
    }
    if (a->kind == P2_SHAPE_BOX && b->kind == P2_SHAPE_BOX) {
        return estimate_boxes(a, b, margin);
    }
    p2_collide(a, b, margin, &manifold); /* spheres: as cheap as any estimate */
    return manifold.count;
}
