#include "tests/unit/overlay/overlay_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NETWORK                                                                                   \
    {                                                                                             \
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, \
            25, 26, 27, 28, 29, 30, 31                                                            \
    }

const struct p2_overlay_rules golden_rules = {NETWORK, .puzzle_bits = 4, .stamp_bits = 8};
const struct p2_overlay_rules easy_rules = {NETWORK, .puzzle_bits = 0, .stamp_bits = 0};

void golden_text(const char *name, char *out, size_t capacity)
{
    struct p2_span file = p2_test_data_read("overlay/golden.txt");
    size_t length = strlen(name);
    const char *at = (const char *)file.data;
    const char *end = at + file.size;
    out[0] = '\0';
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t line = newline != NULL ? (size_t)(newline - at) : (size_t)(end - at);
        if (line > length && memcmp(at, name, length) == 0 && at[length] == ' ') {
            (void)snprintf(out, capacity, "%.*s", (int)(line - length - 1), at + length + 1);
            break;
        }
        at += line + 1;
    }
    CU_ASSERT_FATAL(out[0] != '\0');
    free((void *)(uintptr_t)file.data);
}

size_t golden(const char *name, uint8_t *out)
{
    char hex[1100];
    golden_text(name, hex, sizeof hex);
    return p2_test_unhex(out, hex);
}

struct p2_overlay_key golden_key(const char *name)
{
    uint8_t bytes[512];
    struct p2_overlay_key key;
    P2_ASSERT_EQUAL(golden(name, bytes), P2_OVERLAY_KEY_BYTES);
    memcpy(key.bytes, bytes, sizeof key.bytes);
    return key;
}

uint64_t golden_number(const char *name)
{
    uint8_t bytes[512];
    P2_ASSERT_EQUAL(golden(name, bytes), 8);
    return p2_load_be64(bytes);
}

void golden_node(struct p2_identity *identity, const char *seed_name)
{
    uint8_t seed[512];
    P2_ASSERT_EQUAL(golden(seed_name, seed), P2_KEY_BYTES);
    P2_ASSERT_ERROR(p2_identity_from_seed(identity, seed), P2_OK);
}

void make_node(struct p2_identity *identity, uint64_t number)
{
    struct p2_rng rng;
    uint8_t seed[P2_KEY_BYTES];
    p2_rng_init_u64(&rng, number, "overlay test nodes");
    do {
        p2_rng_bytes(&rng, seed, sizeof seed);
    } while (p2_identity_from_seed(identity, seed) != P2_OK);
}

struct p2_id id_of(const struct p2_identity *identity)
{
    struct p2_id id;
    memcpy(id.bytes, identity->public_key, P2_ID_BYTES);
    return id;
}

struct p2_ip ip4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    const uint8_t bytes[4] = {a, b, c, d};
    return p2_ip_from_v4(bytes);
}

struct p2_link_address address4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
    return (struct p2_link_address){ip4(a, b, c, d), port};
}

struct p2_capacity_ad make_ad(const struct p2_identity *identity, uint64_t unix_s,
                              uint64_t sequence)
{
    return (struct p2_capacity_ad){
        .helper = id_of(identity),
        .not_before = unix_s,
        .expires = unix_s + P2_OVERLAY_RECORD_LIFE_S,
        .sequence = sequence,
        .region = "utc+1",
        .cores = 4,
        .free_slots = 4,
        .kernel_count = 1,
        .kernels = {p2_capacity_kernel_tag("physics_step", 1)},
    };
}

struct p2_overlay_session make_session(const struct p2_identity *identity, uint8_t salt_byte,
                                       uint64_t unix_s, uint64_t sequence)
{
    struct p2_overlay_session record = {
        .authority = id_of(identity),
        .not_before = unix_s,
        .expires = unix_s + P2_OVERLAY_RECORD_LIFE_S,
        .sequence = sequence,
        .endpoint_count = 1,
        .endpoints = {address4(9, 9, 9, 9, 4242)},
    };
    memset(record.salt, salt_byte, sizeof record.salt);
    return record;
}

struct p2_overlay_invite make_invite(const struct p2_identity *authority,
                                     const struct p2_identity *helper, uint64_t unix_s,
                                     uint8_t token_byte)
{
    struct p2_overlay_invite invite = {
        .authority = id_of(authority),
        .helper = id_of(helper),
        .not_before = unix_s,
        .expires = unix_s + P2_INVITE_LIFE_S,
        .sequence = 1,
        .endpoint_count = 1,
        .endpoints = {address4(9, 9, 9, 9, 4242)},
    };
    memset(invite.token, token_byte, sizeof invite.token);
    return invite;
}
