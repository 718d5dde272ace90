/* Helpers of the simulator: honest ones compute the model, liars do what their bits say. They read
 * and write real messages. */
#include "tests/sim/sim.h"

#include "wire/decode.h"
#include "wire/encode.h"

#include <string.h>

#define MESSAGE_MAX 4096u

void sim_model(const uint8_t input[SIM_INPUT_BYTES], uint8_t output[SIM_OUTPUT_BYTES])
{
    uint64_t state = sim_hash(input, SIM_INPUT_BYTES);
    for (size_t i = 0; i < SIM_OUTPUT_BYTES; i += 8) {
        state = sim_mix(state, i + 1);
        p2_store_be64(output + i, state);
    }
}

void sim_model_digest(uint8_t digest[16])
{
    uint8_t input[SIM_INPUT_BYTES] = {0};
    uint8_t output[SIM_OUTPUT_BYTES];
    sim_model(input, output);
    struct p2_span bytes = p2_span(output, sizeof output);
    p2_hash(digest, 16, &bytes, 1);
}

void sim_helper_dial(struct sim *sim, uint32_t index)
{
    struct sim_helper *helper = &sim->helpers[index];
    struct p2_msg_hello hello = {
        .protocol = P2_WIRE_PROTOCOL,
        .node = helper->id,
        .cores = (uint16_t)helper->cores,
        .slots = (uint16_t)helper->slots,
        .cache_bytes = 4096,
        .kernels_count = 1,
    };
    static const char name[] = "model";
    uint8_t owner = (uint8_t)('a' + helper->owner % 26);
    hello.owner = p2_span(&owner, helper->owner < 26 ? 1 : 0);
    hello.kernels[0].name = p2_span(name, sizeof name - 1);
    hello.kernels[0].version = 1;
    memset(hello.kernels[0].digest, 7, sizeof hello.kernels[0].digest);
    uint8_t body[P2_WIRE_STRANGER_MAX];
    struct p2_writer writer;
    p2_writer_init(&writer, body, sizeof body);
    int error = p2_wire_encode_hello(&writer, &hello);
    P2_ASSERT(error == P2_OK);
    helper->is_alive = true;
    helper->link.is_open = true;
    helper->link.epoch++;
    helper->link.up_last_us = helper->link.down_last_us = sim->now_us;
    helper->link.up_sent_us = helper->link.down_sent_us = UINT64_MAX;
    helper->link.rtt = (struct p2_link_rtt){0};
    helper->job_count = helper->running = 0;
    sim_send_up(sim, index, P2_MSG_HELLO, body, writer.size);
    struct sim_event *event = sim_push(sim, sim->now_us + helper->rtt_us, SIM_EVENT_RTT);
    event->helper = index;
    event->epoch = helper->link.epoch;
}

static void start_jobs(struct sim *sim, uint32_t index)
{
    struct sim_helper *helper = &sim->helpers[index];
    for (uint32_t i = 0; i < helper->job_count && helper->running < helper->cores; i++) {
        struct sim_job *job = &helper->jobs[i];
        if (!job->is_running) {
            job->is_running = true;
            helper->running++;
            uint64_t units = p2_load_be32(job->input);
            uint64_t took = units * helper->ns_per_unit / 1000u * helper->slow_factor + 1;
            if ((helper->lies & SIM_LATE) != 0 && p2_rng_chance_ppm(&sim->lies, 500000)) {
                took += 400000; /* past the hard timeout */
            }
            struct sim_event *event = sim_push(sim, sim->now_us + took, SIM_EVENT_DONE);
            event->helper = index;
            event->epoch = helper->link.epoch;
            event->number = job->lease;
        }
    }
}

static void hear_lease(struct sim *sim, uint32_t index, struct p2_span body)
{
    struct sim_helper *helper = &sim->helpers[index];
    static struct p2_msg_lease lease;
    if (p2_wire_decode_lease(&lease, body) != P2_OK || lease.input.size != SIM_INPUT_BYTES ||
        helper->job_count == SIM_JOBS_MAX) {
        sim_violation(sim, "helper", "a lease it cannot take", lease.id);
        return;
    }
    struct sim_job *job = &helper->jobs[helper->job_count++];
    job->lease = lease.id;
    job->is_running = false;
    memcpy(job->input, lease.input.data, SIM_INPUT_BYTES);
    start_jobs(sim, index);
}

static void hear_blob(struct sim *sim, uint32_t index, struct p2_span body)
{
    struct p2_msg_blob blob;
    if (p2_wire_decode_blob(&blob, body) == P2_OK) {
        struct p2_msg_blob_held held = {.handles_count = 1, .handles = {blob.handle}};
        uint8_t bytes[64];
        struct p2_writer writer;
        p2_writer_init(&writer, bytes, sizeof bytes);
        if (p2_wire_encode_blob_held(&writer, &held) == P2_OK) {
            sim_send_up(sim, index, P2_MSG_BLOB_HELD, bytes, writer.size);
        }
    }
}

static void answer(struct sim *sim, uint32_t index, uint64_t lease, enum p2_result_status status,
                   const uint8_t output[SIM_OUTPUT_BYTES])
{
    struct sim_helper *helper = &sim->helpers[index];
    struct p2_msg_result result = {
        .id = lease,
        .status = status,
        .output = p2_span(output, output == NULL ? 0 : SIM_OUTPUT_BYTES),
    };
    uint8_t body[256];
    struct p2_writer writer;
    p2_writer_init(&writer, body, sizeof body);
    int error = p2_wire_encode_result(&writer, &result);
    P2_ASSERT(error == P2_OK);
    if ((helper->lies & SIM_MALFORMED) != 0 && p2_rng_chance_ppm(&sim->lies, 20000)) {
        body[p2_rng_below(&sim->lies, writer.size)] ^= 0x55;
        helper->has_lied = true; /* the flip may hit the output: then the check refuses it */
    }
    sim_send_up(sim, index, P2_MSG_RESULT, body, writer.size);
    memcpy(helper->last_result, body, writer.size);
    helper->last_size = (uint32_t)writer.size;
}

static void hear_cancel(struct sim *sim, uint32_t index, struct p2_span body)
{
    struct sim_helper *helper = &sim->helpers[index];
    struct p2_msg_cancel cancel;
    if (p2_wire_decode_cancel(&cancel, body) != P2_OK) {
        return;
    }
    for (uint32_t i = 0; i < helper->job_count; i++) {
        if (helper->jobs[i].lease == cancel.id && !helper->jobs[i].is_running) {
            memmove(&helper->jobs[i], &helper->jobs[i + 1],
                    (helper->job_count - i - 1) * sizeof helper->jobs[0]);
            helper->job_count--;
            answer(sim, index, cancel.id, P2_RESULT_STATUS_CANCELLED, NULL);
            return;
        }
    }
}

void sim_helper_hear(struct sim *sim, const struct sim_event *event)
{
    const struct sim_helper *helper = &sim->helpers[event->helper];
    if (!helper->is_alive || helper->link.epoch != event->epoch) {
        return;
    }
    struct p2_span body = p2_span(event->bytes, event->size);
    if (event->type == P2_MSG_LEASE) {
        hear_lease(sim, event->helper, body);
    } else if (event->type == P2_MSG_CANCEL) {
        hear_cancel(sim, event->helper, body);
    } else if (event->type == P2_MSG_BLOB) {
        hear_blob(sim, event->helper, body);
    }
}

/* Changes a right output into what this helper says. True when it says nothing. */
static bool lie(struct sim *sim, struct sim_helper *helper, uint8_t output[SIM_OUTPUT_BYTES])
{
    uint8_t right[SIM_OUTPUT_BYTES];
    memcpy(right, output, sizeof right);
    bool is_bad = (helper->lies & SIM_WRONG) != 0 && p2_rng_chance_ppm(&sim->lies, 300000);
    is_bad = is_bad || ((helper->lies & SIM_LATER_BAD) != 0 && helper->answers > 200);
    if (is_bad) {
        output[p2_rng_below(&sim->lies, SIM_OUTPUT_BYTES)] ^= 1;
    } else if ((helper->lies & SIM_COLLUDE) != 0 && p2_rng_chance_ppm(&sim->lies, 300000)) {
        output[0] ^= 0x80;
    } else if ((helper->lies & SIM_OTHER) != 0 && p2_rng_chance_ppm(&sim->lies, 200000)) {
        memcpy(output, helper->other_output, SIM_OUTPUT_BYTES);
    }
    memcpy(helper->other_output, right, sizeof right);
    helper->has_lied |= memcmp(right, output, sizeof right) != 0;
    return (helper->lies & SIM_SILENT) != 0 && p2_rng_chance_ppm(&sim->lies, 200000);
}

static void misbehave(struct sim *sim, uint32_t index)
{
    struct sim_helper *helper = &sim->helpers[index];
    if ((helper->lies & SIM_REPLAY) != 0 && p2_rng_chance_ppm(&sim->lies, 50000)) {
        sim_send_up(sim, index, P2_MSG_RESULT, helper->last_result, helper->last_size);
    }
    if ((helper->lies & SIM_FLOOD) != 0 && p2_rng_chance_ppm(&sim->lies, 10000)) {
        for (int i = 0; i < 60; i++) {
            sim_send_up(sim, index, P2_MSG_SAVES, "x", 1);
        }
    }
}

void sim_helper_done(struct sim *sim, const struct sim_event *event)
{
    struct sim_helper *helper = &sim->helpers[event->helper];
    if (!helper->is_alive || helper->link.epoch != event->epoch) {
        return;
    }
    for (uint32_t i = 0; i < helper->job_count; i++) {
        if (helper->jobs[i].lease == event->number) {
            uint8_t output[SIM_OUTPUT_BYTES];
            sim_model(helper->jobs[i].input, output);
            memmove(&helper->jobs[i], &helper->jobs[i + 1],
                    (helper->job_count - i - 1) * sizeof helper->jobs[0]);
            helper->job_count--;
            helper->running--;
            helper->answers++;
            if (!lie(sim, helper, output)) {
                answer(sim, event->helper, event->number, P2_RESULT_STATUS_OK, output);
            }
            misbehave(sim, event->helper);
            break;
        }
    }
    start_jobs(sim, event->helper);
}

void sim_helper_die(struct sim *sim, uint32_t index, bool is_silent, bool may_restart)
{
    struct sim_helper *helper = &sim->helpers[index];
    if (!helper->is_alive) {
        return;
    }
    helper->is_alive = false;
    /* The kernel of a killed process tells the peer; a machine that lost power does not, and the
     * link's pings notice after three intervals. */
    uint64_t notice = is_silent ? 3000000u : helper->rtt_us / 2;
    struct sim_event *event = sim_push(sim, sim->now_us + notice, SIM_EVENT_CLOSED);
    event->helper = index;
    event->epoch = helper->link.epoch;
    if (may_restart && sim->config.restart_us > 0) {
        uint64_t later = notice + p2_rng_below(&sim->faults, sim->config.restart_us) + 1;
        struct sim_event *open = sim_push(sim, sim->now_us + later, SIM_EVENT_OPEN);
        open->helper = index;
    }
}
