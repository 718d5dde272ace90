/* Inputs and outputs of the physics kernels. */
#include "kernels/pack.h"
#include "kernels/physics_destruction.h"
#include "kernels/physics_fluid.h"
#include "kernels/physics_rigid_body.h"
#include "p2c2r/kernels.h"

#define FIXED_ONE 65536.0F
#define FIXED_MAX 32767.0F

uint32_t p2c2r_sdk_version(void)
{
    return P2C2R_SDK_VERSION;
}

int32_t p2c2r_fixed(float value)
{
    if (!(value == value)) {
        return 0;
    }
    const float bounded = value < -FIXED_MAX ? -FIXED_MAX : value > FIXED_MAX ? FIXED_MAX : value;
    return (int32_t)(bounded * FIXED_ONE);
}

float p2c2r_float(int32_t fixed)
{
    return (float)fixed / FIXED_ONE;
}

static size_t size_of(const struct p2_pack *out)
{
    return out->failed ? 0 : out->size;
}

/* ---- rigid bodies --------------------------------------------------------------------------- */

static void put_floats(struct p2_pack *out, const float *values, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        p2_pack_f32(out, values[i]);
    }
}

static void put_body(struct p2_pack *out, const struct p2c2r_rigid_body *body)
{
    p2_pack_u32(out, body->id);
    p2_pack_u8(out, body->is_box ? 1 : 0);
    p2_pack_u8(out, body->is_asleep ? 1 : 0);
    p2_pack_u16(out, body->rest);
    p2_pack_f32(out, body->mass);
    p2_pack_f32(out, body->friction);
    p2_pack_f32(out, body->restitution);
    p2_pack_f32(out, body->half[0]);
    p2_pack_f32(out, body->is_box ? body->half[1] : 0.0F);
    p2_pack_f32(out, body->is_box ? body->half[2] : 0.0F);
    put_floats(out, body->position, 3);
    put_floats(out, body->orientation, 4);
    put_floats(out, body->velocity, 3);
    put_floats(out, body->spin, 3);
}

size_t p2c2r_physics_rigid_body_input(uint8_t *out, size_t capacity,
                                      const struct p2c2r_rigid_world *world)
{
    struct p2_pack pack = p2_pack_start(out, capacity);
    if (world->body_count < 1 || world->body_count > P2_RIGID_BODIES_MAX ||
        world->static_count > P2_RIGID_STATICS_MAX || world->plane_count > P2_RIGID_PLANES_MAX ||
        world->steps < 1 || world->steps > P2_RIGID_STEPS_MAX || world->iterations < 1 ||
        world->iterations > P2_RIGID_ITERATIONS_MAX) {
        return 0;
    }
    p2_pack_u16(&pack, (uint16_t)world->body_count);
    p2_pack_u16(&pack, (uint16_t)world->static_count);
    p2_pack_u8(&pack, (uint8_t)world->plane_count);
    p2_pack_u8(&pack, world->steps);
    p2_pack_u8(&pack, world->iterations);
    p2_pack_u8(&pack, 0);
    p2_pack_f32(&pack, world->dt);
    put_floats(&pack, world->gravity, 3);
    for (uint32_t i = 0; i < world->plane_count; i++) {
        put_floats(&pack, world->planes[i].normal, 3);
        p2_pack_f32(&pack, world->planes[i].offset);
        p2_pack_f32(&pack, world->planes[i].friction);
        p2_pack_f32(&pack, world->planes[i].restitution);
    }
    for (uint32_t i = 0; i < world->static_count; i++) {
        put_floats(&pack, world->statics[i].centre, 3);
        put_floats(&pack, world->statics[i].half, 3);
        p2_pack_f32(&pack, world->statics[i].friction);
        p2_pack_f32(&pack, world->statics[i].restitution);
    }
    for (uint32_t i = 0; i < world->body_count; i++) {
        put_body(&pack, &world->bodies[i]);
    }
    return size_of(&pack);
}

static void get_floats(const uint8_t *from, float *values, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        values[i] = p2_f32_of_bits(p2_load_le32(from + (size_t)i * 4));
    }
}

bool p2c2r_physics_rigid_body_result(struct p2c2r_bytes result, uint32_t index,
                                     struct p2c2r_rigid_body *body)
{
    if (result.size < P2_RIGID_OUT_HEADER) {
        return false;
    }
    const size_t count = p2_load_le16(result.data), steps = result.data[2];
    const size_t motions = P2_RIGID_OUT_HEADER + count * P2_RIGID_OUT_BODY;
    if (index >= count || steps < 1 ||
        result.size != motions + steps * count * P2_RIGID_OUT_MOTION) {
        return false;
    }
    const uint8_t *at = result.data + P2_RIGID_OUT_HEADER + (size_t)index * P2_RIGID_OUT_BODY;
    const uint8_t *motion =
        result.data + motions + ((steps - 1) * count + index) * P2_RIGID_OUT_MOTION;
    body->id = p2_load_le32(at);
    body->is_asleep = at[4] != 0;
    body->rest = p2_load_le16(at + 6);
    get_floats(at + 8, body->position, 3);
    get_floats(at + 20, body->orientation, 4);
    get_floats(motion, body->velocity, 3);
    get_floats(motion + 12, body->spin, 3);
    return true;
}

/* ---- fluid ---------------------------------------------------------------------------------- */

size_t p2c2r_physics_fluid_input(uint8_t *out, size_t capacity, const uint8_t size[3],
                                 uint8_t steps, uint8_t phase, const uint16_t *cells)
{
    struct p2_pack pack = p2_pack_start(out, capacity);
    size_t count = 1;
    for (unsigned i = 0; i < 3; i++) {
        if (size[i] < 1 || size[i] > P2_FLUID_SIDE_MAX) {
            return 0;
        }
        count *= size[i];
    }
    if (steps < 1 || steps > P2_FLUID_STEPS_MAX || phase > 1) {
        return 0;
    }
    const uint8_t head[P2_FLUID_HEADER] = {size[0], size[1], size[2], steps, phase, 0, 0, 0};
    p2_pack_bytes(&pack, head, sizeof head);
    uint8_t *at = p2_pack_space(&pack, count * 2);
    for (size_t i = 0; at != NULL && i < count; i++) {
        p2_store_le16(at + i * 2, cells[i]);
    }
    return size_of(&pack);
}

bool p2c2r_physics_fluid_cell(struct p2c2r_bytes result, size_t index, uint16_t *ret_cell)
{
    if (index >= result.size / 2) {
        return false;
    }
    *ret_cell = p2_load_le16(result.data + index * 2);
    return true;
}

/* ---- destruction ---------------------------------------------------------------------------- */

static void put_blasts(struct p2_pack *pack, const struct p2c2r_destruction *block)
{
    for (uint32_t i = 0; i < block->blast_count; i++) {
        for (unsigned k = 0; k < 3; k++) {
            p2_pack_i32(pack, block->blasts[i].centre[k]);
        }
        p2_pack_u16(pack, block->blasts[i].radius);
        p2_pack_u16(pack, block->blasts[i].power);
    }
    for (uint32_t i = 0; i < block->removed_count; i++) {
        p2_pack_u32(pack, block->removed[i]);
    }
}

size_t p2c2r_physics_destruction_input(uint8_t *out, size_t capacity,
                                       const struct p2c2r_destruction *block)
{
    struct p2_pack pack = p2_pack_start(out, capacity);
    const size_t count = (size_t)block->size[0] * block->size[1] * block->size[2];
    if (count < 1 || count > P2_DESTRUCTION_VOXELS_MAX || block->material_count < 1 ||
        block->material_count > P2_DESTRUCTION_MATERIALS_MAX ||
        block->blast_count > P2_DESTRUCTION_BLASTS_MAX ||
        block->removed_count > P2_DESTRUCTION_REMOVED_MAX || block->faces > 63) {
        return 0;
    }
    p2_pack_bytes(&pack, block->size, 3);
    p2_pack_u8(&pack, block->faces);
    p2_pack_u16(&pack, (uint16_t)block->material_count);
    p2_pack_u16(&pack, (uint16_t)block->blast_count);
    p2_pack_u32(&pack, block->removed_count);
    p2_pack_u32(&pack, block->dust);
    for (uint32_t i = 0; i < block->material_count; i++) {
        p2_pack_u16(&pack, block->materials[i].mass);
        p2_pack_u8(&pack, block->materials[i].strength);
        p2_pack_u8(&pack, block->materials[i].holds ? 1 : 0);
    }
    put_blasts(&pack, block);
    p2_pack_bytes(&pack, block->voxels, count);
    return size_of(&pack);
}

#define HEAD_BYTES     40u
#define FRAGMENT_BYTES 40u

bool p2c2r_physics_destruction_head(struct p2c2r_bytes result,
                                    struct p2c2r_destruction_head *ret_head)
{
    if (result.size < HEAD_BYTES) {
        return false;
    }
    ret_head->removed = p2_load_le32(result.data);
    ret_head->fragments = p2_load_le32(result.data + 4);
    ret_head->fragment_runs = p2_load_le32(result.data + 8);
    ret_head->dust_runs = p2_load_le32(result.data + 12);
    ret_head->removed_runs = p2_load_le32(result.data + 16);
    const uint64_t runs =
        (uint64_t)ret_head->fragment_runs + ret_head->dust_runs + ret_head->removed_runs;
    return result.size == HEAD_BYTES + (uint64_t)ret_head->fragments * FRAGMENT_BYTES + runs * 4;
}

bool p2c2r_physics_destruction_fragment(struct p2c2r_bytes result, uint32_t index,
                                        struct p2c2r_fragment *ret_fragment)
{
    struct p2c2r_destruction_head head;
    if (!p2c2r_physics_destruction_head(result, &head) || index >= head.fragments) {
        return false;
    }
    const uint8_t *at = result.data + HEAD_BYTES + (size_t)index * FRAGMENT_BYTES;
    ret_fragment->first_run = p2_load_le32(at);
    ret_fragment->runs = p2_load_le32(at + 4);
    ret_fragment->voxels = p2_load_le32(at + 8);
    for (unsigned i = 0; i < 3; i++) {
        ret_fragment->low[i] = at[12 + i];
        ret_fragment->high[i] = at[15 + i];
        ret_fragment->centre[i] = p2_i32_of_bits(p2_load_le32(at + 28 + (size_t)i * 4));
    }
    return true;
}

bool p2c2r_physics_destruction_run(struct p2c2r_bytes result, uint32_t index,
                                   struct p2c2r_run *ret_run)
{
    struct p2c2r_destruction_head head;
    if (!p2c2r_physics_destruction_head(result, &head)) {
        return false;
    }
    const size_t at = HEAD_BYTES + (size_t)head.fragments * FRAGMENT_BYTES + (size_t)index * 4;
    if (at + 4 > result.size) {
        return false;
    }
    const uint32_t code = p2_load_le32(result.data + at);
    ret_run->first = code & ((1u << 18) - 1);
    ret_run->count = (code >> 18 & 127u) + 1;
    return true;
}
