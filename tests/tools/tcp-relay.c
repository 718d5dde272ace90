/* tcp-relay: the relay of tests/lib/relay.h as a program, for tests with real processes.
 *
 * Prints "port N" when it listens on 127.0.0.1 and ends with the end of its standard input, so that
 * it never outlives the test that started it. Lines on the input change it while it runs: "delay
 * MS", "jitter MS", "bandwidth BYTES_PER_S", "stall", "resume", "reset". Each is answered by "ok" or
 * "error". Exit status: 0, or 2 for a wrong command line or a port that cannot be opened. */
#include "base/crypto.h"
#include "link/address.h"
#include "tests/lib/relay.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE     2
#define LINE_MAX_BYTES 128 /* the longest command has 30 */

static struct p2_relay relay;
static uv_pipe_t input;
static char line[LINE_MAX_BYTES];
static size_t line_size;

static const char usage[] =
    "usage: tcp-relay --to HOST:PORT [--delay-ms N] [--jitter-ms N] [--bandwidth BYTES_PER_S]\n"
    "                 [--stall-after-bytes N] [--stall-ms N] [--reset-after-bytes N] [--seed N]\n"
    "HOST is an IPv4 address.\n";

static void run_line(void)
{
    line[line_size] = '\0';
    (void)puts(p2_relay_command(&relay, line) ? "ok" : "error");
    (void)fflush(stdout);
    line_size = 0;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char bytes[256];
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(bytes, sizeof bytes);
}

static void on_input(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    if (size < 0) {
        uv_close((uv_handle_t *)stream, NULL);
        p2_relay_stop(&relay, NULL, NULL);
        return;
    }
    for (ssize_t i = 0; i < size; i++) {
        if (buf->base[i] == '\n') {
            run_line();
        } else if (line_size < sizeof line - 1) {
            line[line_size++] = buf->base[i];
        }
    }
}

/* Decimal digits only; what is too large or no number is a wrong command line. */
static uint64_t number_of(const char *text, uint64_t max)
{
    char *end = NULL;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || value > max) {
        (void)fputs(usage, stderr);
        exit(EXIT_USAGE);
    }
    return value;
}

static bool parse_target(const char *text, struct sockaddr_in *target)
{
    struct p2_address address;
    if (p2_address_parse_endpoint(&address, text, strlen(text), NULL) != P2_OK ||
        !address.is_literal || address.ip.family != 4) {
        return false;
    }
    memset(target, 0, sizeof *target);
    target->sin_family = AF_INET;
    target->sin_port = htons(address.port);
    memcpy(&target->sin_addr, address.ip.bytes, 4);
    return true;
}

static const struct option options[] = {{"to", required_argument, NULL, 't'},
                                        {"delay-ms", required_argument, NULL, 'd'},
                                        {"jitter-ms", required_argument, NULL, 'j'},
                                        {"bandwidth", required_argument, NULL, 'b'},
                                        {"stall-after-bytes", required_argument, NULL, 'a'},
                                        {"stall-ms", required_argument, NULL, 'm'},
                                        {"reset-after-bytes", required_argument, NULL, 'r'},
                                        {"seed", required_argument, NULL, 's'},
                                        {NULL, 0, NULL, 0}};

/* Fills what the options say; false when the command line is wrong. */
static bool parse(int argc, char **argv, struct sockaddr_in *target, struct p2_relay_rules *rules,
                  uint64_t *seed)
{
    bool has_target = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 't':
            has_target = parse_target(optarg, target);
            break;
        case 'd':
            rules->delay_ms = (uint32_t)number_of(optarg, UINT32_MAX);
            break;
        case 'j':
            rules->jitter_ms = (uint32_t)number_of(optarg, UINT32_MAX);
            break;
        case 'b':
            rules->bytes_per_s = number_of(optarg, UINT64_MAX);
            break;
        case 'a':
            rules->stall_after_bytes = number_of(optarg, UINT64_MAX);
            break;
        case 'm':
            rules->stall_ms = (uint32_t)number_of(optarg, UINT32_MAX);
            break;
        case 'r':
            rules->reset_after_bytes = number_of(optarg, UINT64_MAX);
            break;
        case 's':
            *seed = number_of(optarg, UINT64_MAX);
            break;
        default:
            return false;
        }
    }
    return has_target && optind == argc;
}

int main(int argc, char **argv)
{
    struct sockaddr_in target;
    struct p2_relay_rules rules = {0};
    uint64_t seed = 1;
    uv_loop_t *loop = uv_default_loop();
    if (!parse(argc, argv, &target, &rules, &seed) || p2_crypto_init() != P2_OK) {
        (void)fputs(usage, stderr);
        return EXIT_USAGE;
    }
    int error = p2_relay_init(&relay, loop, &target, &rules, seed);
    error = error == 0 ? uv_pipe_init(loop, &input, 0) : error;
    error = error == 0 ? uv_pipe_open(&input, 0) : error;
    error = error == 0 ? uv_read_start((uv_stream_t *)&input, on_alloc, on_input) : error;
    if (error != 0) {
        (void)fprintf(stderr, "tcp-relay: cannot start: %s\n", uv_strerror(error));
        return EXIT_USAGE;
    }
    (void)printf("port %u\n", (unsigned)p2_relay_port(&relay));
    (void)fflush(stdout);
    (void)uv_run(loop, UV_RUN_DEFAULT);
    return uv_loop_close(loop) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
