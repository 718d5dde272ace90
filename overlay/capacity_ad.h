/* Capacity ads: how a helper says that it has cores to lend (DESIGN 6).
 *
 * Stored value = record (record.h) of kind CAPACITY_AD | stamp (stamp.h). Body, 76 bytes:
 *
 *   offset  bytes  field
 *        0     16  region label: 1..16 of a-z 0-9 + -, zero padded
 *       16      1  depth of the shard it is stored in, 0..P2_DIRECTORY_DEPTH_MAX
 *       17      1  flags: bit 0 the helper has AES; others 0
 *       18      2  cores lent, at least 1
 *       20      2  tasks it would take now
 *       22      4  price, micro-dollars per helper-hour
 *       26     17  public address as others told it (endpoints.h), or none; a claim, for filters
 *       43      1  kernels, 0..16
 *       44     32  their tags, ascending; unused ones zero
 *
 * The directory is a binary tree per region. The shard of a helper at depth d is the first d bits
 * of BLAKE2b-256("p2c2r shard" | 0 | helper key); its overlay key is that of (region, depth,
 * shard). An ad stands only where its own key puts it: a reader checks that.
 * Pure. Thread: reentrant. */
#ifndef P2_OVERLAY_CAPACITY_AD_H
#define P2_OVERLAY_CAPACITY_AD_H

#include "link/ip.h"
#include "overlay/record.h"
#include "overlay/stamp.h"

#define P2_REGION_LEN           16
#define P2_REGION_MAX           (P2_REGION_LEN + 1)
#define P2_DIRECTORY_DEPTH_MAX  20 /* chosen: 2^20 shards of 16, above 16 million helpers a region */
#define P2_CAPACITY_KERNELS     16
#define P2_CAPACITY_BODY_BYTES  76
#define P2_CAPACITY_VALUE_BYTES (P2_OVERLAY_RECORD_MIN + P2_CAPACITY_BODY_BYTES + P2_STAMP_BYTES)

struct p2_capacity_ad {
    struct p2_id helper;
    uint64_t not_before;
    uint64_t expires;
    uint64_t sequence;
    uint64_t puzzle_nonce;
    char region[P2_REGION_MAX];
    uint8_t depth;
    bool has_aes;
    uint16_t cores;
    uint16_t free_slots;
    uint32_t price_micro_dollars;
    struct p2_ip address; /* family 0: none known */
    uint8_t kernel_count;
    uint16_t kernels[P2_CAPACITY_KERNELS]; /* p2_capacity_kernel_tag, strictly ascending */
};

/* A place in the directory: the first `depth` bits of `shard`, the rest of it zero. */
struct p2_shard {
    uint32_t bits;
    uint8_t depth;
};

/* 1..16 of a-z 0-9 + -? */
bool p2_region_is_valid(const char *region);

/* Where a key belongs: the first 32 bits of its hash; and its rank among those of a shard: the
 * next 32, so that rank and place are independent. */
void p2_capacity_hash(const struct p2_id *helper, uint32_t *ret_bits, uint32_t *ret_rank);

/* The first `depth` bits of `bits`. */
struct p2_shard p2_shard_of(uint32_t bits, uint8_t depth);

/* The overlay key of a shard. `region` is valid. */
void p2_shard_key(struct p2_overlay_key *ret_key, const char *region, struct p2_shard shard,
                  const struct p2_overlay_rules *rules);

/* 16 bits that stand for (kernel, version) in an ad; a hint: HELLO has the full list. */
uint16_t p2_capacity_kernel_tag(const char *name, uint32_t version);

/* Signs an ad for the shard its depth names; without the stamp, which takes about 15 ms and is
 * made with p2_stamp_begin / _step or p2_stamp_append over `ret_key`. P2_E_RANGE for fields no
 * reader would accept. */
int p2_capacity_ad_sign(uint8_t out[P2_CAPACITY_VALUE_BYTES], size_t *ret_size,
                        struct p2_overlay_key *ret_key, const struct p2_capacity_ad *ad,
                        const struct p2_identity *identity, const struct p2_overlay_rules *rules);

/* Reads a record found under the shard's key, stamp already removed. Errors of p2_overlay_record_open;
 * P2_E_MALFORMED, P2_E_RANGE, P2_E_NOT_CANONICAL, P2_E_TRAILING for the body; P2_E_UNSOLICITED
 * when it stands where its key does not put it. The puzzle is the caller's (puzzle.h). */
int p2_capacity_ad_open(struct p2_capacity_ad *ret_ad, struct p2_overlay_record *ret_raw,
                        struct p2_span content, const char *region, struct p2_shard shard,
                        uint64_t unix_s, const struct p2_overlay_rules *rules);

#endif
