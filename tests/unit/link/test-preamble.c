/* The preamble, the prologue, and ids against handshake keys. */
#include "link/peer_id.h"
#include "link/preamble.h"
#include "tests/lib/handshake.h"
#include "tests/lib/test.h"

#include <string.h>

static const uint8_t golden[P2_PREAMBLE_BYTES] = {'P', '2', 'C', '2', 1, 1, 0, 0};

static void the_preamble_is_the_golden_bytes(void)
{
    uint8_t bytes[P2_PREAMBLE_BYTES];
    enum p2_cipher cipher = (enum p2_cipher)0;
    p2_preamble_format(bytes, P2_CIPHER_CHACHAPOLY);
    P2_ASSERT_BYTES(bytes, golden, sizeof golden);
    P2_ASSERT_ERROR(p2_preamble_parse(&cipher, p2_span(golden, sizeof golden)), P2_OK);
    P2_ASSERT_EQUAL(cipher, P2_CIPHER_CHACHAPOLY);
    p2_preamble_format(bytes, P2_CIPHER_AESGCM);
    P2_ASSERT_BYTES(bytes, "P2C2\x01\x02\0\0", sizeof bytes);
    P2_ASSERT_ERROR(p2_preamble_parse(&cipher, p2_span(bytes, sizeof bytes)),
                    p2_cipher_available(P2_CIPHER_AESGCM) ? P2_OK : P2_E_BAD_CIPHER);
}

/* What a preamble with `bit` flipped must give, by the table in preamble.h. */
static int expected_error(size_t bit)
{
    if (bit / 8 < 4) {
        return P2_E_BAD_MAGIC;
    }
    if (bit / 8 == 4) {
        return P2_E_BAD_VERSION;
    }
    return bit / 8 == 5 ? P2_E_BAD_CIPHER : P2_E_MALFORMED;
}

static void every_flipped_bit_has_its_named_peer_error(void)
{
    for (size_t bit = 0; bit < sizeof golden * 8; bit++) {
        uint8_t bytes[P2_PREAMBLE_BYTES];
        enum p2_cipher cipher = (enum p2_cipher)99;
        memcpy(bytes, golden, sizeof bytes);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        int error = p2_preamble_parse(&cipher, p2_span(bytes, sizeof bytes));
        P2_ASSERT_ERROR(error, expected_error(bit));
        CU_ASSERT(p2_error_class(error) == P2_CLASS_PEER);
        P2_ASSERT_EQUAL(cipher, 99);
    }
}

static void only_eight_bytes_are_a_preamble(void)
{
    enum p2_cipher cipher;
    uint8_t longer[P2_PREAMBLE_BYTES + 1] = {0};
    memcpy(longer, golden, sizeof golden);
    for (size_t size = 0; size < sizeof golden; size++) {
        P2_ASSERT_ERROR(p2_preamble_parse(&cipher, p2_span(golden, size)), P2_E_TRUNCATED);
    }
    P2_ASSERT_ERROR(p2_preamble_parse(&cipher, p2_span(longer, sizeof longer)), P2_E_TRAILING);
}

static void all_256_ciphers_but_ours_are_refused(void)
{
    for (unsigned value = 0; value < 256; value++) {
        uint8_t bytes[P2_PREAMBLE_BYTES];
        enum p2_cipher cipher;
        memcpy(bytes, golden, sizeof bytes);
        bytes[5] = (uint8_t)value;
        bool good = value == 1 || (value == 2 && p2_cipher_available(P2_CIPHER_AESGCM));
        P2_ASSERT_ERROR(p2_preamble_parse(&cipher, p2_span(bytes, sizeof bytes)),
                        good ? P2_OK : P2_E_BAD_CIPHER);
    }
}

static void the_prologue_holds_domain_network_and_preamble_verbatim(void)
{
    static const uint8_t network_id[P2_KEY_BYTES] = {0xaa, 0xbb};
    static const uint8_t odd_preamble[P2_PREAMBLE_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t prologue[P2_PROLOGUE_BYTES];
    P2_ASSERT_EQUAL(sizeof prologue, 11 + 32 + 8);
    p2_preamble_prologue(prologue, network_id, odd_preamble);
    P2_ASSERT_BYTES(prologue, "p2c2r link\0\xaa\xbb", 13);
    P2_ASSERT_BYTES(prologue + 11, network_id, P2_KEY_BYTES);
    P2_ASSERT_BYTES(prologue + 43, odd_preamble, P2_PREAMBLE_BYTES);
}

/* A man in the middle changes byte `at` of the dialler's preamble on its way. */
static int handshake_with_changed_preamble(size_t at, uint8_t value)
{
    static const uint8_t network_id[P2_KEY_BYTES] = {7};
    struct p2_test_pair pair;
    uint8_t preamble[P2_PREAMBLE_BYTES];
    uint8_t changed[P2_PROLOGUE_BYTES];
    p2_test_pair_init(&pair, P2_CIPHER_CHACHAPOLY);
    p2_preamble_format(preamble, P2_CIPHER_CHACHAPOLY);
    preamble[at] = value;
    p2_preamble_prologue(changed, network_id, preamble);
    pair.responder_options.prologue = p2_span(changed, sizeof changed);
    int error = p2_test_pair_start(&pair);
    return error != P2_OK ? error : p2_test_pair_run(&pair, 3);
}

static void a_downgrade_of_version_or_cipher_breaks_the_handshake(void)
{
    P2_ASSERT_ERROR(handshake_with_changed_preamble(4, P2_PREAMBLE_VERSION), P2_OK);
    P2_ASSERT_ERROR(handshake_with_changed_preamble(4, 0), P2_E_BAD_TAG);
    P2_ASSERT_ERROR(handshake_with_changed_preamble(4, 2), P2_E_BAD_TAG);
    P2_ASSERT_ERROR(handshake_with_changed_preamble(5, P2_CIPHER_AESGCM), P2_E_BAD_TAG);
    P2_ASSERT_ERROR(handshake_with_changed_preamble(7, 1), P2_E_BAD_TAG);
}

static void an_id_matches_the_static_key_made_from_it(void)
{
    struct p2_identity identity;
    struct p2_id id;
    for (uint8_t i = 0; i < 8; i++) {
        p2_test_identity(&identity, i);
        memcpy(id.bytes, identity.public_key, P2_ID_BYTES);
        P2_ASSERT_ERROR(p2_peer_id_check(&id, identity.exchange_public), P2_OK);
    }
}

static void another_nodes_id_is_the_wrong_peer(void)
{
    struct p2_identity identity;
    struct p2_identity other;
    struct p2_id id;
    p2_test_identity(&identity, 1);
    p2_test_identity(&other, 2);
    memcpy(id.bytes, other.public_key, P2_ID_BYTES);
    P2_ASSERT_ERROR(p2_peer_id_check(&id, identity.exchange_public), P2_E_WRONG_PEER);
    for (size_t bit = 0; bit < 256; bit++) {
        uint8_t key[P2_KEY_BYTES];
        memcpy(key, other.exchange_public, sizeof key);
        key[bit / 8] ^= (uint8_t)(1u << bit % 8);
        P2_ASSERT_ERROR(p2_peer_id_check(&id, key), P2_E_WRONG_PEER);
    }
}

/* The id with sign bit 1 is the mirrored point: it has the same X25519 key, so without the rule one
 * node would have two ids. */
static void an_id_with_sign_bit_1_is_a_bad_key(void)
{
    struct p2_identity identity;
    struct p2_id id;
    p2_test_identity(&identity, 1);
    memcpy(id.bytes, identity.public_key, P2_ID_BYTES);
    id.bytes[31] |= 0x80;
    P2_ASSERT_ERROR(p2_peer_id_check(&id, identity.exchange_public), P2_E_BAD_KEY);
}

static void ids_that_are_no_or_small_points_are_bad_keys(void)
{
    static const char *const ids[] = {
        /* y = 1 (the neutral point), y = -1 (order 2), y = 0 (order 4), an order-8 point: RFC 8032
         * and libsodium's list of small-order points */
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        /* y = 2: no x satisfies the curve's equation */
        "0200000000000000000000000000000000000000000000000000000000000000",
    };
    for (size_t i = 0; i < P2_COUNT_OF(ids); i++) {
        struct p2_id id;
        static const uint8_t any[P2_KEY_BYTES] = {9};
        (void)p2_test_unhex(id.bytes, ids[i]);
        P2_ASSERT_ERROR(p2_peer_id_check(&id, any), P2_E_BAD_KEY);
    }
}

static CU_TestInfo tests[] = {
    P2_TEST(the_preamble_is_the_golden_bytes),
    P2_TEST(every_flipped_bit_has_its_named_peer_error),
    P2_TEST(only_eight_bytes_are_a_preamble),
    P2_TEST(all_256_ciphers_but_ours_are_refused),
    P2_TEST(the_prologue_holds_domain_network_and_preamble_verbatim),
    P2_TEST(a_downgrade_of_version_or_cipher_breaks_the_handshake),
    P2_TEST(an_id_matches_the_static_key_made_from_it),
    P2_TEST(another_nodes_id_is_the_wrong_peer),
    P2_TEST(an_id_with_sign_bit_1_is_a_bad_key),
    P2_TEST(ids_that_are_no_or_small_points_are_bad_keys),
    CU_TEST_INFO_NULL,
};

int main(int argc, char **argv)
{
    CU_SuiteInfo suites[] = {{"preamble", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
