/* What the two sources of the simulated transport share: link_sim.c (links over connections) and
 * link_sim_net.c (time, events, paths). */
#ifndef P2_LINK_LINK_SIM_INTERNAL_H
#define P2_LINK_LINK_SIM_INTERNAL_H

#include "link/link_sim.h"
#include "link/mux.h"
#include "link/pool.h"

enum p2_sim_event_kind {
    P2_SIM_CALL,    /* a call the user asked for */
    P2_SIM_ARRIVE,  /* the front of a direction may be delivered */
    P2_SIM_ACK,     /* the sender learns that bytes arrived */
    P2_SIM_FLUSH,   /* the end of a turn in which something was sent */
    P2_SIM_TICK,    /* a link looks at its deadlines and pings */
    P2_SIM_CLOSE,   /* on_close of one side */
    P2_SIM_STOPPED, /* on_stopped of a node */
    P2_SIM_UNBLOCK  /* a clog ends */
};

enum p2_sim_segment_kind { P2_SIM_HANDSHAKE, P2_SIM_RECORD, P2_SIM_FIN, P2_SIM_RST };

struct p2_sim_conn;

struct p2_sim_event {
    uint64_t at_us;
    uint64_t order;
    struct p2_sim_conn *conn; /* or NULL; counted in conn->events */
    struct p2_link_sim_node *node;
    struct p2_link_sim_node *other; /* UNBLOCK: node -> other */
    void (*call)(void *ctx);
    void *ctx;
    uint32_t size; /* ACK */
    uint8_t kind;  /* enum p2_sim_event_kind */
    uint8_t side;  /* of conn */
};

/* A piece of a stream on its way. */
struct p2_sim_segment {
    struct p2_sim_segment *next;
    uint64_t arrival_us;
    uint32_t size;
    uint8_t kind; /* enum p2_sim_segment_kind */
    uint8_t step; /* HANDSHAKE: 0 SYN, 1 SYN+ACK, 2..4 Noise messages 1..3 */
    uint8_t data[];
};

/* What one side has sent and the other has not received. */
struct p2_sim_direction {
    struct p2_rng rng;
    struct p2_sim_segment *head;
    struct p2_sim_segment *tail;
    uint64_t busy_until_us;   /* the bandwidth is taken until then */
    uint64_t last_arrival_us; /* order is kept */
    uint32_t in_flight;       /* bytes not acknowledged */
    uint32_t held_acks;       /* acknowledgements that a block keeps from the sender */
};

enum p2_sim_side_state { P2_SIM_NONE, P2_SIM_OPENING, P2_SIM_OPEN, P2_SIM_GONE };

/* One end of a connection. */
struct p2_sim_link {
    struct p2_link base;
    struct p2_sim_conn *conn;
    struct p2_link_sim_node *node;
    struct p2_sim_direction out;
    struct p2_mux_writer writer;
    struct p2_mux_reader reader;
    struct p2_link_stats stats;
    uint64_t started_us;
    uint64_t heard_us;
    uint64_t acked_us; /* when our bytes were last acknowledged; 0: never */
    uint64_t drain_us;
    uint64_t ping_us; /* when `ping` left */
    int reason;
    uint8_t ping[P2_PING_BYTES];
    uint8_t state; /* enum p2_sim_side_state */
    uint8_t side;
    uint8_t stranger_messages;
    bool is_flush_due;
    bool has_ping;     /* waits for its PONG */
    bool was_answered; /* the handshake came back: the port is not closed */
    bool was_heard;    /* a message came: the peer has read our first one */
    bool is_fin_sent;
    bool is_reported; /* the user knows the link: it gets on_close */
};

struct p2_sim_conn {
    struct p2_sim_conn *next;
    struct p2_sim_conn *previous;
    struct p2_link_sim *sim;
    struct p2_sim_link sides[2]; /* 0 dialled */
    struct p2_listener *listener;
    struct p2_id wanted; /* whom the dialler wants */
    uint64_t number;
    uint32_t events; /* in the queue that point here */
    uint16_t port;   /* of the dialler's end */
};

struct p2_sim_listener {
    struct p2_listener base;
    struct p2_sim_listener *next;
};

struct p2_sim_path_entry {
    struct p2_sim_path_entry *next;
    struct p2_link_sim_node *to;
    struct p2_link_sim_path path;
    uint64_t blocked_until_us; /* 0: open */
    bool has_path;
};

struct p2_link_sim_node {
    struct p2_transport base;
    struct p2_link_sim *sim;
    struct p2_link_sim_node *next;
    struct p2_sim_listener *listeners;
    struct p2_sim_path_entry *paths;
    void (*on_stopped)(void *ctx);
    void *stopped_ctx;
    struct p2_id id;
    uint8_t exchange_key[P2_KEY_BYTES];
    struct p2_ip ip;
    size_t link_count; /* links the user knows */
    uint32_t index;
    uint16_t next_port;
    bool is_crashed;
    bool is_silent; /* crashed without notice */
    bool is_stopping;
};

struct p2_link_sim {
    struct p2_link_sim_options options;
    struct p2_rng rng;
    struct p2_pool pool;
    struct p2_link_sim_node *nodes;
    struct p2_sim_conn *conns;
    struct p2_sim_event *events; /* binary heap */
    size_t event_count;
    size_t event_capacity;
    size_t conn_count;
    uint64_t now_us;
    uint64_t next_order;
    uint64_t next_conn;
    uint64_t trace;
    uint32_t node_count;
    int error;                              /* sticky: memory ran out inside an event */
    uint8_t record[P2_POOL_BLOCK_MIN * 64]; /* plaintext being filled: the real one's target size */
};

/* link_sim_net.c */
int p2_sim_push(struct p2_link_sim *sim, struct p2_sim_event event);
void p2_sim_push_side(struct p2_sim_link *side, uint8_t kind, uint64_t at_us, uint32_t size);
void p2_sim_send(struct p2_sim_link *side, uint8_t kind, uint8_t step, struct p2_span bytes);
void p2_sim_drop_segments(struct p2_sim_direction *direction);
const struct p2_link_sim_path *p2_sim_path(const struct p2_link_sim_node *from,
                                           const struct p2_link_sim_node *to);
uint64_t p2_sim_blocked_until(const struct p2_link_sim_node *from,
                              const struct p2_link_sim_node *to);
uint32_t p2_sim_window(const struct p2_link_sim_path *path);

/* link_sim.c */
void p2_sim_handle(struct p2_link_sim *sim, const struct p2_sim_event *event);
void p2_sim_conn_release(struct p2_sim_conn *conn);
void p2_sim_conn_free(struct p2_sim_conn *conn);
void p2_sim_abort(struct p2_sim_link *side, int reason);
extern const struct p2_transport_ops p2_sim_transport_ops;

static inline struct p2_sim_link *p2_sim_other(struct p2_sim_link *side)
{
    return &side->conn->sides[1 - side->side];
}

#endif
