/* The parent's side against a process that plays the node (fake-dht.c): died, hanging, lying,
 * flooding, and back again. */
#include "tests/lib/test.h"

#include "overlay/dht_child.h"
#include "overlay/dht_port.h"
#include "overlay/overlay_dht.h"

#include <dirent.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Ends a test that waits for what does not come. */
#define PATIENCE_MS 90000

static uv_loop_t loop;
static struct p2_overlay *overlay;
static char program[PATH_MAX];
static uint8_t good_nodes[P2_OVERLAY_DHT_NODES_BYTES];
static size_t good_nodes_size;
static int downs, down_error, closed, lists;
static char down_text[P2_FAILURE_MESSAGE_MAX];
static bool is_late;
static const struct p2_overlay_key key = {.bytes = {1, 2, 3}};

/* What an operation reported. */
struct seen {
    int values, ends, result;
    enum p2_overlay_verdict verdict;
    void (*then)(struct p2_overlay_op *op); /* in a callback */
    char last[16];
};

static enum p2_overlay_verdict on_value(struct p2_overlay_op *op, struct p2_span value, void *ctx)
{
    struct seen *seen = ctx;
    CU_ASSERT_EQUAL(seen->ends, 0);
    seen->values++;
    (void)snprintf(seen->last, sizeof seen->last, "%.*s", (int)value.size,
                   (const char *)value.data);
    if (seen->then != NULL) {
        seen->then(op);
    }
    return seen->verdict;
}

static void on_end(struct p2_overlay_op *op, int result, void *ctx)
{
    struct seen *seen = ctx;
    seen->ends++;
    seen->result = result;
    if (seen->then != NULL) {
        seen->then(op);
    }
}

static const struct p2_overlay_events events = {.on_value = on_value, .on_end = on_end};
static const struct p2_overlay_limits limits = {.values_max = 10, .time_ms = 10000};

static void on_down(int error, const char *text, void *ctx)
{
    (void)ctx;
    downs++;
    down_error = error;
    (void)snprintf(down_text, sizeof down_text, "%s", text);
}

static void on_nodes(struct p2_span nodes, void *ctx)
{
    (void)ctx;
    lists++;
    memcpy(good_nodes, nodes.data, nodes.size);
    good_nodes_size = nodes.size;
}

static void on_closed(void *ctx)
{
    (void)ctx;
    closed++;
    overlay = NULL;
}

static void on_patience(uv_timer_t *timer)
{
    (void)timer;
    is_late = true;
}

/* Turns the loop until *number reaches `least`. */
static void run_until(const int *number, int least)
{
    uv_timer_t timer;
    is_late = false;
    (void)uv_timer_init(&loop, &timer);
    (void)uv_timer_start(&timer, on_patience, PATIENCE_MS, 0);
    while (*number < least && !is_late) {
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    CU_ASSERT_FALSE(is_late);
}

static void run_until_state(enum p2_overlay_state state)
{
    uv_timer_t timer;
    is_late = false;
    (void)uv_timer_init(&loop, &timer);
    (void)uv_timer_start(&timer, on_patience, PATIENCE_MS, 0);
    while (p2_overlay_status(overlay).state != state && !is_late) {
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    CU_ASSERT_FALSE(is_late);
}

/* Opens the overlay over the fake process that misbehaves as `name` says. */
static void open_fake(const char *name)
{
    char target[PATH_MAX];
    const char *build = getenv("top_builddir");
    struct p2_failure failure = {0};
    downs = down_error = closed = lists = 0;
    good_nodes_size = 0;
    (void)snprintf(target, sizeof target, "%s/tests/unit/overlay/fake-dht",
                   build != NULL ? build : ".");
    char *absolute = realpath(target, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(absolute);
    (void)snprintf(program, sizeof program, "%s/%s", p2_test_folder_make(), name);
    CU_ASSERT_EQUAL_FATAL(symlink(absolute, program), 0);
    free(absolute);
    CU_ASSERT_EQUAL_FATAL(uv_loop_init(&loop), 0);
    /* Only who is to be caught hanging has little time: a loaded machine makes everybody slow. */
    bool is_hanging = strncmp(name, "hang", 4) == 0 || strncmp(name, "never-ready", 11) == 0;
    const struct p2_overlay_dht_config config = {.program = program,
                                                 .on_down = on_down,
                                                 .on_nodes = on_nodes,
                                                 .restart_min_ms = 20,
                                                 .start_ms = is_hanging ? 2000 : PATIENCE_MS,
                                                 .beat_ms = 50,
                                                 .hang_ms = is_hanging ? 1500 : PATIENCE_MS};
    P2_ASSERT_ERROR(p2_overlay_dht_open(&overlay, &loop, &config, &failure), P2_OK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(overlay);
}

static void close_fake(void)
{
    if (closed == 0) {
        p2_overlay_close(overlay, on_closed, NULL);
        CU_ASSERT_EQUAL(closed, 0);
        run_until(&closed, 1);
    }
    P2_ASSERT_EQUAL(closed, 1);
    P2_ASSERT_EQUAL(uv_loop_close(&loop), 0);
    p2_test_folder_remove();
}

static void publish(const char *text, struct seen *seen)
{
    P2_ASSERT_ERROR(
        p2_overlay_publish(overlay, &key, p2_span(text, strlen(text)), &events, seen, NULL), P2_OK);
    CU_ASSERT_EQUAL(seen->ends, 0);
}

static void lookup(struct seen *seen)
{
    P2_ASSERT_ERROR(p2_overlay_lookup(overlay, &key, &limits, &events, seen, NULL), P2_OK);
}

/* ---- an honest node -------------------------------------------------------------------------------- */

static void what_is_published_is_looked_up_and_watched(void)
{
    struct seen watch = {0}, put = {0}, get = {0};
    open_fake("honest");
    P2_ASSERT_ERROR(p2_overlay_watch(overlay, &key, &events, &watch, NULL), P2_OK);
    publish("hello", &put);
    run_until(&put.ends, 1);
    P2_ASSERT_ERROR(put.result, P2_OK);
    lookup(&get);
    run_until(&get.ends, 1);
    P2_ASSERT_ERROR(get.result, P2_OK);
    P2_ASSERT_EQUAL(get.values, 1);
    CU_ASSERT_STRING_EQUAL(get.last, "hello");
    run_until(&watch.values, 1);
    CU_ASSERT_STRING_EQUAL(watch.last, "hello");
    struct p2_overlay_status status = p2_overlay_status(overlay);
    P2_ASSERT_EQUAL(status.published, 1);
    P2_ASSERT_EQUAL(status.looked_up, 1);
    P2_ASSERT_EQUAL(status.values, 2);
    P2_ASSERT_EQUAL(status.value_bytes, 10);
    P2_ASSERT_EQUAL(status.operations, 1);
    P2_ASSERT_EQUAL(status.port_v4, 4222);
    run_until_state(P2_OVERLAY_CONNECTED);
    P2_ASSERT_EQUAL(downs, 0);
    close_fake();
    P2_ASSERT_EQUAL(watch.ends, 1);
    P2_ASSERT_ERROR(watch.result, P2_E_CANCELLED);
}

static void a_reader_that_has_enough_ends_the_lookup(void)
{
    struct seen put = {0}, get = {.verdict = P2_OVERLAY_STOP};
    open_fake("honest");
    publish("one", &put);
    publish("two", &put);
    run_until(&put.ends, 2);
    lookup(&get);
    run_until(&get.ends, 1);
    P2_ASSERT_ERROR(get.result, P2_OK);
    P2_ASSERT_EQUAL(get.values, 1);
    close_fake();
    P2_ASSERT_EQUAL(get.ends, 1);
}

static void cancel_operation(struct p2_overlay_op *op)
{
    p2_overlay_cancel(overlay, op);
}

static void close_in_callback(struct p2_overlay_op *op)
{
    (void)op;
    p2_overlay_close(overlay, on_closed, NULL);
}

static void an_operation_may_be_cancelled_inside_its_callbacks(void)
{
    struct seen put = {.then = cancel_operation}, get = {.then = cancel_operation};
    struct seen last = {0};
    open_fake("honest");
    publish("one", &put);
    run_until(&put.ends, 1);
    lookup(&get);
    run_until(&get.values, 1);
    lookup(&last);
    run_until(&last.ends, 1);
    P2_ASSERT_EQUAL(get.ends, 0);
    P2_ASSERT_EQUAL(p2_overlay_status(overlay).operations, 0);
    close_fake();
}

static void the_overlay_may_be_closed_inside_a_callback(void)
{
    struct seen put = {.then = close_in_callback}, watch = {0};
    open_fake("honest");
    P2_ASSERT_ERROR(p2_overlay_watch(overlay, &key, &events, &watch, NULL), P2_OK);
    publish("one", &put);
    run_until(&closed, 1);
    P2_ASSERT_EQUAL(put.ends, 1);
    P2_ASSERT_EQUAL(watch.ends, 1);
    P2_ASSERT_ERROR(watch.result, P2_E_CANCELLED);
    close_fake();
}

static void nothing_is_accepted_while_it_closes(void)
{
    struct seen seen = {0};
    open_fake("honest");
    p2_overlay_close(overlay, on_closed, NULL);
    P2_ASSERT_ERROR(p2_overlay_watch(overlay, &key, &events, &seen, NULL), P2_E_DRAINING);
    P2_ASSERT_EQUAL(p2_overlay_status(overlay).state, P2_OVERLAY_CLOSED);
    run_until(&closed, 1);
    close_fake();
}

static void the_number_of_operations_is_bounded(void)
{
    struct seen seen = {0};
    open_fake("honest");
    for (int i = 0; i < P2_OVERLAY_OPS_MAX; i++) {
        P2_ASSERT_ERROR(p2_overlay_watch(overlay, &key, &events, &seen, NULL), P2_OK);
    }
    P2_ASSERT_ERROR(p2_overlay_watch(overlay, &key, &events, &seen, NULL), P2_E_AGAIN);
    close_fake();
    P2_ASSERT_EQUAL(seen.ends, P2_OVERLAY_OPS_MAX);
}

static void no_more_than_twenty_operations_start_in_a_second(void)
{
    struct seen seen = {0};
    open_fake("honest");
    run_until_state(P2_OVERLAY_CONNECTED);
    uint64_t from = uv_now(&loop);
    for (int i = 0; i <= 2 * P2_OVERLAY_STARTS_PER_S; i++) {
        publish("x", &seen);
    }
    run_until(&seen.ends, 2 * P2_OVERLAY_STARTS_PER_S + 1);
    CU_ASSERT_TRUE(uv_now(&loop) - from >= 2000);
    close_fake();
}

static void good_nodes_are_given_while_it_runs_but_not_too_often(void)
{
    open_fake("tells-nodes");
    run_until(&lists, 1);
    run_until_state(P2_OVERLAY_CONNECTED); /* the other lists came before the first heartbeat */
    P2_ASSERT_EQUAL(lists, 1);
    P2_ASSERT_EQUAL(downs, 0);
    close_fake();
    P2_ASSERT_EQUAL(lists, 2);
}

static void alarms_come_in_their_order_and_not_before_their_time(void)
{
    struct seen first = {0}, second = {0}, never = {0}, put = {0};
    struct p2_overlay_op *op = NULL;
    open_fake("honest");
    uint64_t from_us = p2_overlay_now(overlay).mono_us;
    P2_ASSERT_ERROR(p2_overlay_alarm(overlay, from_us + 60000, &events, &second, NULL), P2_OK);
    P2_ASSERT_ERROR(p2_overlay_alarm(overlay, 0, &events, &first, NULL), P2_OK);
    P2_ASSERT_ERROR(p2_overlay_alarm(overlay, from_us + 50000, &events, &never, &op), P2_OK);
    P2_ASSERT_EQUAL(first.ends, 0);
    run_until(&first.ends, 1);
    P2_ASSERT_EQUAL(second.ends, 0);
    p2_overlay_cancel(overlay, op);
    run_until(&second.ends, 1);
    P2_ASSERT_ERROR(second.result, P2_OK);
    CU_ASSERT_TRUE(p2_overlay_now(overlay).mono_us >= from_us + 60000);
    P2_ASSERT_EQUAL(never.ends, 0);
    for (int i = 0; i < P2_OVERLAY_ALARMS_MAX; i++) {
        P2_ASSERT_ERROR(p2_overlay_alarm(overlay, UINT64_MAX / 2, &events, &never, NULL), P2_OK);
    }
    P2_ASSERT_ERROR(p2_overlay_alarm(overlay, 0, &events, &never, NULL), P2_E_AGAIN);
    publish("hello", &put); /* they take no room from others */
    run_until(&put.ends, 1);
    close_fake();
    P2_ASSERT_EQUAL(never.ends, P2_OVERLAY_ALARMS_MAX);
    P2_ASSERT_ERROR(never.result, P2_E_CANCELLED);
}

static void good_nodes_are_given_when_it_closes(void)
{
    /* PEERS, one node, IPv4 192.0.2.1, 12 zeros, port 4222 */
    static const uint8_t expected[] = {2, 1, 4, 192, 0, 2, 1, 0, 0,  0,  0,
                                       0, 0, 0, 0,   0, 0, 0, 0, 16, 126};
    open_fake("honest");
    run_until_state(P2_OVERLAY_CONNECTED);
    close_fake();
    P2_ASSERT_EQUAL(good_nodes_size, sizeof expected);
    P2_ASSERT_BYTES(good_nodes, expected, sizeof expected);
}

/* ---- a node that fails -------------------------------------------------------------------------------- */

/* A watch, a publish and a lookup survive what the process does in its first run. */
static void survives(const char *name, int error)
{
    struct seen watch = {0}, put = {0}, get = {0};
    open_fake(name);
    P2_ASSERT_ERROR(p2_overlay_watch(overlay, &key, &events, &watch, NULL), P2_OK);
    publish("hello", &put);
    run_until(&put.ends, 1);
    P2_ASSERT_ERROR(put.result, P2_OK);
    lookup(&get);
    run_until(&get.ends, 1);
    P2_ASSERT_ERROR(get.result, P2_OK);
    CU_ASSERT_TRUE(get.values >= 1);
    run_until(&watch.values, 1);
    P2_ASSERT_EQUAL(watch.ends, 0);
    P2_ASSERT_EQUAL(downs, 1);
    P2_ASSERT_ERROR(down_error, error);
    CU_ASSERT_TRUE(down_text[0] != '\0');
    P2_ASSERT_EQUAL(p2_overlay_status(overlay).restarts, 1);
    P2_ASSERT_ERROR(p2_overlay_status(overlay).last_error, error);
    close_fake();
}

static void operations_survive_a_node_that_dies(void)
{
    survives("dies", P2_E_CLOSED);
}

static void operations_survive_a_node_that_dies_before_it_is_ready(void)
{
    survives("dies-at-once", P2_E_CLOSED);
}

static void operations_survive_a_node_that_hangs(void)
{
    survives("hangs", P2_E_STALLED);
}

static void operations_survive_a_node_that_never_gets_ready(void)
{
    survives("never-ready", P2_E_STALLED);
}

static void operations_survive_a_node_that_sends_garbage(void)
{
    survives("garbage", P2_E_BAD_TYPE);
}

static void operations_survive_a_node_that_sends_too_long_messages(void)
{
    survives("too-long", P2_E_RANGE);
}

static void operations_survive_a_node_that_floods(void)
{
    survives("floods", P2_E_FLOOD);
}

static void operations_survive_a_node_that_answers_before_it_is_ready(void)
{
    survives("answers-early", P2_E_UNSOLICITED);
}

static void operations_survive_a_node_that_is_ready_twice(void)
{
    survives("ready-twice", P2_E_UNSOLICITED);
}

static void operations_survive_a_node_that_ends_a_watch(void)
{
    survives("ends-watch", P2_E_MALFORMED);
}

static void operations_survive_a_node_that_answers_a_publish_with_a_value(void)
{
    survives("answers-put-with-value", P2_E_UNSOLICITED);
}

static void a_wrong_heartbeat_is_garbage(void)
{
    open_fake("wrong-beat");
    run_until(&downs, 1);
    P2_ASSERT_ERROR(down_error, P2_E_UNSOLICITED);
    run_until_state(P2_OVERLAY_CONNECTED);
    close_fake();
}

static void late_answers_for_earlier_operations_are_ignored(void)
{
    struct seen put = {0}, get = {0};
    open_fake("strays");
    publish("hello", &put);
    run_until(&put.ends, 1);
    lookup(&get);
    run_until(&get.ends, 1);
    P2_ASSERT_EQUAL(get.values, 1);
    P2_ASSERT_EQUAL(downs, 0);
    close_fake();
}

static void a_lookup_never_reports_more_than_its_limit(void)
{
    struct seen get = {0};
    open_fake("says-too-much");
    lookup(&get);
    run_until(&get.ends, 1);
    P2_ASSERT_ERROR(get.result, P2_E_LIMIT);
    P2_ASSERT_EQUAL(get.values, 10);
    close_fake();
}

static void a_watch_reports_a_bounded_number_a_second(void)
{
    struct seen watch = {0}, put = {0};
    open_fake("watch-flood");
    P2_ASSERT_ERROR(p2_overlay_watch(overlay, &key, &events, &watch, NULL), P2_OK);
    publish("hello", &put);
    run_until(&put.ends, 1); /* behind the 2,000 values of junk */
    CU_ASSERT_TRUE(watch.values >= P2_OVERLAY_WATCH_VALUES_PER_S);
    CU_ASSERT_TRUE(watch.values <= 3 * P2_OVERLAY_WATCH_VALUES_PER_S);
    P2_ASSERT_EQUAL(downs, 0);
    close_fake();
}

static void a_publish_nobody_takes_is_unreachable(void)
{
    struct seen put = {0};
    open_fake("alone");
    publish("hello", &put);
    run_until(&put.ends, 1);
    P2_ASSERT_ERROR(put.result, P2_E_UNREACHABLE);
    close_fake();
}

static void an_operation_without_an_answer_ends_in_time(void)
{
    static const struct p2_overlay_limits brief = {.values_max = 10, .time_ms = 200};
    struct seen get = {0};
    open_fake("silent");
    uint64_t from = uv_now(&loop);
    P2_ASSERT_ERROR(p2_overlay_lookup(overlay, &key, &brief, &events, &get, NULL), P2_OK);
    run_until(&get.ends, 1);
    P2_ASSERT_ERROR(get.result, P2_E_TIMEOUT);
    CU_ASSERT_TRUE(uv_now(&loop) - from >= 200);
    close_fake();
}

static void operations_end_in_time_without_any_node(void)
{
    static const struct p2_overlay_limits brief = {.values_max = 10, .time_ms = 300};
    struct seen get = {0};
    open_fake("never-ready-always");
    P2_ASSERT_ERROR(p2_overlay_lookup(overlay, &key, &brief, &events, &get, NULL), P2_OK);
    run_until(&get.ends, 1);
    P2_ASSERT_ERROR(get.result, P2_E_TIMEOUT);
    close_fake();
}

static void a_node_that_always_dies_is_started_ever_less_often(void)
{
    open_fake("dies-at-once-always");
    uint64_t from = uv_now(&loop);
    /* Pauses of 20, 40, ... 320 ms lie between six deaths. */
    run_until(&downs, 6);
    CU_ASSERT_TRUE(uv_now(&loop) - from >= 620);
    P2_ASSERT_EQUAL(p2_overlay_status(overlay).state, P2_OVERLAY_DOWN);
    close_fake();
}

static void a_node_that_heard_nobody_is_connecting(void)
{
    open_fake("never-heard");
    struct seen put = {0};
    publish("hello", &put);
    run_until(&put.ends, 1);
    P2_ASSERT_EQUAL(p2_overlay_status(overlay).state, P2_OVERLAY_CONNECTING);
    close_fake();
}

static void a_node_that_ignores_the_order_to_stop_is_killed(void)
{
    open_fake("ignores-stop");
    run_until_state(P2_OVERLAY_CONNECTED);
    close_fake(); /* ends at all: the node never does by itself */
    P2_ASSERT_EQUAL(good_nodes_size, 0);
}

static void a_refused_port_is_named(void)
{
    open_fake("refuses-v6");
    run_until(&downs, 1);
    P2_ASSERT_ERROR(down_error, P2_E_ADDRESS);
    CU_ASSERT_PTR_NOT_NULL(strstr(down_text, "in use on IPv6"));
    close_fake();
}

/* ---- opening ------------------------------------------------------------------------------------------- */

/* A socket that has a UDP port on one family only. */
static int take_port(int family, uint16_t *ret_port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
    socklen_t size = family == AF_INET ? sizeof v4 : sizeof v6;
    const int on = 1;
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    if (bind(fd, address, size) != 0 || getsockname(fd, address, &size) != 0) {
        (void)close(fd);
        return -1;
    }
    *ret_port = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
    return fd;
}

static void refuses_taken(int family, const char *text)
{
    struct p2_failure failure = {0};
    struct p2_overlay_dht_config config = {.program = "/bin/true"};
    int fd = take_port(family, &config.port);
    if (fd < 0) {
        (void)printf("SKIPPED: this machine has no %s\n", text);
        return;
    }
    CU_ASSERT_EQUAL_FATAL(uv_loop_init(&loop), 0);
    P2_ASSERT_ERROR(p2_overlay_dht_open(&overlay, &loop, &config, &failure), P2_E_ADDRESS);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, text));
    P2_ASSERT_EQUAL(uv_loop_close(&loop), 0);
    (void)close(fd);
}

static void a_port_taken_on_ipv4_is_refused(void)
{
    refuses_taken(AF_INET, "IPv4");
}

static void a_port_taken_on_ipv6_is_refused(void)
{
    refuses_taken(AF_INET6, "IPv6");
}

static void a_missing_program_and_a_bad_address_are_refused(void)
{
    struct p2_failure failure = {0};
    const char *bad[] = {"127.0.0.1"};
    CU_ASSERT_EQUAL_FATAL(uv_loop_init(&loop), 0);
    struct p2_overlay_dht_config config = {.program = "/nonexistent/p2c2r-dht"};
    P2_ASSERT_ERROR(p2_overlay_dht_open(&overlay, &loop, &config, &failure), P2_E_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "/nonexistent/p2c2r-dht"));
    config = (struct p2_overlay_dht_config){
        .program = "/bin/true", .bootstrap = bad, .bootstrap_count = 1};
    P2_ASSERT_ERROR(p2_overlay_dht_open(&overlay, &loop, &config, &failure), P2_E_MALFORMED);
    P2_ASSERT_EQUAL(uv_loop_close(&loop), 0);
}

static int open_descriptors(void)
{
    int number = 0;
    DIR *folder = opendir("/proc/self/fd");
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    while (readdir(folder) != NULL) {
        number++;
    }
    (void)closedir(folder);
    return number;
}

static void a_hundred_times_open_and_close_leaves_nothing(void)
{
    open_fake("honest");
    close_fake(); /* what libraries keep for good is there now */
    int before = open_descriptors();
    for (int i = 0; i < 100; i++) {
        struct seen watch = {0}, get = {0};
        open_fake("honest");
        P2_ASSERT_ERROR(p2_overlay_watch(overlay, &key, &events, &watch, NULL), P2_OK);
        lookup(&get);
        if (i % 2 == 0) {
            run_until(&get.ends, 1);
        }
        close_fake();
        P2_ASSERT_EQUAL(watch.ends, 1);
        P2_ASSERT_EQUAL(get.ends, 1);
    }
    P2_ASSERT_EQUAL(open_descriptors(), before);
}

int main(int argc, char **argv)
{
    CU_TestInfo honest[] = {P2_TEST(what_is_published_is_looked_up_and_watched),
                            P2_TEST(a_reader_that_has_enough_ends_the_lookup),
                            P2_TEST(an_operation_may_be_cancelled_inside_its_callbacks),
                            P2_TEST(the_overlay_may_be_closed_inside_a_callback),
                            P2_TEST(nothing_is_accepted_while_it_closes),
                            P2_TEST(the_number_of_operations_is_bounded),
                            P2_TEST(no_more_than_twenty_operations_start_in_a_second),
                            P2_TEST(good_nodes_are_given_when_it_closes),
                            P2_TEST(good_nodes_are_given_while_it_runs_but_not_too_often),
                            P2_TEST(alarms_come_in_their_order_and_not_before_their_time),
                            CU_TEST_INFO_NULL};
    CU_TestInfo failing[] = {P2_TEST(operations_survive_a_node_that_dies),
                             P2_TEST(operations_survive_a_node_that_dies_before_it_is_ready),
                             P2_TEST(operations_survive_a_node_that_hangs),
                             P2_TEST(operations_survive_a_node_that_never_gets_ready),
                             P2_TEST(operations_survive_a_node_that_sends_garbage),
                             P2_TEST(operations_survive_a_node_that_sends_too_long_messages),
                             P2_TEST(operations_survive_a_node_that_floods),
                             P2_TEST(operations_survive_a_node_that_answers_before_it_is_ready),
                             P2_TEST(operations_survive_a_node_that_is_ready_twice),
                             P2_TEST(operations_survive_a_node_that_ends_a_watch),
                             P2_TEST(operations_survive_a_node_that_answers_a_publish_with_a_value),
                             P2_TEST(a_wrong_heartbeat_is_garbage),
                             P2_TEST(late_answers_for_earlier_operations_are_ignored),
                             P2_TEST(a_lookup_never_reports_more_than_its_limit),
                             P2_TEST(a_watch_reports_a_bounded_number_a_second),
                             P2_TEST(a_publish_nobody_takes_is_unreachable),
                             P2_TEST(an_operation_without_an_answer_ends_in_time),
                             P2_TEST(operations_end_in_time_without_any_node),
                             P2_TEST(a_node_that_always_dies_is_started_ever_less_often),
                             P2_TEST(a_node_that_heard_nobody_is_connecting),
                             P2_TEST(a_node_that_ignores_the_order_to_stop_is_killed),
                             P2_TEST(a_refused_port_is_named),
                             CU_TEST_INFO_NULL};
    CU_TestInfo opening[] = {
        P2_TEST(a_port_taken_on_ipv4_is_refused), P2_TEST(a_port_taken_on_ipv6_is_refused),
        P2_TEST(a_missing_program_and_a_bad_address_are_refused),
        P2_TEST(a_hundred_times_open_and_close_leaves_nothing), CU_TEST_INFO_NULL};
    CU_SuiteInfo suites[] = {{"an honest node", NULL, NULL, NULL, NULL, honest},
                             {"a node that fails", NULL, NULL, NULL, NULL, failing},
                             {"opening", NULL, NULL, NULL, NULL, opening},
                             CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
