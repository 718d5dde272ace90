/* Writers and bounded readers of scene v1 and pad v1. */
#include "p2c2r/scene.h"

#include "kernels/pack.h"

#include <string.h>

#define FORMAT 1u

static void put_positions(struct p2_pack *out, const int32_t *values, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        p2_pack_i32(out, values[i]);
    }
}

static void get_positions(struct p2_unpack *in, int32_t *values, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        values[i] = p2_unpack_i32(in);
    }
}

static bool are_positions(const int32_t *values)
{
    for (unsigned i = 0; i < 3; i++) {
        if (values[i] < -P2C2R_SCENE_POSITION_MAX || values[i] > P2C2R_SCENE_POSITION_MAX) {
            return false;
        }
    }
    return true;
}

static int16_t i16_of(uint16_t bits)
{
    int16_t value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static size_t size_of(const struct p2_pack *out)
{
    return out->failed ? 0 : out->size;
}

/* ---- chunks: runs of equal materials --------------------------------------------------------- */

#define RUN_SHORT  14u /* low nibbles 0..13: that many voxels and one more */
#define RUN_BYTE   14u /* a byte follows: 15..270 voxels */
#define RUN_WORD   15u /* two bytes follow: 271 and more */
#define BYTE_FIRST 15u
#define WORD_FIRST 271u

static void put_run(struct p2_pack *out, unsigned material, uint32_t length)
{
    const unsigned high = material << 4;
    if (length <= RUN_SHORT) {
        p2_pack_u8(out, (uint8_t)(high | (length - 1)));
    } else if (length < WORD_FIRST) {
        p2_pack_u8(out, (uint8_t)(high | RUN_BYTE));
        p2_pack_u8(out, (uint8_t)(length - BYTE_FIRST));
    } else {
        p2_pack_u8(out, (uint8_t)(high | RUN_WORD));
        p2_pack_u16(out, (uint16_t)(length - WORD_FIRST));
    }
}

size_t p2c2r_scene_chunk_write(uint8_t *out, size_t capacity, const uint8_t *voxels)
{
    struct p2_pack pack = p2_pack_start(out, capacity);
    p2_pack_u8(&pack, FORMAT);
    for (uint32_t at = 0; at < P2C2R_SCENE_CHUNK_VOXELS;) {
        const uint8_t material = voxels[at];
        uint32_t end = at + 1;
        if (material > 15) {
            return 0;
        }
        while (end < P2C2R_SCENE_CHUNK_VOXELS && voxels[end] == material) {
            end++;
        }
        put_run(&pack, material, end - at);
        at = end;
    }
    return size_of(&pack);
}

static uint32_t get_run(struct p2_unpack *in, uint8_t *material)
{
    const uint8_t head = p2_unpack_u8(in);
    *material = head >> 4;
    switch (head & 15u) {
    case RUN_BYTE:
        return BYTE_FIRST + p2_unpack_u8(in);
    case RUN_WORD:
        return WORD_FIRST + p2_unpack_u16(in);
    default:
        return (head & 15u) + 1u;
    }
}

bool p2c2r_scene_chunk_read(struct p2c2r_bytes bytes, uint8_t *ret_voxels)
{
    struct p2_unpack in = p2_unpack_start(bytes);
    uint32_t at = 0;
    if (p2_unpack_u8(&in) != FORMAT) {
        return false;
    }
    while (at < P2C2R_SCENE_CHUNK_VOXELS && !in.failed) {
        uint8_t material;
        const uint32_t length = get_run(&in, &material);
        if (in.failed || length > P2C2R_SCENE_CHUNK_VOXELS - at) {
            return false;
        }
        memset(ret_voxels + at, material, length);
        at += length;
    }
    return p2_unpack_done(&in);
}

/* ---- bundles --------------------------------------------------------------------------------- */

#define BUNDLE_FORMAT 2u
#define RECORD_HEAD   6u /* u32 key, u16 size */

void p2c2r_scene_bundle_start(struct p2c2r_scene_bundle *bundle, uint8_t *out, size_t capacity)
{
    *bundle = (struct p2c2r_scene_bundle){out, capacity, 0, false};
}

void p2c2r_scene_bundle_add(struct p2c2r_scene_bundle *bundle, uint32_t cx, uint32_t cz,
                            const uint8_t *voxels)
{
    const size_t left = bundle->capacity - bundle->size;
    if (bundle->is_full || left < RECORD_HEAD || cx >= P2C2R_SCENE_CHUNKS_SIDE ||
        cz >= P2C2R_SCENE_CHUNKS_SIDE) {
        bundle->is_full = true;
        return;
    }
    uint8_t *at = bundle->out + bundle->size;
    const size_t size = p2c2r_scene_chunk_write(at + RECORD_HEAD, left - RECORD_HEAD, voxels);
    p2_store_le32(at, p2c2r_scene_chunk_key(cx, cz));
    p2_store_le16(at + 4, (uint16_t)size);
    bundle->size += RECORD_HEAD + size;
    bundle->is_full = size == 0 || bundle->size > P2C2R_SCENE_BUNDLE_CONTENT;
}

struct p2c2r_bytes p2c2r_scene_bundle_end(const struct p2c2r_scene_bundle *bundle)
{
    return (struct p2c2r_bytes){bundle->out, bundle->is_full ? 0 : bundle->size};
}

size_t p2c2r_scene_bundle_frame(uint8_t *out, size_t capacity, uint32_t content_size,
                                struct p2c2r_bytes frame)
{
    struct p2_pack pack = p2_pack_start(out, capacity);
    p2_pack_u32(&pack, BUNDLE_FORMAT);
    p2_pack_u32(&pack, content_size);
    p2_pack_bytes(&pack, frame.data, frame.size);
    return content_size > P2C2R_SCENE_BUNDLE_CONTENT || pack.size > P2C2R_SCENE_BUNDLE_MAX
               ? 0
               : size_of(&pack);
}

bool p2c2r_scene_bundle_open(struct p2c2r_bytes delta, struct p2c2r_bytes *ret_frame,
                             uint32_t *ret_content_size)
{
    struct p2_unpack in = p2_unpack_start(delta);
    const uint32_t format = p2_unpack_u32(&in);
    *ret_content_size = p2_unpack_u32(&in);
    ret_frame->data = in.data;
    ret_frame->size = in.left;
    return !in.failed && format == BUNDLE_FORMAT && delta.size <= P2C2R_SCENE_BUNDLE_MAX &&
           *ret_content_size > 0 && *ret_content_size <= P2C2R_SCENE_BUNDLE_CONTENT;
}

bool p2c2r_scene_bundle_next(struct p2c2r_bytes *content, uint32_t *ret_key, uint8_t *ret_voxels)
{
    struct p2_unpack in = p2_unpack_start(*content);
    *ret_key = p2_unpack_u32(&in);
    const uint16_t size = p2_unpack_u16(&in);
    const struct p2c2r_bytes chunk = {p2_unpack_bytes(&in, size), size};
    if (in.failed || *ret_key >= P2C2R_SCENE_BUNDLE_KEY ||
        !p2c2r_scene_chunk_read(chunk, ret_voxels)) {
        return false;
    }
    *content = (struct p2c2r_bytes){in.data, in.left};
    return true;
}

/* ---- entities ------------------------------------------------------------------------------- */

static bool is_entity(const struct p2c2r_scene_entity *entity)
{
    return entity->shape < P2C2R_SHAPES && entity->slices < 16 && entity->pose < 16 &&
           entity->width > 0 && entity->height > 0 && entity->id != P2C2R_SCENE_NOBODY &&
           are_positions(entity->position);
}

size_t p2c2r_scene_entities_write(uint8_t *out, size_t capacity,
                                  const struct p2c2r_scene_entity *entities, uint32_t count)
{
    struct p2_pack pack = p2_pack_start(out, capacity);
    if (count > P2C2R_SCENE_PAGE_ENTITIES) {
        return 0;
    }
    p2_pack_u8(&pack, (uint8_t)count);
    for (uint32_t i = 0; i < count; i++) {
        const struct p2c2r_scene_entity *e = &entities[i];
        if (!is_entity(e)) {
            return 0;
        }
        p2_pack_u16(&pack, e->id);
        p2_pack_u8(&pack, e->shape);
        p2_pack_u8(&pack, e->slices);
        put_positions(&pack, e->position, 3);
        const uint8_t rest[] = {e->yaw, e->pose, e->colour[0], e->colour[1], e->width, e->height};
        p2_pack_bytes(&pack, rest, sizeof rest);
    }
    return size_of(&pack);
}

bool p2c2r_scene_entities_read(struct p2c2r_bytes bytes,
                               struct p2c2r_scene_entity ret_entities[P2C2R_SCENE_PAGE_ENTITIES],
                               uint32_t *ret_count)
{
    struct p2_unpack in = p2_unpack_start(bytes);
    const uint32_t count = p2_unpack_u8(&in);
    if (count > P2C2R_SCENE_PAGE_ENTITIES || in.left != count * P2C2R_SCENE_ENTITY_BYTES) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct p2c2r_scene_entity *e = &ret_entities[i];
        e->id = p2_unpack_u16(&in);
        e->shape = p2_unpack_u8(&in);
        e->slices = p2_unpack_u8(&in);
        get_positions(&in, e->position, 3);
        e->yaw = p2_unpack_u8(&in);
        e->pose = p2_unpack_u8(&in);
        e->colour[0] = p2_unpack_u8(&in);
        e->colour[1] = p2_unpack_u8(&in);
        e->width = p2_unpack_u8(&in);
        e->height = p2_unpack_u8(&in);
        if (!is_entity(e)) {
            return false;
        }
    }
    *ret_count = count;
    return p2_unpack_done(&in);
}

/* ---- lights --------------------------------------------------------------------------------- */

static bool is_sky(const struct p2c2r_scene_sky *sky)
{
    return sky->sun_level < 16 && sky->ambient_level < 16 && sky->zenith < 16 &&
           sky->horizon < 16 && sky->glow < 16 && sky->sea_level <= 64 && sky->fog_start >= 16 &&
           sky->fog_start <= 1024;
}

size_t p2c2r_scene_sky_write(uint8_t *out, size_t capacity, const struct p2c2r_scene_sky *sky)
{
    struct p2_pack pack = p2_pack_start(out, capacity);
    if (!is_sky(sky)) {
        return 0;
    }
    p2_pack_u8(&pack, FORMAT);
    for (unsigned i = 0; i < 3; i++) {
        p2_pack_u16(&pack, (uint16_t)sky->sun[i]);
    }
    const uint8_t levels[] = {sky->sun_level, sky->ambient_level, sky->zenith,
                              sky->horizon,   sky->glow,          sky->sea_level};
    p2_pack_bytes(&pack, levels, sizeof levels);
    p2_pack_u16(&pack, sky->fog_start);
    const uint8_t rest[] = {sky->clouds, sky->phase, sky->is_moon ? 1 : 0, 0, 0};
    p2_pack_bytes(&pack, rest, sizeof rest);
    return size_of(&pack);
}

bool p2c2r_scene_sky_read(struct p2c2r_bytes bytes, struct p2c2r_scene_sky *ret_sky)
{
    struct p2_unpack in = p2_unpack_start(bytes);
    const uint8_t format = p2_unpack_u8(&in);
    for (unsigned i = 0; i < 3; i++) {
        ret_sky->sun[i] = i16_of(p2_unpack_u16(&in));
    }
    ret_sky->sun_level = p2_unpack_u8(&in);
    ret_sky->ambient_level = p2_unpack_u8(&in);
    ret_sky->zenith = p2_unpack_u8(&in);
    ret_sky->horizon = p2_unpack_u8(&in);
    ret_sky->glow = p2_unpack_u8(&in);
    ret_sky->sea_level = p2_unpack_u8(&in);
    ret_sky->fog_start = p2_unpack_u16(&in);
    ret_sky->clouds = p2_unpack_u8(&in);
    ret_sky->phase = p2_unpack_u8(&in);
    const uint8_t moon = p2_unpack_u8(&in);
    ret_sky->is_moon = moon == 1;
    return p2_unpack_u16(&in) == 0 && p2_unpack_done(&in) && format == FORMAT && moon <= 1 &&
           is_sky(ret_sky);
}

static bool is_lamp(const struct p2c2r_scene_lamp *lamp)
{
    return lamp->level >= 1 && lamp->level <= 15 && lamp->radius >= 1 && lamp->radius <= 32 &&
           are_positions(lamp->position);
}

size_t p2c2r_scene_lamps_write(uint8_t *out, size_t capacity, const struct p2c2r_scene_lamp *lamps,
                               uint32_t count)
{
    struct p2_pack pack = p2_pack_start(out, capacity);
    if (count > P2C2R_SCENE_LAMPS) {
        return 0;
    }
    p2_pack_u8(&pack, FORMAT);
    p2_pack_u8(&pack, (uint8_t)count);
    for (uint32_t i = 0; i < count; i++) {
        if (!is_lamp(&lamps[i])) {
            return 0;
        }
        put_positions(&pack, lamps[i].position, 3);
        p2_pack_u8(&pack, lamps[i].level);
        p2_pack_u8(&pack, lamps[i].radius);
    }
    return size_of(&pack);
}

bool p2c2r_scene_lamps_read(struct p2c2r_bytes bytes,
                            struct p2c2r_scene_lamp ret_lamps[P2C2R_SCENE_LAMPS],
                            uint32_t *ret_count)
{
    struct p2_unpack in = p2_unpack_start(bytes);
    const uint8_t format = p2_unpack_u8(&in);
    const uint32_t count = p2_unpack_u8(&in);
    if (format != FORMAT || count > P2C2R_SCENE_LAMPS ||
        in.left != count * P2C2R_SCENE_LAMP_BYTES) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        get_positions(&in, ret_lamps[i].position, 3);
        ret_lamps[i].level = p2_unpack_u8(&in);
        ret_lamps[i].radius = p2_unpack_u8(&in);
        if (!is_lamp(&ret_lamps[i])) {
            return false;
        }
    }
    *ret_count = count;
    return p2_unpack_done(&in);
}

/* ---- text ----------------------------------------------------------------------------------- */

/* Characters that change how text around them is shown or break a line (Unicode 15, PropList:
 * Bidi_Control, and the separators), and the byte order mark. */
static bool is_formatting(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c & 0xfffe) == 0xfffe;
}

/* The character at text[*at]; moves behind it. 0 for anything that is no UTF-8. */
static uint32_t next_character(const uint8_t *text, size_t size, size_t *at)
{
    static const uint32_t least[4] = {0, 0x80, 0x800, 0x10000};
    const uint8_t head = text[*at];
    const unsigned more = head < 0x80   ? 0
                          : head < 0xc2 ? 4
                          : head < 0xe0 ? 1
                          : head < 0xf0 ? 2
                          : head < 0xf5 ? 3
                                        : 4;
    if (more == 4 || size - *at <= more) {
        return 0;
    }
    uint32_t c = more == 0 ? head : head & (0x3fu >> more);
    for (unsigned i = 1; i <= more; i++) {
        const uint8_t next = text[*at + i];
        if ((next & 0xc0) != 0x80) {
            return 0;
        }
        c = c << 6 | (next & 0x3fu);
    }
    *at += more + 1;
    return c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : c;
}

bool p2c2r_scene_text_is_clean(const char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        if (is_formatting(next_character((const uint8_t *)text, size, &at))) {
            return false;
        }
    }
    return true;
}

static bool is_text(const struct p2c2r_scene_text *text)
{
    return text->place < P2C2R_PLACES && text->size <= P2C2R_SCENE_TEXT_MAX &&
           (text->place == P2C2R_PLACE_SPEECH) == (text->entity != P2C2R_SCENE_NOBODY) &&
           p2c2r_scene_text_is_clean(text->text, text->size);
}

size_t p2c2r_scene_text_write(uint8_t *out, size_t capacity, const struct p2c2r_scene_text *text)
{
    struct p2_pack pack = p2_pack_start(out, capacity);
    if (!is_text(text)) {
        return 0;
    }
    p2_pack_u8(&pack, text->place);
    p2_pack_u8(&pack, text->colour);
    p2_pack_u16(&pack, text->entity);
    p2_pack_u8(&pack, text->size);
    p2_pack_bytes(&pack, (const uint8_t *)text->text, text->size);
    return size_of(&pack);
}

bool p2c2r_scene_text_read(struct p2c2r_bytes bytes, struct p2c2r_scene_text *ret_text)
{
    struct p2_unpack in = p2_unpack_start(bytes);
    ret_text->place = p2_unpack_u8(&in);
    ret_text->colour = p2_unpack_u8(&in);
    ret_text->entity = p2_unpack_u16(&in);
    ret_text->size = p2_unpack_u8(&in);
    if (in.failed || ret_text->size > P2C2R_SCENE_TEXT_MAX || in.left != ret_text->size) {
        return false;
    }
    const uint8_t *text = p2_unpack_bytes(&in, ret_text->size);
    if (text == NULL) {
        return false;
    }
    memcpy(ret_text->text, text, ret_text->size);
    ret_text->text[ret_text->size] = 0;
    return is_text(ret_text);
}

/* ---- events --------------------------------------------------------------------------------- */

size_t p2c2r_scene_events_write(uint8_t *out, size_t capacity, uint32_t first,
                                const struct p2c2r_scene_event *events, uint32_t count)
{
    struct p2_pack pack = p2_pack_start(out, capacity);
    if (count > P2C2R_SCENE_EVENTS_COUNT) {
        return 0;
    }
    p2_pack_u32(&pack, first);
    p2_pack_u8(&pack, (uint8_t)count);
    for (uint32_t i = 0; i < count; i++) {
        if (events[i].kind >= P2C2R_EVENT_KINDS || !are_positions(events[i].position)) {
            return 0;
        }
        p2_pack_u8(&pack, events[i].kind);
        p2_pack_u8(&pack, events[i].magnitude);
        put_positions(&pack, events[i].position, 3);
    }
    return size_of(&pack);
}

bool p2c2r_scene_events_read(struct p2c2r_bytes bytes, uint32_t *ret_first,
                             struct p2c2r_scene_event ret_events[P2C2R_SCENE_EVENTS_COUNT],
                             uint32_t *ret_count)
{
    struct p2_unpack in = p2_unpack_start(bytes);
    *ret_first = p2_unpack_u32(&in);
    const uint32_t count = p2_unpack_u8(&in);
    if (count > P2C2R_SCENE_EVENTS_COUNT || in.left != count * P2C2R_SCENE_EVENT_BYTES) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        ret_events[i].kind = p2_unpack_u8(&in);
        ret_events[i].magnitude = p2_unpack_u8(&in);
        get_positions(&in, ret_events[i].position, 3);
        if (ret_events[i].kind >= P2C2R_EVENT_KINDS || !are_positions(ret_events[i].position)) {
            return false;
        }
    }
    *ret_count = count;
    return p2_unpack_done(&in);
}

/* ---- camera and pad ------------------------------------------------------------------------- */

static bool is_pitch(int pitch)
{
    return pitch >= -P2C2R_SCENE_PITCH_MAX && pitch <= P2C2R_SCENE_PITCH_MAX;
}

static bool is_camera(const struct p2c2r_scene_camera *camera)
{
    const int32_t reach = P2C2R_SCENE_POSITION_MAX / P2C2R_SCENE_ONE * 65535; /* voxels, Q16.16 */
    const int32_t *axes[3] = {camera->forward, camera->right, camera->up};
    for (unsigned i = 0; i < 3; i++) {
        int64_t squared = 0;
        if (camera->position[i] < -reach || camera->position[i] > reach) {
            return false;
        }
        for (unsigned k = 0; k < 3; k++) { /* |axis| is 1/4 .. 4 */
            if (axes[i][k] < -262144 || axes[i][k] > 262144) {
                return false;
            }
            squared += (int64_t)axes[i][k] * axes[i][k];
        }
        if (squared < (int64_t)16384 * 16384) {
            return false;
        }
    }
    return is_pitch(camera->pitch);
}

size_t p2c2r_scene_camera_write(uint8_t *out, size_t capacity,
                                const struct p2c2r_scene_camera *camera)
{
    struct p2_pack pack = p2_pack_start(out, capacity);
    if (!is_camera(camera)) {
        return 0;
    }
    p2_pack_u8(&pack, FORMAT);
    p2_pack_u8(&pack, camera->overscan);
    p2_pack_u16(&pack, camera->yaw);
    p2_pack_u16(&pack, (uint16_t)camera->pitch);
    p2_pack_u16(&pack, 0);
    p2_pack_u32(&pack, camera->frame);
    put_positions(&pack, camera->position, 3);
    put_positions(&pack, camera->forward, 3);
    put_positions(&pack, camera->right, 3);
    put_positions(&pack, camera->up, 3);
    return size_of(&pack);
}

bool p2c2r_scene_camera_read(struct p2c2r_bytes bytes, struct p2c2r_scene_camera *ret_camera)
{
    struct p2_unpack in = p2_unpack_start(bytes);
    const uint8_t format = p2_unpack_u8(&in);
    ret_camera->overscan = p2_unpack_u8(&in);
    ret_camera->yaw = p2_unpack_u16(&in);
    ret_camera->pitch = i16_of(p2_unpack_u16(&in));
    const uint16_t zero = p2_unpack_u16(&in);
    ret_camera->frame = p2_unpack_u32(&in);
    get_positions(&in, ret_camera->position, 3);
    get_positions(&in, ret_camera->forward, 3);
    get_positions(&in, ret_camera->right, 3);
    get_positions(&in, ret_camera->up, 3);
    return format == FORMAT && zero == 0 && p2_unpack_done(&in) && is_camera(ret_camera);
}

size_t p2c2r_pad_write(uint8_t *out, size_t capacity, const struct p2c2r_pad *pad)
{
    struct p2_pack pack = p2_pack_start(out, capacity);
    if (pad->buttons > P2C2R_PAD_BUTTONS || pad->slot > 15 || pad->right == INT8_MIN ||
        pad->forward == INT8_MIN || !is_pitch(pad->pitch)) {
        return 0;
    }
    const uint8_t head[] = {FORMAT, pad->buttons, (uint8_t)pad->right, (uint8_t)pad->forward};
    p2_pack_bytes(&pack, head, sizeof head);
    p2_pack_u16(&pack, pad->yaw);
    p2_pack_u16(&pack, (uint16_t)pad->pitch);
    p2_pack_u32(&pack, pad->slot);
    return size_of(&pack);
}

bool p2c2r_pad_read(struct p2c2r_bytes bytes, struct p2c2r_pad *ret_pad)
{
    struct p2_unpack in = p2_unpack_start(bytes);
    const uint8_t format = p2_unpack_u8(&in);
    ret_pad->buttons = p2_unpack_u8(&in);
    ret_pad->right = (int8_t)(p2_unpack_u8(&in));
    ret_pad->forward = (int8_t)(p2_unpack_u8(&in));
    ret_pad->yaw = p2_unpack_u16(&in);
    ret_pad->pitch = i16_of(p2_unpack_u16(&in));
    const uint32_t slot = p2_unpack_u32(&in);
    ret_pad->slot = (uint8_t)(slot & 15u);
    return p2_unpack_done(&in) && format == FORMAT && ret_pad->buttons <= P2C2R_PAD_BUTTONS &&
           slot < 16 && ret_pad->right != INT8_MIN && ret_pad->forward != INT8_MIN &&
           is_pitch(ret_pad->pitch);
}
