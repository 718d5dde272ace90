/* The owner comes first: every limit against fake sensors and a fake clock, and the accounting. */
#include "base/rng.h"
#include "helper/lending.h"
#include "helper/why.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)

/* A machine at rest, a daemon at work, an owner who said yes. */
static struct {
    struct p2_lending lending;
    struct p2_lend_limits limits;
    struct p2_lend_sensors sensors;
    struct p2_lend_now now;
} world;

static void reset(void)
{
    memset(&world, 0, sizeof world);
    world.limits.is_enabled = true;
    P2_ASSERT_ERROR(p2_schedule_parse(&world.limits.schedule, "always", 6), P2_OK);
    world.sensors.is_tested = world.sensors.has_sandbox = true;
    world.sensors.links = world.sensors.links_working = 1;
    world.sensors.leases = 3;
    world.sensors.knows_load = world.sensors.knows_pressure = true;
    world.sensors.knows_memory = world.sensors.knows_disk = world.sensors.knows_temperature = true;
    world.sensors.memory_bytes = world.sensors.disk_bytes = 4096 * MIB;
    world.sensors.temperature_c = 50;
    world.now = (struct p2_lend_now){.mono_ms = 1000000, .unix_s = 1800000000, .month = 1};
}

static struct p2_lend_verdict decide(void)
{
    return p2_lending_decide(&world.lending, &world.limits, &world.sensors, &world.now);
}

static void expect(enum p2_lend_reason reason, uint64_t number)
{
    struct p2_lend_verdict verdict = decide();
    P2_ASSERT_EQUAL(verdict.reason, reason);
    P2_ASSERT_EQUAL(verdict.number, number);
}

static void pass_ms(uint64_t ms)
{
    world.now.mono_ms += ms;
    world.now.unix_s = 1800000000 + (int64_t)((world.now.mono_ms - 1000000) / 1000);
}

static void nothing_is_lent_without_a_yes_nor_before_the_test_nor_at_the_end(void)
{
    reset();
    expect(P2_LEND_LENDING, 3);
    world.sensors.has_sandbox = false;
    expect(P2_LEND_NO_SANDBOX, 0);
    world.sensors.is_tested = false;
    expect(P2_LEND_STARTING, 0);
    world.limits.is_enabled = false;
    expect(P2_LEND_NOT_ENABLED, 0);
    world.sensors.is_stopping = true;
    expect(P2_LEND_STOPPING, 0);
}

static void a_pause_ends_at_its_time_or_when_resumed(void)
{
    reset();
    p2_lending_pause(&world.lending, 0);
    pass_ms(400ull * 86400 * 1000);
    expect(P2_LEND_PAUSED, 0);
    p2_lending_resume(&world.lending);
    expect(P2_LEND_LENDING, 3);
    p2_lending_pause(&world.lending, world.now.unix_s + 600);
    expect(P2_LEND_PAUSED, 600);
    pass_ms(599 * 1000);
    expect(P2_LEND_PAUSED, 1);
    pass_ms(1000);
    expect(P2_LEND_LENDING, 3);
    CU_ASSERT(!world.lending.is_paused); /* a clock that is set back does not bring it back */
}

static void outside_the_schedule_the_wait_is_told(void)
{
    reset();
    P2_ASSERT_ERROR(p2_schedule_parse(&world.limits.schedule, "08:00-09:00", 11), P2_OK);
    world.now.unix_s = 5 * 3600; /* 05:00 UTC */
    expect(P2_LEND_SCHEDULE, 180);
    world.now.offset_s = 2 * 3600; /* 07:00 on the wall */
    expect(P2_LEND_SCHEDULE, 60);
    world.now.offset_s = 3 * 3600;
    expect(P2_LEND_LENDING, 3);
}

static void on_battery_nothing_is_lent_and_unknown_counts_as_battery(void)
{
    reset();
    world.sensors.knows_power = true;
    world.sensors.is_on_battery = true;
    expect(P2_LEND_LENDING, 3); /* a desktop: there is no battery */
    world.sensors.has_battery = true;
    world.sensors.charge_percent = 57;
    expect(P2_LEND_BATTERY, 57);
    world.sensors.is_on_battery = false;
    expect(P2_LEND_LENDING, 3);
    world.sensors.knows_power = false;
    expect(P2_LEND_BATTERY, 57);
    world.limits.on_battery = true;
    expect(P2_LEND_LENDING, 3);
}

static void heat_stops_at_the_limit_and_lets_go_five_degrees_below(void)
{
    static const struct {
        int32_t celsius;
        bool stops;
    } course[] = {{79, false}, {80, true},  {78, true}, {76, true},
                  {75, false}, {79, false}, {95, true}};
    reset();
    world.limits.temperature_c = 80;
    for (size_t i = 0; i < P2_COUNT_OF(course); i++) {
        world.sensors.temperature_c = course[i].celsius;
        if (course[i].stops) {
            expect(P2_LEND_HOT, (uint64_t)course[i].celsius);
        } else {
            expect(P2_LEND_LENDING, 3);
        }
    }
    world.sensors.knows_temperature = false; /* a machine without a sensor cannot be judged */
    expect(P2_LEND_LENDING, 3);
}

static void a_full_screen_stops_also_without_only_when_idle_while_the_agent_speaks(void)
{
    reset();
    p2_lending_agent(&world.lending, 9999, true, world.now.mono_ms);
    expect(P2_LEND_FULL_SCREEN, 0);
    pass_ms(P2_LEND_AGENT_MS);
    expect(P2_LEND_FULL_SCREEN, 0);
    pass_ms(1);
    expect(P2_LEND_LENDING, 3);
    p2_lending_agent(&world.lending, 9999, false, world.now.mono_ms);
    expect(P2_LEND_LENDING, 3);
}

static void only_when_idle_needs_somebody_who_tells(void)
{
    reset();
    world.limits.only_when_idle = true;
    world.limits.idle_s = 180;
    expect(P2_LEND_NO_IDLE_SENSOR, 0);
    world.sensors.knows_input = true; /* the session manager */
    world.sensors.input_s = 179;
    expect(P2_LEND_USER, 179);
    world.sensors.input_s = 180;
    expect(P2_LEND_LENDING, 3);
    p2_lending_agent(&world.lending, 5, false, world.now.mono_ms); /* who knows better */
    expect(P2_LEND_USER, 5);
    pass_ms(2000);
    expect(P2_LEND_USER, 7);
    world.sensors.knows_input = false;
    pass_ms(P2_LEND_AGENT_MS);
    expect(P2_LEND_NO_IDLE_SENSOR, 12); /* it died */
    p2_lending_agent(&world.lending, 500, false, world.now.mono_ms);
    expect(P2_LEND_LENDING, 3);
    world.sensors.knows_load = false;
    expect(P2_LEND_NO_IDLE_SENSOR, 0);
}

static void load_and_pressure_stop_at_once_and_let_go_after_half_a_minute_of_quiet(void)
{
    for (int is_pressure = 0; is_pressure < 2; is_pressure++) {
        reset();
        world.limits.only_when_idle = world.sensors.knows_input = true;
        world.sensors.input_s = 1000;
        world.limits.load_percent = is_pressure ? 0 : 40;
        world.limits.pressure_percent = is_pressure ? 40 : 0;
        uint32_t *percent =
            is_pressure ? &world.sensors.pressure_percent : &world.sensors.load_percent;
        enum p2_lend_reason reason = is_pressure ? P2_LEND_PRESSURE : P2_LEND_LOAD;
        *percent = 39;
        expect(P2_LEND_LENDING, 3);
        *percent = 40;
        expect(reason, 40);
        *percent = 30; /* 3/4 of it: still not quiet */
        pass_ms(60000);
        expect(reason, 30);
        *percent = 29;
        pass_ms(P2_LEND_QUIET_MS - 1);
        expect(reason, 29);
        pass_ms(1);
        expect(P2_LEND_LENDING, 3);
        *percent = 39; /* between the two nothing begins anew */
        expect(P2_LEND_LENDING, 3);
    }
}

static void memory_and_disk_are_left_to_the_owner_with_a_margin(void)
{
    for (int is_disk = 0; is_disk < 2; is_disk++) {
        reset();
        uint64_t *bytes = is_disk ? &world.sensors.disk_bytes : &world.sensors.memory_bytes;
        enum p2_lend_reason reason = is_disk ? P2_LEND_DISK : P2_LEND_MEMORY;
        *(is_disk ? &world.limits.disk_bytes : &world.limits.memory_bytes) = 800 * MIB;
        *bytes = 800 * MIB;
        expect(P2_LEND_LENDING, 3);
        *bytes = 799 * MIB;
        expect(reason, 799);
        *bytes = 899 * MIB;
        expect(reason, 899);
        *bytes = 900 * MIB;
        expect(P2_LEND_LENDING, 3);
    }
}

static void the_month_s_traffic_ends_lending_until_the_next_month(void)
{
    reset();
    world.limits.month_bytes = 100 * MIB;
    world.sensors.traffic_bytes = 7000 * MIB; /* of before: counted from the first look on */
    expect(P2_LEND_LENDING, 3);
    world.sensors.traffic_bytes += 100 * MIB - 1;
    expect(P2_LEND_LENDING, 3);
    world.sensors.traffic_bytes += 1;
    expect(P2_LEND_MONTH, 100);
    world.now.month++;
    expect(P2_LEND_LENDING, 3);
    P2_ASSERT_EQUAL(world.lending.month_used, 0);
}

static void traffic_above_the_rate_is_paid_back_by_waiting(void)
{
    reset();
    world.limits.rate_bytes_s = 10240;
    expect(P2_LEND_LENDING, 3);
    world.sensors.traffic_bytes += 10240; /* a second's worth may come at once */
    expect(P2_LEND_LENDING, 3);
    world.sensors.traffic_bytes += 20480;
    expect(P2_LEND_RATE, 20);
    pass_ms(1000);
    expect(P2_LEND_RATE, 10);
    pass_ms(1000);
    expect(P2_LEND_LENDING, 3);
    pass_ms(UINT64_C(1000) * 86400 * 365); /* credit does not grow without end */
    expect(P2_LEND_LENDING, 3);
    world.sensors.traffic_bytes += 10241;
    expect(P2_LEND_RATE, 1);
}

static void the_mean_rate_of_a_greedy_peer_is_the_limit(void)
{
    reset();
    world.limits.rate_bytes_s = 100000;
    uint64_t begin = world.now.mono_ms;
    while (world.now.mono_ms - begin < 600000) {
        if (p2_lend_may(decide().reason)) {
            world.sensors.traffic_bytes += 50000; /* twice the limit while it may */
        }
        pass_ms(250);
    }
    /* Within 1 %: the burst, a second of 600, and one step of 250 ms. */
    CU_ASSERT(world.sensors.traffic_bytes > 59400000 && world.sensors.traffic_bytes < 60600000);
}

static void without_an_authority_or_a_task_that_is_said(void)
{
    reset();
    world.sensors.leases = 0;
    expect(P2_LEND_NO_LEASES, 1);
    world.sensors.links_working = 0;
    world.sensors.links = 4;
    expect(P2_LEND_NO_AUTHORITY, 4);
    CU_ASSERT(p2_lend_may(P2_LEND_NO_AUTHORITY) && p2_lend_may(P2_LEND_NO_LEASES));
    CU_ASSERT(p2_lend_may(P2_LEND_LENDING) && !p2_lend_may(P2_LEND_RATE));
}

static void every_reason_has_its_own_name_and_a_sentence_with_its_number(void)
{
    char text[P2_LEND_TEXT_MAX];
    for (unsigned i = 0; i < P2_LEND_REASONS; i++) {
        const struct p2_lend_verdict verdict = {(enum p2_lend_reason)i, UINT64_MAX};
        const char *name = p2_lend_reason_name(verdict.reason);
        for (unsigned j = 0; j < i; j++) {
            CU_ASSERT_STRING_NOT_EQUAL(name, p2_lend_reason_name((enum p2_lend_reason)j));
        }
        p2_lend_text(text, &verdict);
        CU_ASSERT(strlen(text) > 8 && strlen(text) < P2_LEND_TEXT_MAX - 1);
    }
    const struct p2_lend_verdict battery = {P2_LEND_BATTERY, 57};
    p2_lend_text(text, &battery);
    CU_ASSERT_STRING_EQUAL(text, "on battery, 57 % left");
    const struct p2_lend_verdict paused = {P2_LEND_PAUSED, 0};
    p2_lend_text(text, &paused);
    CU_ASSERT_STRING_EQUAL(text, "paused until p2c2rctl resume");
}

/* ---- why --------------------------------------------------------------------------------------- */

/* An hour's weather: something about the machine or the owner changes. */
static void change_something(struct p2_rng *rng)
{
    struct p2_lend_sensors *sensors = &world.sensors;
    sensors->has_battery = sensors->knows_power = true;
    sensors->is_on_battery = p2_rng_chance_ppm(rng, 100000);
    sensors->temperature_c = (int32_t)p2_rng_between(rng, 40, 90);
    sensors->knows_input = !p2_rng_chance_ppm(rng, 100000);
    sensors->input_s = (uint32_t)p2_rng_below(rng, 2000);
    sensors->load_percent = (uint32_t)p2_rng_below(rng, 60);
    sensors->pressure_percent = (uint32_t)p2_rng_below(rng, 60);
    sensors->memory_bytes = p2_rng_between(rng, 400, 8000) * MIB;
    sensors->disk_bytes = p2_rng_between(rng, 400, 8000) * MIB;
    sensors->links_working = (uint32_t)p2_rng_below(rng, 3);
    sensors->leases = (uint32_t)p2_rng_below(rng, 4);
    sensors->has_sandbox = !p2_rng_chance_ppm(rng, 20000);
    world.limits.is_enabled = !p2_rng_chance_ppm(rng, 20000);
    if (p2_rng_chance_ppm(rng, 30000)) {
        p2_lending_pause(&world.lending, world.now.unix_s + 1800);
    }
    if (p2_rng_chance_ppm(rng, 100000)) {
        p2_lending_agent(&world.lending, 500, true, world.now.mono_ms);
    }
}

/* A daemon's month, a look every second, with everything that happens in one. */
static void a_month_s_every_millisecond_has_a_reason_and_every_reason_comes(void)
{
    struct p2_why why;
    struct p2_rng rng;
    uint64_t sum_ms = 0;
    reset();
    p2_rng_init_u64(&rng, 8, "month");
    world.limits.only_when_idle = true;
    world.limits.idle_s = 120;
    world.limits.load_percent = world.limits.pressure_percent = 50;
    world.limits.temperature_c = 85;
    world.limits.memory_bytes = world.limits.disk_bytes = 600 * MIB;
    world.limits.rate_bytes_s = 100000;
    world.limits.month_bytes = 500 * MIB;
    P2_ASSERT_ERROR(p2_schedule_parse(&world.limits.schedule, "08:00-23:00", 11), P2_OK);
    world.sensors.is_tested = false;
    const uint64_t begin_ms = world.now.mono_ms;
    p2_why_begin(&why, decide(), world.now.mono_ms, world.now.unix_s);
    for (uint32_t second = 0; second < 30u * 86400u; second++) {
        pass_ms(1000);
        world.sensors.is_tested = second > 5;
        world.sensors.is_stopping = second > 30u * 86400u - 10;
        if (second % 900 == 0) {
            change_something(&rng);
        }
        struct p2_lend_verdict verdict = decide();
        if (verdict.reason == P2_LEND_LENDING) {
            world.sensors.traffic_bytes += p2_rng_below(&rng, 300000);
        }
        (void)p2_why_note(&why, verdict, world.now.mono_ms, world.now.unix_s);
    }
    pass_ms(123);
    for (unsigned i = 0; i < P2_LEND_REASONS; i++) {
        uint64_t spent_ms = p2_why_spent_ms(&why, (enum p2_lend_reason)i, world.now.mono_ms);
        if (spent_ms == 0) {
            (void)fprintf(stderr, "never: %s\n", p2_lend_reason_name((enum p2_lend_reason)i));
        }
        CU_ASSERT(spent_ms > 0);
        sum_ms += spent_ms;
    }
    P2_ASSERT_EQUAL(sum_ms, world.now.mono_ms - begin_ms);
}

static void the_last_changes_are_remembered_newest_first(void)
{
    struct p2_why why;
    p2_why_begin(&why, (struct p2_lend_verdict){P2_LEND_STARTING, 0}, 0, 0);
    CU_ASSERT(!p2_why_note(&why, (struct p2_lend_verdict){P2_LEND_STARTING, 1}, 5, 5));
    for (uint64_t i = 1; i <= 100; i++) {
        enum p2_lend_reason reason = i % 2 == 0 ? P2_LEND_LENDING : P2_LEND_USER;
        CU_ASSERT(p2_why_note(&why, (struct p2_lend_verdict){reason, i}, 10 * i, (int64_t)i));
    }
    P2_ASSERT_EQUAL(p2_why_change_at(&why, 0)->verdict.number, 100);
    P2_ASSERT_EQUAL(p2_why_change_at(&why, P2_WHY_CHANGES - 1)->unix_s, 101 - P2_WHY_CHANGES);
    CU_ASSERT_PTR_NULL(p2_why_change_at(&why, P2_WHY_CHANGES));
    P2_ASSERT_EQUAL(p2_why_spent_ms(&why, P2_LEND_STARTING, 1500), 10);
    P2_ASSERT_EQUAL(p2_why_spent_ms(&why, P2_LEND_USER, 1500), 500);
    P2_ASSERT_EQUAL(p2_why_spent_ms(&why, P2_LEND_LENDING, 1500), 990);
}

int main(int argc, char **argv)
{
    CU_TestInfo limit_tests[] = {
        P2_TEST(nothing_is_lent_without_a_yes_nor_before_the_test_nor_at_the_end),
        P2_TEST(a_pause_ends_at_its_time_or_when_resumed),
        P2_TEST(outside_the_schedule_the_wait_is_told),
        P2_TEST(on_battery_nothing_is_lent_and_unknown_counts_as_battery),
        P2_TEST(heat_stops_at_the_limit_and_lets_go_five_degrees_below),
        P2_TEST(a_full_screen_stops_also_without_only_when_idle_while_the_agent_speaks),
        P2_TEST(only_when_idle_needs_somebody_who_tells),
        P2_TEST(load_and_pressure_stop_at_once_and_let_go_after_half_a_minute_of_quiet),
        P2_TEST(memory_and_disk_are_left_to_the_owner_with_a_margin),
        P2_TEST(the_month_s_traffic_ends_lending_until_the_next_month),
        P2_TEST(traffic_above_the_rate_is_paid_back_by_waiting),
        P2_TEST(the_mean_rate_of_a_greedy_peer_is_the_limit),
        P2_TEST(without_an_authority_or_a_task_that_is_said),
        P2_TEST(every_reason_has_its_own_name_and_a_sentence_with_its_number),
        CU_TEST_INFO_NULL,
    };
    CU_TestInfo why_tests[] = {
        P2_TEST(a_month_s_every_millisecond_has_a_reason_and_every_reason_comes),
        P2_TEST(the_last_changes_are_remembered_newest_first),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"limits", NULL, NULL, NULL, NULL, limit_tests},
        {"why", NULL, NULL, NULL, NULL, why_tests},
        CU_SUITE_INFO_NULL,
    };
    return p2_test_main(argc, argv, suites);
}
