/* What one gamer sees, and the FRAME messages that bring it there (DESIGN 5, 11).
 *
 * A scene is a set of things: deltas by (kind, key) and tiles by index. A thing that is written with
 * other bytes than before gets the next number; the number of the newest change is the scene's
 * version. So a FRAME from base version B to version V carries every thing with a number in (B, V],
 * in that order, and what does not fit waits for the next frame: V is then the last one that fitted.
 * Nothing else is kept per version, and a client may start from any version it acknowledged.
 *
 *   client state   entered by                               what is sent
 *   AWAY           open, detach                             nothing
 *   FRESH          attach, or P2_GAMER_VERSIONS frames      everything, from base 0; then nothing for
 *                  without an acknowledgement               P2_GAMER_RESYNC_FRAMES or until an ACK
 *   FOLLOWING      an ACK of a frame that was sent          changes since the newest ACK
 *
 * EVENTS are things that happen once: they are sent like others, are forgotten when acknowledged or
 * P2_GAMER_VERSIONS frames old, and are not for clients that attach later. Writes over the limits are
 * left out and counted.
 *
 * Packing is the caller's function, so that this stays free of libraries. Thread: one. */
#ifndef P2_AUTHORITY_GAMER_FRAMES_H
#define P2_AUTHORITY_GAMER_FRAMES_H

#include "base/buf.h"
#include "wire/messages.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sent frames whose acknowledgement is taken; a client further behind starts from nothing (DESIGN 5:
 * the last acknowledged of 32 versions). */
#define P2_GAMER_VERSIONS 32u

/* Frames between two whole scenes to a client that does not acknowledge. Chosen: half a second. */
#define P2_GAMER_RESYNC_FRAMES 30u

#define P2_GAMER_THINGS_MAX 4096u /* chosen: 256 chunks of the demo world, 15 times over */
#define P2_GAMER_BYTES_MAX \
    ((size_t)16 << 20)        /* packed bytes of one scene; chosen: 16 full frames */
#define P2_GAMER_PACK_MIN 96u /* smaller things are not packed; chosen: zstd's own head is 10 */

/* Packs `raw` into out[capacity]; bytes written, 0 when it did not become smaller. */
typedef size_t p2_gamer_pack_fn(void *ctx, struct p2_span raw, uint8_t *out, size_t capacity);

enum p2_gamer_state { P2_GAMER_AWAY, P2_GAMER_FRESH, P2_GAMER_FOLLOWING };

struct p2_gamer_thing {
    uint64_t change; /* number of its last change; 0: unused */
    uint64_t frame;  /* of that */
    uint32_t key;
    uint8_t kind; /* enum p2_delta_kind, or P2_GAMER_TILE */
    uint8_t tier, age;
    uint8_t codec;
    uint8_t digest[16]; /* of the raw bytes */
    uint8_t *data;      /* owned, packed */
    uint32_t size, capacity;
    uint32_t older, newer; /* in the order of changes */
    uint32_t hash_next;
};
#define P2_GAMER_TILE 255u

struct p2_gamer_scene {
    struct p2_gamer_thing *things; /* owned; [P2_GAMER_THINGS_MAX] */
    uint32_t *buckets;             /* owned; [P2_GAMER_THINGS_MAX] */
    uint8_t *scratch;              /* owned; a packed thing */
    struct p2_msg_frame *message;  /* owned */
    uint32_t free_first, oldest, newest;
    size_t bytes;     /* of all data, by capacity */
    uint64_t version; /* number of the newest change */
    uint32_t cut;     /* writes left out, ever */
    uint8_t camera[P2_WIRE_CAMERA_MAX];
    uint32_t camera_size;
    p2_gamer_pack_fn *pack;
    void *pack_ctx;

    enum p2_gamer_state state;
    uint64_t acknowledged; /* version */
    uint64_t fresh_frame;  /* the whole scene was sent in; 0: not yet */
    uint64_t silent;       /* frames sent since the last new acknowledgement */
    struct {
        uint64_t frame, version;
    } sent[P2_GAMER_VERSIONS]; /* ring by count */
    uint64_t sent_count;
};

/* What FRAME says besides the scene. */
struct p2_gamer_frame {
    uint64_t frame;
    uint32_t applied_input;
    uint32_t durable_input;
    uint8_t depth;
    enum p2_frame_reason reason;
    uint16_t tiers[5];
    uint32_t queue_us, compute_us, merge_us;
};

/* An empty scene of nobody. `pack` may be NULL. P2_E_NOMEM. 300 KiB. */
int p2_gamer_scene_open(struct p2_gamer_scene *scene, p2_gamer_pack_fn *pack, void *pack_ctx);
void p2_gamer_scene_close(struct p2_gamer_scene *scene);

/* Forgets all things: the seat is somebody else's now, or pictures have another size. Versions go on
 * counting. */
void p2_gamer_scene_clear(struct p2_gamer_scene *scene);

/* ---- what the game writes ---------------------------------------------------------------------- */

/* `raw` is copied. Bytes that are there already change nothing. P2_E_LIMIT, P2_E_NOMEM,
 * P2_E_INVALID (kind, size): left out and counted. O(size). */
int p2_gamer_scene_delta(struct p2_gamer_scene *scene, uint64_t frame, uint32_t kind, uint32_t key,
                         struct p2_span raw);
int p2_gamer_scene_tile(struct p2_gamer_scene *scene, uint64_t frame, uint32_t index, uint32_t tier,
                        uint32_t age, struct p2_span raw);
int p2_gamer_scene_camera(struct p2_gamer_scene *scene, struct p2_span raw);

/* ---- the client -------------------------------------------------------------------------------- */

void p2_gamer_scene_attach(struct p2_gamer_scene *scene);
void p2_gamer_scene_detach(struct p2_gamer_scene *scene);

/* ACK came. P2_E_RANGE: no frame with this number and version was sent among the last
 * P2_GAMER_VERSIONS; nothing changes. */
int p2_gamer_scene_ack(struct p2_gamer_scene *scene, uint64_t frame, uint64_t version);

/* Appends the payload of FRAME to `buf` when one is to be sent; *ret_size is 0 otherwise.
 * P2_E_LIMIT, P2_E_NOMEM of the buffer. O(changes). */
int p2_gamer_scene_encode(struct p2_gamer_scene *scene, const struct p2_gamer_frame *frame,
                          struct p2_buf *buf, size_t *ret_size);

#endif
