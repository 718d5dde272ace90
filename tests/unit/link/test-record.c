/* The record layer. The expected bytes of rekeying come from `reference`, a second and plain way to
 * compute a record straight from the specification's words with the bare AEAD. */
#include "link/noise.h"
#include "link/record.h"
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t key_bytes[P2_KEY_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8};
static const enum p2_cipher ciphers[] = {P2_CIPHER_CHACHAPOLY, P2_CIPHER_AESGCM};

struct reference {
    enum p2_cipher cipher;
    uint8_t key[P2_KEY_BYTES];
    uint64_t counter;
};

static void reference_nonce(uint8_t nonce[12], enum p2_cipher cipher, uint64_t counter)
{
    memset(nonce, 0, 12);
    for (int i = 0; i < 8; i++) {
        int at = cipher == P2_CIPHER_AESGCM ? 11 - i : 4 + i;
        nonce[at] = (uint8_t)(counter >> (8 * i));
    }
}

/* Seals `text` as the next record of the reference into out, the header included. */
static void reference_seal(struct reference *reference, const char *text, uint8_t *out)
{
    static const uint8_t zeros[32];
    uint8_t sealed[48];
    uint8_t nonce[12];
    struct p2_aead aead;
    size_t size = strlen(text);
    if (reference->counter != 0 && reference->counter % 16384 == 0) {
        (void)p2_aead_init(&aead, reference->cipher, reference->key);
        reference_nonce(nonce, reference->cipher, 0xffffffffffffffff);
        p2_aead_seal(&aead, sealed, zeros, 32, p2_span(NULL, 0), nonce);
        memcpy(reference->key, sealed, 32);
    }
    (void)p2_aead_init(&aead, reference->cipher, reference->key);
    reference_nonce(nonce, reference->cipher, reference->counter++);
    p2_aead_seal(&aead, out + 2, (const uint8_t *)text, size, p2_span(NULL, 0), nonce);
    out[0] = (uint8_t)((size + 16) >> 8);
    out[1] = (uint8_t)(size + 16);
}

static void start(struct p2_record_cipher *sender, struct p2_record_cipher *receiver,
                  enum p2_cipher cipher)
{
    P2_ASSERT_ERROR(p2_record_init(sender, cipher, key_bytes), P2_OK);
    P2_ASSERT_ERROR(p2_record_init(receiver, cipher, key_bytes), P2_OK);
}

static void records_open_to_what_was_sealed_at_every_edge_of_size(void)
{
    static uint8_t plain[P2_RECORD_PLAINTEXT_MAX];
    static uint8_t record[P2_RECORD_BYTES_MAX];
    static uint8_t opened[P2_RECORD_PLAINTEXT_MAX];
    static const size_t sizes[] = {1, 2, 15, 16, 17, 1024, 65518, 65519};
    for (size_t i = 0; i < sizeof plain; i++) {
        plain[i] = (uint8_t)(i * 7 + i / 256);
    }
    for (size_t c = 0; c < P2_COUNT_OF(ciphers); c++) {
        struct p2_record_cipher sender;
        struct p2_record_cipher receiver;
        if (!p2_cipher_available(ciphers[c])) {
            continue;
        }
        start(&sender, &receiver, ciphers[c]);
        for (size_t i = 0; i < P2_COUNT_OF(sizes); i++) {
            P2_ASSERT_ERROR(p2_record_seal(&sender, record, plain, sizes[i]), P2_OK);
            P2_ASSERT_EQUAL(p2_record_length(record), (int)sizes[i] + 16);
            P2_ASSERT_ERROR(p2_record_open(&receiver, opened, record + 2, sizes[i] + 16), P2_OK);
            P2_ASSERT_BYTES(opened, plain, sizes[i]);
        }
    }
}

static void sealing_and_opening_work_in_place(void)
{
    for (size_t c = 0; c < P2_COUNT_OF(ciphers); c++) {
        struct p2_record_cipher sender;
        struct p2_record_cipher receiver;
        uint8_t apart[64];
        uint8_t place[64];
        if (!p2_cipher_available(ciphers[c])) {
            continue;
        }
        start(&sender, &receiver, ciphers[c]);
        P2_ASSERT_ERROR(p2_record_seal(&sender, apart, (const uint8_t *)"in one place", 12), P2_OK);
        start(&sender, &receiver, ciphers[c]);
        memcpy(place + 2, "in one place", 12);
        P2_ASSERT_ERROR(p2_record_seal(&sender, place, place + 2, 12), P2_OK);
        P2_ASSERT_BYTES(place, apart, 2 + 12 + 16);
        P2_ASSERT_ERROR(p2_record_open(&receiver, place + 2, place + 2, 12 + 16), P2_OK);
        P2_ASSERT_BYTES(place + 2, "in one place", 12);
    }
}

/* Message 4 of the published ChaChaPoly vector: the responder's first transport message. The key is
 * what the handshake makes of the vector's keys (tests/data/noise). */
static void the_first_record_is_the_vectors_transport_message(void)
{
    struct p2_noise sides[2];
    uint8_t secrets[4][P2_KEY_BYTES];
    uint8_t publics[2][P2_KEY_BYTES];
    uint8_t keys[4][P2_KEY_BYTES];
    uint8_t hash[64];
    uint8_t message[128];
    uint8_t payload[64];
    uint8_t record[64];
    uint8_t expected[64];
    size_t size = 0;
    struct p2_record_cipher direction;
    static const char *const payloads[] = {"Ludwig von Mises", "Murray Rothbard", "F. A. Hayek"};
    (void)p2_test_unhex(secrets[0],
                        "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1");
    (void)p2_test_unhex(secrets[1],
                        "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893");
    (void)p2_test_unhex(secrets[2],
                        "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a");
    (void)p2_test_unhex(secrets[3],
                        "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b");
    for (size_t i = 0; i < 2; i++) {
        p2_x25519_public(publics[i], secrets[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        const struct p2_noise_options options = {
            .role = i == 0 ? P2_NOISE_INITIATOR : P2_NOISE_RESPONDER,
            .cipher = P2_CIPHER_CHACHAPOLY,
            .prologue = p2_span("John Galt", 9),
            .static_secret = secrets[i],
            .static_public = publics[i],
            .remote_static = i == 0 ? publics[1] : NULL,
            .ephemeral_secret = secrets[2 + i],
        };
        P2_ASSERT_ERROR(p2_noise_init(&sides[i], &options), P2_OK);
    }
    for (size_t i = 0; i < 3; i++) {
        struct p2_span text = p2_span(payloads[i], strlen(payloads[i]));
        P2_ASSERT_ERROR(p2_noise_write(&sides[i % 2], text, message, sizeof message, &size), P2_OK);
        P2_ASSERT_ERROR(p2_noise_read(&sides[1 - i % 2], p2_span(message, size), payload,
                                      sizeof payload, &size),
                        P2_OK);
    }
    P2_ASSERT_ERROR(p2_noise_split(&sides[0], keys[0], keys[1], hash), P2_OK);
    P2_ASSERT_ERROR(p2_noise_split(&sides[1], keys[2], keys[3], hash), P2_OK);
    P2_ASSERT_ERROR(p2_record_init(&direction, P2_CIPHER_CHACHAPOLY, keys[2]), P2_OK);
    P2_ASSERT_ERROR(p2_record_seal(&direction, record, (const uint8_t *)"Carl Menger", 11), P2_OK);
    (void)p2_test_unhex(expected, "001bd6ea0c3364ed480b415d44c3235fdb311dfa8d6e1dc1e6f3a76ee3");
    P2_ASSERT_BYTES(record, expected, 29);
}

static void rekeying_happens_exactly_at_multiples_of_2_to_14(void)
{
    for (size_t c = 0; c < P2_COUNT_OF(ciphers); c++) {
        struct p2_record_cipher sender;
        struct p2_record_cipher receiver;
        struct reference reference = {.cipher = ciphers[c]};
        unsigned wrong = 0;
        if (!p2_cipher_available(ciphers[c])) {
            continue;
        }
        memcpy(reference.key, key_bytes, sizeof key_bytes);
        start(&sender, &receiver, ciphers[c]);
        /* Every record up to beyond the second rekey; 2^14 - 1, 2^14, 2^14 + 1 among them. */
        for (uint64_t nonce = 0; nonce < 2 * 16384 + 3; nonce++) {
            uint8_t record[32];
            uint8_t expected[32];
            uint8_t opened[16];
            wrong += sender.nonce != nonce || receiver.nonce != nonce;
            reference_seal(&reference, "12345678", expected);
            wrong += p2_record_seal(&sender, record, (const uint8_t *)"12345678", 8) != P2_OK;
            wrong += memcmp(record, expected, 2 + 8 + 16) != 0;
            wrong += p2_record_open(&receiver, opened, expected + 2, 8 + 16) != P2_OK;
            wrong += memcmp(opened, "12345678", 8) != 0;
        }
        P2_ASSERT_EQUAL(wrong, 0);
    }
}

/* Around a rekey the two directions of a link do not move together: each counts for itself. */
static void directions_rekey_independently(void)
{
    static const uint8_t other_key[P2_KEY_BYTES] = {9};
    struct p2_record_cipher here_to_there;
    struct p2_record_cipher there_to_here;
    struct reference references[2] = {{.cipher = P2_CIPHER_CHACHAPOLY},
                                      {.cipher = P2_CIPHER_CHACHAPOLY}};
    uint8_t record[32];
    uint8_t expected[32];
    memcpy(references[0].key, key_bytes, P2_KEY_BYTES);
    memcpy(references[1].key, other_key, P2_KEY_BYTES);
    P2_ASSERT_ERROR(p2_record_init(&here_to_there, P2_CIPHER_CHACHAPOLY, key_bytes), P2_OK);
    P2_ASSERT_ERROR(p2_record_init(&there_to_here, P2_CIPHER_CHACHAPOLY, other_key), P2_OK);
    for (unsigned i = 0; i < 16384 + 1; i++) {
        reference_seal(&references[0], "x", expected);
        (void)p2_record_seal(&here_to_there, record, (const uint8_t *)"x", 1);
    }
    P2_ASSERT_BYTES(record, expected, 19);
    for (unsigned i = 0; i < 3; i++) {
        reference_seal(&references[1], "y", expected);
        (void)p2_record_seal(&there_to_here, record, (const uint8_t *)"y", 1);
        P2_ASSERT_BYTES(record, expected, 19);
    }
}

static void a_bad_record_at_the_rekey_does_not_rekey_twice(void)
{
    struct p2_record_cipher sender;
    struct p2_record_cipher receiver;
    uint8_t record[32];
    uint8_t opened[16];
    start(&sender, &receiver, P2_CIPHER_CHACHAPOLY);
    for (unsigned i = 0; i < 16384; i++) {
        (void)p2_record_seal(&sender, record, (const uint8_t *)"x", 1);
        (void)p2_record_open(&receiver, opened, record + 2, 17);
    }
    P2_ASSERT_ERROR(p2_record_seal(&sender, record, (const uint8_t *)"x", 1), P2_OK);
    record[2] ^= 1;
    P2_ASSERT_ERROR(p2_record_open(&receiver, opened, record + 2, 17), P2_E_BAD_TAG);
    record[2] ^= 1;
    P2_ASSERT_ERROR(p2_record_open(&receiver, opened, record + 2, 17), P2_OK);
}

static void every_flipped_bit_is_a_bad_tag(void)
{
    for (size_t c = 0; c < P2_COUNT_OF(ciphers); c++) {
        struct p2_record_cipher sender;
        struct p2_record_cipher receiver;
        uint8_t record[64];
        uint8_t opened[64];
        if (!p2_cipher_available(ciphers[c])) {
            continue;
        }
        start(&sender, &receiver, ciphers[c]);
        P2_ASSERT_ERROR(p2_record_seal(&sender, record, (const uint8_t *)"message", 7), P2_OK);
        for (size_t bit = 16; bit < (2 + 7 + 16) * 8; bit++) {
            record[bit / 8] ^= (uint8_t)(1u << bit % 8);
            P2_ASSERT_ERROR(p2_record_open(&receiver, opened, record + 2, 7 + 16), P2_E_BAD_TAG);
            record[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        P2_ASSERT_ERROR(p2_record_open(&receiver, opened, record + 2, 7 + 16), P2_OK);
    }
}

static void every_truncation_is_truncated_or_a_bad_tag(void)
{
    struct p2_record_cipher sender;
    struct p2_record_cipher receiver;
    uint8_t record[64] = {0};
    uint8_t opened[64];
    start(&sender, &receiver, P2_CIPHER_CHACHAPOLY);
    P2_ASSERT_ERROR(p2_record_seal(&sender, record, (const uint8_t *)"message", 7), P2_OK);
    for (size_t size = 0; size < 7 + 16; size++) {
        P2_ASSERT_ERROR(p2_record_open(&receiver, opened, record + 2, size),
                        size < 17 ? P2_E_TRUNCATED : P2_E_BAD_TAG);
    }
    P2_ASSERT_ERROR(p2_record_open(&receiver, opened, record + 2, 7 + 16 + 1), P2_E_BAD_TAG);
    P2_ASSERT_ERROR(p2_record_open(&receiver, opened, record, P2_RECORD_CIPHERTEXT_MAX + 1),
                    P2_E_TOO_BIG);
}

static void replayed_reordered_and_dropped_records_are_bad_tags(void)
{
    struct p2_record_cipher sender;
    struct p2_record_cipher receiver;
    uint8_t records[3][32];
    uint8_t opened[32];
    start(&sender, &receiver, P2_CIPHER_CHACHAPOLY);
    for (size_t i = 0; i < 3; i++) {
        const uint8_t byte = (uint8_t)i;
        P2_ASSERT_ERROR(p2_record_seal(&sender, records[i], &byte, 1), P2_OK);
    }
    /* reordered, or the first one dropped */
    P2_ASSERT_ERROR(p2_record_open(&receiver, opened, records[1] + 2, 17), P2_E_BAD_TAG);
    P2_ASSERT_ERROR(p2_record_open(&receiver, opened, records[0] + 2, 17), P2_OK);
    /* replayed */
    P2_ASSERT_ERROR(p2_record_open(&receiver, opened, records[0] + 2, 17), P2_E_BAD_TAG);
    /* the one in between dropped */
    P2_ASSERT_ERROR(p2_record_open(&receiver, opened, records[2] + 2, 17), P2_E_BAD_TAG);
}

static void records_of_the_other_direction_are_bad_tags(void)
{
    static const uint8_t other_key[P2_KEY_BYTES] = {9};
    struct p2_record_cipher sender;
    struct p2_record_cipher reflected;
    uint8_t record[32];
    uint8_t opened[32];
    P2_ASSERT_ERROR(p2_record_init(&sender, P2_CIPHER_CHACHAPOLY, key_bytes), P2_OK);
    P2_ASSERT_ERROR(p2_record_init(&reflected, P2_CIPHER_CHACHAPOLY, other_key), P2_OK);
    P2_ASSERT_ERROR(p2_record_seal(&sender, record, (const uint8_t *)"x", 1), P2_OK);
    P2_ASSERT_ERROR(p2_record_open(&reflected, opened, record + 2, 17), P2_E_BAD_TAG);
}

static void the_reserved_nonce_is_never_used(void)
{
    struct p2_record_cipher sender;
    struct p2_record_cipher receiver;
    uint8_t record[32];
    uint8_t opened[32];
    start(&sender, &receiver, P2_CIPHER_CHACHAPOLY);
    sender.nonce = UINT64_MAX - 1;
    receiver.nonce = UINT64_MAX - 1;
    P2_ASSERT_ERROR(p2_record_seal(&sender, record, (const uint8_t *)"x", 1), P2_OK);
    P2_ASSERT_ERROR(p2_record_open(&receiver, opened, record + 2, 17), P2_OK);
    P2_ASSERT_ERROR(p2_record_seal(&sender, record, (const uint8_t *)"x", 1), P2_E_LIMIT);
    P2_ASSERT_ERROR(p2_record_open(&receiver, opened, record + 2, 17), P2_E_LIMIT);
}

static void sizes_outside_the_format_are_refused(void)
{
    static uint8_t big[P2_RECORD_PLAINTEXT_MAX + 1];
    static uint8_t out[P2_RECORD_BYTES_MAX + 1];
    struct p2_record_cipher sender;
    P2_ASSERT_ERROR(p2_record_init(&sender, P2_CIPHER_CHACHAPOLY, key_bytes), P2_OK);
    P2_ASSERT_ERROR(p2_record_seal(&sender, out, big, 0), P2_E_INVALID);
    P2_ASSERT_ERROR(p2_record_seal(&sender, out, big, sizeof big), P2_E_INVALID);
    P2_ASSERT_EQUAL(sender.nonce, 0);
    P2_ASSERT_ERROR(p2_record_init(&sender, (enum p2_cipher)7, key_bytes), P2_E_UNSUPPORTED);
}

static void lengths_below_17_are_out_of_range(void)
{
    for (unsigned length = 0; length <= 65535; length++) {
        const uint8_t header[2] = {(uint8_t)(length >> 8), (uint8_t)length};
        int expected = length < 17 ? P2_E_RANGE : (int)length;
        if (p2_record_length(header) != expected) {
            P2_ASSERT_EQUAL(p2_record_length(header), expected);
        }
    }
    CU_PASS("all lengths");
}

static void wiping_leaves_zeros(void)
{
    struct p2_record_cipher direction;
    P2_ASSERT_ERROR(p2_record_init(&direction, P2_CIPHER_CHACHAPOLY, key_bytes), P2_OK);
    p2_record_wipe(&direction);
    CU_ASSERT(p2_secret_is_zero(&direction, sizeof direction));
}

static CU_TestInfo tests[] = {
    P2_TEST(records_open_to_what_was_sealed_at_every_edge_of_size),
    P2_TEST(sealing_and_opening_work_in_place),
    P2_TEST(the_first_record_is_the_vectors_transport_message),
    P2_TEST(rekeying_happens_exactly_at_multiples_of_2_to_14),
    P2_TEST(directions_rekey_independently),
    P2_TEST(a_bad_record_at_the_rekey_does_not_rekey_twice),
    P2_TEST(every_flipped_bit_is_a_bad_tag),
    P2_TEST(every_truncation_is_truncated_or_a_bad_tag),
    P2_TEST(replayed_reordered_and_dropped_records_are_bad_tags),
    P2_TEST(records_of_the_other_direction_are_bad_tags),
    P2_TEST(the_reserved_nonce_is_never_used),
    P2_TEST(sizes_outside_the_format_are_refused),
    P2_TEST(lengths_below_17_are_out_of_range),
    P2_TEST(wiping_leaves_zeros),
    CU_TEST_INFO_NULL,
};

int main(int argc, char **argv)
{
    CU_SuiteInfo suites[] = {{"record", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
