/* Two TCP transports in one loop, an authority that listens and a helper that dials, and a raw peer
 * that speaks the protocol by hand so that tests can break its rules. */
#ifndef P2_TESTS_UNIT_LINK_TCP_FIXTURE_H
#define P2_TESTS_UNIT_LINK_TCP_FIXTURE_H

#include "base/rng.h"
#include "link/link_tcp.h"
#include "link/noise.h"
#include "link/preamble.h"
#include "link/record.h"
#include "link/wire_rules.h"
#include "tests/lib/test.h"
#include "wire/messages.h"

#include <uv.h>

/* What a side of a link saw. */
struct side {
    struct p2_link *link; /* NULL before it exists and after on_close */
    int opened;
    int closed;
    int reason;
    int messages;
    int drained;
    uint8_t last_type;
    size_t last_size;
    uint8_t last_body[64]; /* the beginning */
    uint64_t bytes;
    int accept_error;             /* of p2_link_accept */
    bool is_echoing;              /* answers LEASE by RESULT */
    bool is_undecided;            /* does not accept */
    bool closes_on_drained;       /* sends once more, then P2_E_CANCELLED */
    bool closes_on_message;       /* P2_E_CANCELLED, from inside the callback */
    uint8_t sequence[16];         /* types of the first messages */
    const struct p2_id *check_id; /* given to p2_link_accept */
};

#define SIDES_MAX   6000
#define REFUSED_MAX 6000

struct fixture {
    uv_loop_t loop;
    struct p2_rng rng;
    struct p2_identity server_identity;
    struct p2_identity client_identity;
    struct p2_transport *server;
    struct p2_transport *client;
    struct p2_listener *listener;
    struct p2_link_address address;
    struct side accepted[SIDES_MAX]; /* server sides, in order of their handshakes */
    unsigned accepted_count;
    struct side template; /* what new server sides start from */
    int refused[REFUSED_MAX];
    unsigned refused_count;
    int warnings;
    int peer_error;      /* what on_peer returns */
    bool closes_on_peer; /* on_peer closes the link with P2_E_BUSY and returns P2_OK */
    unsigned stopped;
};

/* Makes both transports, without deadlines that could pass. `change` may alter the options (is_server
 * tells whose), or is NULL. */
void fixture_start(struct fixture *fixture,
                   void (*change)(struct p2_tcp_options *options, bool is_server));

/* Stops both, frees them, and proves that the loop is empty. */
void fixture_stop(struct fixture *fixture);

/* The same when a test has stopped the server with fixture_on_stopped already. */
void fixture_stop_client(struct fixture *fixture);
void fixture_on_stopped(void *ctx);

/* Runs the loop until `is_done` is true; false after two minutes. */
bool fixture_run(struct fixture *fixture, bool (*is_done)(struct fixture *fixture, void *ctx),
                 void *ctx);

/* Runs until *counter >= wanted. */
bool fixture_wait(struct fixture *fixture, const int *counter, int wanted);
bool fixture_wait_refused(struct fixture *fixture, unsigned wanted);
bool fixture_wait_accepted(struct fixture *fixture, unsigned wanted);

/* How often `reason` was a refusal. */
unsigned fixture_refusals(const struct fixture *fixture, int reason);

/* Dials the server as a helper with `cipher`. */
int fixture_dial(struct fixture *fixture, struct side *side, enum p2_cipher cipher);

/* Dials, says HELLO, and waits until the server has accepted. Returns the server's side. */
struct side *fixture_connect(struct fixture *fixture, struct side *side, enum p2_cipher cipher);

extern const struct p2_link_events side_events;

/* ---- a peer by hand ---------------------------------------------------------------------------- */

struct raw {
    int fd;
    struct p2_noise noise;
    struct p2_record_cipher send;
    struct p2_record_cipher receive;
    uint8_t preamble[P2_PREAMBLE_BYTES];
};

/* Connects to the fixture's server; the test's other work goes on in between. */
void raw_connect(struct fixture *fixture, struct raw *raw);
void raw_write(struct raw *raw, const void *data, size_t size);

/* Reads exactly `size` bytes while the loop runs; false when the connection ended or after two minutes. */
bool raw_read(struct fixture *fixture, struct raw *raw, void *data, size_t size);

/* Starts Noise as the dialler of `server_key`, with the preamble in raw->preamble. */
void raw_noise(struct fixture *fixture, struct raw *raw, const struct p2_identity *identity,
               const uint8_t server_key[P2_KEY_BYTES]);

/* The whole handshake; false when the server ended it. */
bool raw_handshake(struct fixture *fixture, struct raw *raw, const struct p2_identity *identity);

/* Seals plaintext into a record at `out`; returns its size. */
size_t raw_seal(struct raw *raw, uint8_t *out, const void *plaintext, size_t size);

/* Seals and writes a record of one WHOLE message. */
void raw_send(struct raw *raw, uint8_t type, const void *body, size_t size);
void raw_close(struct raw *raw);

#endif
