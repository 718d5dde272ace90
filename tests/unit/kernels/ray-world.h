/* Small hand-made scenes and kernel calls for the tests of the ray kernels. */
#ifndef P2_TESTS_UNIT_RAY_WORLD_H
#define P2_TESTS_UNIT_RAY_WORLD_H

#include "kernels/ray_light.h"
#include "kernels/ray_shot.h"

#include <stddef.h>
#include <stdint.h>

/* A scene of chunk (0, 0) alone, filled voxel by voxel. */
struct ray_world {
    uint8_t voxels[P2_CHUNK_VOXELS];
    uint8_t blob[P2_VOXEL_CHUNK_BYTES];
    struct p2c2r_bytes blobs[1];
    struct p2_voxel_scene scene;
    struct p2_ray_shot shot;
    struct p2_ray_view view;
    uint8_t input[P2_RAY_VIEW_MAX];
};

void ray_world_clear(struct ray_world *world);
void ray_world_put(struct ray_world *world, unsigned x, unsigned y, unsigned z, unsigned material);

/* Packs the chunk and opens the scene. Returns whether that worked. */
bool ray_world_open(struct ray_world *world);

/* Sets a plain shot: sun straight above with level 8, ambient 4, no sea, clouds or glow. */
void ray_world_plain_shot(struct ray_world *world, unsigned flags);

/* Writes the shot and reads it back as a view. Returns whether that worked. */
bool ray_world_view(struct ray_world *world);

/* One kernel, one generated or hand-made case, with exact heap copies so that sanitizers see a byte
 * too many. */
struct ray_bench {
    const struct p2c2r_kernel *kernel;
    struct p2c2r_kernel_case test_case;
    uint8_t *arena;
    uint8_t *output;
    size_t size; /* of the last good result */
};

/* Returns false when memory is short. */
bool ray_bench_open(struct ray_bench *bench, const struct p2c2r_kernel *kernel);
void ray_bench_close(struct ray_bench *bench);

/* Runs the case with the first input_size bytes of its input, the arena filled with `pattern`. */
int ray_bench_run(struct ray_bench *bench, size_t input_size, uint8_t pattern);
int ray_bench_check(struct ray_bench *bench, const uint8_t *result, size_t size, uint64_t secret);

#endif
