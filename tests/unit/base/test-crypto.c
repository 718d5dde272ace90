#include "tests/lib/test.h"

#include "base/crypto.h"
#include "base/entropy.h"

#include <string.h>

/* RFC 7748, section 5.2 (first vector) and section 6.1 (Bob's key pair). */
static void x25519_agrees_with_rfc_7748(void)
{
    uint8_t secret[32], public_key[32], out[32], expected[32];
    p2_test_unhex(secret, "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
    p2_test_unhex(public_key, "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
    p2_test_unhex(expected, "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
    P2_ASSERT_ERROR(p2_x25519(out, secret, public_key), P2_OK);
    P2_ASSERT_BYTES(out, expected, 32);
    p2_test_unhex(secret, "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    p2_test_unhex(expected, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    p2_x25519_public(out, secret);
    P2_ASSERT_BYTES(out, expected, 32);
}

static void an_all_zero_exchange_is_refused(void)
{
    uint8_t secret[32] = {1}, shared[32], low_order[32] = {0};
    P2_ASSERT_ERROR(p2_x25519(shared, secret, low_order), P2_E_BAD_KEY);
    low_order[0] = 1;
    P2_ASSERT_ERROR(p2_x25519(shared, secret, low_order), P2_E_BAD_KEY);
}

/* RFC 8439, section 2.8.2. */
static void chachapoly_agrees_with_rfc_8439(void)
{
    static const char text[] = "Ladies and Gentlemen of the class of '99: If I could offer you "
                               "only one tip for the future, sunscreen would be it.";
    uint8_t key[32], nonce[12], associated[12], expected[130], sealed[130], opened[114];
    for (size_t i = 0; i < 32; i++) {
        key[i] = (uint8_t)(0x80 + i);
    }
    p2_test_unhex(nonce, "070000004041424344454647");
    p2_test_unhex(associated, "50515253c0c1c2c3c4c5c6c7");
    p2_test_unhex(expected, "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
                            "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
                            "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
                            "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691");
    struct p2_aead aead;
    P2_ASSERT_ERROR(p2_aead_init(&aead, P2_CIPHER_CHACHAPOLY, key), P2_OK);
    p2_aead_seal(&aead, sealed, (const uint8_t *)text, 114, p2_span(associated, 12), nonce);
    P2_ASSERT_BYTES(sealed, expected, 130);
    P2_ASSERT_ERROR(p2_aead_open(&aead, opened, sealed, 130, p2_span(associated, 12), nonce),
                    P2_OK);
    P2_ASSERT_BYTES(opened, text, 114);
    sealed[5] ^= 1;
    P2_ASSERT_ERROR(p2_aead_open(&aead, opened, sealed, 130, p2_span(associated, 12), nonce),
                    P2_E_BAD_TAG);
    P2_ASSERT_ERROR(p2_aead_open(&aead, opened, sealed, 15, p2_span(NULL, 0), nonce),
                    P2_E_TRUNCATED);
}

/* NIST GCM test case 14: 256-bit zero key, zero nonce, 16 zero bytes. */
static void aesgcm_agrees_with_nist_where_the_cpu_has_it(void)
{
    uint8_t key[32] = {0}, nonce[12] = {0}, zeros[16] = {0}, sealed[32], expected[32];
    struct p2_aead aead;
    if (!p2_cipher_available(P2_CIPHER_AESGCM)) {
        P2_ASSERT_ERROR(p2_aead_init(&aead, P2_CIPHER_AESGCM, key), P2_E_UNSUPPORTED);
        return;
    }
    p2_test_unhex(expected, "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
    P2_ASSERT_ERROR(p2_aead_init(&aead, P2_CIPHER_AESGCM, key), P2_OK);
    p2_aead_seal(&aead, sealed, zeros, 16, p2_span(NULL, 0), nonce);
    P2_ASSERT_BYTES(sealed, expected, 32);
}

/* RFC 7693, appendix A; and an empty message in pieces. */
static void blake2b_agrees_with_rfc_7693(void)
{
    uint8_t expected[64], out[64];
    struct p2_span parts[] = {p2_span("a", 1), p2_span("bc", 2)};
    p2_test_unhex(expected, "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
                            "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
    p2_hash(out, 64, parts, 2);
    P2_ASSERT_BYTES(out, expected, 64);
}

/* Computed with Python's hmac and hashlib.blake2b, an implementation of its own:
 * hmac.new(b"k" * N, b"message", lambda: hashlib.blake2b()).hexdigest() */
static void hmac_agrees_with_another_implementation_for_short_and_long_keys(void)
{
    uint8_t expected[64], out[64], key[200];
    struct p2_span part = p2_span("message", 7);
    memset(key, 'k', sizeof key);
    p2_test_unhex(expected, "42b67b25e071f1dc536be730034a8ade8e7bd539785a92758560e4b7807e79ee"
                            "6a29faca6a2102f3854875e6bb0054cccf930924da5dfda5c5829a660401638a");
    p2_hmac(out, p2_span(key, 32), &part, 1);
    P2_ASSERT_BYTES(out, expected, 64);
    p2_test_unhex(expected, "76d83dfe58e27c7a2559677a3b3cc9132d6d504fd70e089892d0241e686cf77f"
                            "b070267d54d13a5bdcaf96e0b2139d689d6fcee9cfddbdf3bc65dc3c7c877ebc");
    p2_hmac(out, p2_span(key, 200), &part, 1);
    P2_ASSERT_BYTES(out, expected, 64);
}

static void signatures_bind_domain_network_and_message(void)
{
    struct p2_identity identity;
    uint8_t signature[64], network[32] = {1}, other_network[32] = {2};
    p2_identity_generate(&identity);
    struct p2_span message = p2_span("pay 5", 5);
    P2_ASSERT_ERROR(p2_sign(signature, &identity, "p2c2r receipt", network, message), P2_OK);
    P2_ASSERT_ERROR(p2_verify(signature, identity.public_key, "p2c2r receipt", network, message),
                    P2_OK);
    P2_ASSERT_ERROR(p2_verify(signature, identity.public_key, "p2c2r record", network, message),
                    P2_E_BAD_SIGNATURE);
    P2_ASSERT_ERROR(
        p2_verify(signature, identity.public_key, "p2c2r receipt", other_network, message),
        P2_E_BAD_SIGNATURE);
    P2_ASSERT_ERROR(
        p2_verify(signature, identity.public_key, "p2c2r receipt", network, p2_span("pay 6", 5)),
        P2_E_BAD_SIGNATURE);
    P2_ASSERT_ERROR(p2_sign(signature, &identity, "p2c2r receipt", network,
                            p2_span(signature, P2_SIGNED_MAX + 1)),
                    P2_E_TOO_BIG);
}

static void identities_have_sign_bit_zero_and_their_exchange_key_follows_from_the_id(void)
{
    struct p2_identity identity;
    uint8_t exchange[32];
    for (int i = 0; i < 20; i++) {
        p2_identity_generate(&identity);
        P2_ASSERT_EQUAL(identity.public_key[31] & 0x80, 0);
        P2_ASSERT_ERROR(p2_id_to_exchange_key(exchange, identity.public_key), P2_OK);
        P2_ASSERT_BYTES(exchange, identity.exchange_public, 32);
        p2_x25519_public(exchange, identity.exchange_secret);
        P2_ASSERT_BYTES(exchange, identity.exchange_public, 32);
    }
    identity.public_key[31] |= 0x80;
    P2_ASSERT_ERROR(p2_id_to_exchange_key(exchange, identity.public_key), P2_E_BAD_KEY);
}

static void seeds_whose_id_has_sign_bit_one_are_refused(void)
{
    struct p2_identity identity;
    uint8_t seed[32] = {0};
    int refused = 0;
    for (seed[0] = 0; seed[0] < 40; seed[0]++) {
        int error = p2_identity_from_seed(&identity, seed);
        refused += error == P2_E_BAD_KEY;
        CU_ASSERT(error == P2_OK || error == P2_E_BAD_KEY);
    }
    CU_ASSERT(refused > 5 && refused < 35);
}

static void low_order_points_are_no_ids(void)
{
    uint8_t exchange[32], id[32] = {1}; /* the neutral element */
    P2_ASSERT_ERROR(p2_id_to_exchange_key(exchange, id), P2_E_BAD_KEY);
    memset(id, 0, 32); /* a point of order 4 */
    P2_ASSERT_ERROR(p2_id_to_exchange_key(exchange, id), P2_E_BAD_KEY);
}

static void derived_keys_differ_by_label_and_context(void)
{
    uint8_t key[32] = {3}, a[32], b[32];
    p2_derive_key(a, key, "one", p2_span("x", 1));
    p2_derive_key(b, key, "one", p2_span("y", 1));
    CU_ASSERT_FALSE(p2_secret_equal(a, b, 32));
    p2_derive_key(b, key, "onex", p2_span(NULL, 0));
    CU_ASSERT_FALSE(p2_secret_equal(a, b, 32));
    p2_derive_key(b, key, "one", p2_span("x", 1));
    CU_ASSERT(p2_secret_equal(a, b, 32));
}

static void secret_memory_starts_zeroed_and_can_be_wiped(void)
{
    uint8_t *secret = p2_secret_alloc(100);
    CU_ASSERT_PTR_NOT_NULL_FATAL(secret);
    CU_ASSERT(p2_secret_is_zero(secret, 100));
    memset(secret, 5, 100);
    p2_secret_wipe(secret, 100);
    CU_ASSERT(p2_secret_is_zero(secret, 100));
    p2_secret_free(secret);
    p2_secret_free(NULL);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(x25519_agrees_with_rfc_7748),
        P2_TEST(an_all_zero_exchange_is_refused),
        P2_TEST(chachapoly_agrees_with_rfc_8439),
        P2_TEST(aesgcm_agrees_with_nist_where_the_cpu_has_it),
        P2_TEST(blake2b_agrees_with_rfc_7693),
        P2_TEST(hmac_agrees_with_another_implementation_for_short_and_long_keys),
        P2_TEST(signatures_bind_domain_network_and_message),
        P2_TEST(identities_have_sign_bit_zero_and_their_exchange_key_follows_from_the_id),
        P2_TEST(seeds_whose_id_has_sign_bit_one_are_refused),
        P2_TEST(low_order_points_are_no_ids),
        P2_TEST(derived_keys_differ_by_label_and_context),
        P2_TEST(secret_memory_starts_zeroed_and_can_be_wiped),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"crypto", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
