/* The rules: dusk, waves of raiders, victory and defeat; and the light of the hour. */
#include "lantern.h"

#define WAVE_FRAMES (35 * LAN_HZ)
#define RAIDERS_MAX 60u
#define END_FRAMES  (12 * LAN_HZ) /* the session ends this long after the game */
#define SAIL_FRAMES (8 * LAN_HZ)
/* Villagers at the beginning at quality 0 and at 255 (NPC count scales with compute). */
#define VILLAGERS_MIN 12u
#define VILLAGERS_MAX 30u

void lan_event(struct lan_state *s, unsigned kind, unsigned magnitude, const int32_t at[3])
{
    struct p2c2r_scene_event *event = &s->events[s->event_count++ % LAN_EVENTS];
    event->kind = (uint8_t)kind;
    event->magnitude = (uint8_t)(magnitude > 255 ? 255 : magnitude);
    memcpy(event->position, at, sizeof event->position);
}

void lan_isle_middle(unsigned isle, int ret_cell[2])
{
    ret_cell[0] = (isle & 1u) != 0 ? LAN_SIDE - 24 : 24;
    ret_cell[1] = (isle & 2u) != 0 ? LAN_SIDE - 24 : 24;
}

/* The first walkable cell on the way from an isle to a village. */
static bool find_landing(const struct lan *lan, const int from[2], const uint8_t village[3],
                         int ret_cell[2])
{
    for (int i = 28; i <= 256; i++) {
        const int x = from[0] + (village[0] - from[0]) * i / 256;
        const int z = from[1] + (village[2] - from[1]) * i / 256;
        if (lan->open[lan_cell(x, z)] != 0 && lan->stand[lan_cell(x, z)] >= LAN_SEA &&
            lan->s->voxels[lan_at(x, LAN_SEA - 1, z)] != P2C2R_WATER) {
            ret_cell[0] = x;
            ret_cell[1] = z;
            return true;
        }
    }
    return false;
}

static void land_raider(struct lan *lan, unsigned number)
{
    struct lan_state *s = lan->s;
    const unsigned isle = lan_random(lan, LAN_ISLES);
    int from[2], cell[2];
    lan_isle_middle(isle, from);
    const uint8_t *village = s->village[lan_random(lan, 3)];
    if (!find_landing(lan, from, village, cell)) {
        return;
    }
    const enum lan_kind kind = number % 4 == 3 ? LAN_SAPPER : LAN_RAIDER;
    const unsigned i = lan_folk_add(lan, kind, cell[0], cell[1]);
    if (i < LAN_FOLK) {
        struct lan_folk *f = &s->folk[i];
        f->doing = LAN_SAILING;
        f->from[0] = from[0] * LAN_ONE + (int32_t)lan_random(lan, 4096) - 2048;
        f->from[1] = from[1] * LAN_ONE + (int32_t)lan_random(lan, 4096) - 2048;
        f->wait = (uint16_t)(SAIL_FRAMES - lan_random(lan, 120));
    }
}

static void wave(struct lan *lan)
{
    struct lan_state *s = lan->s;
    unsigned players = 0, alive = lan_folk_count(s, false);
    for (unsigned i = 0; i < LAN_PLAYERS; i++) {
        players += s->players[i].is_here != 0;
    }
    const unsigned count = 4u + s->waves * 2u + players * 2u + s->quality / 24u;
    const int32_t at[3] = {s->village[0][0] * LAN_ONE, s->village[0][1] * LAN_ONE,
                           s->village[0][2] * LAN_ONE};
    for (unsigned i = 0; i < count && alive + i < RAIDERS_MAX; i++) {
        land_raider(lan, i);
    }
    lan_event(s, P2C2R_EVENT_BELL, s->waves, at);
    s->waves++;
}

static void settle_villages(struct lan *lan)
{
    struct lan_state *s = lan->s;
    const unsigned wanted =
        VILLAGERS_MIN + (VILLAGERS_MAX - VILLAGERS_MIN) * s->quality / P2C2R_QUALITY_FULL;
    for (unsigned i = 0; i < wanted; i++) {
        const uint8_t *village = s->village[i % 3 == 1 ? 1 : i % 3 == 2 ? 2 : 0];
        for (unsigned attempt = 0; attempt < 12; attempt++) {
            const int x = village[0] - 12 + (int)lan_random(lan, 25);
            const int z = village[2] - 12 + (int)lan_random(lan, 25);
            if (lan_is_inside(x, 0, z) && lan->open[lan_cell(x, z)] != 0) {
                const unsigned folk = lan_folk_add(lan, LAN_VILLAGER, x, z);
                if (folk < LAN_FOLK) {
                    s->folk[folk].home = (uint8_t)(i % 3);
                }
                break;
            }
        }
    }
}

static void enter(struct lan_state *s, enum lan_phase phase)
{
    s->phase = (uint8_t)phase;
    s->phase_frames = 0;
}

static void finish(struct lan *lan)
{
    struct lan_state *s = lan->s;
    if (s->is_over == 0 && s->phase_frames == END_FRAMES) {
        s->is_over = 1;
        lan->host.end(lan->host.ctx, s->phase == LAN_PHASE_WON ? "dawn: the villages stand"
                                                               : "the villages have fallen");
    }
}

void lan_night_tick(struct lan *lan)
{
    struct lan_state *s = lan->s;
    const int32_t middle[3] = {s->village[0][0] * LAN_ONE, s->village[0][1] * LAN_ONE,
                               s->village[0][2] * LAN_ONE};
    s->phase_frames++;
    if (s->frame == 1) {
        s->secret = lan->host.random(lan->host.ctx, 2);
        settle_villages(lan);
    }
    switch (s->phase) {
    case LAN_PHASE_DUSK:
        if (s->phase_frames >= s->dusk) {
            enter(s, LAN_PHASE_NIGHT);
        }
        break;
    case LAN_PHASE_NIGHT:
        if (s->phase_frames % WAVE_FRAMES == 60 && s->phase_frames + WAVE_FRAMES / 2 < s->night) {
            wave(lan);
        }
        if (lan_folk_count(s, true) == 0) {
            enter(s, LAN_PHASE_LOST);
            lan_event(s, P2C2R_EVENT_CRY, 255, middle);
        } else if (s->phase_frames >= s->night) {
            enter(s, LAN_PHASE_WON);
            s->score += 20 * (int32_t)lan_folk_count(s, true);
            lan_event(s, P2C2R_EVENT_CHEER, 255, middle);
        }
        break;
    default:
        finish(lan);
        break;
    }
}

/* ---- the light of the hour ------------------------------------------------------------------ */

/* Light moves in steps of 8 seconds: a step means that every tile is drawn again. */
#define LIGHT_STEP (8 * LAN_HZ)

static void aim(struct p2c2r_scene_sky *sky, uint16_t azimuth, int16_t height)
{
    const int64_t cosine = p2c2r_scene_cosine((uint16_t)height);
    sky->sun[0] = (int16_t)(p2c2r_scene_sine(azimuth) * cosine / 65536 / 4);
    sky->sun[1] = (int16_t)(p2c2r_scene_sine((uint16_t)height) / 4);
    sky->sun[2] = (int16_t)(p2c2r_scene_cosine(azimuth) * cosine / 65536 / 4);
}

void lan_night_sky(const struct lan_state *s, struct p2c2r_scene_sky *sky)
{
    memset(sky, 0, sizeof *sky);
    sky->sea_level = LAN_SEA;
    sky->fog_start = 200;
    sky->phase = (uint8_t)(s->frame / 20);
    const uint32_t step = s->phase_frames / LIGHT_STEP * LIGHT_STEP;
    if (s->phase == LAN_PHASE_DUSK) {
        const uint32_t part = s->dusk > 0 ? step * 8 / s->dusk : 8; /* 0..8 */
        aim(sky, 46000, (int16_t)(2600 - 260 * (int)part));
        sky->sun_level = (uint8_t)(8 - part / 2);
        sky->ambient_level = (uint8_t)(5 - part / 4);
        sky->zenith = 3;
        sky->horizon = 5;
        sky->glow = 14;
        sky->clouds = 96;
    } else if (s->phase == LAN_PHASE_WON) {
        aim(sky, 14000, 3600);
        sky->sun_level = 7;
        sky->ambient_level = 7;
        sky->zenith = 8;
        sky->horizon = 13;
        sky->glow = 12;
        sky->clouds = 92;
    } else {
        const uint32_t length = s->night > 0 ? s->night : 1;
        aim(sky, (uint16_t)(20000 + (uint64_t)step * 22000 / length),
            (int16_t)(6200 + (int32_t)((uint64_t)step * 1500 / length)));
        sky->sun_level = 4;
        sky->ambient_level = 3;
        sky->zenith = 1;
        sky->horizon = 3;
        sky->clouds = 60;
        sky->is_moon = true;
    }
}
