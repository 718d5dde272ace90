#include "tests/unit/overlay/overlay_fixture.h"

#include "overlay/overlay_sim.h"
#include "overlay/rendezvous.h"

#include <string.h>

#define S 1000000ull

/* A host that publishes and a gamer that searches, in one simulated network. */
struct world {
    struct p2_overlay_sim *sim;
    struct p2_overlay *host;
    struct p2_overlay *gamer;
    struct p2_identity identity;
    struct p2_session_publisher publisher;
    uint64_t publisher_due_us;
    struct p2_resolver resolver;
    uint64_t resolver_due_us;
};

static struct world world;
static const struct p2_overlay_sim_weather calm = {.delay_min_us = 50000, .delay_mean_us = 30000};

static void open_world(uint64_t seed, const struct p2_overlay_sim_weather *weather, uint64_t unix_s)
{
    struct p2_rng rng;
    memset(&world, 0, sizeof world);
    make_node(&world.identity, 1);
    P2_ASSERT_ERROR(p2_overlay_sim_new(&world.sim, seed, unix_s), P2_OK);
    P2_ASSERT_ERROR(p2_overlay_sim_open(world.sim, weather, &world.host), P2_OK);
    P2_ASSERT_ERROR(p2_overlay_sim_open(world.sim, weather, &world.gamer), P2_OK);
    p2_resolver_init(&world.resolver);
    world.resolver_due_us = UINT64_MAX;
    p2_rng_init_u64(&rng, seed, "publisher");
    const struct p2_session_publisher_options options = {
        .overlay = world.host, .rules = &easy_rules, .identity = &world.identity};
    const struct p2_overlay_session record = make_session(&world.identity, 0x11, 0, 0);
    P2_ASSERT_ERROR(p2_session_publisher_start(&world.publisher, &options, &record, &rng), P2_OK);
}

static void close_world(void)
{
    p2_session_publisher_stop(&world.publisher);
    p2_resolver_stop(&world.resolver);
    P2_ASSERT_ERROR(p2_overlay_sim_run(world.sim, p2_overlay_sim_now_us(world.sim) + 30 * S),
                    P2_OK);
    P2_ASSERT_EQUAL(p2_overlay_sim_operations(world.sim), 0); /* nothing is left behind */
    p2_overlay_sim_free(world.sim);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Runs the network and calls ticks when they are due, until `until_us` or the search is over. */
static void run_until(uint64_t until_us, bool stop_when_resolved)
{
    for (;;) {
        world.publisher_due_us = p2_session_publisher_tick(&world.publisher);
        world.resolver_due_us = p2_resolver_tick(&world.resolver);
        bool is_resolved = world.resolver.state == P2_RESOLVER_FOUND ||
                           world.resolver.state == P2_RESOLVER_NOT_FOUND;
        uint64_t now_us = p2_overlay_sim_now_us(world.sim);
        if (now_us >= until_us || (stop_when_resolved && is_resolved)) {
            return;
        }
        uint64_t next_us = least(p2_overlay_sim_next_us(world.sim),
                                 least(world.publisher_due_us, world.resolver_due_us));
        next_us = next_us > now_us ? next_us : now_us;
        P2_ASSERT_ERROR(p2_overlay_sim_run(world.sim, least(next_us, until_us)), P2_OK);
    }
}

static enum p2_resolver_state resolve(const struct p2_session_id *id)
{
    const struct p2_resolver_options options = {.overlay = world.gamer, .rules = &easy_rules};
    P2_ASSERT_ERROR(p2_resolver_start(&world.resolver, &options, id), P2_OK);
    run_until(p2_overlay_sim_now_us(world.sim) + 100 * S, true);
    return world.resolver.state;
}

static struct p2_overlay_key place(unsigned copy)
{
    struct p2_overlay_key key;
    p2_session_slot_key(&key, &world.publisher.keys, copy, world.publisher.slot);
    return key;
}

static unsigned values_seen, ends_seen;
static int end_result;
static enum p2_overlay_verdict verdict;

static enum p2_overlay_verdict count_value(struct p2_overlay_op *op, struct p2_span value,
                                           void *ctx)
{
    (void)op;
    (void)value;
    (void)ctx;
    values_seen++;
    return verdict;
}

static void count_end(struct p2_overlay_op *op, int result, void *ctx)
{
    (void)op;
    (void)ctx;
    ends_seen++;
    end_result = result;
}

static const struct p2_overlay_events counting = {count_value, count_end};

/* ---- finding ------------------------------------------------------------------------------------ */

static void a_published_session_is_found_by_its_id_within_a_second(void)
{
    open_world(1, &calm, GOLDEN_NOW);
    run_until(5 * S, false);
    uint64_t start_us = p2_overlay_sim_now_us(world.sim);
    P2_ASSERT_EQUAL(resolve(&world.publisher.id), P2_RESOLVER_FOUND);
    CU_ASSERT(p2_overlay_sim_now_us(world.sim) - start_us < S);
    P2_ASSERT_EQUAL(world.resolver.record.endpoints[0].port, 4242);
    CU_ASSERT(memcmp(world.resolver.record.authority.bytes, world.identity.public_key, 32) == 0);
    close_world();
}

static void a_found_record_is_cached_until_forgotten_or_expired(void)
{
    open_world(2, &calm, GOLDEN_NOW);
    run_until(5 * S, false);
    const struct p2_session_id id = world.publisher.id;
    P2_ASSERT_EQUAL(resolve(&id), P2_RESOLVER_FOUND);
    uint64_t lookups = p2_overlay_status(world.gamer).looked_up;
    P2_ASSERT_EQUAL(resolve(&id), P2_RESOLVER_FOUND);
    P2_ASSERT_EQUAL(p2_overlay_status(world.gamer).looked_up, lookups);
    p2_resolver_forget(&world.resolver);
    P2_ASSERT_EQUAL(resolve(&id), P2_RESOLVER_FOUND);
    CU_ASSERT(p2_overlay_status(world.gamer).looked_up > lookups);
    close_world();
}

static void not_found_comes_only_after_three_rounds_with_pauses_of_1_and_5_s(void)
{
    const struct p2_session_id nobodys = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 0}};
    open_world(3, &calm, GOLDEN_NOW);
    run_until(5 * S, false);
    uint64_t start_us = p2_overlay_sim_now_us(world.sim);
    P2_ASSERT_EQUAL(resolve(&nobodys), P2_RESOLVER_NOT_FOUND);
    P2_ASSERT_EQUAL(p2_overlay_status(world.gamer).looked_up, 18);
    CU_ASSERT(p2_overlay_sim_now_us(world.sim) - start_us > 6 * S);
    CU_ASSERT(p2_overlay_sim_now_us(world.sim) - start_us < 9 * S);
    close_world();
}

static void loss_misses_staleness_and_slow_answers_are_overcome(void)
{
    const struct p2_overlay_sim_weather bad = {.loss_ppm = 200000,
                                               .miss_ppm = 200000,
                                               .stale_us = 500000,
                                               .delay_min_us = 50000,
                                               .delay_mean_us = 100000,
                                               .slow_ppm = 50000,
                                               .slow_us = 3000000};
    unsigned found = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        open_world(seed, &bad, GOLDEN_NOW + seed * 3600 - 20); /* across the change of the hour */
        run_until(20 * S, false);
        found += resolve(&world.publisher.id) == P2_RESOLVER_FOUND;
        close_world();
    }
    P2_ASSERT_EQUAL(found, 100);
}

static void the_newest_record_wins_over_an_older_one_beside_it(void)
{
    open_world(4, &calm, GOLDEN_NOW);
    run_until(5 * S, false);
    struct p2_overlay_session changed = world.publisher.record;
    changed.endpoints[0].port = 5555;
    P2_ASSERT_ERROR(p2_session_publisher_change(&world.publisher, &changed), P2_OK);
    run_until(10 * S, false);
    const struct p2_overlay_key key = place(0);
    P2_ASSERT_EQUAL(p2_overlay_sim_count(world.sim, &key), 2); /* both generations */
    P2_ASSERT_EQUAL(resolve(&world.publisher.id), P2_RESOLVER_FOUND);
    P2_ASSERT_EQUAL(world.resolver.record.endpoints[0].port, 5555);
    close_world();
}

static void a_rotated_id_leads_to_the_session_and_the_old_one_ends(void)
{
    const uint8_t salt[P2_SALT_BYTES] = {0x22};
    open_world(5, &calm, GOLDEN_NOW);
    run_until(5 * S, false);
    const struct p2_session_id old = world.publisher.id;
    P2_ASSERT_ERROR(p2_session_publisher_rotate(&world.publisher, salt), P2_OK);
    CU_ASSERT(!p2_session_id_equal(&old, &world.publisher.id));
    run_until(10 * S, false);
    P2_ASSERT_EQUAL(resolve(&world.publisher.id), P2_RESOLVER_FOUND);
    run_until(560 * S, false); /* 9 minutes after the last put under the old ID */
    P2_ASSERT_EQUAL(resolve(&old), P2_RESOLVER_NOT_FOUND);
    close_world();
}

static void a_partition_hides_a_session_until_it_heals(void)
{
    open_world(6, &calm, GOLDEN_NOW);
    p2_overlay_sim_set_group(world.gamer, 1);
    run_until(5 * S, false);
    P2_ASSERT_EQUAL(resolve(&world.publisher.id), P2_RESOLVER_NOT_FOUND);
    p2_overlay_sim_set_group(world.gamer, 0);
    P2_ASSERT_EQUAL(resolve(&world.publisher.id), P2_RESOLVER_FOUND);
    close_world();
}

static void a_lost_node_delays_a_search_and_does_not_end_it(void)
{
    open_world(7, &calm, GOLDEN_NOW);
    run_until(5 * S, false);
    P2_ASSERT_ERROR(p2_overlay_sim_set_down(world.gamer, 12 * S), P2_OK);
    P2_ASSERT_EQUAL(resolve(&world.publisher.id), P2_RESOLVER_FOUND);
    CU_ASSERT(p2_overlay_sim_now_us(world.sim) > 12 * S);
    P2_ASSERT_EQUAL(p2_overlay_status(world.gamer).restarts, 1);
    close_world();
}

static void closing_an_overlay_ends_a_search_without_end(void)
{
    open_world(8, &calm, GOLDEN_NOW);
    run_until(5 * S, false);
    const struct p2_resolver_options options = {.overlay = world.gamer, .rules = &easy_rules};
    P2_ASSERT_ERROR(p2_resolver_start(&world.resolver, &options, &world.publisher.id), P2_OK);
    P2_ASSERT_EQUAL(world.resolver.running, 6);
    p2_overlay_close(world.gamer, NULL, NULL);
    P2_ASSERT_ERROR(p2_overlay_publish(world.gamer, &(struct p2_overlay_key){{0}}, p2_span("x", 1),
                                       &counting, NULL, NULL),
                    P2_E_DRAINING);
    P2_ASSERT_ERROR(p2_overlay_sim_run(world.sim, 5 * S), P2_OK);
    P2_ASSERT_EQUAL(world.resolver.running, 0);
    close_world();
}

/* ---- publishing --------------------------------------------------------------------------------- */

static void a_session_is_put_at_once_after_15_s_then_every_4_minutes(void)
{
    open_world(9, &calm, GOLDEN_NOW / 3600 * 3600); /* a whole hour before the slot changes */
    run_until(S, false);
    P2_ASSERT_EQUAL(world.publisher.puts, 2);
    run_until(14 * S, false);
    P2_ASSERT_EQUAL(world.publisher.puts, 2);
    run_until(16 * S, false);
    P2_ASSERT_EQUAL(world.publisher.puts, 4);
    run_until(15 * S + 191 * S, false);
    P2_ASSERT_EQUAL(world.publisher.puts, 4);
    run_until(16 * S + 288 * S, false);
    P2_ASSERT_EQUAL(world.publisher.puts, 6);
    P2_ASSERT_EQUAL(world.publisher.junk, 0); /* its own values are no junk */
    run_until(3599 * S, false);
    CU_ASSERT(world.publisher.puts >= 2 * 14 && world.publisher.puts <= 2 * 21);
    close_world();
}

static void the_next_hour_has_other_keys_at_once(void)
{
    open_world(10, &calm, GOLDEN_NOW / 3600 * 3600 + 3590);
    run_until(S, false);
    const struct p2_overlay_key before = place(0);
    run_until(11 * S, false);
    const struct p2_overlay_key after = place(0);
    CU_ASSERT(!p2_overlay_key_equal(&before, &after));
    P2_ASSERT_EQUAL(p2_overlay_sim_count(world.sim, &after), 1);
    close_world();
}

static void a_publisher_puts_again_every_5_s_while_junk_comes_and_no_longer(void)
{
    open_world(11, &calm, GOLDEN_NOW / 3600 * 3600);
    run_until(30 * S, false);
    uint64_t before = world.publisher.puts;
    const struct p2_overlay_key key = place(0);
    for (unsigned i = 0; i < 30; i++) {
        P2_ASSERT_ERROR(p2_overlay_sim_inject(world.sim, &key, p2_span(&i, sizeof i), true), P2_OK);
        run_until((31 + i) * S, false);
    }
    P2_ASSERT_EQUAL(world.publisher.junk, 30);
    CU_ASSERT(world.publisher.puts - before >= 2 * 5 && world.publisher.puts - before <= 2 * 7);
    run_until(70 * S, false);
    before = world.publisher.puts;
    run_until(150 * S, false);
    P2_ASSERT_EQUAL(world.publisher.puts, before);
    close_world();
}

static void stored_values_have_one_size_and_show_neither_key_nor_id(void)
{
    uint8_t values[2][P2_OVERLAY_VALUE_MAX];
    open_world(12, &calm, GOLDEN_NOW);
    run_until(20 * S, false);
    for (unsigned copy = 0; copy < 2; copy++) {
        const struct p2_overlay_key key = place(copy);
        P2_ASSERT_EQUAL(p2_overlay_sim_value(world.sim, &key, 0, values[copy]), 360);
        for (size_t at = 0; at + 8 <= 360; at++) {
            CU_ASSERT(memcmp(values[copy] + at, world.identity.public_key, 8) != 0);
            CU_ASSERT(memcmp(values[copy] + at, world.publisher.id.bytes, 8) != 0);
        }
    }
    close_world();
}

/* ---- hostile values ------------------------------------------------------------------------------ */

/* What each operation costs, in microseconds: 2 for a decryption, 82 for a signature, 550 for a
 * puzzle, 9,000 for the slow hash (measured; session_record.h). */
static uint64_t cost_us(const struct p2_session_checker *checker)
{
    return checker->decryptions * 2 + checker->signatures * 82 + checker->puzzles * 550 +
           checker->argons * 9000;
}

static void flood(unsigned count, size_t size)
{
    uint8_t junk[600];
    struct p2_rng rng;
    p2_rng_init_u64(&rng, 5, "flood");
    for (unsigned copy = 0; copy < 2; copy++) {
        const struct p2_overlay_key key = place(copy);
        for (unsigned i = 0; i < count; i++) {
            p2_rng_bytes(&rng, junk, sizeof junk);
            P2_ASSERT_ERROR(p2_overlay_sim_inject(world.sim, &key, p2_span(junk, size), true),
                            P2_OK);
        }
    }
}

static void five_thousand_junk_values_in_front_do_not_hide_a_session(void)
{
    static const size_t sizes[] = {P2_SESSION_VALUE_BYTES, 1, 499, 600};
    for (size_t i = 0; i < P2_COUNT_OF(sizes); i++) {
        const struct p2_overlay_sim_weather slow = {.delay_min_us = 50000, .value_us = 1000};
        open_world(13 + i, &slow, GOLDEN_NOW);
        run_until(2 * S, false);
        flood(5000, sizes[i]);
        uint64_t start_us = p2_overlay_sim_now_us(world.sim);
        P2_ASSERT_EQUAL(resolve(&world.publisher.id), P2_RESOLVER_FOUND);
        CU_ASSERT(p2_overlay_sim_now_us(world.sim) - start_us < 20 * S);
        CU_ASSERT(cost_us(&world.resolver.checker) < 100 * 1000);
        P2_ASSERT_EQUAL(world.resolver.checker.argons, 1);
        P2_ASSERT_EQUAL(p2_overlay_status(world.gamer).oversized > 0, sizes[i] == 600);
        close_world();
    }
}

static void two_hundred_values_by_someone_who_knows_the_id_do_not_hide_it(void)
{
    uint8_t value[P2_SESSION_VALUE_BYTES];
    uint8_t nonce[P2_XNONCE_BYTES] = {0};
    struct p2_overlay_rules rules = easy_rules;
    rules.puzzle_bits = 10; /* the 200 keys have no solution, the host has */
    open_world(20, &calm, GOLDEN_NOW);
    world.publisher.options.rules = &rules;
    struct p2_puzzle puzzle;
    const struct p2_id id = id_of(&world.identity);
    p2_puzzle_begin(&puzzle, &id, rules.puzzle_bits);
    P2_ASSERT_ERROR(p2_puzzle_step(&puzzle, 1000000), P2_OK);
    world.publisher.record.puzzle_nonce = puzzle.nonce;
    run_until(2 * S, false);
    for (unsigned i = 0; i < 200; i++) {
        struct p2_identity thief;
        make_node(&thief, 1000 + i);
        const struct p2_overlay_session record = make_session(&thief, 0x11, GOLDEN_NOW, 99);
        for (unsigned copy = 0; copy < 2; copy++) {
            const struct p2_overlay_key key = place(copy);
            nonce[0] = (uint8_t)i;
            P2_ASSERT_ERROR(
                p2_session_seal(value, &record, &key, &world.publisher.keys, nonce, &thief, &rules),
                P2_OK);
            P2_ASSERT_ERROR(
                p2_overlay_sim_inject(world.sim, &key, p2_span(value, sizeof value), true), P2_OK);
        }
    }
    const struct p2_resolver_options options = {.overlay = world.gamer, .rules = &rules};
    P2_ASSERT_ERROR(p2_resolver_start(&world.resolver, &options, &world.publisher.id), P2_OK);
    uint64_t start_us = p2_overlay_sim_now_us(world.sim);
    run_until(start_us + 100 * S, true);
    P2_ASSERT_EQUAL(world.resolver.state, P2_RESOLVER_FOUND);
    CU_ASSERT(p2_overlay_sim_now_us(world.sim) - start_us < 20 * S);
    CU_ASSERT(p2_id_equal(&world.resolver.record.authority, &id));
    /* One puzzle a key over all rounds, and the slow hash only for who solved it. */
    CU_ASSERT(world.resolver.checker.puzzles <= 201);
    CU_ASSERT(world.resolver.checker.argons <= 2);
    close_world();
}

static void forged_replayed_expired_and_future_records_are_never_accepted(void)
{
    uint8_t value[P2_SESSION_VALUE_BYTES], copy_of[P2_OVERLAY_VALUE_MAX];
    const uint8_t nonce[P2_XNONCE_BYTES] = {9};
    struct p2_identity thief;
    make_node(&thief, 2);
    open_world(21, &calm, GOLDEN_NOW);
    run_until(2 * S, false);
    const struct p2_overlay_key key = place(0), other = place(1);
    p2_overlay_sim_set_weather(world.host, &(struct p2_overlay_sim_weather){.loss_ppm = 1000000});
    const struct p2_session_id id = world.publisher.id;
    /* Everything genuine is out of reach; what follows is all a gamer can see. */
    p2_overlay_sim_set_group(world.gamer, 1);
    P2_ASSERT_EQUAL(p2_overlay_sim_value(world.sim, &other, 0, copy_of), P2_SESSION_VALUE_BYTES);
    P2_ASSERT_ERROR(p2_overlay_sim_inject(world.sim, &key, p2_span(copy_of, sizeof value), true),
                    P2_OK); /* replayed under another key */
    struct p2_overlay_session records[3] = {
        make_session(&thief, 0x11, GOLDEN_NOW, 99),                 /* a stolen ID */
        make_session(&world.identity, 0x11, GOLDEN_NOW - 541, 99),  /* expired */
        make_session(&world.identity, 0x11, GOLDEN_NOW + 500, 99)}; /* from the future */
    for (unsigned i = 0; i < 3; i++) {
        const struct p2_identity *signer = i == 0 ? &thief : &world.identity;
        P2_ASSERT_ERROR(p2_session_seal(value, &records[i], &key, &world.publisher.keys, nonce,
                                        signer, &easy_rules),
                        P2_OK);
        P2_ASSERT_ERROR(p2_overlay_sim_inject(world.sim, &key, p2_span(value, sizeof value), true),
                        P2_OK);
    }
    P2_ASSERT_EQUAL(resolve(&id), P2_RESOLVER_NOT_FOUND);
    CU_ASSERT(!world.resolver.has_record);
    CU_ASSERT(world.resolver.collector.junk >= 4);
    close_world();
}

/* ---- the simulated overlay itself ---------------------------------------------------------------- */

static void lookups_end_once_by_limit_stop_time_or_cancel(void)
{
    static const struct p2_overlay_key key = {{7}};
    struct p2_overlay_sim *sim;
    struct p2_overlay *node;
    struct p2_overlay_op *op;
    const struct p2_overlay_sim_weather slow = {.value_us = 1000};
    P2_ASSERT_ERROR(p2_overlay_sim_new(&sim, 1, GOLDEN_NOW), P2_OK);
    P2_ASSERT_ERROR(p2_overlay_sim_open(sim, &slow, &node), P2_OK);
    for (unsigned i = 0; i < 100; i++) {
        P2_ASSERT_ERROR(p2_overlay_sim_inject(sim, &key, p2_span(&i, sizeof i), false), P2_OK);
    }
    static const struct {
        struct p2_overlay_limits limits;
        enum p2_overlay_verdict verdict;
        unsigned values;
        int result;
    } cases[] = {{{1000, 20000}, P2_OVERLAY_MORE, 100, P2_OK},
                 {{50, 20000}, P2_OVERLAY_MORE, 50, P2_E_LIMIT},
                 {{1000, 20000}, P2_OVERLAY_STOP, 1, P2_OK},
                 {{1000, 30}, P2_OVERLAY_MORE, 30, P2_E_TIMEOUT}};
    for (size_t i = 0; i < P2_COUNT_OF(cases); i++) {
        values_seen = ends_seen = 0;
        verdict = cases[i].verdict;
        P2_ASSERT_ERROR(p2_overlay_lookup(node, &key, &cases[i].limits, &counting, NULL, &op),
                        P2_OK);
        P2_ASSERT_EQUAL(values_seen + ends_seen, 0); /* nothing from inside the call */
        P2_ASSERT_ERROR(p2_overlay_sim_run(sim, p2_overlay_sim_now_us(sim) + 30 * S), P2_OK);
        P2_ASSERT_EQUAL(ends_seen, 1);
        P2_ASSERT_ERROR(end_result, cases[i].result);
        CU_ASSERT(values_seen >= cases[i].values && values_seen <= cases[i].values + 1);
    }
    values_seen = ends_seen = 0;
    P2_ASSERT_ERROR(p2_overlay_watch(node, &key, &counting, NULL, &op), P2_OK);
    p2_overlay_cancel(node, op);
    P2_ASSERT_ERROR(p2_overlay_sim_run(sim, p2_overlay_sim_now_us(sim) + 30 * S), P2_OK);
    P2_ASSERT_EQUAL(values_seen + ends_seen, 0);
    p2_overlay_sim_free(sim);
}

static void values_expire_after_ten_minutes(void)
{
    static const struct p2_overlay_key key = {{7}};
    struct p2_overlay_sim *sim;
    P2_ASSERT_ERROR(p2_overlay_sim_new(&sim, 1, GOLDEN_NOW), P2_OK);
    P2_ASSERT_ERROR(p2_overlay_sim_inject(sim, &key, p2_span("x", 1), false), P2_OK);
    P2_ASSERT_ERROR(p2_overlay_sim_run(sim, 600 * S - 1), P2_OK);
    P2_ASSERT_EQUAL(p2_overlay_sim_count(sim, &key), 1);
    P2_ASSERT_ERROR(p2_overlay_sim_run(sim, 600 * S), P2_OK);
    P2_ASSERT_EQUAL(p2_overlay_sim_count(sim, &key), 0);
    p2_overlay_sim_free(sim);
}

static void bad_arguments_and_too_many_operations_are_refused(void)
{
    static const struct p2_overlay_key key = {{7}};
    static uint8_t big[P2_OVERLAY_VALUE_MAX + 1];
    const struct p2_overlay_limits none = {0, 1000}, long_time = {1, 20001}, many = {8193, 1};
    struct p2_overlay_sim *sim;
    struct p2_overlay *node;
    P2_ASSERT_ERROR(p2_overlay_sim_new(&sim, 1, GOLDEN_NOW), P2_OK);
    P2_ASSERT_ERROR(p2_overlay_sim_open(sim, &calm, &node), P2_OK);
    P2_ASSERT_ERROR(p2_overlay_publish(node, &key, p2_span(big, sizeof big), &counting, NULL, NULL),
                    P2_E_TOO_BIG);
    P2_ASSERT_ERROR(p2_overlay_publish(node, &key, p2_span(big, 0), &counting, NULL, NULL),
                    P2_E_INVALID);
    P2_ASSERT_ERROR(p2_overlay_lookup(node, &key, &none, &counting, NULL, NULL), P2_E_RANGE);
    P2_ASSERT_ERROR(p2_overlay_lookup(node, &key, &long_time, &counting, NULL, NULL), P2_E_RANGE);
    P2_ASSERT_ERROR(p2_overlay_lookup(node, &key, &many, &counting, NULL, NULL), P2_E_RANGE);
    for (unsigned i = 0; i < P2_OVERLAY_OPS_MAX; i++) {
        P2_ASSERT_ERROR(p2_overlay_watch(node, &key, &counting, NULL, NULL), P2_OK);
    }
    P2_ASSERT_ERROR(p2_overlay_watch(node, &key, &counting, NULL, NULL), P2_E_AGAIN);
    p2_overlay_sim_free(sim);
}

int main(int argc, char **argv)
{
    static CU_TestInfo finding[] = {
        P2_TEST(a_published_session_is_found_by_its_id_within_a_second),
        P2_TEST(a_found_record_is_cached_until_forgotten_or_expired),
        P2_TEST(not_found_comes_only_after_three_rounds_with_pauses_of_1_and_5_s),
        P2_TEST(loss_misses_staleness_and_slow_answers_are_overcome),
        P2_TEST(the_newest_record_wins_over_an_older_one_beside_it),
        P2_TEST(a_rotated_id_leads_to_the_session_and_the_old_one_ends),
        P2_TEST(a_partition_hides_a_session_until_it_heals),
        P2_TEST(a_lost_node_delays_a_search_and_does_not_end_it),
        P2_TEST(closing_an_overlay_ends_a_search_without_end),
        CU_TEST_INFO_NULL};
    static CU_TestInfo publishing[] = {
        P2_TEST(a_session_is_put_at_once_after_15_s_then_every_4_minutes),
        P2_TEST(the_next_hour_has_other_keys_at_once),
        P2_TEST(a_publisher_puts_again_every_5_s_while_junk_comes_and_no_longer),
        P2_TEST(stored_values_have_one_size_and_show_neither_key_nor_id), CU_TEST_INFO_NULL};
    static CU_TestInfo hostile[] = {
        P2_TEST(five_thousand_junk_values_in_front_do_not_hide_a_session),
        P2_TEST(two_hundred_values_by_someone_who_knows_the_id_do_not_hide_it),
        P2_TEST(forged_replayed_expired_and_future_records_are_never_accepted), CU_TEST_INFO_NULL};
    static CU_TestInfo simulated[] = {P2_TEST(lookups_end_once_by_limit_stop_time_or_cancel),
                                      P2_TEST(values_expire_after_ten_minutes),
                                      P2_TEST(bad_arguments_and_too_many_operations_are_refused),
                                      CU_TEST_INFO_NULL};
    static CU_SuiteInfo suites[] = {{"finding", NULL, NULL, NULL, NULL, finding},
                                    {"publishing", NULL, NULL, NULL, NULL, publishing},
                                    {"hostile", NULL, NULL, NULL, NULL, hostile},
                                    {"simulated", NULL, NULL, NULL, NULL, simulated},
                                    CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
