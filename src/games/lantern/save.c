/* The state as bytes: one walk over all fields that writes them or reads and judges them.
 *
 * Layout, little-endian: 256 chunks of voxels (16 KiB each), ground heights (64 KiB), then every
 * field in the order of the walk below. All saves of a version have one length, so a chunk that did
 * not change since the last snapshot is passed as `same`. Ranges are enforced when reading: the bytes
 * may come from an imported save of a stranger. */
#include "lantern.h"

#include <stdlib.h>

struct io {
    const struct p2c2r_writer *writer; /* NULL: reading */
    uint8_t out[4096];
    size_t size;
    const uint8_t *in;
    size_t left;
    bool is_bad;
};

static void flush(struct io *io)
{
    if (io->size > 0) {
        io->writer->put(io->writer->ctx, io->out, io->size);
        io->size = 0;
    }
}

/* The next `bytes` bytes of a number, 1..8. */
static uint64_t number(struct io *io, uint64_t value, unsigned bytes)
{
    if (io->writer != NULL) {
        if (sizeof io->out - io->size < bytes) {
            flush(io);
        }
        for (unsigned i = 0; i < bytes; i++) {
            io->out[io->size++] = (uint8_t)(value >> 8 * i);
        }
        return value;
    }
    if (io->left < bytes) {
        io->is_bad = true;
        return 0;
    }
    value = 0;
    for (unsigned i = 0; i < bytes; i++) {
        value |= (uint64_t)io->in[i] << 8 * i;
    }
    io->in += bytes;
    io->left -= bytes;
    return value;
}

static void u8(struct io *io, uint8_t *value, unsigned max)
{
    *value = (uint8_t)number(io, *value, 1);
    io->is_bad = io->is_bad || *value > max;
}

static void u16(struct io *io, uint16_t *value, unsigned max)
{
    *value = (uint16_t)number(io, *value, 2);
    io->is_bad = io->is_bad || *value > max;
}

static void u32(struct io *io, uint32_t *value, uint32_t max)
{
    *value = (uint32_t)number(io, *value, 4);
    io->is_bad = io->is_bad || *value > max;
}

static void i32(struct io *io, int32_t *value, int32_t low, int32_t high)
{
    const uint32_t bits = (uint32_t)number(io, (uint32_t)*value, 4);
    memcpy(value, &bits, sizeof bits);
    io->is_bad = io->is_bad || *value < low || *value > high;
}

static void bytes(struct io *io, void *data, size_t size)
{
    uint8_t *at = data;
    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)number(io, at[i], 1);
    }
}

/* ---- parts ---------------------------------------------------------------------------------- */

#define WIDE (LAN_SIDE * LAN_ONE) /* people stay over the map */
#define Q16  (1100 * 65536)

static void place(struct io *io, int32_t at[3])
{
    i32(io, &at[0], 0, WIDE - 1);
    i32(io, &at[1], -64 * LAN_ONE, 256 * LAN_ONE);
    i32(io, &at[2], 0, WIDE - 1);
}

static void request(struct io *io, struct lan_request *r)
{
    u8(io, &r->is_open, 1);
    u16(io, &r->number, UINT16_MAX);
    u32(io, &r->since, UINT32_MAX);
}

static void text(struct io *io, char *line, size_t size)
{
    bytes(io, line, size);
    if (io->writer == NULL) {
        line[size - 1] = '\0';
        io->is_bad = io->is_bad || !p2c2r_scene_text_is_clean(line, strlen(line));
    }
}

static void player(struct io *io, struct lan_player *p)
{
    u8(io, &p->is_here, 1);
    u8(io, &p->hp, 10);
    u8(io, &p->lives, 9);
    u8(io, &p->slot, 15);
    text(io, p->name, sizeof p->name);
    place(io, p->at);
    for (unsigned i = 0; i < 3; i++) {
        i32(io, &p->speed[i], -1000, 1000);
    }
    uint16_t pitch = (uint16_t)p->pad.pitch;
    uint8_t right = (uint8_t)p->pad.right, forward = (uint8_t)p->pad.forward;
    u8(io, &p->pad.buttons, P2C2R_PAD_BUTTONS);
    u8(io, &right, 255);
    u8(io, &forward, 255);
    u16(io, &p->pad.yaw, UINT16_MAX);
    u16(io, &pitch, UINT16_MAX);
    memcpy(&p->pad.pitch, &pitch, sizeof pitch);
    p->pad.right = (int8_t)right;
    p->pad.forward = (int8_t)forward;
    u8(io, &p->pad.slot, 15);
    io->is_bad =
        io->is_bad || p->pad.pitch < -P2C2R_SCENE_PITCH_MAX || p->pad.pitch > P2C2R_SCENE_PITCH_MAX;
    u16(io, &p->wait_hit, 1000);
    u16(io, &p->wait_bomb, 1000);
    u16(io, &p->wait_back, 1000);
    u16(io, &p->blocks, 999);
    u16(io, &p->bombs, 99);
    u32(io, &p->kills, UINT32_MAX);
}

static void folk(struct io *io, struct lan_folk *f)
{
    u8(io, &f->kind, LAN_KINDS - 1);
    u8(io, &f->doing, LAN_DOINGS - 1);
    u8(io, &f->hp, 10);
    u8(io, &f->wish, LAN_WISHES - 1);
    place(io, f->at);
    i32(io, &f->from[0], -WIDE, 2 * WIDE);
    i32(io, &f->from[1], -WIDE, 2 * WIDE);
    bytes(io, f->goal, 2);
    u8(io, &f->home, 2);
    u8(io, &f->yaw, 255);
    u8(io, &f->target, LAN_FOLK);
    u8(io, &f->digs, 255);
    u16(io, &f->wait, 1000);
    u16(io, &f->ask, UINT16_MAX);
    u16(io, &f->steps, LAN_PATH);
    u16(io, &f->step, LAN_PATH);
    bytes(io, f->path, sizeof f->path);
    u16(io, &f->speech, 1000);
    u8(io, &f->line_size, sizeof f->line);
    bytes(io, f->line, sizeof f->line);
    io->is_bad =
        io->is_bad || (io->writer == NULL && !p2c2r_scene_text_is_clean(f->line, f->line_size));
}

static void body(struct io *io, struct lan_body *b)
{
    u8(io, &b->kind, LAN_BODY_KINDS - 1);
    u8(io, &b->material, 13);
    u8(io, &b->is_asleep, 1);
    u8(io, &b->owner, LAN_PLAYERS);
    u8(io, &b->is_asked, LAN_BODIES);
    u16(io, &b->rest, UINT16_MAX);
    u16(io, &b->fuse, 1000);
    for (unsigned i = 0; i < 3; i++) {
        u8(io, &b->half[i], 64);
        io->is_bad = io->is_bad || (b->kind != LAN_NO_BODY && b->half[i] == 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        i32(io, &b->at[i], -Q16, Q16);
        i32(io, &b->speed[i], -256 * 65536, 256 * 65536);
        i32(io, &b->spin[i], -128 * 65536, 128 * 65536);
    }
    for (unsigned i = 0; i < 4; i++) {
        i32(io, &b->turn[i], -70000, 70000);
    }
}

static void demolition(struct io *io, struct lan_demolition *d)
{
    request(io, &d->request);
    u8(io, &d->is_used, 1);
    u8(io, &d->has_blast, 1);
    u8(io, &d->middle[0], 255);
    u8(io, &d->middle[1], LAN_HEIGHT - 1);
    u8(io, &d->middle[2], 255);
    u8(io, &d->radius, 12);
    u8(io, &d->origin[0], LAN_SIDE - LAN_BLOCK_X);
    u8(io, &d->origin[1], LAN_HEIGHT - LAN_BLOCK_Y);
    u8(io, &d->origin[2], LAN_SIDE - LAN_BLOCK_X);
    io->is_bad = io->is_bad || (d->has_blast != 0 && d->radius == 0);
}

static void fluid(struct io *io, struct lan_fluid *f)
{
    request(io, &f->request);
    u8(io, &f->is_used, 1);
    u8(io, &f->phase, 1);
    u8(io, &f->calm, 255);
    u8(io, &f->origin[0], LAN_SIDE - LAN_FLUID_X);
    u8(io, &f->origin[1], LAN_HEIGHT - LAN_FLUID_Z);
    u8(io, &f->origin[2], LAN_SIDE - LAN_FLUID_X);
    for (unsigned i = 0; i < LAN_CELLS; i++) {
        u16(io, &f->cells[i], UINT16_MAX);
        io->is_bad = io->is_bad || (f->cells[i] > 32512 && f->cells[i] != P2C2R_FLUID_SOLID);
    }
}

static void batch(struct io *io, struct lan_batch *b)
{
    request(io, &b->request);
    u8(io, &b->count, LAN_QUERIES);
    for (unsigned i = 0; i < LAN_QUERIES; i++) {
        u8(io, &b->folk[i], LAN_FOLK - 1);
        u16(io, &b->ask[i], UINT16_MAX);
    }
}

static void lamps_and_events(struct io *io, struct lan_state *s)
{
    u8(io, &s->lamp_count, LAN_LAMPS);
    for (unsigned i = 0; i < LAN_LAMPS; i++) {
        struct lan_lamp *lamp = &s->lamps[i];
        const bool is_used = i < s->lamp_count;
        u8(io, &lamp->x, 255);
        u8(io, &lamp->y, LAN_HEIGHT - 1);
        u8(io, &lamp->z, 255);
        u8(io, &lamp->level, 15);
        u8(io, &lamp->radius, 32);
        u8(io, &lamp->is_lit, 1);
        io->is_bad = io->is_bad || (is_used && (lamp->level == 0 || lamp->radius == 0));
    }
    u32(io, &s->event_count, UINT32_MAX);
    for (unsigned i = 0; i < LAN_EVENTS; i++) {
        struct p2c2r_scene_event *event = &s->events[i];
        u8(io, &event->kind, P2C2R_EVENT_KINDS - 1);
        u8(io, &event->magnitude, 255);
        for (unsigned k = 0; k < 3; k++) {
            i32(io, &event->position[k], -P2C2R_SCENE_POSITION_MAX, P2C2R_SCENE_POSITION_MAX);
        }
    }
}

static void requests(struct io *io, struct lan_state *s)
{
    for (unsigned i = 0; i < LAN_GROUPS; i++) {
        request(io, &s->groups[i]);
        u8(io, &s->group_steps[i], 8);
        for (unsigned k = 0; k < 3; k++) {
            i32(io, &s->group_origin[i][k], -1100, 1100);
        }
    }
    for (unsigned i = 0; i < LAN_BATCHES; i++) {
        batch(io, &s->batches[i]);
    }
    for (unsigned i = 0; i < LAN_DEMOLITIONS; i++) {
        demolition(io, &s->demolitions[i]);
    }
    for (unsigned i = 0; i < LAN_FLUIDS; i++) {
        fluid(io, &s->fluids[i]);
    }
    request(io, &s->speech.request);
    u8(io, &s->speech.folk, LAN_FOLK - 1);
    u8(io, &s->stamp_next, LAN_ISLE_STAMPS);
    for (unsigned i = 0; i < LAN_ISLE_STAMPS; i++) {
        u8(io, &s->stamp_open[i], 2);
        u32(io, &s->stamp_since[i], UINT32_MAX);
    }
}

/* ---- all ------------------------------------------------------------------------------------ */

static void walk(struct io *io, struct lan_state *s)
{
    s->secret = number(io, s->secret, 8);
    s->frame = number(io, s->frame, 8);
    u32(io, &s->dusk, 3600 * LAN_HZ);
    u32(io, &s->night, 3600 * LAN_HZ);
    u8(io, &s->phase, LAN_PHASES - 1);
    u8(io, &s->waves, 255);
    u8(io, &s->quality, 255);
    u8(io, &s->is_over, 1);
    u32(io, &s->phase_frames, UINT32_MAX);
    i32(io, &s->score, -1000000000, 1000000000);
    u16(io, &s->fallen, UINT16_MAX);
    u16(io, &s->landed, UINT16_MAX);
    for (unsigned i = 0; i < 3; i++) { /* with room for houses and walls around them */
        u8(io, &s->village[i][0], LAN_SIDE - 40);
        u8(io, &s->village[i][1], LAN_HEIGHT - 20);
        u8(io, &s->village[i][2], LAN_SIDE - 40);
        io->is_bad = io->is_bad || s->village[i][0] < 40 || s->village[i][2] < 40;
    }
    bytes(io, s->pond, 2);
    io->is_bad = io->is_bad || s->pond[1] > LAN_SIDE - 10;
    for (unsigned i = 0; i < LAN_PLAYERS; i++) {
        player(io, &s->players[i]);
    }
    for (unsigned i = 0; i < LAN_FOLK; i++) {
        folk(io, &s->folk[i]);
    }
    for (unsigned i = 0; i < LAN_BODIES; i++) {
        body(io, &s->bodies[i]);
    }
    requests(io, s);
    lamps_and_events(io, s);
}

void lan_save(struct lan *lan, const struct p2c2r_writer *writer)
{
    struct io io = {.writer = writer};
    for (size_t i = 0; i < LAN_CHUNKS; i++) {
        if (writer->has_last && !lan->is_changed[i]) {
            writer->same(writer->ctx, P2C2R_SCENE_CHUNK_VOXELS);
        } else {
            writer->put(writer->ctx, lan->s->voxels + i * P2C2R_SCENE_CHUNK_VOXELS,
                        P2C2R_SCENE_CHUNK_VOXELS);
        }
    }
    memset(lan->is_changed, 0, sizeof lan->is_changed);
    writer->put(writer->ctx, lan->s->base, sizeof lan->s->base);
    walk(&io, lan->s);
    flush(&io);
}

static bool is_land(const struct lan_state *s)
{
    uint8_t worst = 0, high = 0;
    for (size_t i = 0; i < sizeof s->voxels; i++) {
        worst = s->voxels[i] > worst ? s->voxels[i] : worst;
    }
    for (size_t i = 0; i < sizeof s->base; i++) {
        high = s->base[i] > high ? s->base[i] : high;
    }
    return worst <= P2C2R_ORE && high <= LAN_HEIGHT;
}

int lan_load(struct lan *lan, struct p2c2r_bytes from)
{
    const size_t land = sizeof lan->s->voxels + sizeof lan->s->base;
    if (from.size < land) {
        return -1;
    }
    struct lan_state *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return -1;
    }
    struct io io = {.in = from.data + land, .left = from.size - land};
    memcpy(s->voxels, from.data, sizeof s->voxels);
    memcpy(s->base, from.data + sizeof s->voxels, sizeof s->base);
    walk(&io, s);
    if (io.is_bad || io.left != 0 || !is_land(s)) {
        free(s);
        return -1;
    }
    free(lan->s);
    lan->s = s;
    lan_world_derive(lan);
    memset(lan->is_changed, 1, sizeof lan->is_changed);
    for (unsigned i = 0; i < LAN_CHUNKS; i++) {
        lan->version[i]++;
    }
    return 0;
}
