/* The small core. */
#include "tests/unit/authority/core_fixture.h"

#include "wire/encode.h"

#include <string.h>

struct fixture fixture;

static struct p2_span text_span(const char *text)
{
    return p2_span(text, strlen(text));
}

static void on_tick(void *ctx, uint64_t frame)
{
    (void)ctx;
    (void)frame;
    for (uint32_t i = 0; i < fixture.spec_count; i++) {
        P2_ASSERT_ERROR(
            p2_session_submit(&fixture.core, fixture.session, &fixture.specs[i], &fixture.tasks[i]),
            P2_OK);
    }
    fixture.spec_count = 0;
    if (fixture.invalidate_tag != 0) {
        fixture.invalidated =
            p2_session_invalidate(&fixture.core, fixture.session, fixture.invalidate_tag);
        fixture.invalidate_tag = 0;
    }
}

static void on_result(void *ctx, const struct p2_delivery *delivery)
{
    (void)ctx;
    fixture.deliveries++;
    fixture.last = *delivery;
    memset(fixture.result, 0, sizeof fixture.result);
    if (delivery->result.size > 0 && delivery->result.size < sizeof fixture.result) {
        memcpy(fixture.result, delivery->result.data, delivery->result.size);
    }
}

static void on_input(void *ctx, uint8_t player, uint32_t sequence, struct p2_span data)
{
    (void)ctx;
    (void)player;
    (void)data;
    CU_ASSERT(sequence > fixture.input_sequence);
    fixture.input_sequence = sequence;
    fixture.inputs++;
}

void fixture_defaults(void)
{
    fixture_close();
    fixture.kernel = (struct p2_core_kernel){.name = "model",
                                             .version = 1,
                                             .warm_input = text_span("warm"),
                                             .warm_cost = 1000,
                                             .warm_output_max = 64};
    struct p2_span right = text_span("right");
    p2_hash(fixture.kernel.warm_digest, sizeof fixture.kernel.warm_digest, &right, 1);
    fixture.options = (struct p2_core_options){.kernels = &fixture.kernel,
                                               .kernel_count = 1,
                                               .helpers_max = 8,
                                               .leases_max = 64,
                                               .blobs_each = 4,
                                               .sessions_max = 2,
                                               .window_max = 16,
                                               .is_open = true};
    p2_rng_init_u64(&fixture.options.rng, 5, "test");
    fixture.now_us = 1000000;
}

void fixture_open(void)
{
    P2_ASSERT_ERROR(p2_core_init(&fixture.core, &fixture.options), P2_OK);
    struct p2_session_options session = {
        .game = {.input = on_input, .tick = on_tick, .on_result = on_result},
        .tasks_max = 64,
        .memory_max = 1u << 20,
        .start_us = fixture.now_us + 100000,
    };
    P2_ASSERT_ERROR(p2_session_open(&fixture.core, &session, &fixture.session), P2_OK);
    P2_ASSERT_ERROR(p2_outbox_init(&fixture.out, 4 * p2_core_outbox_needed(&fixture.core)), P2_OK);
}

void fixture_close(void)
{
    p2_outbox_free(&fixture.out);
    p2_core_free(&fixture.core);
    memset(&fixture, 0, sizeof fixture);
}

void fixture_clear(void)
{
    p2_outbox_clear(&fixture.out);
}

void fixture_step(const struct p2_event *event)
{
    P2_ASSERT_ERROR(p2_core_step(&fixture.core, event, fixture.now_us, &fixture.out), P2_OK);
}

void fixture_pass(uint64_t us)
{
    fixture.now_us += us;
    fixture_step(&(struct p2_event){.type = P2_EVENT_TIME});
}

const struct p2_effect *fixture_find(enum p2_effect_type type, uint32_t n)
{
    for (uint32_t i = 0; i < fixture.out.count; i++) {
        if (fixture.out.items[i].type == type && n-- == 0) {
            return &fixture.out.items[i];
        }
    }
    return NULL;
}

uint32_t fixture_count(enum p2_effect_type type)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fixture.out.count; i++) {
        count += fixture.out.items[i].type == type ? 1 : 0;
    }
    return count;
}

void fixture_answer(uint32_t peer, uint64_t lease, const char *text, int status)
{
    struct p2_msg_result result = {.id = lease, .output = text_span(text)};
    uint8_t body[256];
    struct p2_writer writer;
    p2_writer_init(&writer, body, sizeof body);
    P2_ASSERT_ERROR(p2_wire_encode_result(&writer, &result), P2_OK);
    uint32_t before = fixture_count(P2_EFFECT_CHECK);
    fixture_step(&(struct p2_event){.type = P2_EVENT_MESSAGE,
                                    .peer = peer,
                                    .message = P2_MSG_RESULT,
                                    .bytes = p2_writer_span(&writer)});
    if (fixture_count(P2_EFFECT_CHECK) > before) {
        fixture_step(&(struct p2_event){
            .type = P2_EVENT_CHECKED, .lease = lease, .status = status, .bytes = text_span(text)});
    }
}

void fixture_computed(uint64_t task, const char *text)
{
    fixture_step(&(struct p2_event){.type = P2_EVENT_COMPUTED,
                                    .session = fixture.session,
                                    .task = task,
                                    .exec_us = 1000,
                                    .bytes = text_span(text)});
}

void fixture_helper(uint32_t peer, uint8_t key, uint32_t rtt_us, uint16_t slots)
{
    uint8_t ip[4] = {11, 1, (uint8_t)peer, 1};
    struct p2_msg_hello hello = {
        .protocol = P2_WIRE_PROTOCOL, .cores = 1, .slots = slots, .kernels_count = 1};
    hello.node.bytes[0] = key;
    hello.kernels[0].name = text_span("model");
    hello.kernels[0].version = 1;
    uint8_t body[P2_WIRE_STRANGER_MAX];
    struct p2_writer writer;
    p2_writer_init(&writer, body, sizeof body);
    P2_ASSERT_ERROR(p2_wire_encode_hello(&writer, &hello), P2_OK);
    fixture_step(
        &(struct p2_event){.type = P2_EVENT_OPENED, .peer = peer, .ip = p2_ip_from_v4(ip)});
    fixture_step(&(struct p2_event){
        .type = P2_EVENT_RTT, .peer = peer, .rtt_us = rtt_us, .jitter_us = rtt_us / 8});
    fixture_step(&(struct p2_event){.type = P2_EVENT_MESSAGE,
                                    .peer = peer,
                                    .message = P2_MSG_HELLO,
                                    .bytes = p2_writer_span(&writer)});
    const struct p2_effect *lease = fixture_find(P2_EFFECT_LEASE, 0);
    P2_ASSERT(lease != NULL);
    uint64_t id = lease->lease;
    fixture.now_us += rtt_us + 1000;
    fixture_answer(peer, id, "right", P2_OK);
    P2_ASSERT_EQUAL(fixture.core.helpers.items[peer].state, P2_HELPER_ACTIVE);
    fixture_clear();
}

uint64_t fixture_task(enum p2_task_class class, uint8_t flags, uint8_t replicas)
{
    fixture.specs[0] = (struct p2_task_spec){.class = class,
                                             .flags = flags,
                                             .replicas = replicas,
                                             .weight = 1,
                                             .slack_frames = 30,
                                             .output_max = 64,
                                             .cost_units = 1000,
                                             .tag = 7,
                                             .input = text_span("input")};
    fixture.spec_count = 1;
    const struct p2_pipeline *pipeline = &fixture.core.sessions[fixture.session].pipeline;
    uint64_t slot_us = p2_pipeline_slot_us(pipeline, pipeline->frame);
    fixture.now_us = slot_us > fixture.now_us ? slot_us : fixture.now_us;
    fixture_step(&(struct p2_event){.type = P2_EVENT_TIME});
    P2_ASSERT_EQUAL(fixture.spec_count, 0);
    return fixture.tasks[0];
}
