/* Every limit of the messages, each with its reason. Whatever exceeds one is refused: by the
 * decoder with an error of class PEER, by the encoder with P2_E_INVALID, so that we never send what
 * the other side would have to refuse. The link layer's own limits stand in its own header. */
#ifndef P2_WIRE_LIMITS_H
#define P2_WIRE_LIMITS_H

#include <stdint.h>

/* Version of the messages. A change of any row of messages.def that is not a new number raises it;
 * HELLO and JOIN name it first, so that both sides can say in words which one is older. */
#define P2_WIRE_PROTOCOL 1

/* ---- what the reader enforces on any payload ------------------------------------------------- */

/* Nested arrays: message, list, group, list of numbers (DESIGN 5). */
#define P2_WIRE_DEPTH_MAX 4

/* Bytes of a foreign string (DESIGN 5). Also the longest text a peer can put on a screen. */
#define P2_WIRE_STRING_MAX 64

/* ---- bytes of one message -------------------------------------------------------------------- */

/* A message of someone who was not accepted yet (DESIGN 4). HELLO and JOIN must fit. */
#define P2_WIRE_STRANGER_MAX 1024

/* Small messages. Chosen: all fit, the largest, WELCOME with its palette, takes 889 bytes. */
#define P2_WIRE_CONTROL_MAX 1024

/* A worker's slot holds 1 MiB in and 1 MiB out (DESIGN 7); on top come 64 handles of 5 bytes and
 * the numbers of the message, for which 512 bytes are enough. */
#define P2_WIRE_SLOT_MAX     (1u << 20)
#define P2_WIRE_SLOT_MSG_MAX (P2_WIRE_SLOT_MAX + 512u)

/* A frame. Chosen: ten times the measured snapshot of a whole world of 256x64x256 voxels (105 KB
 * with zstd) and twenty times a measured 1280x720 picture of tiles (47 KB); larger worlds arrive in
 * several frames. */
#define P2_WIRE_FRAME_MAX (1u << 20)

/* SAVES: 64 saves of at most 98 bytes. */
#define P2_WIRE_SAVES_MAX 8192u

/* ---- fields ---------------------------------------------------------------------------------- */

#define P2_WIRE_KERNEL_NAME_MAX 31u /* bytes; P2C2R_NAME_MAX without the final zero */

/* Kernels in one HELLO. Chosen: twice the built-in ones; the message's size bounds it further. */
#define P2_WIRE_KERNELS_MAX 24u

#define P2_WIRE_DIGEST_BYTES  16u  /* of known answers: it tells honest builds apart, no more */
#define P2_WIRE_HASH_BYTES    32u  /* BLAKE2b-256 of evidence someone may try to forge */
#define P2_WIRE_TOKEN_MAX     32u  /* invite token: one key's length */
#define P2_WIRE_PROOF_BYTES   32u  /* proof that the session ID is known: one BLAKE2b-256 */
#define P2_WIRE_TAG_BYTES     16u  /* which session: half of a BLAKE2b-256 */
#define P2_WIRE_SIGNATURE     64u  /* Ed25519, RFC 8032 */
#define P2_WIRE_STATEMENT_MAX 256u /* the signed body of a receipt; its worst case is 136 bytes */
#define P2_WIRE_AGENT_MAX     32u  /* program and version of the peer, for people */

#define P2_WIRE_BLOBS_MAX 64u        /* blobs of one lease: P2C2R_BLOBS_MAX */
#define P2_WIRE_BLOB_MAX  (1u << 20) /* bytes of one blob: P2C2R_BLOB_MAX */

#define P2_WIRE_CORES_MAX 4096u /* chosen: above the largest machine sold */
#define P2_WIRE_SLOTS_MAX 4096u /* leases in flight on one helper; chosen: one per core */
#define P2_WIRE_CACHE_MAX (UINT64_C(1) << 40) /* bytes of blobs a helper may offer to keep: 1 TiB */

/* Nano-dollars per million cost units (one second of a reference core). The default of DESIGN 9,
 * $0.15 an hour, is 41,667; the limit is $3.60 a second, so that a product with any cost of one
 * lease stays far below 2^63. */
#define P2_WIRE_PRICE_MAX UINT64_C(3600000000)

/* Nano-dollars, cost units and other sums. They stay representable as a signed number. */
#define P2_WIRE_AMOUNT_MAX INT64_MAX

/* Time a helper has for a lease. Chosen: ten seconds, for tasks of class C3 (DESIGN 8). */
#define P2_WIRE_BUDGET_MAX_US 10000000u

#define P2_WIRE_INPUT_MAX    64u  /* bytes of one player's input of one tick (DESIGN 5) */
#define P2_WIRE_CAMERA_MAX   64u  /* bytes of a scene's camera, chosen: 16 numbers of 32 bits */
#define P2_WIRE_PALETTE_MAX  768u /* 256 colours of 3 bytes */
#define P2_WIRE_DEPTH_FRAMES 3u   /* pipeline depth, DESIGN 8 */

/* Tiles of one frame: 1280x720 in tiles of 64x60 are 240. */
#define P2_WIRE_TILES_MAX 256u

/* Bytes of one tile: 64x64 pixels of one byte raw, with room for a codec that grows them. */
#define P2_WIRE_TILE_MAX 8192u

/* Scene deltas of one frame: 256 chunks of the demo world, as many again for other kinds. */
#define P2_WIRE_DELTAS_MAX 512u

/* Bytes of one delta: 16x64x16 voxels raw are 16 KiB; four times that for entities of a crowd. */
#define P2_WIRE_DELTA_MAX 65536u

#define P2_WIRE_SEATS_MAX       64u  /* players of a session; chosen: sixteen times the demo game */
#define P2_WIRE_TICK_HZ_MAX     240u /* chosen: the fastest common display */
#define P2_WIRE_PIXELS_MAX      7680u /* width and height of a picture: 8K */
#define P2_WIRE_SAVES_COUNT_MAX 64u   /* 10 autosaves, 24 hourly ones (DESIGN 10), 30 with a name */

#endif
