/* A gamer's scene and its frames; the rules stand in the header. */
#include "authority/gamer_frames.h"

#include "base/crypto.h"
#include "wire/encode.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

/* Bytes of FRAME besides deltas and tiles, and of one of those besides its data: above the heads
 * that msgpack writes. */
#define FRAME_HEAD 512u
#define THING_HEAD 24u

/* Raw bytes of the largest thing. */
#define RAW_MAX (P2_WIRE_DELTA_MAX > P2_WIRE_TILE_MAX ? P2_WIRE_DELTA_MAX : P2_WIRE_TILE_MAX)

int p2_gamer_scene_open(struct p2_gamer_scene *scene, p2_gamer_pack_fn *pack, void *pack_ctx)
{
    memset(scene, 0, sizeof *scene);
    scene->things = calloc(P2_GAMER_THINGS_MAX, sizeof *scene->things);
    scene->buckets = calloc(P2_GAMER_THINGS_MAX, sizeof *scene->buckets);
    scene->message = calloc(1, sizeof *scene->message);
    scene->scratch = malloc(RAW_MAX);
    scene->pack = pack;
    scene->pack_ctx = pack_ctx;
    if (scene->things == NULL || scene->buckets == NULL || scene->message == NULL ||
        scene->scratch == NULL) {
        p2_gamer_scene_close(scene);
        return P2_E_NOMEM;
    }
    p2_gamer_scene_clear(scene);
    return P2_OK;
}

void p2_gamer_scene_close(struct p2_gamer_scene *scene)
{
    for (uint32_t i = 0; scene->things != NULL && i < P2_GAMER_THINGS_MAX; i++) {
        free(scene->things[i].data);
    }
    free(scene->things);
    free(scene->buckets);
    free(scene->message);
    free(scene->scratch);
    memset(scene, 0, sizeof *scene);
}

void p2_gamer_scene_clear(struct p2_gamer_scene *scene)
{
    for (uint32_t i = 0; i < P2_GAMER_THINGS_MAX; i++) {
        free(scene->things[i].data);
        scene->things[i] =
            (struct p2_gamer_thing){.hash_next = i + 1 < P2_GAMER_THINGS_MAX ? i + 1 : NONE};
        scene->buckets[i] = NONE;
    }
    scene->free_first = 0;
    scene->oldest = scene->newest = NONE;
    scene->bytes = 0;
    scene->camera_size = 0;
    scene->version++; /* whoever holds an older scene holds another one */
    scene->acknowledged = 0;
    scene->fresh_frame = 0;
    scene->sent_count = 0;
    scene->state = scene->state == P2_GAMER_AWAY ? P2_GAMER_AWAY : P2_GAMER_FRESH;
}

/* ---- things ------------------------------------------------------------------------------------ */

static uint32_t *bucket_of(struct p2_gamer_scene *scene, uint8_t kind, uint32_t key)
{
    uint64_t mixed = ((uint64_t)kind << 32 | key) * UINT64_C(0x9e3779b97f4a7c15);
    return &scene->buckets[(mixed >> 40) & (P2_GAMER_THINGS_MAX - 1)];
}

static uint32_t find(struct p2_gamer_scene *scene, uint8_t kind, uint32_t key)
{
    uint32_t at = *bucket_of(scene, kind, key);
    while (at != NONE && (scene->things[at].kind != kind || scene->things[at].key != key)) {
        at = scene->things[at].hash_next;
    }
    return at;
}

static uint32_t take(struct p2_gamer_scene *scene, uint8_t kind, uint32_t key)
{
    uint32_t at = scene->free_first;
    if (at == NONE) {
        return NONE;
    }
    struct p2_gamer_thing *thing = &scene->things[at];
    uint32_t *bucket = bucket_of(scene, kind, key);
    scene->free_first = thing->hash_next;
    thing->kind = kind;
    thing->key = key;
    thing->hash_next = *bucket;
    *bucket = at;
    return at;
}

static void unlink_change(struct p2_gamer_scene *scene, const struct p2_gamer_thing *thing)
{
    if (thing->older == NONE) {
        scene->oldest = thing->newer;
    } else {
        scene->things[thing->older].newer = thing->newer;
    }
    if (thing->newer == NONE) {
        scene->newest = thing->older;
    } else {
        scene->things[thing->newer].older = thing->older;
    }
}

static void give(struct p2_gamer_scene *scene, uint32_t at)
{
    struct p2_gamer_thing *thing = &scene->things[at];
    uint32_t *link = bucket_of(scene, thing->kind, thing->key);
    while (*link != at) {
        link = &scene->things[*link].hash_next;
    }
    *link = thing->hash_next;
    if (thing->change != 0) {
        unlink_change(scene, thing);
    }
    scene->bytes -= thing->capacity;
    free(thing->data);
    *thing = (struct p2_gamer_thing){.hash_next = scene->free_first};
    scene->free_first = at;
}

static void mark_changed(struct p2_gamer_scene *scene, uint32_t at, uint64_t frame)
{
    struct p2_gamer_thing *thing = &scene->things[at];
    if (thing->change != 0) {
        unlink_change(scene, thing);
    }
    thing->change = ++scene->version;
    thing->frame = frame;
    thing->older = scene->newest;
    thing->newer = NONE;
    if (scene->newest == NONE) {
        scene->oldest = at;
    } else {
        scene->things[scene->newest].newer = at;
    }
    scene->newest = at;
}

static int reserve(struct p2_gamer_scene *scene, struct p2_gamer_thing *thing, size_t size)
{
    if (size <= thing->capacity) {
        return P2_OK;
    }
    if (size - thing->capacity > P2_GAMER_BYTES_MAX - scene->bytes) {
        return P2_E_LIMIT;
    }
    uint8_t *data = realloc(thing->data, size);
    if (data == NULL) {
        return P2_E_NOMEM;
    }
    scene->bytes += size - thing->capacity;
    thing->data = data;
    thing->capacity = (uint32_t)size;
    return P2_OK;
}

/* Packed where that is worth it. */
static struct p2_span pack(struct p2_gamer_scene *scene, struct p2_span raw, uint8_t *ret_codec)
{
    *ret_codec = P2_CODEC_RAW;
    if (scene->pack == NULL || raw.size < P2_GAMER_PACK_MIN) {
        return raw;
    }
    size_t size = scene->pack(scene->pack_ctx, raw, scene->scratch, raw.size - 1);
    if (size == 0) {
        return raw;
    }
    *ret_codec = P2_CODEC_ZSTD;
    return p2_span(scene->scratch, size);
}

static int write(struct p2_gamer_scene *scene, uint64_t frame, uint8_t kind, uint32_t key,
                 struct p2_span raw, uint32_t *ret_at)
{
    uint8_t digest[sizeof scene->things->digest];
    p2_hash(digest, sizeof digest, &raw, 1);
    uint32_t at = find(scene, kind, key);
    bool is_new = at == NONE;
    if (!is_new && kind != P2_DELTA_KIND_EVENTS &&
        memcmp(digest, scene->things[at].digest, sizeof digest) == 0) {
        *ret_at = NONE;
        return P2_OK;
    }
    at = is_new ? take(scene, kind, key) : at;
    if (at == NONE) {
        return P2_E_LIMIT;
    }
    struct p2_gamer_thing *thing = &scene->things[at];
    uint8_t codec;
    struct p2_span packed = pack(scene, raw, &codec);
    int error = reserve(scene, thing, packed.size);
    if (error != P2_OK) {
        if (is_new) {
            give(scene, at);
        }
        return error;
    }
    if (packed.size > 0) {
        memcpy(thing->data, packed.data, packed.size);
    }
    thing->size = (uint32_t)packed.size;
    thing->codec = codec;
    memcpy(thing->digest, digest, sizeof digest);
    mark_changed(scene, at, frame);
    *ret_at = at;
    return P2_OK;
}

int p2_gamer_scene_delta(struct p2_gamer_scene *scene, uint64_t frame, uint32_t kind, uint32_t key,
                         struct p2_span raw)
{
    uint32_t at;
    int error = P2_E_INVALID;
    if (p2_delta_kind_name(kind) != NULL && raw.size <= P2_WIRE_DELTA_MAX) {
        error = write(scene, frame, (uint8_t)kind, key, raw, &at);
    }
    scene->cut += error != P2_OK ? 1 : 0;
    return error;
}

int p2_gamer_scene_tile(struct p2_gamer_scene *scene, uint64_t frame, uint32_t index, uint32_t tier,
                        uint32_t age, struct p2_span raw)
{
    uint32_t at = NONE;
    int error = P2_E_INVALID;
    if (index < P2_WIRE_TILES_MAX && p2_tier_name(tier) != NULL && raw.size <= P2_WIRE_TILE_MAX) {
        error = write(scene, frame, P2_GAMER_TILE, index, raw, &at);
    }
    if (error == P2_OK && at != NONE) {
        scene->things[at].tier = (uint8_t)tier;
        scene->things[at].age = (uint8_t)(age < UINT8_MAX ? age : UINT8_MAX);
    }
    scene->cut += error != P2_OK ? 1 : 0;
    return error;
}

int p2_gamer_scene_camera(struct p2_gamer_scene *scene, struct p2_span raw)
{
    if (raw.size > sizeof scene->camera) {
        scene->cut++;
        return P2_E_INVALID;
    }
    if (raw.size > 0) {
        memcpy(scene->camera, raw.data, raw.size);
    }
    scene->camera_size = (uint32_t)raw.size;
    return P2_OK;
}

/* ---- the client -------------------------------------------------------------------------------- */

/* Events up to change `until`, or older than `frame`, are over. */
static void drop_events(struct p2_gamer_scene *scene, uint64_t until, uint64_t frame)
{
    uint32_t at = scene->oldest;
    while (at != NONE) {
        const struct p2_gamer_thing *thing = &scene->things[at];
        uint32_t next = thing->newer;
        if (thing->change > until && thing->frame >= frame) {
            return;
        }
        if (thing->kind == P2_DELTA_KIND_EVENTS) {
            give(scene, at);
        }
        at = next;
    }
}

static void begin_fresh(struct p2_gamer_scene *scene)
{
    scene->state = P2_GAMER_FRESH;
    scene->acknowledged = 0;
    scene->fresh_frame = 0;
    scene->silent = 0;
    scene->sent_count = 0;
}

void p2_gamer_scene_attach(struct p2_gamer_scene *scene)
{
    begin_fresh(scene);
    drop_events(scene, UINT64_MAX, 0);
}

void p2_gamer_scene_detach(struct p2_gamer_scene *scene)
{
    begin_fresh(scene);
    scene->state = P2_GAMER_AWAY;
}

int p2_gamer_scene_ack(struct p2_gamer_scene *scene, uint64_t frame, uint64_t version)
{
    uint64_t known = scene->sent_count < P2_GAMER_VERSIONS ? scene->sent_count : P2_GAMER_VERSIONS;
    for (uint64_t i = 0; i < known; i++) {
        if (scene->sent[i].frame == frame && scene->sent[i].version == version) {
            if (version >= scene->acknowledged) {
                scene->acknowledged = version;
                scene->silent = 0;
                scene->state = P2_GAMER_FOLLOWING;
                drop_events(scene, version, 0);
            }
            return P2_OK;
        }
    }
    return P2_E_RANGE;
}

/* True when this frame is to be sent. */
static bool is_wanted(struct p2_gamer_scene *scene, uint64_t frame)
{
    if (scene->state == P2_GAMER_FOLLOWING && scene->silent >= P2_GAMER_VERSIONS) {
        begin_fresh(scene);
    }
    if (scene->state == P2_GAMER_FRESH) {
        return scene->fresh_frame == 0 || frame >= scene->fresh_frame + P2_GAMER_RESYNC_FRAMES;
    }
    return scene->state == P2_GAMER_FOLLOWING;
}

/* Adds a thing to the message; false when it does not fit any more. */
static bool add_thing(struct p2_msg_frame *message, const struct p2_gamer_thing *thing,
                      size_t *left)
{
    size_t needed = thing->size + THING_HEAD;
    struct p2_span data = p2_span(thing->data, thing->size);
    if (needed > *left) {
        return false;
    }
    if (thing->kind == P2_GAMER_TILE) {
        if (message->tiles_count == P2_WIRE_TILES_MAX) {
            return false;
        }
        message->tiles[message->tiles_count++] =
            (struct p2_msg_tile){.index = (uint16_t)thing->key,
                                 .tier = (enum p2_tier)thing->tier,
                                 .age = thing->age,
                                 .codec = (enum p2_codec)thing->codec,
                                 .data = data};
    } else {
        if (message->deltas_count == P2_WIRE_DELTAS_MAX) {
            return false;
        }
        message->deltas[message->deltas_count++] =
            (struct p2_msg_delta){.kind = (enum p2_delta_kind)thing->kind,
                                  .key = thing->key,
                                  .codec = (enum p2_codec)thing->codec,
                                  .data = data};
    }
    *left -= needed;
    return true;
}

/* The oldest change after `base`, found from the newest: what a client lacks is new. */
static uint32_t first_after(const struct p2_gamer_scene *scene, uint64_t base)
{
    uint32_t first = NONE;
    for (uint32_t at = scene->newest; at != NONE && scene->things[at].change > base;
         at = scene->things[at].older) {
        first = at;
    }
    return first;
}

static void fill_scene(struct p2_gamer_scene *scene, struct p2_msg_frame *message)
{
    size_t left = P2_WIRE_FRAME_MAX - FRAME_HEAD;
    message->base_version = scene->acknowledged;
    message->state_version = scene->version;
    for (uint32_t at = first_after(scene, scene->acknowledged); at != NONE;
         at = scene->things[at].newer) {
        if (!add_thing(message, &scene->things[at], &left)) {
            message->state_version = scene->things[at].change - 1;
            return;
        }
    }
}

static void fill_head(const struct p2_gamer_scene *scene, const struct p2_gamer_frame *frame,
                      struct p2_msg_frame *message)
{
    message->number = frame->frame;
    message->applied_input = frame->applied_input;
    message->durable_input = frame->durable_input;
    message->depth = frame->depth;
    message->reason = frame->reason;
    message->tiers_count = P2_COUNT_OF(frame->tiers);
    memcpy(message->tiers, frame->tiers, sizeof frame->tiers);
    message->queue_us = frame->queue_us;
    message->compute_us = frame->compute_us;
    message->merge_us = frame->merge_us;
    message->camera = p2_span(scene->camera, scene->camera_size);
    message->deltas_count = message->tiles_count = 0;
}

int p2_gamer_scene_encode(struct p2_gamer_scene *scene, const struct p2_gamer_frame *frame,
                          struct p2_buf *buf, size_t *ret_size)
{
    struct p2_msg_frame *message = scene->message;
    struct p2_writer writer;
    *ret_size = 0;
    if (frame->frame > P2_GAMER_VERSIONS) {
        drop_events(scene, 0, frame->frame - P2_GAMER_VERSIONS);
    }
    if (!is_wanted(scene, frame->frame)) {
        return P2_OK;
    }
    fill_head(scene, frame, message);
    fill_scene(scene, message);
    int error = p2_buf_reserve(buf, p2_wire_bound_frame(message));
    if (error != P2_OK) {
        return error;
    }
    p2_writer_init(&writer, buf->data + buf->size, buf->capacity - buf->size);
    error = p2_wire_encode_frame(&writer, message);
    if (error != P2_OK) {
        return error;
    }
    buf->size += writer.size;
    *ret_size = writer.size;
    scene->sent[scene->sent_count % P2_GAMER_VERSIONS].frame = frame->frame;
    scene->sent[scene->sent_count % P2_GAMER_VERSIONS].version = message->state_version;
    scene->sent_count++;
    scene->silent++;
    if (scene->state == P2_GAMER_FRESH) {
        scene->fresh_frame = frame->frame;
    }
    return P2_OK;
}
