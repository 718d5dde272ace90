/* The subcommand `fanout`: many links, few messages each (row 7 of DESIGN 14). A server process, and a
 * client process with all the links: `active` of them send RESULT messages at a steady rate, the others
 * are idle. Measured at the server: CPU time per message, and memory per connection. The floor F1 does
 * the same with bare libuv and the same AEAD, keys fixed, no handshake.
 *
 * Memory: what the process takes from the system (resident anonymous pages) for all links, divided. The
 * system's socket buffers are in the kernel and are the same for both. */
#include "tests/bench/bench_link.h"

#include "base/entropy.h"
#include "link/link_tcp.h"
#include "link/record.h"
#include "link/wire_rules.h"
#include "wire/decode.h"
#include "wire/encode.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#define REPS_MAX      99
#define LINKS_MAX     9000u
#define BODY_BYTES    64u
#define DIALS_AT_ONCE 64u /* chosen: below the listener's backlog */
#define TICK_MS       5u
#define STARTED       1 /* bytes on the pipe from client to server: all links are there; the end */
#define ENDED         2

struct fanout_case {
    uint32_t links, active, per_s, seconds_ms;
    enum p2_cipher cipher;
};

struct fanout_result {
    double cpu_us;     /* server, per message */
    double bytes;      /* server, per connection */
    double messages_s; /* that arrived */
};

static const struct fanout_case *bench;
static int to_server;   /* the client's end of the pipe */
static int from_client; /* the server's */

/* ---- what both kinds of server count ----------------------------------------------------------- */

struct tally {
    uv_pipe_t pipe;
    uv_loop_t *loop;
    char byte[16];
    uint64_t messages, first_messages;
    uint64_t cpu_ns, start_ns;
    uint64_t memory;
    struct fanout_result result;
};

static struct tally tally;

static uint64_t cpu_ns(void)
{
    struct timespec used;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * UINT64_C(1000000000) + (uint64_t)used.tv_nsec;
}

/* Resident pages that are no file's. */
static uint64_t memory_bytes(void)
{
    unsigned long total = 0;
    unsigned long resident = 0;
    unsigned long shared = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL || fscanf(file, "%lu %lu %lu", &total, &resident, &shared) != 3) {
        bench_die("/proc/self/statm");
    }
    (void)fclose(file);
    return (uint64_t)(resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void on_byte(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    (void)stream;
    (void)buffer;
    for (ssize_t i = 0; i < got; i++) {
        if (tally.byte[i] == STARTED) {
            tally.result.bytes = (double)(memory_bytes() - tally.memory) / bench->links;
            tally.first_messages = tally.messages;
            tally.cpu_ns = cpu_ns();
            tally.start_ns = bench_now_ns();
        } else {
            double count = (double)(tally.messages - tally.first_messages);
            tally.result.cpu_us = (double)(cpu_ns() - tally.cpu_ns) / 1e3 / count;
            tally.result.messages_s = count * 1e9 / (double)(bench_now_ns() - tally.start_ns);
            uv_stop(tally.loop);
        }
    }
}

static void on_alloc_byte(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(tally.byte, sizeof tally.byte);
}

static void tally_start(uv_loop_t *loop)
{
    memset(&tally, 0, sizeof tally);
    tally.loop = loop;
    (void)uv_pipe_init(loop, &tally.pipe, 0);
    if (uv_pipe_open(&tally.pipe, from_client) != 0) {
        bench_die("the pipe");
    }
    (void)uv_read_start((uv_stream_t *)&tally.pipe, on_alloc_byte, on_byte);
    tally.memory = memory_bytes();
}

static void tell(uint8_t what)
{
    if (write(to_server, &what, 1) != 1) {
        bench_die("the pipe");
    }
}

/* The client's rhythm: spreads the active links' messages over time. */
struct rhythm {
    uv_timer_t timer;
    uint64_t start_ns, end_ns, sent;
    void (*send)(uint32_t link);
};

static struct rhythm rhythm;

static void on_rhythm(uv_timer_t *timer)
{
    uint64_t now = bench_now_ns();
    if (now >= rhythm.end_ns) {
        tell(ENDED);
        (void)uv_timer_stop(timer);
        uv_stop(timer->loop);
        return;
    }
    uint64_t wanted =
        (uint64_t)((double)(now - rhythm.start_ns) / 1e9 * bench->active * bench->per_s);
    for (; rhythm.sent < wanted; rhythm.sent++) {
        rhythm.send((uint32_t)(rhythm.sent % bench->active));
    }
}

static void rhythm_start(uv_loop_t *loop, void (*send)(uint32_t link))
{
    tell(STARTED);
    rhythm.start_ns = bench_now_ns();
    rhythm.end_ns = rhythm.start_ns + (uint64_t)bench->seconds_ms * 1000000u;
    rhythm.sent = 0;
    rhythm.send = send;
    (void)uv_timer_init(loop, &rhythm.timer);
    (void)uv_timer_start(&rhythm.timer, on_rhythm, TICK_MS, TICK_MS);
}

static size_t make_message(uint8_t *out, size_t size)
{
    static const uint8_t body[BODY_BYTES];
    struct p2_msg_result result = {.id = 1, .output = p2_span(body, sizeof body)};
    struct p2_writer writer;
    p2_writer_init(&writer, out, size);
    if (p2_wire_encode_result(&writer, &result) != P2_OK) {
        bench_die("encode");
    }
    return writer.size;
}

/* ---- ours -------------------------------------------------------------------------------------- */

static struct p2_transport *transport;
static struct p2_link *links[LINKS_MAX];
static uint32_t link_count, dialled;
static uv_loop_t loop;
static struct p2_identity own_identity;

static void must(int error, const char *what)
{
    if (error != P2_OK) {
        (void)fprintf(stderr, "p2c2r-bench: %s: %s\n", what, p2_error_text(error));
        exit(99);
    }
}

static void identity_of(struct p2_identity *identity, uint8_t first)
{
    uint8_t seed[P2_KEY_BYTES] = {first};
    while (p2_identity_from_seed(identity, seed) != P2_OK) {
        seed[1]++;
    }
}

static void draw(void *ctx, void *out, size_t size)
{
    (void)ctx;
    p2_entropy(out, size);
}

static void ours_open(uint8_t key)
{
    struct p2_tcp_options options;
    identity_of(&own_identity, key);
    if (uv_loop_init(&loop) != 0) {
        bench_die("a loop");
    }
    p2_tcp_options_init(&options);
    options.loop = &loop;
    options.identity = &own_identity;
    options.rules = &p2_link_wire_rules;
    options.entropy = draw;
    options.local_peers = P2_LOCAL_PEERS_ALLOW;
    options.connections_max = LINKS_MAX;
    options.unaccepted_max = LINKS_MAX;
    options.per_prefix_max = LINKS_MAX;
    options.handshakes_per_turn = 64;
    options.handshake_timeout_ms = options.stranger_timeout_ms = 60000;
    options.memory_max = (size_t)1 << 30;
    must(p2_tcp_new(&transport, &options), "transport");
}

static void server_message(struct p2_link *link, uint8_t type, struct p2_span body, void *ctx)
{
    (void)ctx;
    if (type == P2_MSG_HELLO) {
        must(p2_link_accept(link, P2_ROLE_HELPER, NULL), "accept");
        must(p2_link_send(link, P2_MSG_CANCEL, p2_span("\x91\x01", 2)), "send");
        return;
    }
    struct p2_msg_result result;
    must(p2_wire_decode_result(&result, body), "decode");
    tally.messages++;
}

static void any_close(struct p2_link *link, int reason, void *ctx)
{
    (void)link;
    (void)ctx;
    must(reason, "a link closed");
}

static const struct p2_link_events server_events = {.on_message = server_message,
                                                    .on_close = any_close};

static int on_peer(struct p2_link *link, void *ctx, void **ret_ctx)
{
    (void)link;
    *ret_ctx = ctx;
    return P2_OK;
}

static struct p2_link_address loopback(uint16_t port)
{
    static const uint8_t bytes[4] = {127, 0, 0, 1};
    return (struct p2_link_address){.ip = p2_ip_from_v4(bytes), .port = port};
}

/* The process ends right after: handles, links and keys go with it. */
static void ours_serve(int publish)
{
    struct p2_listener *listener = NULL;
    ours_open(1);
    struct p2_listen_options options = {.address = loopback(0),
                                        .own_role = P2_ROLE_AUTHORITY,
                                        .events = &server_events,
                                        .on_peer = on_peer};
    must(p2_transport_listen(transport, &options, &listener), "listen");
    tally_start(&loop);
    uint16_t port = p2_listener_address(listener).port;
    if (write(publish, &port, sizeof port) != (ssize_t)sizeof port) {
        bench_die("write");
    }
    (void)uv_run(&loop, UV_RUN_DEFAULT);
}

static uint16_t server_port;
static void ours_dial(void);

static void ours_send(uint32_t index)
{
    uint8_t message[256];
    size_t size = make_message(message, sizeof message);
    must(p2_link_send(links[index], P2_MSG_RESULT, p2_span(message, size)), "send");
}

static void client_open(struct p2_link *link, void *ctx)
{
    (void)ctx;
    must(p2_link_send(link, P2_MSG_HELLO, p2_span("hello", 5)), "hello");
}

/* The server's first message: this link is accepted. */
static void client_message(struct p2_link *link, uint8_t type, struct p2_span body, void *ctx)
{
    (void)type;
    (void)body;
    (void)ctx;
    links[link_count++] = link;
    if (link_count == bench->links) {
        rhythm_start(&loop, ours_send);
    } else if (dialled < bench->links) {
        ours_dial();
    }
}

static const struct p2_link_events client_events = {
    .on_open = client_open, .on_message = client_message, .on_close = any_close};

static void ours_dial(void)
{
    struct p2_identity server;
    identity_of(&server, 1);
    struct p2_link *link = NULL;
    struct p2_link_target target = {.address = loopback(server_port),
                                    .cipher = bench->cipher,
                                    .own_role = P2_ROLE_HELPER,
                                    .peer_role = P2_ROLE_AUTHORITY,
                                    .events = &client_events};
    memcpy(target.id.bytes, server.public_key, P2_ID_BYTES);
    dialled++;
    must(p2_transport_dial(transport, &target, &link), "dial");
}

static void ours_client(uint16_t port)
{
    server_port = port;
    ours_open(2);
    for (uint32_t i = 0; i < DIALS_AT_ONCE && dialled < bench->links; i++) {
        ours_dial();
    }
    (void)uv_run(&loop, UV_RUN_DEFAULT);
}

/* ---- the floor --------------------------------------------------------------------------------- */

struct floor_link {
    uv_tcp_t handle;
    uv_connect_t connect;
    struct p2_record_cipher cipher;
};

static uint8_t shared_input[65536]; /* one read buffer for all: records are small and whole */
static uv_tcp_t floor_listener;
static struct floor_link *floor_links[LINKS_MAX];

static struct floor_link *floor_new(void)
{
    static const uint8_t key[P2_KEY_BYTES] = {1};
    struct floor_link *link = calloc(1, sizeof *link);
    if (link == NULL || p2_record_init(&link->cipher, bench->cipher, key) != P2_OK) {
        bench_die("a link of the floor");
    }
    (void)uv_tcp_init(&loop, &link->handle);
    link->handle.data = link;
    return link;
}

static void floor_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init((char *)shared_input, sizeof shared_input);
}

static void floor_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    struct floor_link *link = stream->data;
    (void)buffer;
    size_t at = 0;
    while (got > 0 && (size_t)got - at >= P2_RECORD_HEADER_BYTES) {
        size_t length = p2_load_be16(shared_input + at);
        if ((size_t)got - at - P2_RECORD_HEADER_BYTES < length) {
            bench_die("the floor reads whole records only");
        }
        uint8_t *record = shared_input + at + P2_RECORD_HEADER_BYTES;
        if (p2_record_open(&link->cipher, record, record, length) != P2_OK) {
            bench_die("a record does not open");
        }
        tally.messages++;
        at += P2_RECORD_HEADER_BYTES + length;
    }
}

static void floor_connection(uv_stream_t *server, int status)
{
    struct floor_link *link = floor_new();
    if (status != 0 || uv_accept(server, (uv_stream_t *)&link->handle) != 0) {
        bench_die("accept");
    }
    (void)uv_read_start((uv_stream_t *)&link->handle, floor_alloc, floor_read);
}

static void floor_serve(int publish)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int size = sizeof where;
    (void)uv_loop_init(&loop);
    (void)uv_tcp_init(&loop, &floor_listener);
    if (uv_tcp_bind(&floor_listener, (const struct sockaddr *)&where, 0) != 0 ||
        uv_listen((uv_stream_t *)&floor_listener, 1024, floor_connection) != 0 ||
        uv_tcp_getsockname(&floor_listener, (struct sockaddr *)&where, &size) != 0) {
        bench_die("listen");
    }
    tally_start(&loop);
    uint16_t port = ntohs(where.sin_port);
    if (write(publish, &port, sizeof port) != (ssize_t)sizeof port) {
        bench_die("write");
    }
    (void)uv_run(&loop, UV_RUN_DEFAULT);
}

static void floor_send(uint32_t index)
{
    struct floor_link *link = floor_links[index];
    uint8_t message[256];
    uint8_t sealed[512];
    size_t size = make_message(message, sizeof message);
    (void)p2_record_seal(&link->cipher, sealed, message, size);
    uv_buf_t buffer = uv_buf_init((char *)sealed, (unsigned)(size + P2_RECORD_OVERHEAD));
    if (uv_try_write((uv_stream_t *)&link->handle, &buffer, 1) != (int)buffer.len) {
        bench_die("a small write");
    }
}

static void floor_dial(void);

static void floor_connected(uv_connect_t *request, int status)
{
    if (status != 0) {
        bench_die("connect");
    }
    floor_links[link_count++] = request->data;
    if (link_count == bench->links) {
        rhythm_start(&loop, floor_send);
    } else if (dialled < bench->links) {
        floor_dial();
    }
}

static void floor_dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(server_port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct floor_link *link = floor_new();
    link->connect.data = link;
    dialled++;
    if (uv_tcp_connect(&link->connect, &link->handle, (const struct sockaddr *)&to,
                       floor_connected) != 0) {
        bench_die("connect");
    }
}

static void floor_client(uint16_t port)
{
    server_port = port;
    (void)uv_loop_init(&loop);
    for (uint32_t i = 0; i < DIALS_AT_ONCE && dialled < bench->links; i++) {
        floor_dial();
    }
    (void)uv_run(&loop, UV_RUN_DEFAULT);
}

/* ---- one measurement --------------------------------------------------------------------------- */

static struct fanout_result measure(void (*serve)(int publish), void (*client)(uint16_t port))
{
    int results[2];
    int ports[2];
    int signals[2];
    if (pipe(results) != 0 || pipe(ports) != 0 || pipe(signals) != 0) {
        bench_die("pipe");
    }
    int server = fork();
    if (server == 0) {
        (void)close(signals[1]);
        from_client = signals[0];
        serve(ports[1]);
        _exit(write(results[1], &tally.result, sizeof tally.result) > 0 ? 0 : 99);
    }
    int other = fork();
    if (other == 0) {
        uint16_t port = 0;
        to_server = signals[1];
        if (read(ports[0], &port, sizeof port) == (ssize_t)sizeof port) {
            client(port);
        }
        (void)uv_sleep(200); /* the server reads the last byte before the links go */
        _exit(0);
    }
    struct fanout_result result;
    (void)close(results[1]);
    (void)close(ports[1]);
    (void)close(ports[0]);
    (void)close(signals[0]);
    (void)close(signals[1]);
    if (server < 0 || other < 0 ||
        read(results[0], &result, sizeof result) != (ssize_t)sizeof result) {
        (void)fputs("p2c2r-bench: fanout did not finish\n", stderr);
        exit(99);
    }
    (void)close(results[0]);
    (void)waitpid(server, NULL, 0);
    (void)waitpid(other, NULL, 0);
    return result;
}

static void print_result(const char *name, const struct fanout_result *result)
{
    (void)printf("N\t%s\tlinks=%u\tactive=%u\tmessages_s=%.0f\tcpu_us=%.2f\tbytes_per_link=%.0f\n",
                 name, bench->links, bench->active, result->messages_s, result->cpu_us,
                 result->bytes);
    (void)fflush(stdout);
}

static uint32_t number(const char *text, double low, double high, double scale)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= low && value <= high)) {
        (void)fprintf(stderr, "p2c2r-bench: %s is not a number from %g to %g\n", text, low, high);
        exit(2);
    }
    return (uint32_t)(value * scale);
}

static void run(uint32_t reps)
{
    double ratios[REPS_MAX];
    double bytes[REPS_MAX];
    for (uint32_t i = 0; i < reps; i++) {
        struct fanout_result floor = measure(floor_serve, floor_client);
        print_result("F1", &floor);
        struct fanout_result ours = measure(ours_serve, ours_client);
        print_result("ours", &ours);
        ratios[i] = ours.cpu_us / floor.cpu_us;
        bytes[i] = ours.bytes;
    }
    double ratio = bench_median(ratios, reps);
    double memory = bench_median(bytes, reps);
    (void)printf("R\trow 7 CPU per message against F1\tmedian=%.3f\tbar<=1.50\taim<=1.20\t%s\n",
                 ratio, ratio <= 1.5 ? "HOLDS" : "MISSED");
    (void)printf("R\trow 7 memory per connection\tmedian=%.0f bytes\tbar<=6144\taim<=2048\t%s\n",
                 memory, memory <= 6144 ? "HOLDS" : "MISSED");
}

int bench_fanout_main(int argc, char **argv)
{
    static const struct option options[] = {
        {"active", required_argument, NULL, 'a'}, {"idle", required_argument, NULL, 'i'},
        {"rate", required_argument, NULL, 'r'},   {"seconds", required_argument, NULL, 's'},
        {"reps", required_argument, NULL, 'n'},   {NULL, 0, NULL, 0}};
    struct fanout_case own = {.active = 1000, .per_s = 10, .seconds_ms = 2000};
    uint32_t idle = 4000;
    uint32_t reps = 5;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'a') {
            own.active = number(optarg, 1, LINKS_MAX / 2, 1);
        } else if (option == 'i') {
            idle = number(optarg, 0, LINKS_MAX / 2, 1);
        } else if (option == 'r') {
            own.per_s = number(optarg, 1, 1000, 1);
        } else if (option == 's') {
            own.seconds_ms = number(optarg, 0.1, 3600, 1000);
        } else if (option == 'n') {
            reps = number(optarg, 1, REPS_MAX, 1);
        } else {
            (void)fputs("Usage: p2c2r-bench fanout [--active N] [--idle N] [--rate N] "
                        "[--seconds S] [--reps N]\n",
                        stderr);
            return 2;
        }
    }
    own.links = own.active + idle;
    own.cipher = p2_cipher_available(P2_CIPHER_AESGCM) ? P2_CIPHER_AESGCM : P2_CIPHER_CHACHAPOLY;
    bench = &own;
    struct rlimit files = {own.links + 64u, own.links + 64u};
    struct rlimit now;
    if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur < files.rlim_cur) {
        files.rlim_max = now.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &files) != 0) {
            bench_die("this many links need a higher limit of open files (ulimit -n)");
        }
    }
    run(reps);
    return 0;
}
