/* overlay-node NODE-PROGRAM [OPTION...]: one node of the overlay with the product's modules, for
 * tests in network namespaces and by hand. It prints one line per event and ends with SIGTERM.
 *   --port N            UDP port; any otherwise
 *   --bootstrap H:P     may be repeated
 *   --lan               finds others on the local network
 *   --helper            offers cores, and connects where invites say
 *   --authority IP:P    wants one helper, listens there (TCP)
 *   --network N         of the DHT, 4711 otherwise
 * Whoever connects sends its id and the invite's token; the encrypted link is not used here. */
#include "base/entropy.h"
#include "link/address.h"
#include "overlay/helper_presence.h"
#include "overlay/overlay_dht.h"
#include "overlay/recruiter.h"
#include "overlay/wakeup.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define GREETING (P2_ID_BYTES + P2_INVITE_TOKEN_BYTES)

static struct {
    uv_loop_t loop;
    uv_signal_t signal;
    struct p2_overlay *overlay;
    struct p2_overlay_rules rules; /* network id of zeros: everybody here agrees on it */
    struct p2_identity identity;
    struct p2_wakeup look;
    struct p2_helper_presence *presence;
    struct p2_recruiter *recruiter;
    uv_tcp_t listener;
    bool is_listening;
} node;

/* A connection, either way. */
struct meeting {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    struct p2_link_address address;
    uint8_t greeting[GREETING];
    size_t size;
};

static void on_state(struct p2_overlay *overlay, void *ctx)
{
    (void)ctx;
    (void)printf("%s\n", p2_overlay_state_name(p2_overlay_status(overlay).state));
}

/* The process needs a moment until its port is bound. */
static void on_look(void *ctx)
{
    (void)ctx;
    if (p2_overlay_status(node.overlay).port_v4 != 0) {
        (void)printf("ready\n");
    } else {
        (void)p2_wakeup_soon(&node.look);
    }
}

static void on_down(int error, const char *text, void *ctx)
{
    (void)ctx;
    (void)printf("down: %s: %s\n", p2_error_name(error), text);
}

static void on_meeting_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void end_meeting(struct meeting *meeting)
{
    if (!uv_is_closing((uv_handle_t *)&meeting->tcp)) {
        uv_close((uv_handle_t *)&meeting->tcp, on_meeting_closed);
    }
}

static struct meeting *new_meeting(void)
{
    struct meeting *meeting = calloc(1, sizeof *meeting);
    if (meeting == NULL || uv_tcp_init(&node.loop, &meeting->tcp) != 0) {
        exit(99);
    }
    meeting->tcp.data = meeting;
    return meeting;
}

/* ---- helper -------------------------------------------------------------------------------------------- */

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    end_meeting(write->data);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct meeting *meeting = connect->data;
    (void)printf("dial %s\n", status == 0 ? "opened" : "failed");
    p2_helper_presence_dialled(node.presence, &meeting->address,
                               status == 0 ? P2_DIAL_OPENED : P2_DIAL_UNREACHED);
    if (status != 0) {
        end_meeting(meeting);
        return;
    }
    uv_buf_t buf = uv_buf_init((char *)meeting->greeting, GREETING);
    meeting->write.data = meeting;
    (void)uv_write(&meeting->write, (uv_stream_t *)&meeting->tcp, &buf, 1, on_written);
}

static bool on_dial(const struct p2_presence_dial *dial, void *ctx)
{
    struct meeting *meeting = new_meeting();
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(dial->address.port)};
    (void)ctx;
    memcpy(&to.sin_addr, dial->address.ip.bytes, sizeof to.sin_addr); /* the tests use IPv4 */
    memcpy(meeting->greeting, node.identity.public_key, P2_ID_BYTES);
    memcpy(meeting->greeting + P2_ID_BYTES, dial->token, P2_INVITE_TOKEN_BYTES);
    meeting->address = dial->address;
    meeting->connect.data = meeting;
    if (uv_tcp_connect(&meeting->connect, &meeting->tcp, (struct sockaddr *)&to, on_connected) !=
        0) {
        end_meeting(meeting);
        return false;
    }
    return true;
}

static const struct p2_presence_events presence_events = {.on_dial = on_dial};

static struct p2_rng new_rng(void)
{
    struct p2_rng rng;
    uint8_t seed[P2_KEY_BYTES];
    p2_entropy(seed, sizeof seed);
    p2_rng_init(&rng, seed, "overlay-node");
    return rng;
}

static void offer(void)
{
    const struct p2_presence_options options = {.overlay = node.overlay,
                                                .rules = &node.rules,
                                                .identity = &node.identity,
                                                .first_sequence = 1,
                                                .rng = new_rng()};
    const struct p2_capacity_ad ad = {.region = "utc", .cores = 1, .free_slots = 1};
    if (p2_helper_presence_open(&node.presence, &options, &presence_events, NULL) != P2_OK ||
        p2_helper_presence_offer(node.presence, &ad) != P2_OK) {
        exit(99);
    }
}

/* ---- authority ----------------------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t wish, uv_buf_t *buf)
{
    struct meeting *meeting = handle->data;
    (void)wish;
    *buf = uv_buf_init((char *)meeting->greeting + meeting->size,
                       (unsigned)(GREETING - meeting->size));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct meeting *meeting = stream->data;
    struct p2_id id;
    bool is_invited = false;
    const struct p2_ip unknown = {0};
    (void)buf;
    meeting->size += size > 0 ? (size_t)size : 0;
    if (size >= 0 && meeting->size < GREETING) {
        return;
    }
    if (meeting->size == GREETING) {
        struct sockaddr_in from;
        char text[INET_ADDRSTRLEN] = "?";
        int length = sizeof from;
        memcpy(id.bytes, meeting->greeting, sizeof id.bytes);
        int error = p2_recruiter_dialled_in(node.recruiter, &id, &unknown,
                                            meeting->greeting + P2_ID_BYTES, &is_invited);
        if (uv_tcp_getpeername(&meeting->tcp, (struct sockaddr *)&from, &length) == 0) {
            (void)uv_ip4_name(&from, text, sizeof text);
        }
        (void)printf("recruited: %s, %s, from %s\n", p2_error_name(error),
                     is_invited ? "invited" : "not invited", text);
    }
    end_meeting(meeting);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct meeting *meeting = new_meeting();
    if (status != 0 || uv_accept(server, (uv_stream_t *)&meeting->tcp) != 0 ||
        uv_read_start((uv_stream_t *)&meeting->tcp, on_alloc, on_read) != 0) {
        end_meeting(meeting);
    }
}

static void recruit(const char *text)
{
    struct p2_address address;
    struct p2_failure failure;
    if (p2_address_parse_endpoint(&address, text, strlen(text), &failure) != P2_OK) {
        (void)fprintf(stderr, "%s\n", failure.message);
        exit(64);
    }
    const struct p2_link_address endpoint = {address.ip, address.port};
    const struct p2_recruiter_options options = {.overlay = node.overlay,
                                                 .rules = &node.rules,
                                                 .identity = &node.identity,
                                                 .first_sequence = 1,
                                                 .region = "utc",
                                                 .invites_per_minute = 60,
                                                 .rng = new_rng()};
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(address.port)};
    (void)uv_tcp_init(&node.loop, &node.listener);
    node.is_listening = true;
    if (uv_tcp_bind(&node.listener, (struct sockaddr *)&any, 0) != 0 ||
        uv_listen((uv_stream_t *)&node.listener, 8, on_connection) != 0 ||
        p2_recruiter_open(&node.recruiter, &options) != P2_OK ||
        p2_recruiter_set_endpoints(node.recruiter, &endpoint, 1) != P2_OK) {
        exit(99);
    }
    p2_recruiter_set_want(node.recruiter, 1);
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

static void on_closed(void *ctx)
{
    (void)ctx;
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    p2_wakeup_cancel(&node.look);
    p2_helper_presence_close(node.presence);
    p2_recruiter_close(node.recruiter);
    if (node.is_listening) {
        uv_close((uv_handle_t *)&node.listener, NULL);
    }
    p2_overlay_close(node.overlay, on_closed, NULL);
    uv_close((uv_handle_t *)signal, NULL);
}

static void make_identity(void)
{
    uint8_t seed[P2_KEY_BYTES];
    do {
        p2_entropy(seed, sizeof seed);
    } while (p2_identity_from_seed(&node.identity, seed) != P2_OK);
}

int main(int argc, char **argv)
{
    const char *bootstrap[8], *authority = NULL;
    bool is_helper = false;
    struct p2_failure failure = {0};
    struct p2_overlay_dht_config config = {
        .bootstrap = bootstrap, .network = 4711, .on_down = on_down};
    if (argc < 2) {
        (void)fprintf(stderr, "usage: overlay-node NODE-PROGRAM [OPTION...]\n");
        return 64;
    }
    config.program = argv[1];
    for (int i = 2; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--lan") == 0) {
            config.finds_lan = true;
        } else if (strcmp(argv[i], "--helper") == 0) {
            is_helper = true;
        } else if (strcmp(argv[i], "--port") == 0) {
            config.port = (uint16_t)strtoul(value, NULL, 10), i++;
        } else if (strcmp(argv[i], "--network") == 0) {
            config.network = (uint32_t)strtoul(value, NULL, 10), i++;
        } else if (strcmp(argv[i], "--bootstrap") == 0 && config.bootstrap_count < 8) {
            bootstrap[config.bootstrap_count++] = value, i++;
        } else if (strcmp(argv[i], "--authority") == 0) {
            authority = value, i++;
        } else {
            (void)fprintf(stderr, "overlay-node: what is %s?\n", argv[i]);
            return 64;
        }
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)uv_loop_init(&node.loop);
    node.rules.stamp_bits = P2_STAMP_BITS_DEFAULT;
    make_identity();
    if (p2_overlay_dht_open(&node.overlay, &node.loop, &config, &failure) != P2_OK) {
        (void)fprintf(stderr, "%s\n", failure.message);
        return 1;
    }
    p2_overlay_on_state(node.overlay, on_state, NULL);
    p2_wakeup_init(&node.look, node.overlay, on_look, NULL);
    (void)p2_wakeup_soon(&node.look);
    if (is_helper) {
        offer();
    }
    if (authority != NULL) {
        recruit(authority);
    }
    (void)uv_signal_init(&node.loop, &node.signal);
    (void)uv_signal_start(&node.signal, on_signal, SIGTERM);
    (void)uv_run(&node.loop, UV_RUN_DEFAULT);
    return uv_loop_close(&node.loop) == 0 ? 0 : 1;
}
