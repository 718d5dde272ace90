/* gearmand -t 1 from $PATH, unencrypted: a client with a constant window of foreground jobs, and two
 * kinds of workers: one job at a time, as libgearman's workers are, and (ahead) with several GRAB_JOBs
 * under way, which no released worker does. Our own small client speaks the binary protocol, because
 * the library's waits for whole batches. */
#include "tests/bench/bench_link.h"

#include "base/buf.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HEADER     12u
#define BUFFER     ((size_t)4 << 20)
#define GRABS      16u    /* jobs a worker asks for ahead; more changes nothing */
#define HANDLES    65536u /* slots by the number in a job's handle */
#define DIAL_TRIES 1000   /* 10 ms each: gearmand starts in about 50 ms */

enum { /* packet types of the protocol */
       CAN_DO = 1,
       PRE_SLEEP = 4,
       NOOP = 6,
       SUBMIT_JOB = 7,
       JOB_CREATED = 8,
       GRAB_JOB = 9,
       NO_JOB = 10,
       JOB_ASSIGN = 11,
       WORK_COMPLETE = 13
};

struct gear {
    int fd;
    uint8_t *in, *out;
    size_t in_size, out_size;
    uint32_t slots[HANDLES];
    uint32_t created[HANDLES]; /* slots whose handle is not known yet, in order */
    uint32_t first, last;
    uint8_t payload[65536];
};

static struct gear gear;
static const struct bench_case *running;
static bool is_stopped;
static uint32_t grabs; /* GRAB_JOBs a worker has under way */

const char *bench_gearman_lacks(void)
{
    return system("command -v gearmand >/dev/null 2>&1") == 0 ? NULL : "gearmand is not installed";
}

/* ---- packets ----------------------------------------------------------------------------------- */

static void put(uint32_t type, struct p2_span head, struct p2_span body)
{
    uint8_t *at = gear.out + gear.out_size;
    if (gear.out_size + HEADER + head.size + body.size > BUFFER) {
        bench_die("gearman: too much in flight");
    }
    memcpy(at, "\0REQ", 4);
    p2_store_be32(at + 4, type);
    p2_store_be32(at + 8, (uint32_t)(head.size + body.size));
    if (head.size > 0) {
        memcpy(at + HEADER, head.data, head.size);
    }
    if (body.size > 0) {
        memcpy(at + HEADER + head.size, body.data, body.size);
    }
    gear.out_size += HEADER + head.size + body.size;
}

static void flush_out(void)
{
    size_t at = 0;
    while (at < gear.out_size) {
        ssize_t wrote = send(gear.fd, gear.out + at, gear.out_size - at, MSG_NOSIGNAL);
        if (wrote <= 0) {
            is_stopped = true;
            break;
        }
        at += (size_t)wrote;
    }
    gear.out_size = 0;
}

/* Reads once and hands each whole packet to `take`. False at the end of the connection. */
static bool pump(void (*take)(uint32_t type, struct p2_span body, void *ctx), void *ctx)
{
    ssize_t got = recv(gear.fd, gear.in + gear.in_size, BUFFER - gear.in_size, 0);
    if (got <= 0) {
        return false;
    }
    gear.in_size += (size_t)got;
    size_t at = 0;
    while (gear.in_size - at >= HEADER) {
        size_t size = p2_load_be32(gear.in + at + 8);
        if (size > BUFFER - HEADER || gear.in_size - at - HEADER < size) {
            break;
        }
        take(p2_load_be32(gear.in + at + 4), p2_span(gear.in + at + HEADER, size), ctx);
        at += HEADER + size;
    }
    memmove(gear.in, gear.in + at, gear.in_size - at);
    gear.in_size -= at;
    return true;
}

static bool dial(uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    gear.in = malloc(BUFFER);
    gear.out = malloc(BUFFER);
    if (gear.in == NULL || gear.out == NULL) {
        bench_die("gearman: memory");
    }
    for (int i = 0; i < DIAL_TRIES; i++) {
        gear.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (gear.fd >= 0 && connect(gear.fd, (const struct sockaddr *)&to, sizeof to) == 0) {
            (void)setsockopt(gear.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            return true;
        }
        (void)close(gear.fd);
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return false;
}

/* ---- driver ------------------------------------------------------------------------------------ */

static void send_request(void *peer, uint32_t slot)
{
    (void)peer;
    /* Jobs without a name of their own are one job to the server when their payloads are equal. */
    char head[32];
    int size = snprintf(head, sizeof head, "noop%c%u%c", 0, gear.last, 0);
    gear.created[gear.last++ % HANDLES] = slot;
    put(SUBMIT_JOB, p2_span(head, (size_t)size), p2_span(gear.payload, running->req_bytes));
}

static uint32_t handle_number(struct p2_span body)
{
    const char *text = (const char *)body.data; /* "H:host:number", ends at a NUL or the packet */
    uint32_t number = 0;
    for (size_t i = 0; i < body.size && text[i] != '\0'; i++) {
        number = text[i] >= '0' && text[i] <= '9' ? number * 10 + (uint32_t)(text[i] - '0') : 0;
    }
    return number % HANDLES;
}

static void take_answer(uint32_t type, struct p2_span body, void *ctx)
{
    struct bench_load *load = ctx;
    if (type == JOB_CREATED) {
        gear.slots[handle_number(body)] = gear.created[gear.first++ % HANDLES];
    } else if (type == WORK_COMPLETE) {
        const uint8_t *end = memchr(body.data, 0, body.size);
        size_t head = end == NULL ? body.size : (size_t)(end - (const uint8_t *)body.data) + 1;
        bench_load_reply(load, load->peers[0], gear.slots[handle_number(body)],
                         p2_span((const uint8_t *)body.data + head, body.size - head));
    }
}

static void stop(struct bench_load *load)
{
    (void)load;
    is_stopped = true;
}

/* A port that is free now; gearmand takes no port 0. */
static uint16_t free_port(void)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof where;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&where, sizeof where) != 0 ||
        getsockname(fd, (struct sockaddr *)&where, &size) != 0) {
        bench_die("gearman: a port");
    }
    (void)close(fd);
    return ntohs(where.sin_port);
}

static int start_server(uint16_t port)
{
    char text[8];
    (void)snprintf(text, sizeof text, "%u", port);
    int child = fork();
    if (child < 0) {
        bench_die("fork");
    }
    if (child == 0) {
        int null = open("/dev/null", O_RDWR);
        if (null >= 0) {
            (void)dup2(null, 1);
            (void)dup2(null, 2);
        }
        (void)execlp("gearmand", "gearmand", "-t", "1", "-L", "127.0.0.1", "-p", text, "-l", "none",
                     (char *)NULL);
        _exit(127);
    }
    return child;
}

static void drive(struct bench_load *load)
{
    uint16_t port = free_port();
    int server = start_server(port);
    running = load->bench;
    load->send = send_request;
    load->stop = stop;
    if (!dial(port)) {
        bench_die("gearmand does not answer");
    }
    load->publish(load, port);
    for (uint32_t i = 0; i < load->bench->peers; i++) {
        bench_load_ready(load, &gear); /* jobs wait in the server until the workers are there */
    }
    flush_out();
    while (!is_stopped && pump(take_answer, load)) {
        flush_out();
    }
    (void)kill(server, SIGTERM);
    (void)waitpid(server, NULL, 0);
}

/* ---- worker ------------------------------------------------------------------------------------ */

static void take_job(uint32_t type, struct p2_span body, void *ctx)
{
    const struct bench_case *bench = ctx;
    if (type == JOB_ASSIGN) {
        const uint8_t *end = memchr(body.data, 0, body.size);
        size_t head = end == NULL ? 0 : (size_t)(end - (const uint8_t *)body.data) + 1;
        put(WORK_COMPLETE, p2_span(body.data, head), p2_span(gear.payload, bench->rep_bytes));
        put(GRAB_JOB, p2_span(NULL, 0), p2_span(NULL, 0));
    } else if (type == NO_JOB && gear.first > 0) {
        gear.first--;
        if (gear.first == 0) {
            put(PRE_SLEEP, p2_span(NULL, 0), p2_span(NULL, 0));
        }
    } else if (type == NOOP) {
        for (; gear.first < grabs; gear.first++) {
            put(GRAB_JOB, p2_span(NULL, 0), p2_span(NULL, 0));
        }
    }
}

static void serve(const struct bench_case *bench, uint16_t port, uint32_t ahead)
{
    grabs = ahead;
    if (!dial(port)) {
        return;
    }
    put(CAN_DO, p2_span("noop", 4), p2_span(NULL, 0));
    for (gear.first = 0; gear.first < grabs; gear.first++) { /* `first`: GRAB_JOBs under way */
        put(GRAB_JOB, p2_span(NULL, 0), p2_span(NULL, 0));
    }
    flush_out();
    struct bench_case own = *bench;
    while (!is_stopped && pump(take_job, &own)) {
        flush_out();
    }
}

static void serve_one(const struct bench_case *bench, uint16_t port)
{
    serve(bench, port, 1);
}

static void serve_ahead(const struct bench_case *bench, uint16_t port)
{
    serve(bench, port, GRABS);
}

const struct bench_system bench_gearman = {"gearmand-t1", drive, serve_one};
const struct bench_system bench_gearman_ahead = {"gearmand-t1-ahead", drive, serve_ahead};
