/* A helper with faults: p2c2rd in everything but what leaves on the link.
 *
 *   --fault wrong=P       flip a bit in P percent of the results
 *   --fault late=MS       hold every result back for MS milliseconds
 *   --fault drop=P        never send P percent of the results
 *   --fault flood         send every result, then nine answers to leases that never were
 *   --fault replay        send every result twice
 *   --fault malformed     cut the last byte off every tenth result
 *
 * Several faults are separated by commas, or given by several options. */
#include "base/crypto.h"
#include "base/entropy.h"
#include "base/rng.h"
#include "daemon/daemon.h"
#include "helper/helper.h"
#include "helper/options.h"
#include "wire/decode.h"
#include "wire/encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* Ids of leases nobody ever gave. */
#define FALSE_LEASE UINT64_C(0x7000000000000000)

/* Results that a flood makes of one. */
#define FLOOD 9

/* A malformed result comes every so many. */
#define MALFORMED_EVERY 10

struct faults {
    uint32_t wrong_percent;
    uint32_t late_ms;
    uint32_t drop_percent;
    bool floods;
    bool replays;
    bool malforms;
};

struct liar {
    struct faults faults;
    struct p2_rng rng;
    struct p2_helperd *helper;
    uint64_t results;
    uint64_t lies;
    uint64_t false_lease;
};

/* A result that is held back. */
struct held {
    uv_timer_t timer;
    struct liar *liar;
    struct held *next;
    struct p2_link *link;
    size_t size;
    uint8_t body[];
};

static struct liar liar;

/* Timers that are running, and the link they were made for: when it is gone, they are not sent. */
static struct held *held_list;

static int send_one(struct p2_link *link, struct p2_span body)
{
    int error = p2_link_send(link, P2_MSG_RESULT, body);
    return error == P2_E_AGAIN ? P2_OK : error; /* a liar may lose messages */
}

/* Sends an answer to a lease that never was. */
static void send_false(struct liar *who, struct p2_link *link)
{
    uint8_t bytes[64];
    struct p2_writer writer;
    const struct p2_msg_result result = {.id = FALSE_LEASE + who->false_lease++,
                                         .status = P2_RESULT_STATUS_TIMEOUT};
    p2_writer_init(&writer, bytes, sizeof bytes);
    if (p2_wire_encode_result(&writer, &result) == P2_OK) {
        (void)send_one(link, p2_writer_span(&writer));
    }
}

/* Sends a result with the faults that do not change its content. */
static int send_with_faults(struct liar *who, struct p2_link *link, struct p2_span body)
{
    if (who->faults.malforms && who->results % MALFORMED_EVERY == 0) {
        return send_one(link, p2_span(body.data, body.size - 1));
    }
    int error = send_one(link, body);
    if (who->faults.replays && error == P2_OK) {
        error = send_one(link, body);
    }
    for (int i = 0; i < FLOOD && who->faults.floods; i++) {
        send_false(who, link);
    }
    return error;
}

static void free_held(uv_handle_t *handle)
{
    struct held **at = &held_list;
    while (*at != handle->data) {
        at = &(*at)->next;
    }
    *at = (*at)->next;
    free(handle->data);
}

static void on_held(uv_timer_t *timer)
{
    struct held *held = timer->data;
    if (held->link != NULL) {
        (void)send_with_faults(held->liar, held->link, p2_span(held->body, held->size));
    }
    uv_close((uv_handle_t *)timer, free_held);
}

static int hold(struct liar *who, struct p2_link *link, struct p2_span body)
{
    struct held *held = malloc(sizeof *held + body.size);
    if (held == NULL) {
        return P2_E_NOMEM;
    }
    held->liar = who;
    held->link = link;
    held->size = body.size;
    held->next = held_list;
    held_list = held;
    memcpy(held->body, body.data, body.size);
    (void)uv_timer_init(p2_helperd_loop(who->helper), &held->timer);
    held->timer.data = held;
    (void)uv_timer_start(&held->timer, on_held, who->faults.late_ms, 0);
    return P2_OK;
}

/* A HELLO begins a new link: results held for older ones have nowhere to go. */
static void forget_older_links(void)
{
    for (struct held *held = held_list; held != NULL; held = held->next) {
        held->link = NULL;
    }
}

/* Flips one bit of the output. */
static int tamper(struct liar *who, struct p2_msg_result *result, uint8_t *copy)
{
    size_t at = (size_t)p2_rng_below(&who->rng, result->output.size);
    memcpy(copy, result->output.data, result->output.size);
    copy[at] ^= (uint8_t)(1u << p2_rng_below(&who->rng, 8));
    result->output.data = copy;
    who->lies++;
    return P2_OK;
}

static int send_result(struct liar *who, struct p2_link *link, struct p2_span body)
{
    static uint8_t output[P2_WIRE_SLOT_MAX], encoded[P2_WIRE_SLOT_MSG_MAX];
    struct p2_msg_result result;
    struct p2_writer writer;
    int error = p2_wire_decode_result(&result, body);
    bool is_wrong = p2_rng_chance_ppm(&who->rng, who->faults.wrong_percent * 10000u);
    who->results++;
    if (error == P2_OK && is_wrong && result.output.size > 0) {
        error = tamper(who, &result, output);
    }
    p2_writer_init(&writer, encoded, sizeof encoded);
    if (error == P2_OK) {
        error = p2_wire_encode_result(&writer, &result);
    }
    if (error != P2_OK || p2_rng_chance_ppm(&who->rng, who->faults.drop_percent * 10000u)) {
        return error;
    }
    struct p2_span made = p2_writer_span(&writer);
    return who->faults.late_ms > 0 ? hold(who, link, made) : send_with_faults(who, link, made);
}

static int on_send(void *ctx, struct p2_link *link, uint8_t type, struct p2_span body)
{
    if (type == P2_MSG_HELLO) {
        forget_older_links();
    }
    return type == P2_MSG_RESULT ? send_result(ctx, link, body) : p2_link_send(link, type, body);
}

/* One fault of the list. */
static bool take_fault(struct faults *faults, const char *text, size_t length)
{
    static const struct {
        const char *name;
        size_t number; /* offset of a number, or of a bool */
        bool is_flag;
        uint32_t most;
    } rows[] = {
        {"wrong=", offsetof(struct faults, wrong_percent), false, 100},
        {"late=", offsetof(struct faults, late_ms), false, 60000},
        {"drop=", offsetof(struct faults, drop_percent), false, 100},
        {"flood", offsetof(struct faults, floods), true, 0},
        {"replay", offsetof(struct faults, replays), true, 0},
        {"malformed", offsetof(struct faults, malforms), true, 0},
    };
    for (size_t i = 0; i < P2_COUNT_OF(rows); i++) {
        size_t name_length = strlen(rows[i].name);
        if (length < name_length || strncmp(text, rows[i].name, name_length) != 0) {
            continue;
        }
        if (rows[i].is_flag) {
            *(bool *)((char *)faults + rows[i].number) = true;
            return length == name_length;
        }
        char *end = NULL;
        unsigned long number = strtoul(text + name_length, &end, 10);
        memcpy((char *)faults + rows[i].number, &(uint32_t){(uint32_t)number}, sizeof(uint32_t));
        return end == text + length && length > name_length && number <= rows[i].most;
    }
    return false;
}

static int take_faults(void *context, const char *argument, struct p2_failure *failure)
{
    for (const char *at = argument; *at != '\0';) {
        size_t length = strcspn(at, ",");
        if (!take_fault(context, at, length)) {
            return p2_fail(failure, P2_E_INVALID, "no such fault: %s", at);
        }
        at += length + (at[length] == ',');
    }
    return P2_OK;
}

static const struct p2_options_extra extras[] = {
    {"fault", 0, "FAULT[,FAULT]...",
     "wrong=PERCENT, late=MS, drop=PERCENT, flood, replay or malformed.", take_faults},
    {NULL, 0, NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
    static struct p2_options options;
    struct p2_program program = p2_helper_program;
    struct p2_failure failure = {0};
    struct p2_helperd_setup setup = {
        .program = &program, .options = &options, .send = on_send, .send_ctx = &liar};
    uint8_t seed[P2_KEY_BYTES];
    program.name = "test-helper";
    program.extras = extras;
    program.extra_context = &liar.faults;
    int status = p2_options_start(&program, argc, argv, &options, &setup.config);
    if (status != P2_OPTIONS_GO_ON) {
        return status;
    }
    int error = p2_daemon_launch(&failure, &setup.launcher);
    if (error != P2_OK || p2_crypto_init() != P2_OK) {
        (void)fprintf(stderr, "test-helper: %s\n", failure.message);
        return EX_OSERR;
    }
    p2_entropy(seed, sizeof seed);
    p2_rng_init(&liar.rng, seed, "faults");
    error = p2_helperd_open(&setup, &failure, &liar.helper);
    if (error == P2_OK) {
        error = p2_helperd_run(liar.helper);
        p2_helperd_close(liar.helper);
    }
    (void)fprintf(stderr, "test-helper: %llu results, %llu lies\n",
                  (unsigned long long)liar.results, (unsigned long long)liar.lies);
    return error == P2_OK ? EX_OK : EX_OSERR;
}
