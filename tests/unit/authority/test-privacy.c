/* What leaves in a lease: shuffles, turns, shares; and a guesser that must not do better than chance. */
#include "authority/trust/privacy.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

#define ITEMS 24u
#define PAIRS 10000u

static const uint8_t secret_a[P2_KEY_BYTES] = {1};
static const uint8_t secret_b[P2_KEY_BYTES] = {2};

static void a_task_is_shuffled_the_same_way_for_every_tier(void)
{
    uint32_t first[ITEMS], second[ITEMS], other[ITEMS];
    struct p2_rng stream;
    for (uint64_t task = 1; task < 100; task++) {
        p2_private_stream(&stream, secret_a, task);
        P2_ASSERT_ERROR(p2_private_shuffle(&stream, first, ITEMS), P2_OK);
        p2_private_stream(&stream, secret_a, task);
        P2_ASSERT_ERROR(p2_private_shuffle(&stream, second, ITEMS), P2_OK);
        P2_ASSERT_BYTES(first, second, sizeof first);
        p2_private_stream(&stream, secret_a, task + 1);
        P2_ASSERT_ERROR(p2_private_shuffle(&stream, other, ITEMS), P2_OK);
        CU_ASSERT(memcmp(first, other, sizeof first) != 0);
        p2_private_stream(&stream, secret_b, task);
        P2_ASSERT_ERROR(p2_private_shuffle(&stream, other, ITEMS), P2_OK);
        CU_ASSERT(memcmp(first, other, sizeof first) != 0);
    }
    P2_ASSERT_ERROR(p2_private_shuffle(&stream, first, P2_PRIVATE_ITEMS_MAX + 1), P2_E_INVALID);
}

static void a_shuffle_is_a_permutation_and_can_be_undone(void)
{
    struct p2_rng stream;
    for (uint32_t count = 0; count <= ITEMS; count++) {
        uint32_t order[ITEMS], seen = 0;
        uint8_t in[ITEMS * 3], mixed[ITEMS * 3], out[ITEMS * 3];
        p2_private_stream(&stream, secret_a, count);
        p2_rng_bytes(&stream, in, sizeof in);
        P2_ASSERT_ERROR(p2_private_shuffle(&stream, order, count), P2_OK);
        for (uint32_t i = 0; i < count; i++) {
            seen |= 1u << order[i];
        }
        P2_ASSERT_EQUAL(seen, (1u << count) - 1);
        p2_private_apply(mixed, in, order, count, 3);
        p2_private_restore(out, mixed, order, count, 3);
        P2_ASSERT_BYTES(out, in, (size_t)count * 3);
    }
}

static void every_place_is_equally_likely(void)
{
    /* Chi-squared over 8 x 8 cells, 80,000 shuffles: 49 degrees of freedom, 0.999 quantile 85.4. */
    uint32_t counts[8][8] = {{0}};
    uint32_t order[8];
    struct p2_rng stream;
    p2_private_stream(&stream, secret_a, 7);
    for (int i = 0; i < 80000; i++) {
        (void)p2_private_shuffle(&stream, order, 8);
        for (uint32_t place = 0; place < 8; place++) {
            counts[place][order[place]]++;
        }
    }
    double chi = 0;
    for (size_t i = 0; i < 64; i++) {
        double off = counts[i / 8][i % 8] - 10000.0;
        chi += off * off / 10000.0;
    }
    CU_ASSERT(chi < 85.4);
}

static void the_eight_turns_are_bijections_with_inverses(void)
{
    for (uint8_t turn = 0; turn < 8; turn++) {
        uint32_t seen = 0;
        for (int32_t cell = 0; cell < 25; cell++) {
            int32_t x, y, back_x, back_y;
            p2_private_turn(turn, 5, cell % 5, cell / 5, &x, &y);
            CU_ASSERT(x >= 0 && x < 5 && y >= 0 && y < 5);
            seen |= 1u << (y * 5 + x);
            p2_private_turn(p2_private_inverse(turn), 5, x, y, &back_x, &back_y);
            P2_ASSERT_EQUAL(back_x, cell % 5);
            P2_ASSERT_EQUAL(back_y, cell / 5);
        }
        P2_ASSERT_EQUAL(seen, (1u << 25) - 1);
    }
}

/* ---- the guesser -------------------------------------------------------------------------------- */

/* A physics task as it would leave: bodies in a local frame (position minus the island's corner),
 * shuffled. `leak`: the frame and the order stay as they are. */
struct body {
    int32_t x, y, z;
    uint32_t shape;
};

static void make_task(struct body out[ITEMS], const uint8_t secret[P2_KEY_BYTES], uint64_t task,
                      struct p2_rng *draws, int32_t origin, bool is_leaking)
{
    struct body bodies[ITEMS];
    int32_t least[3] = {INT32_MAX, INT32_MAX, INT32_MAX};
    for (uint32_t i = 0; i < ITEMS; i++) {
        int32_t at[3];
        for (size_t axis = 0; axis < 3; axis++) {
            at[axis] = origin + (int32_t)p2_rng_below(draws, 1000);
            least[axis] = at[axis] < least[axis] ? at[axis] : least[axis];
        }
        bodies[i] = (struct body){at[0], at[1], at[2], (uint32_t)p2_rng_below(draws, 2)};
    }
    if (is_leaking) {
        memcpy(out, bodies, sizeof bodies);
        return;
    }
    for (uint32_t i = 0; i < ITEMS; i++) {
        bodies[i].x -= least[0];
        bodies[i].y -= least[1];
        bodies[i].z -= least[2];
    }
    uint32_t order[ITEMS];
    struct p2_rng stream;
    p2_private_stream(&stream, secret, task);
    (void)p2_private_shuffle(&stream, order, ITEMS);
    p2_private_apply((uint8_t *)out, (const uint8_t *)bodies, order, ITEMS, sizeof *bodies);
}

/* "Same world": the clouds of bodies are near each other. It cannot know more than bytes tell it. */
static bool guess_same(const struct body a[ITEMS], const struct body b[ITEMS])
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < ITEMS; i++) {
        sum += (int64_t)a[i].x - b[i].x + a[i].y - b[i].y + a[i].z - b[i].z;
    }
    int64_t mean = sum / (3 * (int64_t)ITEMS);
    return mean > -250 && mean < 250;
}

/* Share of right guesses in ppm over pairs of leases on two links: of one world, or of two. */
static uint32_t accuracy_ppm(bool is_leaking)
{
    struct p2_rng draws;
    uint32_t right = 0;
    p2_rng_init_u64(&draws, 11, "pairs");
    for (uint32_t pair = 0; pair < PAIRS; pair++) {
        struct body a[ITEMS], b[ITEMS];
        bool is_same = p2_rng_below(&draws, 2) == 0;
        int32_t origin_a = (int32_t)p2_rng_below(&draws, 1000000);
        int32_t origin_b = is_same ? origin_a : (int32_t)p2_rng_below(&draws, 1000000);
        make_task(a, secret_a, 2 * pair, &draws, origin_a, is_leaking);
        make_task(b, is_same ? secret_a : secret_b, 2 * pair + 1, &draws, origin_b, is_leaking);
        right += guess_same(a, b) == is_same ? 1 : 0;
    }
    return (uint32_t)((uint64_t)right * 1000000u / PAIRS);
}

static void leases_of_one_world_cannot_be_told_from_leases_of_two(void)
{
    uint32_t blind = accuracy_ppm(false);
    uint32_t leaking = accuracy_ppm(true);
    (void)printf("  guesser over %u pairs: %u.%02u %% right, with a planted leak %u.%02u %%\n",
                 PAIRS, blind / 10000, blind % 10000 / 100, leaking / 10000, leaking % 10000 / 100);
    CU_ASSERT(blind <= 510000);
    CU_ASSERT(leaking > 900000);
}

static void the_shown_share_of_a_world_is_capped(void)
{
    struct p2_world_view view = {{0}, 0};
    uint32_t shown = 0;
    for (uint32_t cell = 0; cell < 256; cell++) {
        if (p2_world_allows(&view, cell, 256, P2_WORLD_SHARE_PPM)) {
            p2_world_show(&view, cell);
            shown++;
        }
    }
    P2_ASSERT_EQUAL(shown, 64);
    P2_ASSERT_EQUAL(p2_world_share_ppm(&view, 256), 250000);
    CU_ASSERT(p2_world_allows(&view, 3, 256, P2_WORLD_SHARE_PPM)); /* had it before */
    CU_ASSERT(!p2_world_allows(&view, 200, 256, P2_WORLD_SHARE_PPM));
    CU_ASSERT(!p2_world_allows(&view, 256, 256, 1000000)); /* no such place */
    struct p2_world_view small = {{0}, 0};
    CU_ASSERT(p2_world_allows(&small, 0, 2, P2_WORLD_SHARE_PPM)); /* one always: else no work */
}

int main(int argc, char **argv)
{
    CU_TestInfo privacy[] = {
        P2_TEST(a_task_is_shuffled_the_same_way_for_every_tier),
        P2_TEST(a_shuffle_is_a_permutation_and_can_be_undone),
        P2_TEST(every_place_is_equally_likely),
        P2_TEST(the_eight_turns_are_bijections_with_inverses),
        P2_TEST(leases_of_one_world_cannot_be_told_from_leases_of_two),
        P2_TEST(the_shown_share_of_a_world_is_capped),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"privacy", NULL, NULL, NULL, NULL, privacy}, CU_SUITE_INFO_NULL};
    if (p2_crypto_init() != P2_OK) {
        return 99;
    }
    return p2_test_main(argc, argv, suites);
}
