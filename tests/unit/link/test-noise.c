/* The Noise XK handshake. Byte-exactness is shown by tests/tools/noise-vectors against published
 * vectors; here is what happens when something is wrong. */
#include "tests/lib/handshake.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

static const size_t message_sizes[3] = {P2_NOISE_MESSAGE_1_BYTES, P2_NOISE_MESSAGE_2_BYTES,
                                        P2_NOISE_MESSAGE_3_BYTES};

/* The ciphers of this machine; ChaChaPoly is always the first. */
static size_t list_ciphers(enum p2_cipher ciphers[2])
{
    size_t count = 0;
    ciphers[count++] = P2_CIPHER_CHACHAPOLY;
    if (p2_cipher_available(P2_CIPHER_AESGCM)) {
        ciphers[count++] = P2_CIPHER_AESGCM;
    }
    return count;
}

static struct p2_noise *sender_of(struct p2_test_pair *pair, int message)
{
    return message % 2 == 0 ? &pair->initiator : &pair->responder;
}

static struct p2_noise *receiver_of(struct p2_test_pair *pair, int message)
{
    return message % 2 == 0 ? &pair->responder : &pair->initiator;
}

/* Runs the handshake up to and including the writing of message number `message` (0..2). */
static size_t write_message(struct p2_test_pair *pair, int message, struct p2_span payload,
                            uint8_t out[P2_TEST_MESSAGE_MAX])
{
    size_t size = 0;
    P2_ASSERT_ERROR(p2_test_pair_start(pair), P2_OK);
    P2_ASSERT_ERROR(p2_test_pair_run(pair, message), P2_OK);
    P2_ASSERT_ERROR(
        p2_noise_write(sender_of(pair, message), payload, out, P2_TEST_MESSAGE_MAX, &size), P2_OK);
    return size;
}

static int read_message(struct p2_test_pair *pair, int message, struct p2_span bytes)
{
    uint8_t payload[P2_TEST_MESSAGE_MAX];
    size_t size = 0;
    return p2_noise_read(receiver_of(pair, message), bytes, payload, sizeof payload, &size);
}

static bool is_wiped(const struct p2_noise *noise)
{
    struct p2_noise expected;
    memset(&expected, 0, sizeof expected);
    expected.state = P2_NOISE_FAILED;
    return memcmp(noise, &expected, sizeof expected) == 0;
}

static void both_sides_agree_on_keys_hash_and_peers(void)
{
    enum p2_cipher ciphers[2];
    size_t count = list_ciphers(ciphers);
    for (size_t i = 0; i < count; i++) {
        struct p2_test_pair pair;
        uint8_t keys[4][P2_KEY_BYTES];
        uint8_t hashes[2][64];
        uint8_t peer[P2_KEY_BYTES];
        p2_test_pair_init(&pair, ciphers[i]);
        P2_ASSERT_ERROR(p2_test_pair_start(&pair), P2_OK);
        P2_ASSERT_ERROR(p2_test_pair_run(&pair, 3), P2_OK);
        P2_ASSERT_ERROR(p2_noise_split(&pair.initiator, keys[0], keys[1], hashes[0]), P2_OK);
        P2_ASSERT_ERROR(p2_noise_split(&pair.responder, keys[2], keys[3], hashes[1]), P2_OK);
        P2_ASSERT_BYTES(keys[0], keys[3], P2_KEY_BYTES);
        P2_ASSERT_BYTES(keys[1], keys[2], P2_KEY_BYTES);
        CU_ASSERT(memcmp(keys[0], keys[1], P2_KEY_BYTES) != 0);
        P2_ASSERT_BYTES(hashes[0], hashes[1], 64);
        P2_ASSERT_ERROR(p2_noise_remote_static(&pair.responder, peer), P2_OK);
        P2_ASSERT_BYTES(peer, pair.identities[0].exchange_public, P2_KEY_BYTES);
        P2_ASSERT_ERROR(p2_noise_remote_static(&pair.initiator, peer), P2_OK);
        P2_ASSERT_BYTES(peer, pair.identities[1].exchange_public, P2_KEY_BYTES);
    }
}

static void messages_with_empty_payloads_have_the_sizes_of_the_header(void)
{
    for (int message = 0; message < 3; message++) {
        struct p2_test_pair pair;
        uint8_t bytes[P2_TEST_MESSAGE_MAX];
        p2_test_pair_init(&pair, P2_CIPHER_CHACHAPOLY);
        P2_ASSERT_EQUAL(write_message(&pair, message, p2_span(NULL, 0), bytes),
                        message_sizes[message]);
    }
}

static void every_flipped_bit_of_every_message_ends_in_a_named_peer_error(void)
{
    enum p2_cipher ciphers[2];
    size_t count = list_ciphers(ciphers);
    for (size_t i = 0; i < count; i++) {
        for (int message = 0; message < 3; message++) {
            struct p2_test_pair pair;
            uint8_t bytes[P2_TEST_MESSAGE_MAX];
            p2_test_pair_init(&pair, ciphers[i]);
            size_t size = write_message(&pair, message, p2_span(NULL, 0), bytes);
            const struct p2_noise before = *receiver_of(&pair, message);
            for (size_t bit = 0; bit < size * 8; bit++) {
                *receiver_of(&pair, message) = before;
                bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
                int error = read_message(&pair, message, p2_span(bytes, size));
                bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
                P2_ASSERT_ERROR(error, P2_E_BAD_TAG);
                CU_ASSERT(p2_error_class(error) == P2_CLASS_PEER);
                CU_ASSERT(is_wiped(receiver_of(&pair, message)));
            }
            *receiver_of(&pair, message) = before;
            P2_ASSERT_ERROR(read_message(&pair, message, p2_span(bytes, size)), P2_OK);
        }
    }
}

static void every_truncation_of_every_message_is_truncated(void)
{
    for (int message = 0; message < 3; message++) {
        struct p2_test_pair pair;
        uint8_t bytes[P2_TEST_MESSAGE_MAX];
        p2_test_pair_init(&pair, P2_CIPHER_CHACHAPOLY);
        size_t size = write_message(&pair, message, p2_span(NULL, 0), bytes);
        const struct p2_noise before = *receiver_of(&pair, message);
        for (size_t cut = 0; cut < size; cut++) {
            *receiver_of(&pair, message) = before;
            P2_ASSERT_ERROR(read_message(&pair, message, p2_span(bytes, cut)), P2_E_TRUNCATED);
            CU_ASSERT(is_wiped(receiver_of(&pair, message)));
        }
    }
}

static void every_byte_appended_to_a_message_is_a_bad_tag(void)
{
    for (int message = 0; message < 3; message++) {
        struct p2_test_pair pair;
        uint8_t bytes[P2_TEST_MESSAGE_MAX] = {0};
        p2_test_pair_init(&pair, P2_CIPHER_CHACHAPOLY);
        size_t size = write_message(&pair, message, p2_span(NULL, 0), bytes);
        const struct p2_noise before = *receiver_of(&pair, message);
        for (size_t extra = 1; extra <= 32; extra++) {
            *receiver_of(&pair, message) = before;
            P2_ASSERT_ERROR(read_message(&pair, message, p2_span(bytes, size + extra)),
                            P2_E_BAD_TAG);
        }
    }
}

static void messages_longer_than_noise_allows_are_refused_both_ways(void)
{
    static uint8_t big[65536];
    static uint8_t out[2 * 65536];
    struct p2_test_pair pair;
    size_t size = 0;
    p2_test_pair_init(&pair, P2_CIPHER_CHACHAPOLY);
    P2_ASSERT_ERROR(p2_test_pair_start(&pair), P2_OK);
    P2_ASSERT_ERROR(
        p2_noise_read(&pair.responder, p2_span(big, sizeof big), out, sizeof out, &size),
        P2_E_TOO_BIG);
    P2_ASSERT_ERROR(
        p2_noise_write(&pair.initiator, p2_span(big, 65535 - 48 + 1), out, sizeof out, &size),
        P2_E_TOO_BIG);
    P2_ASSERT_ERROR(p2_test_pair_start(&pair), P2_OK);
    P2_ASSERT_ERROR(
        p2_noise_write(&pair.initiator, p2_span(big, 65535 - 48), out, sizeof out, &size), P2_OK);
    P2_ASSERT_EQUAL(size, 65535);
    P2_ASSERT_ERROR(p2_noise_read(&pair.responder, p2_span(out, size), big, sizeof big, &size),
                    P2_OK);
    P2_ASSERT_EQUAL(size, 65535 - 48);
}

/* The points of small order on Curve25519 (RFC 7748 section 7; the list of
 * https://cr.yp.to/ecdh.html#validate), as a peer would send them. */
static const char *const small_order_points[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

static void ephemeral_keys_that_make_an_all_zero_dh_are_bad_keys(void)
{
    for (size_t i = 0; i < P2_COUNT_OF(small_order_points); i++) {
        for (int message = 0; message < 2; message++) {
            struct p2_test_pair pair;
            uint8_t bytes[P2_TEST_MESSAGE_MAX];
            p2_test_pair_init(&pair, P2_CIPHER_CHACHAPOLY);
            size_t size = write_message(&pair, message, p2_span(NULL, 0), bytes);
            (void)p2_test_unhex(bytes, small_order_points[i]);
            P2_ASSERT_ERROR(read_message(&pair, message, p2_span(bytes, size)), P2_E_BAD_KEY);
            CU_ASSERT(is_wiped(receiver_of(&pair, message)));
        }
    }
}

static void static_keys_that_make_an_all_zero_dh_are_bad_keys(void)
{
    for (size_t i = 0; i < P2_COUNT_OF(small_order_points); i++) {
        struct p2_test_pair pair;
        uint8_t key[P2_KEY_BYTES];
        uint8_t bytes[P2_TEST_MESSAGE_MAX];
        size_t size = 0;
        (void)p2_test_unhex(key, small_order_points[i]);
        /* An initiator that sends such a key in message 3 ... */
        p2_test_pair_init(&pair, P2_CIPHER_CHACHAPOLY);
        pair.initiator_options.static_public = key;
        size = write_message(&pair, 2, p2_span(NULL, 0), bytes);
        P2_ASSERT_ERROR(read_message(&pair, 2, p2_span(bytes, size)), P2_E_BAD_KEY);
        /* ... and one that was told to dial such a key. */
        p2_test_pair_init(&pair, P2_CIPHER_CHACHAPOLY);
        pair.initiator_options.remote_static = key;
        P2_ASSERT_ERROR(p2_test_pair_start(&pair), P2_OK);
        P2_ASSERT_ERROR(
            p2_noise_write(&pair.initiator, p2_span(NULL, 0), bytes, sizeof bytes, &size),
            P2_E_BAD_KEY);
        CU_ASSERT(is_wiped(&pair.initiator));
    }
}

static void dialling_the_wrong_key_fails_at_message_1(void)
{
    struct p2_test_pair pair;
    struct p2_identity other;
    p2_test_identity(&other, 9);
    p2_test_pair_init(&pair, P2_CIPHER_CHACHAPOLY);
    pair.initiator_options.remote_static = other.exchange_public;
    P2_ASSERT_ERROR(p2_test_pair_start(&pair), P2_OK);
    P2_ASSERT_ERROR(p2_test_pair_run(&pair, 1), P2_E_BAD_TAG);
}

static void claiming_a_static_key_without_its_secret_fails_at_message_3(void)
{
    struct p2_test_pair pair;
    struct p2_identity victim;
    p2_test_identity(&victim, 9);
    p2_test_pair_init(&pair, P2_CIPHER_CHACHAPOLY);
    pair.initiator_options.static_public = victim.exchange_public;
    P2_ASSERT_ERROR(p2_test_pair_start(&pair), P2_OK);
    P2_ASSERT_ERROR(p2_test_pair_run(&pair, 2), P2_OK);
    P2_ASSERT_ERROR(p2_test_pair_run(&pair, 1), P2_E_BAD_TAG);
}

static void every_bit_of_the_prologue_counts(void)
{
    struct p2_test_pair pair;
    uint8_t other[P2_PROLOGUE_BYTES];
    p2_test_pair_init(&pair, P2_CIPHER_CHACHAPOLY);
    for (size_t bit = 0; bit < sizeof other * 8; bit++) {
        memcpy(other, pair.prologue, sizeof other);
        other[bit / 8] ^= (uint8_t)(1u << bit % 8);
        pair.responder_options.prologue = p2_span(other, sizeof other);
        P2_ASSERT_ERROR(p2_test_pair_start(&pair), P2_OK);
        P2_ASSERT_ERROR(p2_test_pair_run(&pair, 1), P2_E_BAD_TAG);
    }
}

static void sides_with_different_ciphers_fail_at_message_1(void)
{
    struct p2_test_pair pair;
    p2_test_pair_init(&pair, P2_CIPHER_CHACHAPOLY);
    pair.responder_options.cipher = P2_CIPHER_AESGCM;
    if (p2_cipher_available(P2_CIPHER_AESGCM)) {
        P2_ASSERT_ERROR(p2_test_pair_start(&pair), P2_OK);
        P2_ASSERT_ERROR(p2_test_pair_run(&pair, 1), P2_E_BAD_TAG);
    } else {
        P2_ASSERT_ERROR(p2_test_pair_start(&pair), P2_E_UNSUPPORTED);
    }
}

static void a_payload_is_shown_to_a_caller_that_has_room_and_refused_otherwise(void)
{
    for (int message = 0; message < 3; message++) {
        struct p2_test_pair pair;
        uint8_t bytes[P2_TEST_MESSAGE_MAX];
        uint8_t payload[P2_TEST_MESSAGE_MAX];
        size_t got = 0;
        p2_test_pair_init(&pair, P2_CIPHER_CHACHAPOLY);
        size_t size = write_message(&pair, message, p2_span("smuggled", 8), bytes);
        P2_ASSERT_EQUAL(size, message_sizes[message] + 8);
        const struct p2_noise before = *receiver_of(&pair, message);
        P2_ASSERT_ERROR(p2_noise_read(receiver_of(&pair, message), p2_span(bytes, size), payload,
                                      sizeof payload, &got),
                        P2_OK);
        P2_ASSERT_EQUAL(got, 8);
        P2_ASSERT_BYTES(payload, "smuggled", 8);
        *receiver_of(&pair, message) = before;
        got = 99;
        P2_ASSERT_ERROR(
            p2_noise_read(receiver_of(&pair, message), p2_span(bytes, size), NULL, 0, &got),
            P2_E_FULL);
        P2_ASSERT_EQUAL(got, 99);
        CU_ASSERT(is_wiped(receiver_of(&pair, message)));
    }
}

static void a_message_without_room_for_it_fails_and_wipes(void)
{
    for (int message = 0; message < 3; message++) {
        struct p2_test_pair pair;
        uint8_t bytes[P2_TEST_MESSAGE_MAX];
        size_t size = 99;
        p2_test_pair_init(&pair, P2_CIPHER_CHACHAPOLY);
        P2_ASSERT_ERROR(p2_test_pair_start(&pair), P2_OK);
        P2_ASSERT_ERROR(p2_test_pair_run(&pair, message), P2_OK);
        P2_ASSERT_ERROR(p2_noise_write(sender_of(&pair, message), p2_span(NULL, 0), bytes,
                                       message_sizes[message] - 1, &size),
                        P2_E_FULL);
        P2_ASSERT_EQUAL(size, 99);
        CU_ASSERT(is_wiped(sender_of(&pair, message)));
    }
}

/* What each call gives in each state, from the table in noise.h. */
static void calls_out_of_order_give_state_and_change_nothing(void)
{
    for (int done = 0; done <= 3; done++) {
        for (int side = 0; side < 2; side++) {
            struct p2_test_pair pair;
            uint8_t bytes[P2_TEST_MESSAGE_MAX] = {0};
            uint8_t keys[2][P2_KEY_BYTES];
            uint8_t hash[64];
            size_t size = 0;
            p2_test_pair_init(&pair, P2_CIPHER_CHACHAPOLY);
            P2_ASSERT_ERROR(p2_test_pair_start(&pair), P2_OK);
            P2_ASSERT_ERROR(p2_test_pair_run(&pair, done), P2_OK);
            struct p2_noise *noise = side == 0 ? &pair.initiator : &pair.responder;
            const struct p2_noise before = *noise;
            bool may_write = done < 3 && noise == sender_of(&pair, done);
            bool may_read = done < 3 && noise == receiver_of(&pair, done);
            if (!may_write) {
                P2_ASSERT_ERROR(p2_noise_write(noise, p2_span(NULL, 0), bytes, sizeof bytes, &size),
                                P2_E_STATE);
            }
            if (!may_read) {
                P2_ASSERT_ERROR(
                    p2_noise_read(noise, p2_span(bytes, 64), bytes, sizeof bytes, &size),
                    P2_E_STATE);
            }
            if (done < 3) {
                P2_ASSERT_ERROR(p2_noise_split(noise, keys[0], keys[1], hash), P2_E_STATE);
            }
            CU_ASSERT(memcmp(&before, noise, sizeof before) == 0);
        }
    }
}

static void the_responder_knows_its_peer_only_after_message_3(void)
{
    struct p2_test_pair pair;
    uint8_t peer[P2_KEY_BYTES];
    p2_test_pair_init(&pair, P2_CIPHER_CHACHAPOLY);
    P2_ASSERT_ERROR(p2_test_pair_start(&pair), P2_OK);
    P2_ASSERT_ERROR(p2_test_pair_run(&pair, 2), P2_OK);
    P2_ASSERT_ERROR(p2_noise_remote_static(&pair.responder, peer), P2_E_STATE);
    P2_ASSERT_ERROR(p2_noise_remote_static(&pair.initiator, peer), P2_OK);
    p2_noise_wipe(&pair.initiator);
    P2_ASSERT_ERROR(p2_noise_remote_static(&pair.initiator, peer), P2_E_STATE);
}

static void secrets_are_gone_when_the_handshake_ends(void)
{
    struct p2_test_pair pair;
    uint8_t keys[2][P2_KEY_BYTES];
    uint8_t hash[64];
    p2_test_pair_init(&pair, P2_CIPHER_CHACHAPOLY);
    P2_ASSERT_ERROR(p2_test_pair_start(&pair), P2_OK);
    P2_ASSERT_ERROR(p2_test_pair_run(&pair, 3), P2_OK);
    CU_ASSERT(p2_secret_is_zero(pair.initiator.ephemeral_secret, P2_KEY_BYTES));
    CU_ASSERT(p2_secret_is_zero(pair.initiator.key, P2_KEY_BYTES));
    CU_ASSERT_PTR_NULL(pair.initiator.static_secret);
    P2_ASSERT_ERROR(p2_noise_split(&pair.initiator, keys[0], keys[1], hash), P2_OK);
    CU_ASSERT(p2_secret_is_zero(pair.initiator.chaining_key, 64));
    CU_ASSERT(p2_secret_is_zero(pair.initiator.hash, 64));
    P2_ASSERT_ERROR(p2_noise_split(&pair.initiator, keys[0], keys[1], hash), P2_E_STATE);
    p2_noise_wipe(&pair.responder);
    CU_ASSERT(is_wiped(&pair.responder));
}

static void options_that_do_not_fit_are_refused(void)
{
    struct p2_test_pair pair;
    p2_test_pair_init(&pair, P2_CIPHER_CHACHAPOLY);
    pair.initiator_options.remote_static = NULL;
    P2_ASSERT_ERROR(p2_noise_init(&pair.initiator, &pair.initiator_options), P2_E_INVALID);
    CU_ASSERT(is_wiped(&pair.initiator));
    pair.responder_options.remote_static = pair.identities[0].exchange_public;
    P2_ASSERT_ERROR(p2_noise_init(&pair.responder, &pair.responder_options), P2_E_INVALID);
    p2_test_pair_init(&pair, (enum p2_cipher)7);
    P2_ASSERT_ERROR(p2_test_pair_start(&pair), P2_E_UNSUPPORTED);
}

static void nonces_have_the_byte_order_of_their_cipher(void)
{
    uint8_t nonce[P2_NONCE_BYTES];
    p2_noise_nonce(nonce, P2_CIPHER_CHACHAPOLY, 0x0102030405060708);
    P2_ASSERT_BYTES(nonce, "\0\0\0\0\x08\x07\x06\x05\x04\x03\x02\x01", 12);
    p2_noise_nonce(nonce, P2_CIPHER_AESGCM, 0x0102030405060708);
    P2_ASSERT_BYTES(nonce, "\0\0\0\0\x01\x02\x03\x04\x05\x06\x07\x08", 12);
}

static void a_handshake_costs_less_than_one_kibibyte(void)
{
    CU_ASSERT(sizeof(struct p2_noise) <= 512);
}

static CU_TestInfo tests[] = {
    P2_TEST(both_sides_agree_on_keys_hash_and_peers),
    P2_TEST(messages_with_empty_payloads_have_the_sizes_of_the_header),
    P2_TEST(every_flipped_bit_of_every_message_ends_in_a_named_peer_error),
    P2_TEST(every_truncation_of_every_message_is_truncated),
    P2_TEST(every_byte_appended_to_a_message_is_a_bad_tag),
    P2_TEST(messages_longer_than_noise_allows_are_refused_both_ways),
    P2_TEST(ephemeral_keys_that_make_an_all_zero_dh_are_bad_keys),
    P2_TEST(static_keys_that_make_an_all_zero_dh_are_bad_keys),
    P2_TEST(dialling_the_wrong_key_fails_at_message_1),
    P2_TEST(claiming_a_static_key_without_its_secret_fails_at_message_3),
    P2_TEST(every_bit_of_the_prologue_counts),
    P2_TEST(sides_with_different_ciphers_fail_at_message_1),
    P2_TEST(a_payload_is_shown_to_a_caller_that_has_room_and_refused_otherwise),
    P2_TEST(a_message_without_room_for_it_fails_and_wipes),
    P2_TEST(calls_out_of_order_give_state_and_change_nothing),
    P2_TEST(the_responder_knows_its_peer_only_after_message_3),
    P2_TEST(secrets_are_gone_when_the_handshake_ends),
    P2_TEST(options_that_do_not_fit_are_refused),
    P2_TEST(nonces_have_the_byte_order_of_their_cipher),
    P2_TEST(a_handshake_costs_less_than_one_kibibyte),
    CU_TEST_INFO_NULL,
};

int main(int argc, char **argv)
{
    CU_SuiteInfo suites[] = {{"noise", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
