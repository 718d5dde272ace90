/* The rules of Lantern Siege: what digging, bombs, floods, raiders, night and lost results do. */
#include "games/lantern/lantern.h"
#include "base/rng.h"
#include "tests/lib/game_host.h"
#include "tests/lib/test.h"

#include <stdlib.h>

#define SEED 5u

struct night {
    struct p2_game_settings settings;
    struct p2_game_host *host;
    struct lan *lan;
    struct lan_state *s;
};

static void *self_of(struct p2_game_host *host)
{
    void *self;
    (void)p2_game_host_game(host, &self);
    return self;
}

static void open_night(struct night *night, const char *options, uint32_t players)
{
    night->settings = (struct p2_game_settings){
        .seed = SEED, .options = options, .players = players, .depth = 2, .quality = 128};
    P2_ASSERT_ERROR(p2_game_host_open(&night->host, p2c2r_game_entry, &night->settings), 0);
    night->lan = self_of(night->host);
    night->s = night->lan->s;
}

static void run(struct night *night, unsigned frames, const struct p2c2r_pad *pads)
{
    for (unsigned i = 0; i < frames; i++) {
        p2_game_host_state(night->host, pads);
    }
}

static unsigned count_material(const struct lan_state *s, int x0, int z0, int side,
                               uint8_t material)
{
    unsigned count = 0;
    for (int z = z0; z < z0 + side; z++) {
        for (int x = x0; x < x0 + side; x++) {
            for (int y = 0; y < LAN_HEIGHT; y++) {
                count += lan_voxel(s, x, y, z) == material;
            }
        }
    }
    return count;
}

/* ---- the world ------------------------------------------------------------------------------- */

static void the_island_has_villages_lanterns_and_a_pond(void)
{
    struct night night;
    open_night(&night, "", 1);
    const struct lan_state *s = night.s;
    CU_ASSERT(s->lamp_count > 20);
    for (unsigned i = 0; i < s->lamp_count; i++) {
        P2_ASSERT_EQUAL(lan_voxel(s, s->lamps[i].x, s->lamps[i].y, s->lamps[i].z), P2C2R_LANTERN);
    }
    /* 13 x 13 columns of 4 layers inside the walls. */
    P2_ASSERT_EQUAL(lan_voxel(s, s->pond[0], s->village[0][1] + 3, s->pond[1]), P2C2R_WATER);
    P2_ASSERT_EQUAL(lan_voxel(s, s->pond[0], s->village[0][1] + 4, s->pond[1]), P2C2R_AIR);
    run(&night, 1, NULL);
    CU_ASSERT(lan_folk_count(s, true) >= 12);
    P2_ASSERT_EQUAL(lan_folk_count(s, false), 0);
    p2_game_host_close(night.host);
}

static void derived_ground_is_what_a_fresh_look_finds(void)
{
    struct night night;
    struct p2c2r_pad pad;
    static uint8_t stand[LAN_SIDE * LAN_SIDE], open[LAN_SIDE * LAN_SIDE];
    open_night(&night, "dusk=1", 1);
    for (unsigned i = 0; i < 400; i++) {
        pad = p2_game_bot(3, 0, i);
        run(&night, 1, &pad);
    }
    memcpy(stand, night.lan->stand, sizeof stand);
    memcpy(open, night.lan->open, sizeof open);
    lan_world_derive(night.lan);
    P2_ASSERT_BYTES(night.lan->stand, stand, sizeof stand);
    P2_ASSERT_BYTES(night.lan->open, open, sizeof open);
    p2_game_host_close(night.host);
}

/* ---- hands ----------------------------------------------------------------------------------- */

static void a_player_digs_down_and_keeps_the_blocks(void)
{
    struct night night;
    const struct p2c2r_pad dig = {.buttons = P2C2R_PAD_FIRST, .pitch = -P2C2R_SCENE_PITCH_MAX};
    open_night(&night, "", 1);
    const struct lan_player *p = &night.s->players[0];
    run(&night, 5, NULL);
    const int32_t feet = p->at[1];
    const uint16_t blocks = p->blocks;
    run(&night, 60, &dig);
    CU_ASSERT(p->blocks >= blocks + 3);
    CU_ASSERT(p->at[1] <= feet - LAN_ONE);
    p2_game_host_close(night.host);
}

static void a_player_builds_and_pays_a_block(void)
{
    struct night night;
    const struct p2c2r_pad build = {
        .buttons = P2C2R_PAD_SECOND, .pitch = -7000, .yaw = 40000, .slot = 1};
    open_night(&night, "", 1);
    const struct lan_player *p = &night.s->players[0];
    run(&night, 5, NULL);
    const int x = p->at[0] >> 8, z = p->at[2] >> 8;
    const unsigned stones = count_material(night.s, x - 6, z - 6, 13, P2C2R_STONE);
    run(&night, 1, &build);
    P2_ASSERT_EQUAL(p->blocks, 59);
    P2_ASSERT_EQUAL(count_material(night.s, x - 6, z - 6, 13, P2C2R_STONE), stones + 1);
    p2_game_host_close(night.host);
}

static void nonsense_from_a_client_changes_nothing(void)
{
    struct night night, quiet;
    open_night(&night, "", 1);
    open_night(&quiet, "", 1);
    const struct p2c2r_game *game = p2_game_host_game(night.host, &(void *){NULL});
    uint8_t junk[P2C2R_GAME_INPUT_MAX];
    memset(junk, 0xee, sizeof junk);
    for (uint32_t i = 0; i < 20; i++) {
        game->input(night.lan, i % 3 == 0 ? 0 : 200, i, (struct p2c2r_bytes){junk, i * 3});
        run(&night, 1, NULL);
        run(&quiet, 1, NULL);
    }
    const struct p2_span a = p2_game_host_snapshot(night.host, 0, true);
    const struct p2_span b = p2_game_host_snapshot(quiet.host, 0, true);
    CU_ASSERT(p2_span_equal(a, b));
    p2_game_host_close(night.host);
    p2_game_host_close(quiet.host);
}

/* ---- ruin ------------------------------------------------------------------------------------ */

static void a_tower_without_its_foot_falls(void)
{
    struct night night;
    open_night(&night, "", 1);
    struct lan_state *s = night.s;
    const int x = s->village[0][0], z = s->village[0][2] + 16, y = s->base[lan_cell(x, z)];
    for (int i = 0; i < 10; i++) { /* a mast with a bar across */
        lan_world_set(night.lan, x, y + i, z, P2C2R_PLANKS);
        lan_world_set(night.lan, x + (i < 5 ? i : 0), y + 9, z, P2C2R_PLANKS);
    }
    lan_world_set(night.lan, x, y + 1, z, P2C2R_AIR);
    lan_ruin_disturb(night.lan, x, y + 1, z);
    run(&night, 12, NULL);
    P2_ASSERT_EQUAL(lan_voxel(s, x, y, z), P2C2R_PLANKS); /* what stands on the ground stays */
    for (int i = 2; i < 10; i++) {
        P2_ASSERT_EQUAL(lan_voxel(s, x, y + i, z), P2C2R_AIR);
    }
    P2_ASSERT_EQUAL(lan_voxel(s, x + 4, y + 9, z), P2C2R_AIR);
    unsigned debris = 0;
    for (unsigned i = 0; i < LAN_BODIES; i++) {
        debris += s->bodies[i].kind == LAN_DEBRIS;
    }
    CU_ASSERT(debris > 0);
    run(&night, 600, NULL);
    for (unsigned i = 0; i < LAN_BODIES; i++) {
        P2_ASSERT_EQUAL(s->bodies[i].kind, LAN_NO_BODY);
    }
    p2_game_host_close(night.host);
}

static void a_breach_of_the_dam_floods_the_ground_below(void)
{
    struct night night;
    open_night(&night, "", 1);
    struct lan_state *s = night.s;
    const int y = s->village[0][1], side = s->village[0][0] < s->pond[0] ? -1 : 1;
    const int32_t wall[3] = {(s->pond[0] + side * 7) * LAN_ONE + 128, (y + 1) * LAN_ONE,
                             s->pond[1] * LAN_ONE + 128};
    const int x0 = s->pond[0] + side * 14 - 5;
    const unsigned dry = count_material(s, x0, s->pond[1] - 5, 11, P2C2R_WATER);
    const unsigned full = count_material(s, s->pond[0] - 6, s->pond[1] - 6, 13, P2C2R_WATER);
    lan_ruin_blast(night.lan, wall, 5, LAN_PLAYERS);
    run(&night, 500, NULL);
    CU_ASSERT(count_material(s, s->pond[0] - 6, s->pond[1] - 6, 13, P2C2R_WATER) < full);
    CU_ASSERT(count_material(s, x0, s->pond[1] - 5, 11, P2C2R_WATER) > dry + 20);
    p2_game_host_close(night.host);
}

static void a_bomb_hurts_who_stands_beside_it(void)
{
    struct night night;
    open_night(&night, "", 1);
    struct lan_state *s = night.s;
    const unsigned near =
        lan_folk_add(night.lan, LAN_RAIDER, s->village[0][0], s->village[0][2] + 3);
    const unsigned far =
        lan_folk_add(night.lan, LAN_RAIDER, s->village[0][0], s->village[0][2] + 14);
    const int32_t score = s->score;
    lan_ruin_blast(night.lan, s->folk[near].at, 5, 0);
    P2_ASSERT_EQUAL(s->folk[near].kind, LAN_NOBODY);
    P2_ASSERT_EQUAL(s->folk[far].kind, LAN_RAIDER);
    P2_ASSERT_EQUAL(s->players[0].kills, 1);
    P2_ASSERT_EQUAL(s->score, score + 10);
    p2_game_host_close(night.host);
}

/* ---- raiders --------------------------------------------------------------------------------- */

static void a_raider_walks_to_a_villager_and_strikes(void)
{
    struct night night;
    open_night(&night, "", 0);
    struct lan_state *s = night.s;
    run(&night, 1, NULL);
    for (unsigned i = 0; i < LAN_FOLK; i++) {
        s->folk[i].kind = LAN_NOBODY;
    }
    const int x = s->village[0][0], z = s->village[0][2];
    const unsigned victim = lan_folk_add(night.lan, LAN_VILLAGER, x, z + 2);
    const unsigned raider = lan_folk_add(night.lan, LAN_RAIDER, x, z + 30);
    CU_ASSERT(victim < LAN_FOLK && raider < LAN_FOLK);
    unsigned frames = 0;
    while (s->folk[victim].kind == LAN_VILLAGER && frames < 3000) {
        run(&night, 1, NULL);
        frames++;
    }
    P2_ASSERT_EQUAL(s->folk[victim].kind, LAN_NOBODY);
    P2_ASSERT_EQUAL(s->fallen, 1);
    p2_game_host_close(night.host);
}

static void a_raider_shut_out_digs_its_way(void)
{
    struct night night;
    open_night(&night, "", 0);
    struct lan_state *s = night.s;
    run(&night, 1, NULL);
    for (unsigned i = 0; i < LAN_FOLK; i++) {
        s->folk[i].kind = LAN_NOBODY;
    }
    const int x = s->village[0][0], z = s->village[0][2];
    for (int d = -4; d <= 4; d++) { /* a closed yard of planks around the villager */
        for (int h = 0; h < 4; h++) {
            const int ring[4][2] = {
                {x + d, z - 2}, {x + d, z + 6}, {x - 4, z + 2 + d}, {x + 4, z + 2 + d}};
            for (unsigned i = 0; i < 4; i++) {
                const int y = s->base[lan_cell(ring[i][0], ring[i][1])];
                lan_world_set(night.lan, ring[i][0], y + h, ring[i][1], P2C2R_PLANKS);
            }
        }
    }
    const unsigned victim = lan_folk_add(night.lan, LAN_VILLAGER, x + 2, z + 3);
    (void)lan_folk_add(night.lan, LAN_RAIDER, x, z + 16); /* its number does not matter */
    unsigned frames = 0;
    while (s->folk[victim].kind == LAN_VILLAGER && frames < 8000) {
        run(&night, 1, NULL);
        s->folk[victim].wait = 500; /* it stays where it is */
        frames++;
    }
    P2_ASSERT_EQUAL(s->folk[victim].kind, LAN_NOBODY);
    p2_game_host_close(night.host);
}

/* ---- the night ------------------------------------------------------------------------------- */

static void who_lives_until_dawn_wins(void)
{
    struct night night;
    open_night(&night, "dusk=0 night=2", 1);
    run(&night, 3 * LAN_HZ, NULL);
    P2_ASSERT_EQUAL(night.s->phase, LAN_PHASE_WON);
    CU_ASSERT(night.s->score >= 200);
    CU_ASSERT(!p2_game_host_is_over(night.host));
    run(&night, 13 * LAN_HZ, NULL);
    CU_ASSERT(p2_game_host_is_over(night.host));
    p2_game_host_close(night.host);
}

static void without_villagers_the_night_is_lost(void)
{
    struct night night;
    open_night(&night, "dusk=0 night=60", 1);
    run(&night, 10, NULL);
    for (unsigned i = 0; i < LAN_FOLK; i++) {
        lan_folk_hurt(night.lan, i, 9, LAN_PLAYERS);
    }
    run(&night, 2, NULL);
    P2_ASSERT_EQUAL(night.s->phase, LAN_PHASE_LOST);
    CU_ASSERT(night.s->score < 0);
    p2_game_host_close(night.host);
}

static void a_fallen_player_comes_back_three_times(void)
{
    struct night night;
    open_night(&night, "", 1);
    struct lan_player *p = &night.s->players[0];
    for (unsigned life = 3; life > 0; life--) {
        P2_ASSERT_EQUAL(p->hp, 10);
        P2_ASSERT_EQUAL(p->lives, life);
        lan_player_hurt(night.lan, 0, 10);
        P2_ASSERT_EQUAL(p->hp, 0);
        run(&night, 6 * LAN_HZ, NULL);
    }
    P2_ASSERT_EQUAL(p->lives, 0);
    P2_ASSERT_EQUAL(p->hp, 0);
    p2_game_host_close(night.host);
}

static void a_night_goes_on_when_every_result_is_lost(void)
{
    struct night night;
    open_night(&night, "dusk=0 night=20", 1);
    night.settings.drop_percent = 100;
    for (unsigned i = 0; i < 25 * LAN_HZ; i++) {
        const struct p2c2r_pad pad = p2_game_bot(1, 0, i);
        run(&night, 1, &pad);
    }
    P2_ASSERT_EQUAL(night.s->phase, LAN_PHASE_WON);
    CU_ASSERT(night.s->landed > 0);
    p2_game_host_close(night.host);
}

/* ---- state ----------------------------------------------------------------------------------- */

static void equal_seeds_make_equal_nights_and_others_do_not(void)
{
    struct night a, b;
    open_night(&a, "dusk=0 night=60", 1);
    open_night(&b, "dusk=0 night=60", 1);
    run(&a, 200, NULL);
    run(&b, 200, NULL);
    const struct p2_span one = p2_game_host_snapshot(a.host, 0, true);
    CU_ASSERT(p2_span_equal(one, p2_game_host_snapshot(b.host, 0, true)));
    p2_game_host_close(b.host);
    b.settings.seed = SEED + 1;
    P2_ASSERT_ERROR(p2_game_host_open(&b.host, p2c2r_game_entry, &b.settings), 0);
    run(&b, 200, NULL);
    CU_ASSERT(!p2_span_equal(one, p2_game_host_snapshot(b.host, 0, true)));
    p2_game_host_close(a.host);
    p2_game_host_close(b.host);
}

static void hostile_saves_are_refused_or_playable(void)
{
    struct night night;
    open_night(&night, "dusk=0 night=60", 1);
    const struct p2c2r_game *game = p2_game_host_game(night.host, &(void *){NULL});
    run(&night, 150, NULL);
    const struct p2_span save = p2_game_host_snapshot(night.host, 0, true);
    uint8_t *hostile = malloc(save.size);
    struct p2_rng rng;
    unsigned refused = 0;
    CU_ASSERT_FATAL(hostile != NULL);
    p2_rng_init_u64(&rng, 9, "hostile saves");
    const size_t land = LAN_VOXELS + LAN_SIDE * LAN_SIDE;
    for (unsigned i = 0; i < 150; i++) {
        memcpy(hostile, save.data, save.size);
        for (unsigned k = 0; k < 4; k++) {
            hostile[land + p2_rng_below(&rng, save.size - land)] = (uint8_t)p2_rng_u32(&rng);
        }
        if (game->restore(night.lan, 1, (struct p2c2r_bytes){hostile, save.size}) != 0) {
            refused++;
            continue;
        }
        run(&night, 2, NULL);
    }
    CU_ASSERT(refused > 0 && refused < 150);
    for (size_t size = 0; size < save.size; size += save.size / 7) {
        CU_ASSERT(game->restore(night.lan, 1, (struct p2c2r_bytes){hostile, size}) != 0);
    }
    memcpy(hostile, save.data, save.size);
    hostile[77] = 14; /* haze is no voxel */
    CU_ASSERT(game->restore(night.lan, 1, (struct p2c2r_bytes){hostile, save.size}) != 0);
    CU_ASSERT(game->restore(night.lan, 2, (struct p2c2r_bytes){save.data, save.size}) != 0);
    free(hostile);
    p2_game_host_close(night.host);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(the_island_has_villages_lanterns_and_a_pond),
        P2_TEST(derived_ground_is_what_a_fresh_look_finds),
        P2_TEST(a_player_digs_down_and_keeps_the_blocks),
        P2_TEST(a_player_builds_and_pays_a_block),
        P2_TEST(nonsense_from_a_client_changes_nothing),
        P2_TEST(a_tower_without_its_foot_falls),
        P2_TEST(a_breach_of_the_dam_floods_the_ground_below),
        P2_TEST(a_bomb_hurts_who_stands_beside_it),
        P2_TEST(a_raider_walks_to_a_villager_and_strikes),
        P2_TEST(a_raider_shut_out_digs_its_way),
        P2_TEST(who_lives_until_dawn_wins),
        P2_TEST(without_villagers_the_night_is_lost),
        P2_TEST(a_fallen_player_comes_back_three_times),
        P2_TEST(a_night_goes_on_when_every_result_is_lost),
        P2_TEST(equal_seeds_make_equal_nights_and_others_do_not),
        P2_TEST(hostile_saves_are_refused_or_playable),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"lantern", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
