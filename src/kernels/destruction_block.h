/* What run, check and cost of physics_destruction share: the parsed input, what a blast takes out,
 * runs of voxels and the sums of a fragment. Units and rules: physics_destruction.h. Pure. */
#ifndef P2_KERNELS_DESTRUCTION_BLOCK_H
#define P2_KERNELS_DESTRUCTION_BLOCK_H

#include "kernels/pack.h"
#include "kernels/physics_destruction.h"

#define P2_DESTRUCTION_TAKEN 255u
#define P2_DESTRUCTION_ONE   256 /* a voxel's side in the unit of centres */

#define P2_DESTRUCTION_START_BITS 18

struct p2_destruction_blast {
    int32_t centre[3];
    int32_t radius;
    uint32_t power;
};

struct p2_destruction_input {
    uint32_t size[3];
    uint32_t voxels; /* size[0] * size[1] * size[2] */
    uint32_t faces;
    uint32_t dust;
    uint32_t material_count, blast_count, removed_count;
    uint16_t mass[256]; /* by material */
    uint8_t strength[256];
    uint8_t holds[256];
    struct p2_destruction_blast blasts[P2_DESTRUCTION_BLASTS_MAX];
    const uint8_t *removed; /* removed[4 * removed_count], borrowed */
    const uint8_t *data;    /* data[voxels], borrowed */
};

/* A run of solid voxels along x. */
struct p2_destruction_run {
    uint32_t start; /* first voxel */
    uint32_t size;  /* voxels */
};

struct p2_destruction_fragment {
    uint32_t first_run, run_count, voxels;
    uint8_t low[3], high[3];
    uint64_t mass, moment[3]; /* moment: sum of mass times twice the centre's coordinate */
};

/* Parses and validates the whole input; what *input borrows must outlive it. P2C2R_KERNEL_OK or
 * BAD_INPUT. */
int p2_destruction_parse(struct p2c2r_bytes bytes, struct p2_destruction_input *input);

/* The range [*low, *high) of voxels along an axis that a blast may reach; empty when low >= high. */
void p2_destruction_reach(const struct p2_destruction_blast *blast, size_t axis, uint32_t side,
                          uint32_t *low, uint32_t *high);

/* Fills voxel[input->voxels] with what is left: material, 0 for air, P2_DESTRUCTION_TAKEN. */
void p2_destruction_remove(const struct p2_destruction_input *input, uint8_t *voxel);

/* Union-find over parent[]; a root is its own parent and the lowest number of its set. */
uint32_t p2_destruction_root(uint32_t *parent, uint32_t run);
void p2_destruction_join(uint32_t *parent, uint32_t a, uint32_t b);

/* Adds one run's voxels to a fragment's sums. */
void p2_destruction_add(struct p2_destruction_fragment *fragment,
                        const struct p2_destruction_input *input, const uint8_t *voxel,
                        struct p2_destruction_run run);

/* Writes a fragment's record; it has voxels. */
void p2_destruction_pack(struct p2_pack *out, const struct p2_destruction_fragment *fragment);

/* The next run of taken voxels at or after *at, which moves behind it; false at the end. */
bool p2_destruction_next_removed(const struct p2_destruction_input *input, const uint8_t *voxel,
                                 uint32_t *at, struct p2_destruction_run *run);

/* A run as the result writes it. */
uint32_t p2_destruction_run_code(struct p2_destruction_run run);

#endif
