/* What a player sees: entities in sight, words, lights, the map around, events in earshot. Nothing
 * here depends on what the player cannot know: hidden people change no byte. */
#include "view.h"

#include <stdlib.h>

/* Numbers of entities: players, folk, bodies. */
#define FIRST_FOLK 8u
#define FIRST_BODY (FIRST_FOLK + LAN_FOLK)
#define EARSHOT    (64 * LAN_ONE)

/* ---- emitting only what changed --------------------------------------------------------------- */

static void emit(const struct p2c2r_view_writer *writer, uint64_t *last, uint32_t kind,
                 uint32_t key, const uint8_t *data, size_t size)
{
    const uint64_t hash = lan_hash(data, size) | 1;
    if (size > 0 && hash != *last) {
        *last = hash;
        writer->delta(writer->ctx, kind, key, data, size);
    }
}

/* ---- entities -------------------------------------------------------------------------------- */

struct crowd {
    struct p2c2r_scene_entity entities[LAN_PAGES][P2C2R_SCENE_PAGE_ENTITIES];
    uint32_t count[LAN_PAGES];
};

static void add(struct crowd *crowd, const struct p2c2r_scene_entity *entity)
{
    const uint32_t page = entity->id / P2C2R_SCENE_PAGE_ENTITIES;
    if (page < LAN_PAGES) { /* ids of a page are P2C2R_SCENE_PAGE_ENTITIES, so there is room */
        crowd->entities[page][crowd->count[page]++] = *entity;
    }
}

/* Quarters of a thing of that height in sight from the player's eyes. */
static uint8_t slices_of(const struct lan *lan, uint32_t player, const int32_t at[3],
                         int32_t height)
{
    const struct lan_player *p = &lan->s->players[player];
    const int32_t eye[3] = {p->at[0], p->at[1] + 400, p->at[2]};
    const int64_t dx = at[0] - eye[0], dz = at[2] - eye[2];
    const int64_t reach = LAN_SIGHT * LAN_ONE;
    if (dx * dx + dz * dz > reach * reach) {
        return 0;
    }
    const int32_t low[3] = {at[0], at[1] + height / 4, at[2]};
    const int32_t high[3] = {at[0], at[1] + height * 7 / 8, at[2]};
    const bool sees_low = lan_world_sees(lan->s, eye, low);
    return (uint8_t)((sees_low ? 3 : 0) | (lan_world_sees(lan->s, eye, high) ? 12 : 0));
}

static uint8_t lit(const struct lan *lan, unsigned material, const int32_t at[3], int known)
{
    struct p2c2r_scene_sky sky;
    lan_night_sky(lan->s, &sky);
    const int lamps = known >= 0 ? known : lan_world_light(lan->s, at) + sky.sun_level / 2;
    const int level = sky.ambient_level + 1 + lamps;
    return (uint8_t)(material << 4 | (unsigned)(level > 15 ? 15 : level));
}

static void add_players(struct lan *lan, uint32_t player, struct crowd *crowd)
{
    for (uint32_t i = 0; i < LAN_PLAYERS; i++) {
        const struct lan_player *p = &lan->s->players[i];
        if (p->is_here == 0 || i == player) {
            continue;
        }
        struct p2c2r_scene_entity entity = {
            .id = (uint16_t)i,
            .shape = P2C2R_SHAPE_FIGURE,
            .slices = slices_of(lan, player, p->at, 440),
            .position = {p->at[0], p->at[1], p->at[2]},
            .yaw = (uint8_t)(p->pad.yaw >> 8),
            .pose = p->hp == 0 ? P2C2R_POSE_LYING : P2C2R_POSE_LANTERN,
            .colour = {lit(lan, P2C2R_WATER, p->at, -1), lit(lan, P2C2R_SAND, p->at, -1)},
            .width = 14,
            .height = 28,
        };
        if (entity.slices != 0) {
            add(crowd, &entity);
        }
    }
}

static void add_folk(struct lan *lan, uint32_t player, struct crowd *crowd)
{
    static const uint8_t clothes[4] = {P2C2R_PLANKS, P2C2R_GRASS, P2C2R_STONE, P2C2R_ORE};
    struct lan_eye *eye = &lan->views->eyes[player];
    for (unsigned i = 0; i < LAN_FOLK; i++) {
        const struct lan_folk *f = &lan->s->folk[i];
        eye->slices[i] = f->kind == LAN_NOBODY ? 0 : slices_of(lan, player, f->at, 448);
        if (eye->slices[i] == 0) {
            continue;
        }
        const bool is_villager = f->kind == LAN_VILLAGER;
        const unsigned body = is_villager ? clothes[i % 4] : P2C2R_ROOF;
        const unsigned head = is_villager             ? P2C2R_SAND
                              : f->kind == LAN_SAPPER ? P2C2R_ORE
                                                      : P2C2R_WOOD;
        const unsigned step = f->doing == LAN_WALKING && lan->s->frame / 10 % 2 == 0;
        const bool has_torch = i % 3 == 0;
        struct p2c2r_scene_entity entity = {
            .id = (uint16_t)(FIRST_FOLK + i),
            .shape = f->doing == LAN_SAILING ? P2C2R_SHAPE_BOAT : P2C2R_SHAPE_FIGURE,
            .slices = eye->slices[i],
            .position = {f->at[0], f->at[1], f->at[2]},
            .yaw = f->yaw,
            .pose = (uint8_t)((step ? P2C2R_POSE_STEP : 0) | (has_torch ? P2C2R_POSE_LANTERN : 0)),
            .colour = {lit(lan, body, f->at, eye->light[i]), lit(lan, head, f->at, eye->light[i])},
            .width = 14,
            .height = 28,
        };
        if (f->doing == LAN_SAILING) {
            entity.width = entity.height = 60;
            entity.colour[0] = lit(lan, P2C2R_WOOD, f->at, -1);
            entity.colour[1] = lit(lan, P2C2R_ROOF, f->at, -1);
        } else if (f->doing == LAN_FIGHTING || f->doing == LAN_DIGGING ||
                   f->doing == LAN_CHEERING) {
            entity.pose |= lan->s->frame / 12 % 2 == 0 ? P2C2R_POSE_RAISED : 0;
        }
        add(crowd, &entity);
    }
}

static void add_bodies(struct lan *lan, uint32_t player, struct crowd *crowd)
{
    for (unsigned i = 0; i < LAN_BODIES; i++) {
        const struct lan_body *b = &lan->s->bodies[i];
        const int32_t at[3] = {b->at[0] / 256, b->at[1] / 256 - b->half[1] * 8, b->at[2] / 256};
        if (b->kind == LAN_NO_BODY) {
            continue;
        }
        const bool is_bomb = b->kind == LAN_BOMB;
        struct p2c2r_scene_entity entity = {
            .id = (uint16_t)(FIRST_BODY + i),
            .shape = is_bomb ? P2C2R_SHAPE_BALL : P2C2R_SHAPE_BOX,
            .slices = slices_of(lan, player, at, b->half[1] * 16),
            .position = {at[0], at[1], at[2]},
            .colour = {lit(lan, is_bomb ? P2C2R_STONE : b->material, at, -1),
                       is_bomb && b->fuse / 6 % 2 == 0 ? 0xbf : lit(lan, P2C2R_STONE, at, -1)},
            .width = b->half[0],
            .height = b->half[1],
        };
        if (entity.slices != 0) {
            add(crowd, &entity);
        }
    }
}

static void send_entities(struct lan *lan, uint32_t player, const struct p2c2r_view_writer *writer)
{
    struct lan_eye *eye = &lan->views->eyes[player];
    uint8_t bytes[P2C2R_SCENE_PAGE_MAX];
    struct crowd crowd;
    memset(crowd.count, 0, sizeof crowd.count);
    add_players(lan, player, &crowd);
    add_folk(lan, player, &crowd);
    add_bodies(lan, player, &crowd);
    for (uint32_t i = 0; i < LAN_PAGES; i++) {
        const size_t size =
            p2c2r_scene_entities_write(bytes, sizeof bytes, crowd.entities[i], crowd.count[i]);
        emit(writer, &eye->page_hash[i], P2C2R_SCENE_ENTITIES, i, bytes, size);
    }
}

/* ---- light of the crowd by rt_shadows ---------------------------------------------------------- */

#define LIGHT_EVERY 15 /* frames between two questions */
#define LIGHT_KEEPS 45 /* frames an answer is used */

static void mark_chunk(struct p2c2r_ray_view *ray, unsigned x, unsigned z, uint64_t *marks)
{
    for (int dz = -1; dz <= 1; dz++) {
        for (int dx = -1; dx <= 1; dx++) {
            const int cx = (int)(x / 32) + dx, cz = (int)(z / 32) + dz;
            const unsigned bit = (unsigned)(cz * 8 + cx);
            if (cx >= 0 && cx < 8 && cz >= 0 && cz < 8 && (*marks >> bit & 1u) == 0) {
                *marks |= UINT64_C(1) << bit;
                ray->chunks[ray->chunk_count][0] = (uint8_t)cx;
                ray->chunks[ray->chunk_count++][1] = (uint8_t)cz;
            }
        }
    }
}

/* Asks which lamps reach the ground under the folk in sight. */
static void ask_light(struct lan *lan, uint32_t player)
{
    struct lan_view *view = lan->views;
    struct lan_eye *eye = &view->eyes[player];
    struct p2c2r_ray_view ray;
    uint64_t marks = 0, keys[64], id;
    eye->face_count = 0;
    memset(&ray, 0, sizeof ray);
    for (unsigned i = 0; i < LAN_FOLK; i++) {
        const struct lan_folk *f = &lan->s->folk[i];
        int32_t x = f->at[0] >> 8, z = f->at[2] >> 8;
        const int y = (f->at[1] >> 8) - 1;
        if (eye->slices[i] == 0 || y < 0 || y >= LAN_HEIGHT) {
            continue;
        }
        x = x * 2 + 1; /* the middle of the cell, in half voxels */
        z = z * 2 + 1;
        lan_scene_point(view, 2, &x, &z);
        eye->faces[eye->face_count] =
            (struct p2c2r_ray_face){(uint8_t)(x / 2), (uint8_t)y, (uint8_t)(z / 2), 3};
        eye->face_folk[eye->face_count++] = (uint8_t)i;
        mark_chunk(&ray, (unsigned)x / 2, (unsigned)z / 2, &marks);
    }
    if (eye->face_count == 0 || !lan_scene_is_ready(view)) {
        return;
    }
    ray.forward[2] = ray.right[0] = ray.up[1] = 65536;
    ray.picture_w = ray.picture_h = ray.tile_w = ray.tile_h = 1;
    ray.rays = 1;
    lan_scene_choose_lamps(lan, player);
    lan_scene_light(lan, &ray);
    (void)lan_scene_contents(view, &ray, keys);
    eye->face_lamp_count = ray.lamp_count;
    memcpy(eye->face_lamps, ray.lamps, sizeof ray.lamps);
    const struct p2c2r_task task = {
        .size = sizeof task,
        .kernel = "rt_shadows",
        .task_class = P2C2R_CLASS_SOON,
        .flags = P2C2R_TASK_OPTIONAL,
        .slack = 6,
        .weight = 1,
        .player = player,
        .tag = (uint64_t)LAN_VIEW_FACES << 56 | (uint64_t)player << 32 | ++eye->face_number,
        .input = {lan->input, p2c2r_rt_shadows_input(lan->input, sizeof lan->input, &ray,
                                                     eye->faces, eye->face_count)},
        .contents = keys,
        .content_count = ray.chunk_count,
    };
    if (task.input.size > 0) {
        (void)lan->host.submit(lan->host.ctx, &task, &id); /* refused: light as the crow flies */
    }
}

static int light_by_mask(const struct lan_eye *eye, const struct p2c2r_ray_face *face,
                         uint32_t mask)
{
    int light = (mask & 1u) != 0 ? 2 : 0;
    for (uint32_t i = 0; i < eye->face_lamp_count; i++) {
        const struct p2c2r_ray_lamp *lamp = &eye->face_lamps[i];
        const int dx = (lamp->position[0] >> 8) - face->x, dz = (lamp->position[2] >> 8) - face->z;
        const int dy = (lamp->position[1] >> 8) - face->y - 1, radius = lamp->radius;
        const int squared = dx * dx + dy * dy + dz * dz;
        if ((mask >> (i + 1) & 1u) != 0 && squared < radius * radius) {
            light += lamp->level * (radius * radius - squared) / (radius * radius);
        }
    }
    return light > 12 ? 12 : light;
}

static void take_light(struct lan *lan, const struct p2c2r_result *result)
{
    const uint32_t player = (uint32_t)(result->tag >> 32) & 0xffu;
    if (player >= LAN_PLAYERS || result->status != P2C2R_RESULT_OK) {
        return; /* degraded: light as the crow flies */
    }
    struct lan_eye *eye = &lan->views->eyes[player];
    if ((uint32_t)result->tag != eye->face_number) {
        return;
    }
    memset(eye->light, -1, sizeof eye->light);
    eye->light_frame = (uint32_t)lan->s->frame;
    for (uint32_t i = 0; i < eye->face_count; i++) {
        uint32_t mask;
        if (p2c2r_rt_shadows_face(result->bytes, i, &mask)) {
            eye->light[eye->face_folk[i]] = (int8_t)light_by_mask(eye, &eye->faces[i], mask);
        }
    }
}

/* ---- words ----------------------------------------------------------------------------------- */

static size_t put_text(char *out, size_t at, const char *text)
{
    while (*text != '\0' && at < P2C2R_SCENE_TEXT_MAX) {
        out[at++] = *text++;
    }
    return at;
}

static size_t put_number(char *out, size_t at, int32_t value, unsigned digits)
{
    char reversed[12];
    unsigned count = 0;
    uint32_t rest = value < 0 ? (uint32_t) - (int64_t)value : (uint32_t)value;
    do {
        reversed[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0 || count < digits);
    if (value < 0) {
        at = put_text(out, at, "-");
    }
    while (count > 0 && at < P2C2R_SCENE_TEXT_MAX) {
        out[at++] = reversed[--count];
    }
    return at;
}

static void send_text(struct lan_eye *eye, const struct p2c2r_view_writer *writer, uint32_t key,
                      const struct p2c2r_scene_text *text)
{
    uint8_t bytes[8 + P2C2R_SCENE_TEXT_MAX];
    const size_t size = p2c2r_scene_text_write(bytes, sizeof bytes, text);
    if (text->size > 0 || eye->text_hash[key] != 0) {
        emit(writer, &eye->text_hash[key], P2C2R_SCENE_TEXT, key, bytes, size);
    }
}

static void send_status(struct lan *lan, uint32_t player, const struct p2c2r_view_writer *writer)
{
    static const char *const names[LAN_PHASES] = {"Dusk ", "Night ", "Dawn ", "Fallen "};
    const struct lan_state *s = lan->s;
    const struct lan_player *p = &s->players[player];
    struct p2c2r_scene_text text = {
        .place = P2C2R_PLACE_STATUS, .colour = 0xcf, .entity = P2C2R_SCENE_NOBODY};
    const uint32_t length = s->phase == LAN_PHASE_DUSK ? s->dusk : s->night;
    const uint32_t left = length > s->phase_frames ? (length - s->phase_frames) / LAN_HZ : 0;
    size_t at = put_text(text.text, 0, names[s->phase]);
    if (s->phase <= LAN_PHASE_NIGHT) {
        at = put_number(text.text, at, (int32_t)(left / 60), 1);
        at = put_text(text.text, at, ":");
        at = put_number(text.text, at, (int32_t)(left % 60), 2);
    }
    at = put_text(text.text, at, "  villagers ");
    at = put_number(text.text, at, (int32_t)lan_folk_count(s, true), 1);
    at = put_text(text.text, at, "  score ");
    at = put_number(text.text, at, s->score, 1);
    at = put_text(text.text, at, "  health ");
    at = put_number(text.text, at, p->hp, 1);
    at = put_text(text.text, at, "  lives ");
    at = put_number(text.text, at, p->lives, 1);
    at = put_text(text.text, at, "  blocks ");
    at = put_number(text.text, at, p->blocks, 1);
    at = put_text(text.text, at, "  bombs ");
    at = put_number(text.text, at, p->bombs, 1);
    text.size = (uint8_t)at;
    send_text(&lan->views->eyes[player], writer, 0, &text);
}

static void send_title(struct lan *lan, uint32_t player, const struct p2c2r_view_writer *writer)
{
    const struct lan_state *s = lan->s;
    struct p2c2r_scene_text text = {
        .place = P2C2R_PLACE_TITLE, .colour = 0xbf, .entity = P2C2R_SCENE_NOBODY};
    const char *title = s->phase == LAN_PHASE_WON    ? "Dawn. The villages stand."
                        : s->phase == LAN_PHASE_LOST ? "The last lantern is out."
                        : s->players[player].hp == 0 ? "You have fallen."
                        : s->phase == LAN_PHASE_NIGHT && s->phase_frames < 180
                            ? "Boats on the water! Keep them alive until dawn."
                        : s->phase == LAN_PHASE_DUSK && s->phase_frames < 300 ? "Lantern Siege"
                                                                              : "";
    text.size = (uint8_t)put_text(text.text, 0, title);
    send_text(&lan->views->eyes[player], writer, 1, &text);
}

#define SPEECHES 8u

static void send_speech(struct lan *lan, uint32_t player, const struct p2c2r_view_writer *writer)
{
    struct lan_eye *eye = &lan->views->eyes[player];
    uint32_t used = 0;
    for (unsigned i = 0; i < LAN_FOLK && used < SPEECHES; i++) {
        const struct lan_folk *f = &lan->s->folk[i];
        if (f->speech == 0 || eye->slices[i] == 0) {
            continue;
        }
        struct p2c2r_scene_text text = {.place = P2C2R_PLACE_SPEECH,
                                        .colour = 0xcf,
                                        .entity = (uint16_t)(FIRST_FOLK + i),
                                        .size = f->line_size};
        memcpy(text.text, f->line, f->line_size);
        send_text(eye, writer, 8 + used++, &text);
    }
    for (; used < SPEECHES; used++) {
        const struct p2c2r_scene_text none = {.place = P2C2R_PLACE_STATUS,
                                              .entity = P2C2R_SCENE_NOBODY};
        send_text(eye, writer, 8 + used, &none);
    }
}

/* ---- lights, events --------------------------------------------------------------------------- */

static void send_lights(struct lan *lan, uint32_t player, const struct p2c2r_view_writer *writer)
{
    struct lan_eye *eye = &lan->views->eyes[player];
    uint8_t bytes[P2C2R_SCENE_LAMPS_MAX];
    struct p2c2r_scene_lamp lamps[P2C2R_SCENE_LAMPS];
    struct p2c2r_scene_sky sky;
    lan_night_sky(lan->s, &sky);
    size_t size = p2c2r_scene_sky_write(bytes, sizeof bytes, &sky);
    emit(writer, &eye->light_hash[0], P2C2R_SCENE_LIGHTS, 0, bytes, size);
    for (unsigned page = 0; page < 2; page++) {
        uint32_t count = 0;
        for (unsigned i = page * 32; i < (page + 1) * 32 && i < lan->s->lamp_count; i++) {
            const struct lan_lamp *lamp = &lan->s->lamps[i];
            const int64_t dx = lamp->x * LAN_ONE - lan->s->players[player].at[0];
            const int64_t dz = lamp->z * LAN_ONE - lan->s->players[player].at[2];
            const int64_t reach = LAN_MAP * LAN_ONE;
            if (lamp->is_lit != 0 && dx * dx + dz * dz < reach * reach) {
                lamps[count++] = (struct p2c2r_scene_lamp){
                    {lamp->x * LAN_ONE + 128, lamp->y * LAN_ONE + 128, lamp->z * LAN_ONE + 128},
                    lamp->level,
                    lamp->radius};
            }
        }
        size = p2c2r_scene_lamps_write(bytes, sizeof bytes, lamps, count);
        emit(writer, &eye->light_hash[1 + page], P2C2R_SCENE_LIGHTS, 1 + page, bytes, size);
    }
}

static bool hears(const struct lan_player *p, const struct p2c2r_scene_event *event)
{
    const int64_t dx = event->position[0] - p->at[0], dz = event->position[2] - p->at[2];
    return event->kind == P2C2R_EVENT_BELL || event->kind == P2C2R_EVENT_CHEER ||
           dx * dx + dz * dz < (int64_t)EARSHOT * EARSHOT;
}

static void send_events(struct lan *lan, uint32_t player, const struct p2c2r_view_writer *writer)
{
    struct lan_eye *eye = &lan->views->eyes[player];
    const struct lan_state *s = lan->s;
    uint8_t bytes[P2C2R_SCENE_EVENTS_MAX];
    const uint32_t before = eye->event_first + eye->event_count;
    if (s->event_count - eye->seen_events > LAN_EVENTS) {
        eye->seen_events = s->event_count - LAN_EVENTS;
    }
    for (; eye->seen_events != s->event_count; eye->seen_events++) {
        const struct p2c2r_scene_event *event = &s->events[eye->seen_events % LAN_EVENTS];
        if (!hears(&s->players[player], event)) {
            continue;
        }
        if (eye->event_count == P2C2R_SCENE_EVENTS_COUNT) {
            memmove(eye->events, eye->events + 1, sizeof eye->events - sizeof eye->events[0]);
            eye->event_first++;
            eye->event_count--;
        }
        eye->events[eye->event_count++] = *event;
    }
    if (eye->event_first + eye->event_count != before) {
        const size_t size = p2c2r_scene_events_write(bytes, sizeof bytes, eye->event_first,
                                                     eye->events, eye->event_count);
        writer->delta(writer->ctx, P2C2R_SCENE_EVENTS, 0, bytes, size);
    }
}

/* ---- the map --------------------------------------------------------------------------------- */

#define CHUNKS_A_FRAME 3 /* deltas of changed chunks: 30 us each */

static bool is_near(const struct lan_player *p, int x, int z, int side)
{
    const int px = p->at[0] >> 8, pz = p->at[2] >> 8;
    const int dx = px < x ? x - px : px > x + side ? px - x - side : 0;
    const int dz = pz < z ? z - pz : pz > z + side ? pz - z - side : 0;
    return dx * dx + dz * dz < LAN_MAP * LAN_MAP;
}

/* Asks for a region of 4 x 4 chunks as one compressed piece: a late joiner's map. */
static void ask_region(struct lan *lan, uint32_t player, unsigned region)
{
    struct lan_view *view = lan->views;
    struct lan_eye *eye = &view->eyes[player];
    struct p2c2r_scene_bundle bundle;
    uint64_t id;
    p2c2r_scene_bundle_start(&bundle, view->scratch, sizeof view->scratch);
    for (unsigned i = 0; i < 16; i++) {
        const unsigned cx = region % 4 * 4 + i % 4, cz = region / 4 * 4 + i / 4;
        const unsigned chunk = cz * 16 + cx;
        p2c2r_scene_bundle_add(&bundle, cx, cz,
                               lan->s->voxels + (size_t)chunk * P2C2R_SCENE_CHUNK_VOXELS);
        eye->region_version[region][i] = lan->version[chunk] + 1;
    }
    const struct p2c2r_bytes content = p2c2r_scene_bundle_end(&bundle);
    const struct p2c2r_task task = {
        .size = sizeof task,
        .kernel = "compress",
        .task_class = P2C2R_CLASS_SOON,
        .flags = P2C2R_TASK_OPTIONAL,
        .slack = 30,
        .weight = 1,
        .player = player,
        .tag = (uint64_t)LAN_VIEW_BUNDLE << 56 | (uint64_t)player << 40 | (uint64_t)region << 32 |
               (uint32_t)content.size,
        .input = {lan->input, p2c2r_compress_input(lan->input, sizeof lan->input, 3, content)},
    };
    eye->region[region] = LAN_REGION_SENT; /* refused: its chunks go one by one */
    if (task.input.size > 0 && lan->host.submit(lan->host.ctx, &task, &id) == 0) {
        eye->region[region] = LAN_REGION_ASKED;
    }
}

static void take_region(struct lan *lan, const struct p2c2r_result *result)
{
    const uint32_t player = (uint32_t)(result->tag >> 40) & 255u;
    const unsigned region = (unsigned)(result->tag >> 32) & 255u;
    if (player >= LAN_PLAYERS || region >= LAN_REGIONS) {
        return;
    }
    struct lan_eye *eye = &lan->views->eyes[player];
    if (eye->region[region] != LAN_REGION_ASKED) {
        return;
    }
    eye->region[region] = LAN_REGION_SENT;
    static const uint8_t magic[4] = {0x28, 0xb5, 0x2f, 0xfd}; /* RFC 8878, section 3.1.1 */
    const size_t room = result->bytes.size + P2C2R_SCENE_BUNDLE_HEAD;
    if (result->status != P2C2R_RESULT_OK || room > P2C2R_SCENE_BUNDLE_MAX ||
        result->bytes.size < sizeof magic || memcmp(result->bytes.data, magic, sizeof magic) != 0) {
        return; /* degraded, or a host that hands out canonical bytes: its chunks go one by one */
    }
    free(eye->bundle[region]);
    eye->bundle[region] = malloc(room);
    if (eye->bundle[region] != NULL) {
        eye->bundle_size[region] = p2c2r_scene_bundle_frame(eye->bundle[region], room,
                                                            (uint32_t)result->tag, result->bytes);
        eye->region[region] = LAN_REGION_READY;
    }
}

static void send_region(struct lan_eye *eye, const struct p2c2r_view_writer *writer,
                        unsigned region)
{
    writer->delta(writer->ctx, P2C2R_SCENE_CHUNK, P2C2R_SCENE_BUNDLE_KEY + region,
                  eye->bundle[region], eye->bundle_size[region]);
    free(eye->bundle[region]);
    eye->bundle[region] = NULL;
    eye->region[region] = LAN_REGION_SENT;
    for (unsigned i = 0; i < 16; i++) {
        const unsigned chunk = (region / 4 * 4 + i / 4) * 16 + region % 4 * 4 + i % 4;
        if (eye->chunk_sent[chunk] == 0) {
            eye->chunk_sent[chunk] = eye->region_version[region][i];
        }
    }
}

static void send_chunks(struct lan *lan, uint32_t player, const struct p2c2r_view_writer *writer)
{
    struct lan_eye *eye = &lan->views->eyes[player];
    const struct lan_player *p = &lan->s->players[player];
    uint8_t *bytes = lan->views->scratch;
    unsigned sent = 0, asked = 0;
    for (unsigned i = 0; i < LAN_REGIONS && asked == 0; i++) {
        if (eye->region[i] == LAN_REGION_READY) {
            send_region(eye, writer, i);
            asked++;
        } else if (eye->region[i] == LAN_REGION_UNSENT &&
                   is_near(p, (int)(i % 4) * 64, (int)(i / 4) * 64, 64)) {
            ask_region(lan, player, i);
            asked++;
        }
    }
    for (unsigned k = 0; k < LAN_CHUNKS && sent < CHUNKS_A_FRAME; k++) {
        const unsigned i = (unsigned)((lan->s->frame * 3 + k) % LAN_CHUNKS);
        const unsigned region = i / 16 / 4 * 4 + i % 16 / 4;
        if (eye->region[region] != LAN_REGION_SENT || eye->chunk_sent[i] == lan->version[i] + 1 ||
            !is_near(p, (int)(i % 16) * 16, (int)(i / 16) * 16, 16)) {
            continue;
        }
        const size_t size =
            p2c2r_scene_chunk_write(bytes, sizeof lan->views->scratch,
                                    lan->s->voxels + (size_t)i * P2C2R_SCENE_CHUNK_VOXELS);
        writer->delta(writer->ctx, P2C2R_SCENE_CHUNK, p2c2r_scene_chunk_key(i % 16, i / 16), bytes,
                      size);
        eye->chunk_sent[i] = lan->version[i] + 1;
        sent++;
    }
}

/* ---- all ------------------------------------------------------------------------------------ */

static struct lan_view *open_view(struct lan *lan)
{
    if (lan->views == NULL) {
        struct lan_view *view = calloc(1, sizeof *view);
        if (view == NULL) {
            return NULL;
        }
        view->blobs = calloc(LAN_SLOTS, sizeof *view->blobs);
        view->jobs = calloc(LAN_JOBS, sizeof *view->jobs);
        if (view->blobs == NULL || view->jobs == NULL) {
            free(view->blobs);
            free(view->jobs);
            free(view);
            return NULL;
        }
        view->symmetry = (uint8_t)(lan_mix(lan->s->secret, 0x5e551011) >> 32 & 7u);
        for (int i = 0; i < LAN_LIGHTER * 256; i++) {
            view->lighter[i / 256][i % 256] = p2c2r_palette_light((uint8_t)(i % 256), i / 256);
        }
        lan->views = view;
    }
    return lan->views;
}

static void close_eye(struct lan *lan, uint32_t player)
{
    struct lan_eye *eye = &lan->views->eyes[player];
    lan_tiles_forget(lan, player);
    for (unsigned i = 0; i < LAN_REGIONS; i++) {
        free(eye->bundle[i]);
    }
    const uint32_t number = eye->face_number;
    memset(eye, 0, sizeof *eye);
    eye->face_number = number + 1;
}

void lan_view_forget(struct lan *lan, uint32_t player)
{
    if (lan->views != NULL) {
        close_eye(lan, player);
    }
}

void lan_view_close(struct lan *lan)
{
    if (lan->views == NULL) {
        return;
    }
    for (uint32_t i = 0; i < LAN_PLAYERS; i++) {
        close_eye(lan, i);
    }
    for (unsigned i = 0; i < LAN_SLOTS; i++) {
        if (lan->views->slots[i].is_used != 0) {
            lan->host.content_remove(lan->host.ctx, lan->views->slots[i].key);
        }
    }
    free(lan->views->blobs);
    free(lan->views->jobs);
    free(lan->views);
    lan->views = NULL;
}

void lan_view(struct lan *lan, uint32_t player, const struct p2c2r_frame *frame,
              const struct p2c2r_view_writer *writer)
{
    if (player >= LAN_PLAYERS || lan->s->players[player].is_here == 0 || open_view(lan) == NULL) {
        return;
    }
    struct lan_eye *eye = &lan->views->eyes[player];
    if (eye->is_open && (eye->asked_width != writer->picture_width ||
                         eye->asked_height != writer->picture_height)) {
        close_eye(lan, player); /* another picture: the host forgot what it was given, too */
    }
    if (!eye->is_open) {
        eye->asked_width = writer->picture_width;
        eye->asked_height = writer->picture_height;
        eye->is_open = true;
        memset(eye->light, -1, sizeof eye->light);
        eye->seen_events = lan->s->event_count; /* what happened before is no news */
        eye->event_first = 1;
    }
    if ((uint32_t)frame->number - eye->light_frame > LIGHT_KEEPS) {
        memset(eye->light, -1, sizeof eye->light);
    }
    send_entities(lan, player, writer);
    if (writer->picture_width != 0) { /* once a frame is enough for all */
        lan_scene_tick(lan);
    }
    if (frame->quality >= 96 && writer->picture_width != 0 &&
        (frame->number + player * 4) % LIGHT_EVERY == 0) {
        ask_light(lan, player);
    }
    lan_tiles(lan, player, frame, writer);
    send_lights(lan, player, writer);
    send_status(lan, player, writer);
    send_title(lan, player, writer);
    send_speech(lan, player, writer);
    send_events(lan, player, writer);
    if (writer->picture_width == 0) {
        send_chunks(lan, player, writer);
    }
}

void lan_view_result(struct lan *lan, const struct p2c2r_result *result)
{
    if (lan->views == NULL) {
        return;
    }
    switch ((enum lan_view_task)(result->tag >> 56)) {
    case LAN_VIEW_TILE:
        lan_tiles_result(lan, result);
        break;
    case LAN_VIEW_FACES:
        take_light(lan, result);
        break;
    case LAN_VIEW_BUNDLE:
        take_region(lan, result);
        break;
    default:
        break;
    }
}
