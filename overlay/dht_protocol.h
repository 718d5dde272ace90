/* What the parent and p2c2r-dht, the process that holds the node, say to each other.
 *
 * One datagram of a SOCK_SEQPACKET pair is one message: byte 0 is the kind, then the fields named
 * here, in the order of enum p2_dht_field, numbers big-endian, nothing else. Neither side believes
 * the other: the node's process reads what strangers send, so its messages are as hostile as theirs.
 *
 *   kind          code  from    fields                              meaning
 *   START         0x01  parent  version network port flags          first message, once
 *   PEERS         0x02  parent  nodes                               whom to ping until connected
 *   PUT           0x03  parent  op key value                        publish once
 *   GET           0x04  parent  op key values_max                   lookup
 *   LISTEN        0x05  parent  op key                              watch
 *   CANCEL        0x06  parent  op                                  forget the operation
 *   BEAT          0x07  parent  number                              are you alive?
 *   STOP          0x08  parent                                      end, and say which nodes are good
 *   READY         0x81  child   version port port_v6                the node runs
 *   REFUSED       0x82  child   cause system_error                  it cannot; the process ends
 *   VALUE         0x83  child   op value                            found under the key
 *   END           0x84  child   op result                           of a PUT or GET
 *   ALIVE         0x85  child   number heard_ms dropped oversized   answer to BEAT
 *   GOOD_NODES    0x86  child   nodes                               half-hourly, and after STOP
 *
 * `op` is the parent's number: its low byte is a slot, the rest counts the slot's users; what comes
 * for an earlier user of a slot is late and is ignored. Pure. Thread: reentrant. */
#ifndef P2_OVERLAY_DHT_PROTOCOL_H
#define P2_OVERLAY_DHT_PROTOCOL_H

#include "base/buf.h"
#include "link/ip.h"
#include "overlay/overlay.h"

#define P2_DHT_VERSION   1
#define P2_DHT_NODES_MAX 64 /* addresses in a message. Chosen: 8 buckets of 8 nodes */
#define P2_DHT_SLOTS     256
_Static_assert(P2_OVERLAY_OPS_MAX <= P2_DHT_SLOTS, "the low byte of an operation's number");

/* Longest message: PEERS. Slots of addresses are those of endpoints.h. */
#define P2_DHT_MESSAGE_MAX (1 + 1 + P2_DHT_NODES_MAX * 19)
_Static_assert(1 + 4 + P2_OVERLAY_KEY_BYTES + 2 + P2_OVERLAY_VALUE_MAX <= P2_DHT_MESSAGE_MAX,
               "PUT is shorter");

/* Where the process finds its socket; 0 to 2 are the standard streams. */
#define P2_DHT_SOCKET_FD 3

/* Milliseconds since another node was heard when none ever was. */
#define P2_DHT_NEVER UINT32_MAX

/* P2_DHT_FIELD(NAME, member): all fields, in the order they are written. */
#define P2_DHT_FIELDS(P2_DHT_FIELD)          \
    P2_DHT_FIELD(VERSION, version)           \
    P2_DHT_FIELD(NETWORK, network)           \
    P2_DHT_FIELD(PORT, port)                 \
    P2_DHT_FIELD(PORT_V6, port_v6)           \
    P2_DHT_FIELD(FLAGS, flags)               \
    P2_DHT_FIELD(CAUSE, cause)               \
    P2_DHT_FIELD(SYSTEM_ERROR, system_error) \
    P2_DHT_FIELD(OP, op)                     \
    P2_DHT_FIELD(KEY, key)                   \
    P2_DHT_FIELD(VALUES_MAX, values_max)     \
    P2_DHT_FIELD(RESULT, result)             \
    P2_DHT_FIELD(NUMBER, number)             \
    P2_DHT_FIELD(HEARD, heard_ms)            \
    P2_DHT_FIELD(DROPPED, dropped)           \
    P2_DHT_FIELD(OVERSIZED, oversized)       \
    P2_DHT_FIELD(NODES, nodes)               \
    P2_DHT_FIELD(VALUE, value)

enum p2_dht_field {
#define P2_DHT_FIELD(name, member) P2_DHT_FIELD_##name,
    P2_DHT_FIELDS(P2_DHT_FIELD)
#undef P2_DHT_FIELD
        P2_DHT_FIELD_COUNT
};

enum p2_dht_kind {
    P2_DHT_START = 0x01,
    P2_DHT_PEERS = 0x02,
    P2_DHT_PUT = 0x03,
    P2_DHT_GET = 0x04,
    P2_DHT_LISTEN = 0x05,
    P2_DHT_CANCEL = 0x06,
    P2_DHT_BEAT = 0x07,
    P2_DHT_STOP = 0x08,
    P2_DHT_READY = 0x81,
    P2_DHT_REFUSED = 0x82,
    P2_DHT_VALUE = 0x83,
    P2_DHT_END = 0x84,
    P2_DHT_ALIVE = 0x85,
    P2_DHT_GOOD_NODES = 0x86
};

enum p2_dht_from { P2_DHT_FROM_PARENT, P2_DHT_FROM_CHILD };

#define P2_DHT_FLAG_LAN 0x01 /* find and be found on the local network by multicast */

/* Why the process cannot serve. */
enum p2_dht_cause {
    P2_DHT_CAUSE_SANDBOX = 1, /* a mandatory part of its confinement failed */
    P2_DHT_CAUSE_PORT_V4 = 2, /* the UDP port is taken on IPv4 */
    P2_DHT_CAUSE_PORT_V6 = 3, /* the same on IPv6 */
    P2_DHT_CAUSE_LIBRARY = 4  /* the node does not start */
};

/* How a PUT or GET ended. */
enum p2_dht_result {
    P2_DHT_DONE = 0,   /* nodes answered */
    P2_DHT_ALONE = 1,  /* none could be asked */
    P2_DHT_ENOUGH = 2, /* values_max were reported */
    P2_DHT_NO_ROOM = 3 /* more operations than slots */
};

/* A UDP address of a node. */
struct p2_dht_address {
    struct p2_ip ip;
    uint16_t port; /* 1..65535 */
};

struct p2_dht_nodes {
    uint8_t count; /* 0..P2_DHT_NODES_MAX */
    struct p2_dht_address list[P2_DHT_NODES_MAX];
};

/* Any message; the kind says which fields mean something. */
struct p2_dht_message {
    enum p2_dht_kind kind;
    uint16_t version;       /* P2_DHT_VERSION */
    uint32_t network;       /* separates networks; no secret */
    uint16_t port, port_v6; /* START: 0 for any; READY: 0 when the family is not there */
    uint8_t flags;          /* P2_DHT_FLAG_* */
    enum p2_dht_cause cause;
    uint32_t system_error; /* errno, 0: none */
    uint32_t op;
    struct p2_overlay_key key;
    uint32_t values_max; /* 1..P2_OVERLAY_VALUES_MAX */
    enum p2_dht_result result;
    uint32_t number;    /* of a BEAT */
    uint32_t heard_ms;  /* since another node was heard, or P2_DHT_NEVER */
    uint64_t dropped;   /* values the socket had no room for, or above a watch's rate */
    uint64_t oversized; /* values above P2_OVERLAY_VALUE_MAX */
    struct p2_dht_nodes nodes;
    struct p2_span value; /* 1..P2_OVERLAY_VALUE_MAX bytes, borrowed */
};

/* Writes `message`, which must be right (asserted), to out[P2_DHT_MESSAGE_MAX]; its size. */
size_t p2_dht_encode(uint8_t *out, const struct p2_dht_message *message);

/* Reads the message `bytes` that came from side `from`; the value is borrowed from `bytes`.
 * Only what p2_dht_encode writes is accepted. P2_E_BAD_TYPE (unknown kind), P2_E_NOT_ALLOWED (the
 * other side's kind), P2_E_TRUNCATED, P2_E_TRAILING, P2_E_RANGE, P2_E_BAD_VERSION,
 * P2_E_NOT_CANONICAL. */
int p2_dht_decode(struct p2_dht_message *ret_message, struct p2_span bytes, enum p2_dht_from from);

/* "START", ... Static; "?" for anything else. */
const char *p2_dht_kind_name(enum p2_dht_kind kind);

#endif
