/* Who may help, and what it may say. */
#include "authority/admission.h"

#include "authority/answers.h"
#include "authority/dispatch.h"
#include "base/crypto.h"
#include "wire/decode.h"

#include <string.h>

#define DENIED_RETRY_S 60u /* chosen: long enough to be no load, short enough for a fixed mistake */

static void deny(uint32_t peer, enum p2_denied_reason reason, uint32_t retry_s, bool is_final,
                 int status, struct p2_outbox *out)
{
    struct p2_effect *effect = p2_outbox_add(out, P2_EFFECT_DENIED);
    effect->peer = peer;
    effect->denied = reason;
    effect->retry_s = retry_s;
    if (is_final) {
        effect = p2_outbox_add(out, P2_EFFECT_CLOSE);
        effect->peer = peer;
        effect->status = status;
    }
}

void p2_admission_strike(struct p2_core *core, uint32_t peer, enum p2_denied_reason reason,
                         int cause, uint64_t now_us, struct p2_outbox *out)
{
    struct p2_helper *helper = p2_helper_at(&core->helpers, peer);
    struct p2_standing *standing = p2_helper_standing(&core->helpers, helper);
    core->counters.strikes++;
    struct p2_effect *effect = p2_outbox_add(out, P2_EFFECT_STRIKE);
    effect->peer = peer;
    effect->status = cause;
    if (standing == NULL) {
        helper->state = P2_HELPER_DRAINING;
        deny(peer, reason, DENIED_RETRY_S, true, cause, out);
    } else if (p2_standing_strike(standing, now_us)) {
        helper->state = P2_HELPER_DRAINING;
        (void)p2_helper_missed(helper, standing, true, now_us);
        uint64_t wait = standing->backoff_until_us - now_us;
        deny(peer, P2_DENIED_REASON_STRIKES, (uint32_t)(wait / 1000000u), true, cause, out);
    } else {
        deny(peer, reason, 0, false, P2_OK, out);
    }
}

/* ---- HELLO ------------------------------------------------------------------------------------ */

static bool is_configured(const struct p2_core *core, const struct p2_id *id, bool *ret_cloud)
{
    for (uint32_t i = 0; i < core->configured_count; i++) {
        if (p2_id_equal(&core->configured[i], id)) {
            *ret_cloud = core->configured_cloud[i];
            return true;
        }
    }
    return false;
}

/* A token is used up by the attempt, right helper or not. */
static bool use_token(struct p2_core *core, const struct p2_msg_hello *hello, uint64_t now_us)
{
    for (size_t i = 0; i < P2_CORE_INVITES_MAX; i++) {
        struct p2_invite *invite = &core->invites[i];
        if (invite->token_size > 0 && invite->token_size == hello->token.size &&
            p2_secret_equal(invite->token, hello->token.data, hello->token.size)) {
            invite->token_size = 0;
            return invite->expires_us > now_us && p2_id_equal(&invite->helper, &hello->node);
        }
    }
    return false;
}

/* Kernels of the core's table that HELLO offers with the same version and known answers. */
static uint32_t match_kernels(const struct p2_core *core, const struct p2_msg_hello *hello,
                              struct p2_helper *helper, uint32_t *ret_accepted)
{
    uint32_t offered = 0;
    uint32_t accepted = 0;
    for (uint32_t k = 0; k < core->options.kernel_count; k++) {
        const struct p2_core_kernel *kernel = &core->options.kernels[k];
        struct p2_span name = p2_span(kernel->name, strlen(kernel->name));
        for (uint32_t i = 0; i < hello->kernels_count && (offered >> k & 1u) == 0; i++) {
            const struct p2_msg_kernel_offer *offer = &hello->kernels[i];
            if (p2_span_equal(name, offer->name) && offer->version == kernel->version &&
                memcmp(offer->digest, kernel->digest, sizeof offer->digest) == 0) {
                helper->place[k] = (uint8_t)i;
                offered |= 1u << k;
                accepted |= 1u << i;
            }
        }
    }
    *ret_accepted = accepted;
    return offered;
}

static bool is_welcome(struct p2_core *core, const struct p2_msg_hello *hello,
                       struct p2_helper *helper, uint64_t now_us, enum p2_denied_reason *ret_reason)
{
    const struct p2_standing *standing = p2_helpers_standing(&core->helpers, &hello->node);
    if (hello->protocol != P2_WIRE_PROTOCOL) {
        *ret_reason = P2_DENIED_REASON_PROTOCOL;
        return false;
    }
    if (standing != NULL && standing->banned_until_us > now_us) {
        *ret_reason = P2_DENIED_REASON_BANNED;
        return false;
    }
    if (standing != NULL && standing->strikes >= P2_STRIKES_MAX &&
        now_us - standing->strikes_us[standing->strikes % P2_STRIKES_MAX] < P2_STRIKE_WINDOW_US &&
        standing->backoff_until_us > now_us) {
        *ret_reason = P2_DENIED_REASON_STRIKES;
        return false;
    }
    bool has_token = use_token(core, hello, now_us);
    if (!is_configured(core, &hello->node, &helper->is_cloud) && !has_token &&
        !core->options.is_open) {
        *ret_reason = P2_DENIED_REASON_TOKEN;
        return false;
    }
    if (hello->price > core->options.price_max) {
        *ret_reason = P2_DENIED_REASON_PRICE;
        return false;
    }
    return true;
}

/* A kernel may be leased. */
static void make_ready(struct p2_core *core, struct p2_helper *helper, uint8_t kernel)
{
    helper->ready_kernels |= 1u << kernel;
    if (helper->state == P2_HELPER_WARMING) {
        helper->state = P2_HELPER_ACTIVE;
        for (uint32_t i = 0; i < core->options.sessions_max; i++) {
            core->sessions[i].placement.rotated_us = 0; /* somebody new: choose the set again */
        }
    }
}

static void admit(struct p2_core *core, uint32_t peer, const struct p2_msg_hello *hello,
                  uint32_t accepted, uint64_t now_us, struct p2_outbox *out)
{
    struct p2_helper *helper = p2_helper_at(&core->helpers, peer);
    const struct p2_core_options *options = &core->options;
    helper->cores = hello->cores;
    helper->window = hello->slots < options->window_max ? hello->slots : options->window_max;
    uint64_t cache =
        hello->cache_bytes < options->cache_max ? hello->cache_bytes : options->cache_max;
    p2_blobs_init(&helper->blobs, &core->helpers.blob_entries[(size_t)peer * options->blobs_each],
                  options->blobs_each, cache);
    helper->state = P2_HELPER_WARMING;
    helper->opened_us = now_us;
    for (uint32_t i = 0; i < options->sessions_max; i++) {
        if (core->sessions[i].is_used) {
            p2_session_retie(core, (uint16_t)i, peer);
        }
    }
    struct p2_effect *effect = p2_outbox_add(out, P2_EFFECT_ACCEPT);
    effect->peer = peer;
    effect->kernels = accepted;
    effect->window = helper->window;
    effect->cache_bytes = cache;
    for (uint32_t k = 0; k < options->kernel_count; k++) {
        if ((helper->offered_kernels >> k & 1u) == 0) {
            continue;
        }
        if (options->kernels[k].warm_input.size > 0) {
            p2_dispatch_warm_up(core, peer, (uint8_t)k, now_us, out);
        } else {
            make_ready(core, helper, (uint8_t)k); /* its known answers have to do */
        }
    }
}

static void hear_hello(struct p2_core *core, uint32_t peer, struct p2_span body, uint64_t now_us,
                       struct p2_outbox *out)
{
    struct p2_helper *helper = p2_helper_at(&core->helpers, peer);
    struct p2_msg_hello hello;
    enum p2_denied_reason reason = P2_DENIED_REASON_MALFORMED;
    int error = p2_wire_decode_hello(&hello, body);
    if (error != P2_OK) {
        goto refuse;
    }
    if (!is_welcome(core, &hello, helper, now_us, &reason)) {
        error = P2_E_NOT_ALLOWED;
        goto refuse;
    }
    uint32_t accepted;
    helper->offered_kernels = match_kernels(core, &hello, helper, &accepted);
    if (helper->offered_kernels == 0) {
        reason = P2_DENIED_REASON_KERNELS;
        error = P2_E_UNSUPPORTED;
        goto refuse;
    }
    error = p2_helper_identify(&core->helpers, peer, &hello.node, hello.owner,
                               core->options.local_peers, now_us);
    if (error != P2_OK) {
        reason = P2_DENIED_REASON_FULL;
        goto refuse;
    }
    admit(core, peer, &hello, accepted, now_us, out);
    return;
refuse:
    core->counters.denied++;
    helper->state = P2_HELPER_DRAINING;
    deny(peer, reason, DENIED_RETRY_S, true, error, out);
}

void p2_admission_warm(struct p2_core *core, uint32_t peer, uint64_t lease, uint8_t kernel,
                       bool is_right, struct p2_outbox *out)
{
    struct p2_helper *helper = p2_helper_at(&core->helpers, peer);
    if (!is_right) {
        struct p2_effect *effect = p2_outbox_add(out, P2_EFFECT_INTEGRITY);
        effect->peer = peer;
        effect->helper = helper->id;
        effect->lease = lease;
        effect->kernel = kernel;
        effect->status = P2_E_BAD_RESULT;
        effect->is_known = true;
        return;
    }
    make_ready(core, helper, kernel);
}

/* ---- other messages --------------------------------------------------------------------------- */

static int hear_offer(struct p2_core *core, struct p2_helper *helper, struct p2_span body)
{
    struct p2_msg_offer offer;
    int error = p2_wire_decode_offer(&offer, body);
    if (error != P2_OK) {
        return error;
    }
    bool is_lending = offer.pause == P2_PAUSE_REASON_NONE && offer.cores > 0 && offer.slots > 0;
    if (is_lending) {
        helper->cores = offer.cores;
        helper->window =
            offer.slots < core->options.window_max ? offer.slots : core->options.window_max;
    }
    if (helper->state == P2_HELPER_ACTIVE && !is_lending) {
        helper->state = P2_HELPER_PAUSED;
    } else if (helper->state == P2_HELPER_PAUSED && is_lending) {
        helper->state = P2_HELPER_ACTIVE;
    }
    return P2_OK;
}

static int hear_held(struct p2_helper *helper, struct p2_span body)
{
    struct p2_msg_blob_held held;
    int error = p2_wire_decode_blob_held(&held, body);
    for (uint32_t i = 0; error == P2_OK && i < held.handles_count; i++) {
        error = p2_blobs_acknowledge(&helper->blobs, held.handles[i]);
    }
    return error;
}

static int hear_drain(struct p2_core *core, uint32_t peer, struct p2_span body,
                      struct p2_outbox *out)
{
    struct p2_helper *helper = p2_helper_at(&core->helpers, peer);
    struct p2_msg_drain drain;
    int error = p2_wire_decode_drain(&drain, body);
    if (error == P2_OK) {
        helper->state = P2_HELPER_DRAINING;
        if (helper->live == 0) {
            p2_outbox_add(out, P2_EFFECT_CLOSE)->peer = peer;
        }
    }
    return error;
}

void p2_admission_message(struct p2_core *core, uint32_t peer, uint8_t type, struct p2_span body,
                          uint64_t now_us, struct p2_outbox *out)
{
    struct p2_helper *helper = p2_helper_at(&core->helpers, peer);
    if (helper->state == P2_HELPER_STRANGER) {
        if (type == P2_MSG_HELLO) {
            hear_hello(core, peer, body, now_us, out);
        } else {
            p2_admission_strike(core, peer, P2_DENIED_REASON_TASK_DATA_ONLY, P2_E_NOT_ALLOWED,
                                now_us, out);
        }
        return;
    }
    if (helper->standing == P2_PEER_NONE) {
        return; /* refused; what comes until the link is closed is not heard */
    }
    if (type == P2_MSG_RESULT) {
        p2_answer_result(core, peer, body, now_us, out);
        return;
    }
    int error = P2_OK;
    enum p2_denied_reason reason = P2_DENIED_REASON_MALFORMED;
    if (type == P2_MSG_BLOB_HELD) {
        error = hear_held(helper, body); /* an answer: bounded by the contents sent */
    } else if (p2_helper_charge(helper, body.size, now_us) != P2_OK) {
        error = P2_E_FLOOD;
        reason = P2_DENIED_REASON_RATE;
    } else if (type == P2_MSG_OFFER) {
        error = hear_offer(core, helper, body);
    } else if (type == P2_MSG_DRAIN) {
        error = hear_drain(core, peer, body, out);
    } else {
        error = P2_E_NOT_ALLOWED;
        reason = P2_DENIED_REASON_TASK_DATA_ONLY;
    }
    if (error != P2_OK && helper->state != P2_HELPER_DRAINING) {
        p2_admission_strike(core, peer, reason, error, now_us, out);
    }
}
