/* A voxel block after a blast: parsing, what is taken out, sums of fragments. */
#include "kernels/destruction_block.h"

/* ---- parsing -------------------------------------------------------------------------------- */

static bool destruction_parse_header(struct p2_unpack *in, struct p2_destruction_input *input)
{
    bool good = true;
    input->voxels = 1;
    for (size_t axis = 0; axis < 3; axis++) {
        input->size[axis] = p2_unpack_u8(in);
        good &= input->size[axis] >= 1 && input->size[axis] <= P2_DESTRUCTION_SIDE_MAX;
        input->voxels *= input->size[axis];
    }
    input->faces = p2_unpack_u8(in);
    input->material_count = p2_unpack_u16(in);
    input->blast_count = p2_unpack_u16(in);
    input->removed_count = p2_unpack_u32(in);
    input->dust = p2_unpack_u32(in);
    return good && !in->failed && input->faces < 64 && input->material_count >= 1 &&
           input->voxels <= P2_DESTRUCTION_VOXELS_MAX &&
           input->material_count <= P2_DESTRUCTION_MATERIALS_MAX &&
           input->blast_count <= P2_DESTRUCTION_BLASTS_MAX &&
           input->removed_count <= P2_DESTRUCTION_REMOVED_MAX &&
           input->dust <= P2_DESTRUCTION_DUST_MAX;
}

static bool destruction_parse_tables(struct p2_unpack *in, struct p2_destruction_input *input)
{
    bool good = true;
    for (uint32_t i = 1; i <= input->material_count; i++) {
        input->mass[i] = p2_unpack_u16(in);
        input->strength[i] = p2_unpack_u8(in);
        input->holds[i] = p2_unpack_u8(in);
        good &= input->mass[i] >= 1 && input->holds[i] <= 1;
    }
    for (uint32_t i = 0; i < input->blast_count; i++) {
        struct p2_destruction_blast *blast = &input->blasts[i];
        for (size_t axis = 0; axis < 3; axis++) {
            blast->centre[axis] = p2_unpack_i32(in);
            good &= blast->centre[axis] >= -P2_DESTRUCTION_CENTRE_MAX &&
                    blast->centre[axis] <= P2_DESTRUCTION_CENTRE_MAX;
        }
        blast->radius = p2_unpack_u16(in);
        blast->power = p2_unpack_u16(in);
        good &= blast->radius >= 1 && blast->radius <= (int32_t)P2_DESTRUCTION_RADIUS_MAX;
    }
    input->removed = p2_unpack_bytes(in, (size_t)4 * input->removed_count);
    input->data = p2_unpack_bytes(in, input->voxels);
    return good && p2_unpack_done(in);
}

int p2_destruction_parse(struct p2c2r_bytes bytes, struct p2_destruction_input *input)
{
    struct p2_unpack in = p2_unpack_start(bytes);
    memset(input, 0, sizeof *input);
    if (!destruction_parse_header(&in, input) || !destruction_parse_tables(&in, input)) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    uint32_t bad = 0;
    for (uint32_t i = 0; i < input->removed_count; i++) {
        uint32_t voxel = p2_load_le32(input->removed + (size_t)4 * i);
        bad |= voxel >= input->voxels;
        bad |= i > 0 && voxel <= p2_load_le32(input->removed + (size_t)4 * (i - 1));
    }
    for (uint32_t i = 0; i < input->voxels; i++) {
        bad |= input->data[i] > input->material_count;
    }
    return bad == 0 ? P2C2R_KERNEL_OK : P2C2R_KERNEL_BAD_INPUT;
}

/* ---- what is taken out ---------------------------------------------------------------------- */

/* The range [low, high) of voxels along an axis whose centres can be closer than the radius. */
void p2_destruction_reach(const struct p2_destruction_blast *blast, size_t axis, uint32_t side,
                          uint32_t *low, uint32_t *high)
{
    int32_t first = (blast->centre[axis] - blast->radius) / P2_DESTRUCTION_ONE - 1;
    int32_t last = (blast->centre[axis] + blast->radius) / P2_DESTRUCTION_ONE + 1;
    *low = first > 0 ? (uint32_t)first : 0;
    *high = last < 0 ? 0 : (uint32_t)last + 1;
    *high = *high < side ? *high : side;
}

static int64_t destruction_offset_squared(const struct p2_destruction_blast *blast, size_t axis,
                                          uint32_t at)
{
    int64_t offset =
        (int64_t)at * P2_DESTRUCTION_ONE + P2_DESTRUCTION_ONE / 2 - blast->centre[axis];
    return offset * offset;
}

/* Marks what one blast takes. `voxel` holds materials, 0 and P2_DESTRUCTION_TAKEN. */
static void destruction_apply(const struct p2_destruction_input *input,
                              const struct p2_destruction_blast *blast, uint8_t *voxel)
{
    uint32_t low[3], high[3];
    int64_t radius2 = (int64_t)blast->radius * blast->radius;
    for (size_t axis = 0; axis < 3; axis++) {
        p2_destruction_reach(blast, axis, input->size[axis], &low[axis], &high[axis]);
    }
    for (uint32_t z = low[2]; z < high[2]; z++) {
        int64_t dz = destruction_offset_squared(blast, 2, z);
        for (uint32_t y = low[1]; y < high[1]; y++) {
            int64_t dyz = dz + destruction_offset_squared(blast, 1, y);
            uint8_t *row = voxel + (size_t)input->size[0] * (y + (size_t)input->size[1] * z);
            if (dyz >= radius2) {
                continue;
            }
            for (uint32_t x = low[0]; x < high[0]; x++) {
                uint32_t material = row[x];
                int64_t left = radius2 - dyz - destruction_offset_squared(blast, 0, x);
                if (material == 0 || material == P2_DESTRUCTION_TAKEN || left <= 0 ||
                    input->strength[material] == 255 ||
                    input->strength[material] * radius2 >= blast->power * left) {
                    continue;
                }
                row[x] = P2_DESTRUCTION_TAKEN;
            }
        }
    }
}

/* Fills voxel[input->voxels] with what is left: material, 0 for air, P2_DESTRUCTION_TAKEN. */
void p2_destruction_remove(const struct p2_destruction_input *input, uint8_t *voxel)
{
    memcpy(voxel, input->data, input->voxels);
    for (uint32_t i = 0; i < input->blast_count; i++) {
        destruction_apply(input, &input->blasts[i], voxel);
    }
    for (uint32_t i = 0; i < input->removed_count; i++) {
        uint32_t at = p2_load_le32(input->removed + (size_t)4 * i);
        voxel[at] = voxel[at] != 0 ? P2_DESTRUCTION_TAKEN : 0;
    }
}

/* ---- runs and fragments ---------------------------------------------------------------------- */

uint32_t p2_destruction_root(uint32_t *parent, uint32_t run)
{
    while (parent[run] != run) {
        parent[run] = parent[parent[run]];
        run = parent[run];
    }
    return run;
}

void p2_destruction_join(uint32_t *parent, uint32_t a, uint32_t b)
{
    a = p2_destruction_root(parent, a);
    b = p2_destruction_root(parent, b);
    if (a < b) {
        parent[b] = a;
    } else {
        parent[a] = b;
    }
}

/* Adds one run's voxels to a fragment's sums. */
void p2_destruction_add(struct p2_destruction_fragment *fragment,
                        const struct p2_destruction_input *input, const uint8_t *voxel,
                        struct p2_destruction_run run)
{
    uint32_t nx = input->size[0], ny = input->size[1];
    uint32_t at[3] = {run.start % nx, run.start / nx % ny, run.start / nx / ny};
    uint64_t mass = 0, along = 0;
    for (uint32_t i = 0; i < run.size; i++) {
        uint32_t weight = input->mass[voxel[run.start + i]];
        mass += weight;
        along += (uint64_t)weight * (2 * (at[0] + i) + 1);
    }
    uint32_t last[3] = {at[0] + run.size - 1, at[1], at[2]};
    for (size_t axis = 0; axis < 3; axis++) {
        uint8_t low = (uint8_t)at[axis], high = (uint8_t)last[axis];
        bool is_first = fragment->voxels == 0;
        fragment->low[axis] = is_first || low < fragment->low[axis] ? low : fragment->low[axis];
        fragment->high[axis] =
            is_first || high > fragment->high[axis] ? high : fragment->high[axis];
    }
    fragment->voxels += run.size;
    fragment->mass += mass;
    fragment->moment[0] += along;
    fragment->moment[1] += mass * (2 * at[1] + 1);
    fragment->moment[2] += mass * (2 * at[2] + 1);
}

void p2_destruction_pack(struct p2_pack *out, const struct p2_destruction_fragment *fragment)
{
    p2_pack_u32(out, fragment->first_run);
    p2_pack_u32(out, fragment->run_count);
    p2_pack_u32(out, fragment->voxels);
    p2_pack_bytes(out, fragment->low, 3);
    p2_pack_bytes(out, fragment->high, 3);
    p2_pack_u16(out, 0);
    p2_pack_u64(out, fragment->mass);
    for (size_t axis = 0; axis < 3; axis++) {
        /* Half a voxel is 128 units; mass is positive: a fragment has voxels. */
        p2_pack_u32(out,
                    (uint32_t)(fragment->moment[axis] * (P2_DESTRUCTION_ONE / 2) / fragment->mass));
    }
}

/* The next run of removed voxels at or after *at in its row; false at the end of the block. */
bool p2_destruction_next_removed(const struct p2_destruction_input *input, const uint8_t *voxel,
                                 uint32_t *at, struct p2_destruction_run *run)
{
    const uint8_t *found =
        *at < input->voxels ? memchr(voxel + *at, P2_DESTRUCTION_TAKEN, input->voxels - *at) : NULL;
    if (found == NULL) {
        return false;
    }
    uint32_t start = (uint32_t)(found - voxel), end = start;
    uint32_t row_end = start - start % input->size[0] + input->size[0];
    while (end < row_end && voxel[end] == P2_DESTRUCTION_TAKEN) {
        end++;
    }
    *run = (struct p2_destruction_run){start, end - start};
    *at = end;
    return true;
}

uint32_t p2_destruction_run_code(struct p2_destruction_run run)
{
    return run.start | (run.size - 1) << P2_DESTRUCTION_START_BITS;
}
