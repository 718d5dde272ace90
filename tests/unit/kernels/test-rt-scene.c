/* Voxel scenes: hits worked out by hand, and random rays against a box test per voxel. */
#include "kernels/voxel_scene.h"
#include "tests/lib/test.h"
#include "tests/unit/kernels/ray-world.h"

#include <math.h>
#include <string.h>

static struct ray_world world; /* 128 KiB: not for the stack */

static struct p2_ray ray_of(float ox, float oy, float oz, float dx, float dy, float dz)
{
    struct p2_ray ray;
    p2_ray_set(&ray, (struct p2_vec3){ox, oy, oz}, (struct p2_vec3){dx, dy, dz});
    return ray;
}

static void expect_hit(struct p2_ray ray, float distance, int x, int y, int z, unsigned face)
{
    struct p2_voxel_hit hit;
    uint32_t steps = 0;
    CU_ASSERT_FATAL(p2_voxel_trace(&world.scene, &ray, 1000.0F, &hit, &steps));
    CU_ASSERT(fabsf(hit.distance - distance) < 1e-3F);
    P2_ASSERT_EQUAL(hit.x, x);
    P2_ASSERT_EQUAL(hit.y, y);
    P2_ASSERT_EQUAL(hit.z, z);
    P2_ASSERT_EQUAL(hit.face, face);
}

static void rays_along_the_axes_hit_the_face_they_come_to(void)
{
    ray_world_clear(&world);
    ray_world_put(&world, 10, 20, 12, P2_FACES);
    CU_ASSERT_FATAL(ray_world_open(&world));
    expect_hit(ray_of(2.5F, 20.5F, 12.5F, 1, 0, 0), 7.5F, 10, 20, 12, P2_FACE_X_MINUS);
    expect_hit(ray_of(20.5F, 20.5F, 12.5F, -3, 0, 0), 9.5F, 10, 20, 12, P2_FACE_X_PLUS);
    expect_hit(ray_of(10.5F, 3.0F, 12.5F, 0, 1, 0), 17.0F, 10, 20, 12, P2_FACE_Y_MINUS);
    expect_hit(ray_of(10.5F, 60.0F, 12.5F, 0, -1, 0), 39.0F, 10, 20, 12, P2_FACE_Y_PLUS);
    expect_hit(ray_of(10.5F, 20.5F, -40.0F, 0, 0, 1), 52.0F, 10, 20, 12, P2_FACE_Z_MINUS);
    expect_hit(ray_of(10.5F, 20.5F, 90.0F, 0, 0, -1), 77.0F, 10, 20, 12, P2_FACE_Z_PLUS);
}

static void a_slanted_ray_hits_where_geometry_says(void)
{
    ray_world_clear(&world);
    for (unsigned z = 0; z < 32; z++) {
        for (unsigned x = 0; x < 32; x++) {
            ray_world_put(&world, x, 4, z, 3);
        }
    }
    CU_ASSERT_FATAL(ray_world_open(&world));
    /* From (2, 9, 2), falling 3 for 4 along x: reaches y = 5 after 16 / 3 of x, 20 / 3 of way. */
    expect_hit(ray_of(2, 9, 2.5F, 4, -3, 0), 20.0F / 3.0F, 7, 4, 2, P2_FACE_Y_PLUS);
    /* Along the floor itself its edge is met at x = 0. */
    expect_hit(ray_of(-8, 4.5F, 9.5F, 1, 0, 0), 8.0F, 0, 4, 9, P2_FACE_X_MINUS);
}

static void reach_ends_a_ray_and_missing_chunks_are_empty(void)
{
    struct p2_voxel_hit hit = {.x = 77};
    uint32_t steps = 0;
    ray_world_clear(&world);
    ray_world_put(&world, 31, 20, 12, 1);
    CU_ASSERT_FATAL(ray_world_open(&world));
    struct p2_ray ray = ray_of(1.5F, 20.5F, 12.5F, 1, 0, 0);
    CU_ASSERT_FALSE(p2_voxel_trace(&world.scene, &ray, 29.0F, &hit, &steps));
    P2_ASSERT_EQUAL(hit.x, 77);
    CU_ASSERT(p2_voxel_trace(&world.scene, &ray, 30.0F, &hit, &steps));
    ray = ray_of(32.5F, 20.5F, 12.5F, 1, 0, 0);
    CU_ASSERT_FALSE(p2_voxel_trace(&world.scene, &ray, 1000.0F, &hit, &steps));
    P2_ASSERT_EQUAL(p2_voxel_material(&world.scene, 31, 20, 12), 1);
    P2_ASSERT_EQUAL(p2_voxel_material(&world.scene, 32, 20, 12), 0);
    CU_ASSERT(p2_voxel_column(&world.scene, 31, 12) == UINT64_C(1) << 20);
    CU_ASSERT(p2_voxel_column(&world.scene, -1, 12) == 0);
    CU_ASSERT(p2_voxel_column(&world.scene, 12, 256) == 0);
}

static void a_ray_that_starts_in_a_voxel_hits_it_at_once(void)
{
    ray_world_clear(&world);
    ray_world_put(&world, 10, 20, 12, 5);
    CU_ASSERT_FATAL(ray_world_open(&world));
    expect_hit(ray_of(10.4F, 20.5F, 12.6F, 1, -1, 0.5F), 0.0F, 10, 20, 12, P2_FACE_Y_PLUS);
    expect_hit(ray_of(10.4F, 20.5F, 12.6F, 1, 1, 0.5F), 0.0F, 10, 20, 12, P2_FACE_Y_MINUS);
}

/* Entry and exit of a ray through the voxel's box, in double (the slab method of Kay and Kajiya,
 * "Ray tracing complex scenes", SIGGRAPH 1986). */
static bool box(const struct p2_ray *ray, int x, int y, int z, double *ret_in, double *ret_out)
{
    const double o[3] = {(double)ray->origin.x, (double)ray->origin.y, (double)ray->origin.z};
    const double d[3] = {(double)ray->direction.x, (double)ray->direction.y,
                         (double)ray->direction.z};
    const int low[3] = {x, y, z};
    double in = 0, out = 1e9;
    for (int i = 0; i < 3; i++) {
        double a = (low[i] - o[i]) / d[i], b = (low[i] + 1 - o[i]) / d[i];
        in = fmax(in, fmin(a, b));
        out = fmin(out, fmax(a, b));
    }
    *ret_in = in;
    *ret_out = out;
    return in <= out;
}

/* Nearest voxel the ray really crosses (by more than a rounding error); every voxel stands in each
 * of four chunks. */
static double nearest(const struct p2_ray *ray, const uint8_t at[][3], unsigned count)
{
    double best = 1e9;
    for (unsigned i = 0; i < 4 * count; i++) {
        const uint8_t *voxel = at[i / 4];
        int x = voxel[0] + (int)(i & 1u) * 32, z = voxel[2] + (int)(i >> 1 & 1u) * 32;
        double in, out;
        if (box(ray, x, voxel[1], z, &in, &out) && out - in > 2e-3 && in < best) {
            best = in;
        }
    }
    return best;
}

#define RANDOM_VOXELS 1500u

static void random_rays_agree_with_a_box_test_of_every_voxel(void)
{
    static const uint8_t four[8] = {0, 0, 1, 0, 0, 1, 1, 1};
    uint8_t at[RANDOM_VOXELS][3];
    unsigned hits = 0, wrong = 0;
    for (unsigned round = 0; round < 10; round++) {
        struct p2_kernel_random random = p2_kernel_random_start(42, round);
        ray_world_clear(&world);
        for (unsigned i = 0; i < RANDOM_VOXELS; i++) {
            at[i][0] = (uint8_t)p2_kernel_random_below(&random, 32);
            at[i][1] = (uint8_t)p2_kernel_random_below(&random, 64);
            at[i][2] = (uint8_t)p2_kernel_random_below(&random, 32);
            ray_world_put(&world, at[i][0], at[i][1], at[i][2], 1 + i % 15);
        }
        CU_ASSERT_FATAL(ray_world_open(&world));
        const struct p2c2r_bytes blobs[4] = {world.blobs[0], world.blobs[0], world.blobs[0],
                                             world.blobs[0]};
        CU_ASSERT_FATAL(p2_voxel_scene_open(&world.scene, blobs, 4, four));
        for (unsigned i = 0; i < 400; i++) {
            struct p2_ray ray =
                ray_of(p2_kernel_random_f32(&random, -8, 72), p2_kernel_random_f32(&random, -4, 68),
                       p2_kernel_random_f32(&random, -8, 72), p2_kernel_random_f32(&random, -1, 1),
                       p2_kernel_random_f32(&random, -1, 1), p2_kernel_random_f32(&random, -1, 1));
            struct p2_voxel_hit hit;
            uint32_t steps = 0;
            double in = 0, out = 0, truth = nearest(&ray, (const uint8_t(*)[3])at, RANDOM_VOXELS);
            bool is_hit = p2_voxel_trace(&world.scene, &ray, 900.0F, &hit, &steps);
            hits += is_hit;
            if (!is_hit) {
                wrong += truth < 1e8;
                continue;
            }
            /* What was hit lies on the ray, and nothing that is really crossed lies before it. */
            bool is_on_ray = box(&ray, hit.x, hit.y, hit.z, &in, &out) || in - out < 2e-3;
            wrong += !is_on_ray || fabs(in - (double)hit.distance) > 2e-3 ||
                     (double)hit.distance > truth + 2e-3 ||
                     p2_voxel_material(&world.scene, hit.x, hit.y, hit.z) != hit.material ||
                     hit.material == 0 || steps > P2_VOXEL_STEPS_MAX;
        }
    }
    P2_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(hits > 1000); /* the test would prove nothing if most rays missed */
}

static void chunks_are_checked_bit_by_bit(void)
{
    ray_world_clear(&world);
    for (unsigned i = 0; i < 400; i++) {
        ray_world_put(&world, i % 32, i % 61, i * 7 % 32, 1 + i % 15);
    }
    CU_ASSERT_FATAL(ray_world_open(&world));
    CU_ASSERT(p2_voxel_chunk_is_valid(world.blobs[0]));
    /* Every bit of the header and masks, and every 5th of the materials, is held by another one:
     * unless a flip turns one material into another, the chunk is refused. */
    unsigned accepted = 0, allowed = 0;
    for (size_t bit = 0; bit < (size_t)P2_VOXEL_CHUNK_BYTES * 8;
         bit += bit < P2_VOXEL_MATERIALS_AT * 8 ? 37 : 1501) {
        uint8_t before = world.blob[bit / 8], nibble = bit % 8 < 4 ? before & 15u : before >> 4;
        world.blob[bit / 8] ^= (uint8_t)(1u << bit % 8);
        uint8_t after = bit % 8 < 4 ? world.blob[bit / 8] & 15u : world.blob[bit / 8] >> 4;
        accepted += p2_voxel_chunk_is_valid(world.blobs[0]);
        allowed += bit / 8 >= P2_VOXEL_MATERIALS_AT && nibble != 0 && after != 0;
        world.blob[bit / 8] = before;
    }
    P2_ASSERT_EQUAL(accepted, allowed);
    struct p2c2r_bytes cut = {world.blob, sizeof world.blob - 1};
    CU_ASSERT_FALSE(p2_voxel_chunk_is_valid(cut));
}

static void scenes_refuse_wrong_chunks_and_coordinates(void)
{
    static const uint8_t twice[4] = {1, 2, 1, 2}, outside[2] = {8, 0}, fine[4] = {1, 2, 2, 1};
    struct p2_voxel_scene scene;
    ray_world_clear(&world);
    CU_ASSERT_FATAL(ray_world_open(&world));
    struct p2c2r_bytes blobs[2] = {world.blobs[0], world.blobs[0]};
    CU_ASSERT(p2_voxel_scene_open(&scene, blobs, 2, fine));
    CU_ASSERT_FALSE(p2_voxel_scene_open(&scene, blobs, 2, twice));
    CU_ASSERT_FALSE(p2_voxel_scene_open(&scene, blobs, 1, outside));
    CU_ASSERT_FALSE(p2_voxel_scene_open(&scene, blobs, 0, fine));
    CU_ASSERT_FALSE(p2_voxel_scene_open(&scene, blobs, 65, fine));
    blobs[1].size--;
    CU_ASSERT_FALSE(p2_voxel_scene_open(&scene, blobs, 2, fine));
    blobs[1] = (struct p2c2r_bytes){NULL, 0};
    CU_ASSERT_FALSE(p2_voxel_scene_open(&scene, blobs, 2, fine));
    world.blob[4] = 65;
    CU_ASSERT_FALSE(p2_voxel_scene_open(&scene, world.blobs, 1, fine));
}

static void masks_that_lie_cannot_lead_a_ray_astray(void)
{
    struct p2_kernel_random random = p2_kernel_random_start(7, 7);
    ray_world_clear(&world);
    CU_ASSERT_FATAL(ray_world_open(&world));
    for (size_t i = P2_VOXEL_CELLS_AT; i < sizeof world.blob; i++) {
        world.blob[i] = (uint8_t)p2_kernel_random_u32(&random);
    }
    world.blob[4] = 64;
    world.scene.top = 64;
    for (unsigned i = 0; i < 2000; i++) {
        struct p2_ray ray =
            ray_of(p2_kernel_random_f32(&random, -9, 40), 30, p2_kernel_random_f32(&random, -9, 40),
                   p2_kernel_random_f32(&random, -1, 1), p2_kernel_random_f32(&random, -1, 1), 0);
        struct p2_voxel_hit hit;
        uint32_t steps = 0;
        if (p2_voxel_trace(&world.scene, &ray, 900.0F, &hit, &steps)) {
            CU_ASSERT_FATAL(hit.x >= 0 && hit.x < 32 && hit.y >= 0 && hit.y < 64 && hit.z >= 0 &&
                            hit.z < 32 && hit.face < P2_FACES);
        }
        CU_ASSERT_FATAL(steps <= P2_VOXEL_STEPS_MAX);
    }
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(rays_along_the_axes_hit_the_face_they_come_to),
        P2_TEST(a_slanted_ray_hits_where_geometry_says),
        P2_TEST(reach_ends_a_ray_and_missing_chunks_are_empty),
        P2_TEST(a_ray_that_starts_in_a_voxel_hits_it_at_once),
        P2_TEST(random_rays_agree_with_a_box_test_of_every_voxel),
        P2_TEST(chunks_are_checked_bit_by_bit),
        P2_TEST(scenes_refuse_wrong_chunks_and_coordinates),
        P2_TEST(masks_that_lie_cannot_lead_a_ray_astray),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"rt-scene", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
