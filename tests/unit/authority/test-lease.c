/* The lease table: its state machine, its ids, its limits. */
#include "authority/lease.h"
#include "tests/lib/test.h"

static void every_transition_is_the_one_the_header_shows(void)
{
    /* Written down from the table in lease.h; '-' is forbidden. Events in the order of the enum. */
    static const char *const rows[P2_LEASE_STATES] = {
        "O-------", /* FREE */
        "-RAECS--", /* OFFERED */
        "--AECS--", /* RUNNING */
        "-----S--", /* ANSWERED */
        "--S--SS-", /* EXPIRED */
        "--S--SS-", /* CANCELLED */
        "-------F", /* SETTLED */
    };
    static const char letters[] = "FORAECS-";
    for (int state = 0; state < P2_LEASE_STATES; state++) {
        for (int event = 0; event < P2_LEASE_EVENTS; event++) {
            enum p2_lease_state to =
                p2_lease_next((enum p2_lease_state)state, (enum p2_lease_event)event);
            P2_ASSERT_EQUAL(letters[to], rows[state][event]);
        }
    }
}

static void a_forbidden_event_changes_nothing(void)
{
    struct p2_leases table;
    struct p2_lease *lease = NULL;
    P2_ASSERT_ERROR(p2_leases_init(&table, 4), P2_OK);
    P2_ASSERT_ERROR(p2_lease_grant(&table, &lease), P2_OK);
    P2_ASSERT_ERROR(p2_lease_move(&table, lease, P2_LEASE_RELEASE, 1), P2_E_STATE);
    P2_ASSERT_ERROR(p2_lease_move(&table, lease, P2_LEASE_FORGET, 1), P2_E_STATE);
    P2_ASSERT_EQUAL(lease->state, P2_LEASE_OFFERED);
    P2_ASSERT_EQUAL(table.counts[P2_LEASE_OFFERED], 1);
    p2_leases_free(&table);
}

static void an_id_is_never_granted_twice(void)
{
    struct p2_leases table;
    uint64_t last[3] = {0};
    P2_ASSERT_ERROR(p2_leases_init(&table, 3), P2_OK);
    for (int i = 0; i < 3000; i++) {
        struct p2_lease *lease = NULL;
        P2_ASSERT_ERROR(p2_lease_grant(&table, &lease), P2_OK);
        uint32_t slot = p2_lease_index(&table, lease);
        CU_ASSERT(lease->id > last[slot]);
        CU_ASSERT(lease->id != 0);
        last[slot] = lease->id;
        uint64_t id = lease->id;
        (void)p2_lease_move(&table, lease, P2_LEASE_SETTLE, 0);
        P2_ASSERT_ERROR(p2_lease_move(&table, lease, P2_LEASE_RELEASE, 0), P2_OK);
        CU_ASSERT_PTR_NULL(p2_lease_find(&table, id));
        CU_ASSERT(p2_lease_was_granted(&table, id));
        CU_ASSERT(!p2_lease_was_granted(&table, id + 300000));
    }
    p2_leases_free(&table);
}

static void a_full_table_refuses_and_recovers(void)
{
    struct p2_leases table;
    struct p2_lease *lease = NULL;
    P2_ASSERT_ERROR(p2_leases_init(&table, 2), P2_OK);
    P2_ASSERT_ERROR(p2_lease_grant(&table, &lease), P2_OK);
    P2_ASSERT_ERROR(p2_lease_grant(&table, &lease), P2_OK);
    struct p2_lease *third = NULL;
    P2_ASSERT_ERROR(p2_lease_grant(&table, &third), P2_E_LIMIT);
    CU_ASSERT_PTR_NULL(third);
    (void)p2_lease_move(&table, lease, P2_LEASE_EXPIRE, 7);
    CU_ASSERT_PTR_EQUAL(p2_leases_oldest(&table), lease);
    P2_ASSERT_EQUAL(lease->ended_us, 7);
    (void)p2_lease_move(&table, lease, P2_LEASE_FORGET, 8);
    (void)p2_lease_move(&table, lease, P2_LEASE_RELEASE, 8);
    P2_ASSERT_ERROR(p2_lease_grant(&table, &third), P2_OK);
    p2_leases_free(&table);
}

static void ended_leases_are_forgotten_oldest_first(void)
{
    struct p2_leases table;
    struct p2_lease *leases[5];
    P2_ASSERT_ERROR(p2_leases_init(&table, 5), P2_OK);
    for (int i = 0; i < 5; i++) {
        (void)p2_lease_grant(&table, &leases[i]);
    }
    static const int order[5] = {3, 0, 4, 1, 2};
    for (int i = 0; i < 5; i++) {
        (void)p2_lease_move(&table, leases[order[i]],
                            i % 2 == 0 ? P2_LEASE_EXPIRE : P2_LEASE_CANCEL, (uint64_t)i);
    }
    /* A late answer takes one out of the middle. */
    (void)p2_lease_move(&table, leases[4], P2_LEASE_ANSWER, 9);
    static const int left[4] = {3, 0, 1, 2};
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_PTR_EQUAL(p2_leases_oldest(&table), leases[left[i]]);
        (void)p2_lease_move(&table, leases[left[i]], P2_LEASE_FORGET, 9);
    }
    CU_ASSERT_PTR_NULL(p2_leases_oldest(&table));
    p2_leases_free(&table);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(every_transition_is_the_one_the_header_shows),
        P2_TEST(a_forbidden_event_changes_nothing),
        P2_TEST(an_id_is_never_granted_twice),
        P2_TEST(a_full_table_refuses_and_recovers),
        P2_TEST(ended_leases_are_forgotten_oldest_first),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"lease", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
