/* Blast and support of a voxel block: runs along x, joined by union-find. */
#include "kernels/physics_destruction.h"

#include "kernels/destruction_block.h"

#define OUTPUT_MAX                                                                        \
    (P2_DESTRUCTION_OUT_HEADER + P2_DESTRUCTION_FRAGMENT * P2_DESTRUCTION_FRAGMENTS_MAX + \
     4 * P2_DESTRUCTION_VOXELS_MAX)

struct destruction_totals {
    uint32_t removed, fragments, fragment_runs, dust_runs, removed_runs, dust_voxels, stays;
    uint64_t dust_mass;
};

/* ---- components ----------------------------------------------------------------------------- */

struct components {
    uint8_t *voxel;                  /* voxel[voxels] */
    struct p2_destruction_run *runs; /* runs[run_count], ascending */
    uint32_t *parent;   /* parent[run_count]; a root is its own and the lowest of its set */
    uint8_t *is_held;   /* is_held[run_count], valid at roots */
    uint32_t *first;    /* first[rows + 1]: the first run of each row of voxels */
    uint32_t *weight;   /* weight[run_count]: voxels of the component, valid at roots */
    uint32_t *fragment; /* fragment[run_count]: valid at roots */
    uint32_t run_count;
};

/* Collects the runs of row `row`. */
static void components_scan_row(const struct p2_destruction_input *input, struct components *parts,
                                uint32_t row)
{
    uint32_t nx = input->size[0], start = row * nx, x = 0;
    const uint8_t *voxel = parts->voxel + start;
    while (x < nx) {
        if (voxel[x] == 0 || voxel[x] == P2_DESTRUCTION_TAKEN) {
            x++;
            continue;
        }
        uint32_t from = x, holds = 0;
        while (x < nx && voxel[x] != 0 && voxel[x] != P2_DESTRUCTION_TAKEN) {
            holds |= input->holds[voxel[x]];
            x++;
        }
        holds |= (input->faces & 1) != 0 && from == 0;
        holds |= (input->faces & 2) != 0 && x == nx;
        uint32_t run = parts->run_count++;
        parts->runs[run] = (struct p2_destruction_run){start + from, x - from};
        parts->parent[run] = run;
        parts->is_held[run] = (uint8_t)holds;
    }
}

/* Joins the runs of `row` with those of the lower row `other`, `offset` voxels before. */
static void components_join_rows(struct components *parts, uint32_t row, uint32_t other,
                                 uint32_t offset)
{
    uint32_t a = parts->first[other], a_end = parts->first[other + 1];
    uint32_t b = parts->first[row], b_end = parts->run_count;
    while (a < a_end && b < b_end) {
        uint32_t a_start = parts->runs[a].start + offset, a_stop = a_start + parts->runs[a].size;
        uint32_t b_start = parts->runs[b].start, b_stop = b_start + parts->runs[b].size;
        if (a_start < b_stop && b_start < a_stop) {
            p2_destruction_join(parts->parent, a, b);
        }
        if (a_stop <= b_stop) {
            a++;
        } else {
            b++;
        }
    }
}

/* Finds all components of what is left, and which are held. */
static void components_find(const struct p2_destruction_input *input, struct components *parts)
{
    uint32_t nx = input->size[0], ny = input->size[1], nz = input->size[2];
    parts->run_count = 0;
    for (uint32_t row = 0; row < ny * nz; row++) {
        uint32_t y = row % ny, z = row / ny;
        bool touches =
            ((input->faces & 4) != 0 && y == 0) || ((input->faces & 8) != 0 && y == ny - 1) ||
            ((input->faces & 16) != 0 && z == 0) || ((input->faces & 32) != 0 && z == nz - 1);
        parts->first[row] = parts->run_count;
        components_scan_row(input, parts, row);
        for (uint32_t run = parts->first[row]; touches && run < parts->run_count; run++) {
            parts->is_held[run] = 1;
        }
        if (y > 0) {
            components_join_rows(parts, row, row - 1, nx);
        }
        if (z > 0) {
            components_join_rows(parts, row, row - ny, nx * ny);
        }
    }
    for (uint32_t run = 0; run < parts->run_count; run++) {
        uint32_t root = p2_destruction_root(parts->parent, run);
        parts->parent[run] = root; /* lower than `run`, so already final */
        if (root == run) {
            parts->weight[run] = 0;
        }
        parts->weight[root] += parts->runs[run].size;
        parts->is_held[root] |= parts->is_held[run];
    }
}

/* ---- fragments ------------------------------------------------------------------------------ */

#define NOT_A_FRAGMENT UINT32_MAX

/* Numbers the fragments in order of their first run and sums them up; counts dust. */
static void destruction_number(const struct p2_destruction_input *input, struct components *parts,
                               struct p2_destruction_fragment *fragments,
                               struct destruction_totals *totals)
{
    for (uint32_t run = 0; run < parts->run_count; run++) {
        uint32_t root = parts->parent[run];
        struct p2_destruction_run here = parts->runs[run];
        if (parts->is_held[root]) {
            totals->stays += here.size;
            continue;
        }
        if (root == run) {
            bool fits = parts->weight[run] >= input->dust &&
                        totals->fragments < P2_DESTRUCTION_FRAGMENTS_MAX;
            parts->fragment[run] = fits ? totals->fragments : NOT_A_FRAGMENT;
            if (fits) {
                fragments[totals->fragments++] = (struct p2_destruction_fragment){0};
            }
        }
        if (parts->fragment[root] == NOT_A_FRAGMENT) {
            struct p2_destruction_fragment dust = {0};
            p2_destruction_add(&dust, input, parts->voxel, here);
            totals->dust_runs++;
            totals->dust_voxels += here.size;
            totals->dust_mass += dust.mass;
            continue;
        }
        struct p2_destruction_fragment *fragment = &fragments[parts->fragment[root]];
        p2_destruction_add(fragment, input, parts->voxel, here);
        fragment->run_count++;
        totals->fragment_runs++;
    }
    uint32_t next = 0;
    for (uint32_t i = 0; i < totals->fragments; i++) {
        fragments[i].first_run = next;
        next += fragments[i].run_count;
    }
}

static void destruction_pack_header(struct p2_pack *out, const struct destruction_totals *totals)
{
    p2_pack_u32(out, totals->removed);
    p2_pack_u32(out, totals->fragments);
    p2_pack_u32(out, totals->fragment_runs);
    p2_pack_u32(out, totals->dust_runs);
    p2_pack_u32(out, totals->removed_runs);
    p2_pack_u32(out, totals->dust_voxels);
    p2_pack_u64(out, totals->dust_mass);
    p2_pack_u32(out, totals->stays);
    p2_pack_u32(out, 0);
}

/* Writes runs of fragments (each behind its fragment's cursor), of dust and of removed voxels. */
static void destruction_pack_runs(const struct p2_destruction_input *input,
                                  const struct components *parts,
                                  struct p2_destruction_fragment *fragments,
                                  const struct destruction_totals *totals, struct p2_pack *out)
{
    uint8_t *runs = p2_pack_space(out, (size_t)4 * totals->fragment_runs);
    uint8_t *dust = p2_pack_space(out, (size_t)4 * totals->dust_runs);
    for (uint32_t run = 0; run < parts->run_count && !out->failed; run++) {
        uint32_t root = parts->parent[run], code = p2_destruction_run_code(parts->runs[run]);
        if (parts->is_held[root]) {
            continue;
        }
        if (parts->fragment[root] == NOT_A_FRAGMENT) {
            p2_store_le32(dust, code);
            dust += 4;
        } else {
            uint32_t slot = fragments[parts->fragment[root]].first_run++;
            p2_store_le32(runs + (size_t)4 * slot, code);
        }
    }
    struct p2_destruction_run run;
    for (uint32_t at = 0; p2_destruction_next_removed(input, parts->voxel, &at, &run);) {
        p2_pack_u32(out, p2_destruction_run_code(run));
    }
}

static bool destruction_take_arena(struct p2_arena *arena, const struct p2_destruction_input *input,
                                   struct components *parts,
                                   struct p2_destruction_fragment **fragments)
{
    uint32_t runs = (input->size[0] + 1) / 2 * input->size[1] * input->size[2];
    parts->voxel = p2_arena_take(arena, input->voxels, 1);
    parts->runs = p2_arena_take(arena, runs, sizeof *parts->runs);
    parts->parent = p2_arena_take(arena, runs, sizeof *parts->parent);
    parts->is_held = p2_arena_take(arena, runs, 1);
    parts->weight = p2_arena_take(arena, runs, sizeof *parts->weight);
    parts->fragment = p2_arena_take(arena, runs, sizeof *parts->fragment);
    parts->first =
        p2_arena_take(arena, (size_t)input->size[1] * input->size[2] + 1, sizeof *parts->first);
    *fragments = p2_arena_take(arena, P2_DESTRUCTION_FRAGMENTS_MAX, sizeof **fragments);
    return !arena->failed;
}

/* Computes the result of a parsed input behind `out`, which fails when it is too short. */
static int destruction_compute(const struct p2_destruction_input *input, struct p2_arena *arena,
                               struct p2_pack *out)
{
    struct components parts = {0};
    struct p2_destruction_fragment *fragments;
    struct destruction_totals totals = {0};
    if (!destruction_take_arena(arena, input, &parts, &fragments)) {
        return P2C2R_KERNEL_ARENA_FULL;
    }
    p2_destruction_remove(input, parts.voxel);
    components_find(input, &parts);
    destruction_number(input, &parts, fragments, &totals);
    struct p2_destruction_run run;
    for (uint32_t at = 0; p2_destruction_next_removed(input, parts.voxel, &at, &run);) {
        totals.removed += run.size;
        totals.removed_runs++;
    }
    destruction_pack_header(out, &totals);
    for (uint32_t i = 0; i < totals.fragments; i++) {
        p2_destruction_pack(out, &fragments[i]);
    }
    destruction_pack_runs(input, &parts, fragments, &totals, out);
    return out->failed ? P2C2R_KERNEL_OUTPUT_FULL : P2C2R_KERNEL_OK;
}

static int destruction_run(const struct p2c2r_kernel_args *args, size_t *ret_size)
{
    struct p2_destruction_input input;
    int error = p2_destruction_parse(args->input, &input);
    if (error != P2C2R_KERNEL_OK || args->blob_count != 0) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    struct p2_arena arena = p2_arena_start(args->arena, args->arena_size);
    struct p2_pack out = p2_pack_start(args->output, args->output_capacity);
    error = destruction_compute(&input, &arena, &out);
    if (error == P2C2R_KERNEL_OK) {
        *ret_size = out.size;
    }
    return error;
}

/* ---- check ---------------------------------------------------------------------------------- */

/* Computes the result again: labelling runs costs less than proving that nothing stands without
 * support, so nothing is left to chance and the secret is not needed. */
static int destruction_check(const struct p2c2r_kernel_args *args, struct p2c2r_bytes result,
                             uint64_t secret)
{
    struct p2_destruction_input input;
    (void)secret; /* everything is looked at */
    if (p2_destruction_parse(args->input, &input) != P2C2R_KERNEL_OK || args->blob_count != 0) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    if (result.size < P2_DESTRUCTION_OUT_HEADER || result.size > OUTPUT_MAX) {
        return P2C2R_KERNEL_BAD_RESULT;
    }
    struct p2_arena arena = p2_arena_start(args->arena, args->arena_size);
    uint8_t *expected = p2_arena_take(&arena, result.size, 1);
    if (arena.failed) {
        return P2C2R_KERNEL_ARENA_FULL;
    }
    struct p2_pack out = p2_pack_start(expected, result.size);
    int error = destruction_compute(&input, &arena, &out);
    if (error == P2C2R_KERNEL_ARENA_FULL) {
        return error;
    }
    bool is_right = error == P2C2R_KERNEL_OK && out.size == result.size &&
                    memcmp(expected, result.data, out.size) == 0;
    return is_right ? P2C2R_KERNEL_OK : P2C2R_KERNEL_BAD_RESULT;
}

/* ---- cost ----------------------------------------------------------------------------------- */

/* Picoseconds, fitted to 300 generated cases at -O2 by least squares of the relative error. */
#define COST_CALL  1000000u
#define COST_VOXEL 920u   /* per voxel: parsing, scanning */
#define COST_BLAST 630u   /* per voxel in a blast's box */
#define COST_RUN   17800u /* per run: joining and numbering */

/* Rows are sampled: every 7th, so that no axis of a usual size is missed. */
#define COST_STRIDE 7u

static uint64_t destruction_cost(struct p2c2r_bytes bytes, const struct p2c2r_bytes *blobs,
                                 uint32_t blob_count)
{
    struct p2_destruction_input input;
    (void)blobs; /* this kernel takes none */
    if (blob_count != 0 || p2_destruction_parse(bytes, &input) != P2C2R_KERNEL_OK) {
        return 0;
    }
    uint64_t runs = 0, boxes = 0;
    for (uint32_t row = 0; row < input.size[1] * input.size[2]; row += COST_STRIDE) {
        bool was_solid = false;
        for (uint32_t x = 0; x < input.size[0]; x++) {
            bool is_solid = input.data[row * input.size[0] + x] != 0;
            runs += is_solid && !was_solid;
            was_solid = is_solid;
        }
    }
    for (uint32_t i = 0; i < input.blast_count; i++) {
        uint64_t box = 1;
        for (size_t axis = 0; axis < 3; axis++) {
            uint32_t low, high;
            p2_destruction_reach(&input.blasts[i], axis, input.size[axis], &low, &high);
            box *= high > low ? high - low : 0;
        }
        boxes += box;
    }
    uint64_t picoseconds = COST_CALL + (uint64_t)COST_VOXEL * input.voxels +
                           (uint64_t)COST_STRIDE * COST_RUN * runs + COST_BLAST * boxes;
    return 1 + picoseconds / 1000000u;
}

/* ---- generated cases ------------------------------------------------------------------------ */

enum { STONE = 1, WOOD, BRICK, GLASS, BEDROCK, MATERIALS = BEDROCK };

struct destruction_scene {
    struct p2_kernel_random random;
    uint32_t size[3];
    uint8_t *voxel;
};

static uint32_t scene_below(struct destruction_scene *scene, uint32_t bound)
{
    return p2_kernel_random_below(&scene->random, bound);
}

static void scene_fill(struct destruction_scene *scene, const uint32_t low[3],
                       const uint32_t high[3], uint8_t material)
{
    for (uint32_t z = low[2]; z < high[2] && z < scene->size[2]; z++) {
        for (uint32_t y = low[1]; y < high[1] && y < scene->size[1]; y++) {
            for (uint32_t x = low[0]; x < high[0] && x < scene->size[0]; x++) {
                scene->voxel[x + scene->size[0] * (y + scene->size[1] * z)] = material;
            }
        }
    }
}

/* A wall across the block with windows and a parapet. */
static void scene_wall(struct destruction_scene *scene)
{
    const uint32_t *size = scene->size;
    uint32_t y = 2 + scene_below(scene, size[1] - 6), thick = 1 + scene_below(scene, 4);
    uint32_t top = size[2] / 2 + scene_below(scene, size[2] / 2);
    uint8_t material = (uint8_t)(1 + scene_below(scene, 3));
    scene_fill(scene, (uint32_t[3]){0, y, 0}, (uint32_t[3]){size[0], y + thick, top}, material);
    for (uint32_t i = scene_below(scene, 8); i > 0; i--) {
        uint32_t x = scene_below(scene, size[0]), z = scene_below(scene, top);
        scene_fill(scene, (uint32_t[3]){x, y, z}, (uint32_t[3]){x + 3, y + thick, z + 4},
                   (uint8_t)(scene_below(scene, 2) * GLASS));
    }
}

/* A house of floors on pillars. */
static void scene_tower(struct destruction_scene *scene)
{
    const uint32_t *size = scene->size;
    uint32_t side = 6 + scene_below(scene, 20), storey = 4 + scene_below(scene, 5);
    uint32_t x = scene_below(scene, size[0] - 6), y = scene_below(scene, size[1] - 6);
    for (uint32_t z = 1; z + storey < size[2]; z += storey) {
        for (uint32_t corner = 0; corner < 4; corner++) {
            uint32_t px = x + (corner & 1) * (side - 2), py = y + (corner >> 1) * (side - 2);
            scene_fill(scene, (uint32_t[3]){px, py, z}, (uint32_t[3]){px + 2, py + 2, z + storey},
                       WOOD);
        }
        scene_fill(scene, (uint32_t[3]){x, y, z + storey - 1},
                   (uint32_t[3]){x + side, y + side, z + storey}, BRICK);
    }
}

/* A bridge on two piers. */
static void scene_bridge(struct destruction_scene *scene)
{
    const uint32_t *size = scene->size;
    uint32_t deck = size[2] / 3 + scene_below(scene, size[2] / 3);
    uint32_t y = scene_below(scene, size[1] - 5);
    scene_fill(scene, (uint32_t[3]){0, y, deck}, (uint32_t[3]){size[0], y + 5, deck + 2}, STONE);
    scene_fill(scene, (uint32_t[3]){0, y, 0}, (uint32_t[3]){3, y + 5, deck}, STONE);
    scene_fill(scene, (uint32_t[3]){size[0] - 3, y, 0}, (uint32_t[3]){size[0], y + 5, deck}, STONE);
}

/* Rubble: small pieces, many of them hanging free until the game drops them. */
static void scene_rubble(struct destruction_scene *scene)
{
    for (uint32_t i = 20 + scene_below(scene, 200); i > 0; i--) {
        uint32_t low[3], high[3];
        for (size_t axis = 0; axis < 3; axis++) {
            low[axis] = scene_below(scene, scene->size[axis]);
            high[axis] = low[axis] + 1 + scene_below(scene, 3);
        }
        scene_fill(scene, low, high, (uint8_t)(1 + scene_below(scene, 4)));
    }
}

static void scene_pack_blasts(struct destruction_scene *scene, uint32_t count, struct p2_pack *out)
{
    for (uint32_t i = 0; i < count; i++) {
        for (size_t axis = 0; axis < 3; axis++) {
            p2_pack_u32(out, scene_below(scene, scene->size[axis] * P2_DESTRUCTION_ONE));
        }
        p2_pack_u16(out, (uint16_t)p2_kernel_random_between(&scene->random, 400, 2600));
        p2_pack_u16(out, (uint16_t)p2_kernel_random_between(&scene->random, 50, 600));
    }
}

static void destruction_generate(uint64_t seed, uint32_t index, struct p2c2r_kernel_case *test_case)
{
    static const uint16_t mass[MATERIALS] = {2600, 600, 1900, 2500, 3000};
    static const uint8_t strength[MATERIALS] = {120, 40, 80, 5, 255};
    static void (*const scenes[])(struct destruction_scene * scene) = {scene_wall, scene_tower,
                                                                       scene_bridge, scene_rubble};
    struct destruction_scene scene = {p2_kernel_random_start(seed, index), {0, 0, 0}, NULL};
    struct p2_pack out = p2_pack_start(test_case->input, P2C2R_INPUT_MAX);
    for (size_t axis = 0; axis < 3; axis++) {
        const int32_t most = test_case->is_small != 0 ? 18 : 61;
        scene.size[axis] = (uint32_t)p2_kernel_random_between(&scene.random, 12, most);
        p2_pack_u8(&out, (uint8_t)scene.size[axis]);
    }
    uint32_t voxels = scene.size[0] * scene.size[1] * scene.size[2]; /* at most 61^3 = 226,981 */
    uint32_t blasts = 1 + scene_below(&scene, 3), removed = scene_below(&scene, 2) * 40;
    p2_pack_u8(&out, scene_below(&scene, 4) == 0 ? 16 + 15 : 16);
    p2_pack_u16(&out, MATERIALS);
    p2_pack_u16(&out, (uint16_t)blasts);
    p2_pack_u32(&out, removed);
    p2_pack_u32(&out, 1 + scene_below(&scene, 4));
    for (size_t i = 0; i < MATERIALS; i++) {
        p2_pack_u16(&out, mass[i]);
        p2_pack_u8(&out, strength[i]);
        p2_pack_u8(&out, i + 1 == BEDROCK);
    }
    scene_pack_blasts(&scene, blasts, &out);
    /* Ascending without repeats: one voxel of each of `removed` equal slices. */
    for (uint32_t i = 0; i < removed; i++) {
        p2_pack_u32(&out, i * (voxels / removed) + scene_below(&scene, voxels / removed));
    }
    scene.voxel = p2_pack_space(&out, voxels);
    memset(scene.voxel, 0, voxels);
    scene_fill(&scene, (uint32_t[3]){0, 0, 0}, (uint32_t[3]){scene.size[0], scene.size[1], 1},
               BEDROCK);
    for (uint32_t i = 1 + scene_below(&scene, 4); i > 0; i--) {
        scenes[scene_below(&scene, sizeof scenes / sizeof *scenes)](&scene);
    }
    test_case->input_size = out.size;
    test_case->blob_count = 0;
}

/* Rows of at most P2_DESTRUCTION_VOXELS_MAX voxels hold at most half as many runs, and half a run
 * more per row of odd length; a block has at most 128 * 128 rows. */
#define ROWS_MAX (P2_DESTRUCTION_SIDE_MAX * P2_DESTRUCTION_SIDE_MAX)
#define RUNS_MAX (P2_DESTRUCTION_VOXELS_MAX / 2 + ROWS_MAX / 2)

/* Voxels, five arrays by run (21 bytes), rows, fragments, and for a check the result. Each piece is
 * rounded to 64 bytes. */
#define ARENA_BYTES                                                   \
    (P2_DESTRUCTION_VOXELS_MAX + 21 * RUNS_MAX + 4 * (ROWS_MAX + 1) + \
     P2_DESTRUCTION_FRAGMENTS_MAX * sizeof(struct p2_destruction_fragment) + OUTPUT_MAX + 9 * 64)

const struct p2c2r_kernel p2_kernel_physics_destruction = {
    .size = sizeof(struct p2c2r_kernel),
    .abi = P2C2R_KERNEL_ABI,
    .name = "physics_destruction",
    .version = 1,
    .kind = P2C2R_KERNEL_STATE,
    .privacy = P2C2R_KERNEL_P0,
    .arena_bytes = ARENA_BYTES,
    .input_max = P2_DESTRUCTION_HEADER + P2_DESTRUCTION_MATERIAL * P2_DESTRUCTION_MATERIALS_MAX +
                 P2_DESTRUCTION_BLAST * P2_DESTRUCTION_BLASTS_MAX + 4 * P2_DESTRUCTION_REMOVED_MAX +
                 P2_DESTRUCTION_VOXELS_MAX,
    .output_max = OUTPUT_MAX,
    .check_bound_us = 20000,
    .run = destruction_run,
    .check = destruction_check,
    .cost = destruction_cost,
    .generate = destruction_generate,
};
