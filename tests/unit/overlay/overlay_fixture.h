/* What the overlay's tests share: golden values, nodes, rules, and values made by hand. */
#ifndef P2_TESTS_UNIT_OVERLAY_FIXTURE_H
#define P2_TESTS_UNIT_OVERLAY_FIXTURE_H

#include "tests/lib/test.h"

#include "base/crypto.h"
#include "base/rng.h"
#include "overlay/capacity_ad.h"
#include "overlay/invite.h"
#include "overlay/puzzle.h"
#include "overlay/session_record.h"

/* The time, network and difficulties of tests/tools/overlay-golden.py. */
#define GOLDEN_NOW 1800000000u
extern const struct p2_overlay_rules golden_rules;

/* The same network with a difficulty of 0 for both proofs of work: for tests of something else. */
extern const struct p2_overlay_rules easy_rules;

/* The value called `name` in tests/data/overlay/golden.txt; fails the test when it is not there.
 * Returns its size; `out` has room for 512. */
size_t golden(const char *name, uint8_t *out);
void golden_text(const char *name, char *out, size_t capacity);
struct p2_overlay_key golden_key(const char *name);
uint64_t golden_number(const char *name);

/* Node number `number`: always the same. Returns its id in `identity`. */
void make_node(struct p2_identity *identity, uint64_t number);
struct p2_id id_of(const struct p2_identity *identity);

/* The helper or authority of the golden values. */
void golden_node(struct p2_identity *identity, const char *seed_name);

/* 203.0.c.d and friends. */
struct p2_ip ip4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
struct p2_link_address address4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port);

/* A plain ad of `identity` from `unix_s` on. */
struct p2_capacity_ad make_ad(const struct p2_identity *identity, uint64_t unix_s,
                              uint64_t sequence);

/* A session record of `identity`. */
struct p2_overlay_session make_session(const struct p2_identity *identity, uint8_t salt_byte,
                                       uint64_t unix_s, uint64_t sequence);

/* An invite from `authority` to `helper`. */
struct p2_overlay_invite make_invite(const struct p2_identity *authority,
                                     const struct p2_identity *helper, uint64_t unix_s,
                                     uint8_t token_byte);

#endif
