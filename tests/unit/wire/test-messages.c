#include "p2c2r/kernel.h"
#include "tests/lib/test.h"
#include "wire/messages.h"
#include "wire/schema.h"

/* Types, as messages.def has them. */
static const uint8_t types[] = {
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) P2_MSG_##NAME,
#include "wire/messages.def"
};

static void strangers_may_send_hello_and_join_only_and_at_most_a_kibibyte(void)
{
    for (unsigned type = 0; type <= UINT8_MAX; type++) {
        uint32_t size = p2_wire_max_size(P2_ROLE_STRANGER, (uint8_t)type);
        if (type == P2_MSG_HELLO || type == P2_MSG_JOIN) {
            P2_ASSERT_EQUAL(size, 1024);
        } else {
            P2_ASSERT_EQUAL(size, 0);
        }
    }
}

static void nobody_says_hello_twice(void)
{
    P2_ASSERT_EQUAL(p2_wire_max_size(P2_ROLE_HELPER, P2_MSG_HELLO), 0);
    P2_ASSERT_EQUAL(p2_wire_max_size(P2_ROLE_GAMER, P2_MSG_JOIN), 0);
    P2_ASSERT_EQUAL(p2_wire_max_size(P2_ROLE_AUTHORITY, P2_MSG_HELLO), 0);
}

static void helpers_get_task_data_and_never_frames_or_saves(void)
{
    static const uint8_t helper_gets[] = {
        P2_MSG_ACCEPT, P2_MSG_LEASE,   P2_MSG_CANCEL, P2_MSG_BLOB,   P2_MSG_BLOB_DROP, P2_MSG_PING,
        P2_MSG_PONG,   P2_MSG_RECEIPT, P2_MSG_DRAIN,  P2_MSG_DENIED, P2_MSG_FAULT};
    unsigned count = 0;
    for (unsigned type = 0; type <= UINT8_MAX; type++) {
        count += p2_wire_is_for(P2_ROLE_HELPER, (uint8_t)type);
    }
    P2_ASSERT_EQUAL(count, sizeof helper_gets);
    for (size_t i = 0; i < sizeof helper_gets; i++) {
        CU_ASSERT_TRUE(p2_wire_is_for(P2_ROLE_HELPER, helper_gets[i]));
        CU_ASSERT_TRUE(p2_wire_max_size(P2_ROLE_AUTHORITY, helper_gets[i]) > 0);
    }
}

static void gamers_send_input_and_small_requests_only(void)
{
    for (unsigned type = 0; type <= UINT8_MAX; type++) {
        CU_ASSERT_TRUE(p2_wire_max_size(P2_ROLE_GAMER, (uint8_t)type) <= P2_WIRE_CONTROL_MAX);
    }
    P2_ASSERT_EQUAL(p2_wire_max_size(P2_ROLE_GAMER, P2_MSG_INPUT), 128);
    P2_ASSERT_EQUAL(p2_wire_max_size(P2_ROLE_GAMER, P2_MSG_LEASE), 0);
    P2_ASSERT_EQUAL(p2_wire_max_size(P2_ROLE_GAMER, P2_MSG_RESULT), 0);
    P2_ASSERT_EQUAL(p2_wire_max_size(P2_ROLE_HELPER, P2_MSG_INPUT), 0);
}

static void slots_of_a_mebibyte_fit_with_their_message(void)
{
    P2_ASSERT_EQUAL(p2_wire_max_size(P2_ROLE_AUTHORITY, P2_MSG_LEASE), (1 << 20) + 512);
    P2_ASSERT_EQUAL(p2_wire_max_size(P2_ROLE_HELPER, P2_MSG_RESULT), (1 << 20) + 512);
    P2_ASSERT_EQUAL(p2_wire_max_size(P2_ROLE_HELPER, P2_MSG_LEASE), 0);
}

static void every_sender_has_a_receiver_and_bodies_have_neither(void)
{
    for (size_t i = 0; i < sizeof types; i++) {
        unsigned senders = 0;
        unsigned receivers = 0;
        for (int role = 0; role < P2_ROLE_COUNT; role++) {
            senders += p2_wire_max_size((enum p2_role)role, types[i]) > 0;
            receivers += p2_wire_is_for((enum p2_role)role, types[i]);
        }
        P2_ASSERT_EQUAL(senders > 0, types[i] != P2_MSG_STATEMENT);
        P2_ASSERT_EQUAL(receivers > 0, types[i] != P2_MSG_STATEMENT);
    }
}

static void types_and_their_numbers_are_stable(void)
{
    /* A released number never gets another meaning: a change here breaks every peer. */
    static const struct {
        uint8_t number;
        const char *name;
        enum p2_wire_class class;
    } expected[] = {
        {1, "HELLO", P2_WIRE_CONTROL},      {2, "ACCEPT", P2_WIRE_CONTROL},
        {3, "LEASE", P2_WIRE_LEASE},        {4, "CANCEL", P2_WIRE_LEASE},
        {5, "RESULT", P2_WIRE_LEASE},       {6, "BLOB", P2_WIRE_BULK},
        {7, "BLOB_DROP", P2_WIRE_BULK},     {8, "PING", P2_WIRE_CONTROL},
        {9, "PONG", P2_WIRE_CONTROL},       {10, "RECEIPT", P2_WIRE_BULK},
        {11, "DRAIN", P2_WIRE_CONTROL},     {12, "DENIED", P2_WIRE_CONTROL},
        {13, "BLOB_HELD", P2_WIRE_CONTROL}, {14, "OFFER", P2_WIRE_CONTROL},
        {15, "FAULT", P2_WIRE_BULK},        {32, "JOIN", P2_WIRE_CONTROL},
        {33, "WELCOME", P2_WIRE_CONTROL},   {34, "INPUT", P2_WIRE_CONTROL},
        {35, "FRAME", P2_WIRE_FRAME},       {36, "ACK", P2_WIRE_CONTROL},
        {37, "SAVES", P2_WIRE_BULK},        {38, "END", P2_WIRE_CONTROL},
        {39, "VIEW", P2_WIRE_CONTROL},      {64, "STATEMENT", P2_WIRE_BULK},
    };
    P2_ASSERT_EQUAL(sizeof types, P2_COUNT_OF(expected));
    for (size_t i = 0; i < P2_COUNT_OF(expected); i++) {
        P2_ASSERT_EQUAL(types[i], expected[i].number);
        CU_ASSERT_STRING_EQUAL(p2_wire_type_name(types[i]), expected[i].name);
        P2_ASSERT_EQUAL(p2_wire_class(types[i]), expected[i].class);
    }
}

static void unknown_types_have_no_name_sender_or_receiver(void)
{
    static const uint8_t unknown[] = {0, 16, 31, 40, 63, 65, 255};
    for (size_t i = 0; i < sizeof unknown; i++) {
        CU_ASSERT_PTR_NULL(p2_wire_type_name(unknown[i]));
        P2_ASSERT_EQUAL(p2_wire_class(unknown[i]), P2_WIRE_BULK);
        for (int role = 0; role < P2_ROLE_COUNT; role++) {
            P2_ASSERT_EQUAL(p2_wire_max_size((enum p2_role)role, unknown[i]), 0);
            CU_ASSERT_FALSE(p2_wire_is_for((enum p2_role)role, unknown[i]));
        }
    }
}

static void enum_values_have_names_from_zero_without_a_gap(void)
{
    CU_ASSERT_STRING_EQUAL(p2_tier_name(P2_TIER_CLOUD), "CLOUD");
#define P2_ENUM(type, TYPE, doc)                             \
    {                                                        \
        const char *(*name_of)(uint64_t) = p2_##type##_name; \
        uint64_t next = 0;
#define P2_VALUE(type, TYPE, NAME, value, doc)   \
    P2_ASSERT_EQUAL(P2_##TYPE##_##NAME, next++); \
    CU_ASSERT_STRING_EQUAL(name_of(value), #NAME);
#define P2_ENUM_END(type)                    \
    CU_ASSERT_PTR_NULL(name_of(next));       \
    CU_ASSERT_PTR_NULL(name_of(UINT64_MAX)); \
    }
#include "wire/messages.def"
}

/* Bytes of a record whose every field is at its largest. */
#define MOST_U8(of, max)                              P2_WIRE_HEAD_U8
#define MOST_U16(of, max)                             P2_WIRE_HEAD_U16
#define MOST_U32(of, max)                             P2_WIRE_HEAD_U32
#define MOST_U64(of, max)                             P2_WIRE_HEAD_U64
#define MOST_I64(of, max)                             P2_WIRE_HEAD_I64
#define MOST_BOOL(of, max)                            P2_WIRE_HEAD_BOOL
#define MOST_ENUM(of, max)                            P2_WIRE_HEAD_ENUM
#define MOST_BYTES(of, max)                           P2_WIRE_HEAD_BYTES + (max)
#define MOST_SECRET(of, max)                          P2_WIRE_HEAD_SECRET + (max)
#define MOST_STRING(of, max)                          P2_WIRE_HEAD_STRING + (max)
#define MOST_FIXED(of, max)                           P2_WIRE_HEAD_FIXED + (max)
#define MOST_ID(of, max)                              P2_WIRE_HEAD_ID + (max)
#define MOST_NUMBERS(of, max)                         P2_WIRE_HEAD_NUMBERS + (max)*P2_WIRE_HEAD_OF_NUMBER_##of
#define MOST_LIST(of, max)                            P2_WIRE_HEAD_LIST + (max)*MOST_##of
#define P2_GROUP(name, doc)                           enum { MOST_##name = P2_WIRE_HEAD_RECORD
#define P2_FIELD(kind, name, of, min, max, unit, doc) +MOST_##kind(of, max)
#define P2_GROUP_END(name) \
    }                      \
    ;
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) P2_GROUP(name, doc)
#define P2_MESSAGE_END(name)                                       P2_GROUP_END(name)
#include "wire/messages.def"

static void every_message_in_range_fits_its_size_except_hello_and_frame(void)
{
    /* Those two are bounded as a whole: 24 kernels with the longest names or 256 full tiles would
     * be larger. For the others a sender that respects the ranges never meets the size. */
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) \
    P2_ASSERT_EQUAL(MOST_##name <= (size),                         \
                    P2_MSG_##NAME != P2_MSG_HELLO && P2_MSG_##NAME != P2_MSG_FRAME);
#include "wire/messages.def"
}

static void limits_agree_with_the_kernel_contract(void)
{
    P2_ASSERT_EQUAL(P2_WIRE_KERNEL_NAME_MAX, P2C2R_NAME_MAX - 1);
    P2_ASSERT_EQUAL(P2_WIRE_BLOBS_MAX, P2C2R_BLOBS_MAX);
    P2_ASSERT_EQUAL(P2_WIRE_BLOB_MAX, P2C2R_BLOB_MAX);
    P2_ASSERT_EQUAL(P2_WIRE_SLOT_MAX, P2C2R_INPUT_MAX);
    P2_ASSERT_EQUAL(P2_WIRE_SLOT_MAX, P2C2R_OUTPUT_MAX);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {P2_TEST(strangers_may_send_hello_and_join_only_and_at_most_a_kibibyte),
                           P2_TEST(nobody_says_hello_twice),
                           P2_TEST(helpers_get_task_data_and_never_frames_or_saves),
                           P2_TEST(gamers_send_input_and_small_requests_only),
                           P2_TEST(slots_of_a_mebibyte_fit_with_their_message),
                           P2_TEST(every_sender_has_a_receiver_and_bodies_have_neither),
                           P2_TEST(types_and_their_numbers_are_stable),
                           P2_TEST(unknown_types_have_no_name_sender_or_receiver),
                           P2_TEST(enum_values_have_names_from_zero_without_a_gap),
                           P2_TEST(every_message_in_range_fits_its_size_except_hello_and_frame),
                           P2_TEST(limits_agree_with_the_kernel_contract),
                           CU_TEST_INFO_NULL};
    CU_SuiteInfo suites[] = {{"messages", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
