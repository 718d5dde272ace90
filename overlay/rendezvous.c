/* Publishing and finding sessions; see the header. */
#include "overlay/rendezvous.h"

#include <string.h>

/* ---- the publisher ------------------------------------------------------------------------------ */

static bool is_own(const struct p2_session_publisher *publisher, struct p2_span value,
                   const struct p2_overlay_key *key, uint64_t unix_s)
{
    struct p2_overlay_session record;
    int error = p2_session_unseal(&record, NULL, value, key, unix_s, &publisher->keys,
                                  publisher->options.rules);
    /* An older one of ours that has expired meanwhile is no junk either. */
    return error == P2_E_EXPIRED ||
           (error == P2_OK && p2_id_equal(&record.authority, &publisher->record.authority));
}

static enum p2_overlay_verdict on_watched(struct p2_overlay_op *op, struct p2_span value, void *ctx)
{
    struct p2_session_publisher *publisher = ctx;
    if (!is_own(publisher, value, &op->key, p2_overlay_now(op->overlay).unix_s)) {
        publisher->junk++;
        publisher->sees_junk = true;
    }
    return P2_OVERLAY_MORE;
}

static void on_watch_end(struct p2_overlay_op *op, int result, void *ctx)
{
    struct p2_session_publisher *publisher = ctx;
    (void)result; /* only the overlay's end ends a watch */
    for (unsigned copy = 0; copy < P2_SESSION_COPIES; copy++) {
        if (publisher->watches[copy] == op) {
            publisher->watches[copy] = NULL;
        }
    }
}

static void on_published(struct p2_overlay_op *op, int result, void *ctx)
{
    (void)op;
    (void)result; /* proves nothing either way: the schedule does not depend on it */
    (void)ctx;
}

static const struct p2_overlay_events watch_events = {on_watched, on_watch_end};
static const struct p2_overlay_events publish_events = {NULL, on_published};

/* Keeps what the publisher decides by itself. */
static void take_record(struct p2_session_publisher *publisher,
                        const struct p2_overlay_session *record)
{
    publisher->record = *record;
    memcpy(publisher->record.authority.bytes, publisher->options.identity->public_key, P2_ID_BYTES);
    publisher->record.puzzle_nonce = publisher->options.puzzle_nonce;
    publisher->puts_since_change = 0;
    publisher->next_us = 0; /* at once */
}

static int make_id(struct p2_session_publisher *publisher, const uint8_t salt[P2_SALT_BYTES])
{
    struct p2_session_id id;
    struct p2_session_keys keys;
    struct p2_id authority;
    memcpy(authority.bytes, publisher->options.identity->public_key, P2_ID_BYTES);
    int error = p2_session_id_derive(&id, &authority, salt);
    if (error == P2_OK) {
        error = p2_session_keys_derive(&keys, &id, publisher->options.rules);
    }
    if (error == P2_OK) {
        publisher->id = id;
        publisher->keys = keys;
        publisher->has_slot = false;
        p2_secret_wipe(&keys, sizeof keys);
    }
    return error;
}

static bool are_endpoints_valid(const struct p2_overlay_session *record)
{
    return record->endpoint_count >= 1 && record->endpoint_count <= P2_SESSION_ENDPOINTS;
}

int p2_session_publisher_start(struct p2_session_publisher *publisher,
                               const struct p2_session_publisher_options *options,
                               const struct p2_overlay_session *record, const struct p2_rng *rng)
{
    memset(publisher, 0, sizeof *publisher);
    if (!are_endpoints_valid(record)) {
        return P2_E_RANGE;
    }
    publisher->options = *options;
    publisher->rng = *rng;
    publisher->sequence = options->first_sequence;
    int error = make_id(publisher, record->salt);
    if (error == P2_OK) {
        take_record(publisher, record);
        publisher->is_running = true;
    }
    return error;
}

int p2_session_publisher_change(struct p2_session_publisher *publisher,
                                const struct p2_overlay_session *record)
{
    uint8_t salt[P2_SALT_BYTES];
    if (!are_endpoints_valid(record)) {
        return P2_E_RANGE;
    }
    memcpy(salt, publisher->record.salt, sizeof salt);
    take_record(publisher, record);
    memcpy(publisher->record.salt, salt, sizeof salt);
    return P2_OK;
}

int p2_session_publisher_rotate(struct p2_session_publisher *publisher,
                                const uint8_t salt[P2_SALT_BYTES])
{
    int error = make_id(publisher, salt);
    if (error == P2_OK) {
        memcpy(publisher->record.salt, salt, P2_SALT_BYTES);
        publisher->puts_since_change = 0;
        publisher->next_us = 0;
    }
    return error;
}

static void stop_watching(struct p2_session_publisher *publisher)
{
    for (unsigned copy = 0; copy < P2_SESSION_COPIES; copy++) {
        p2_overlay_cancel(publisher->options.overlay, publisher->watches[copy]);
        publisher->watches[copy] = NULL;
    }
}

/* The hour changed, or the ID: other keys from now on. */
static void follow_slot(struct p2_session_publisher *publisher, uint64_t unix_s)
{
    uint64_t slot = p2_session_slot(unix_s);
    if (publisher->has_slot && publisher->slot == slot) {
        return;
    }
    stop_watching(publisher);
    publisher->slot = slot;
    publisher->has_slot = true;
    publisher->sees_junk = false;
    publisher->puts_since_change = 0;
    publisher->next_us = 0;
}

static void put(struct p2_session_publisher *publisher, const struct p2_overlay_now *now)
{
    struct p2_overlay *overlay = publisher->options.overlay;
    struct p2_overlay_session *record = &publisher->record;
    uint8_t value[P2_SESSION_VALUE_BYTES];
    uint8_t nonce[P2_XNONCE_BYTES];
    struct p2_overlay_key key;
    record->not_before = now->unix_s;
    record->expires = now->unix_s + P2_OVERLAY_RECORD_LIFE_S;
    record->sequence = ++publisher->sequence;
    for (unsigned copy = 0; copy < P2_SESSION_COPIES; copy++) {
        p2_session_slot_key(&key, &publisher->keys, copy, publisher->slot);
        p2_rng_bytes(&publisher->rng, nonce, sizeof nonce);
        int error = p2_session_seal(value, record, &key, &publisher->keys, nonce,
                                    publisher->options.identity, publisher->options.rules);
        P2_ASSERT(error == P2_OK); /* the record was checked when it was taken */
        error = p2_overlay_publish(overlay, &key, p2_span(value, sizeof value), &publish_events,
                                   NULL, NULL);
        publisher->puts += error == P2_OK; /* else the next put is the retry */
    }
    publisher->puts_since_change++;
    publisher->sees_junk = false;
    publisher->last_us = now->mono_us;
    uint64_t spread = P2_PUBLISH_REFRESH_US / 5;
    publisher->next_us =
        now->mono_us + (publisher->puts_since_change == 1
                            ? P2_PUBLISH_AGAIN_US
                            : p2_rng_between(&publisher->rng, P2_PUBLISH_REFRESH_US - spread,
                                             P2_PUBLISH_REFRESH_US + spread));
}

/* Watches are set up after the first put, and again if the overlay refused one before. */
static void keep_watching(struct p2_session_publisher *publisher)
{
    struct p2_overlay_key key;
    for (unsigned copy = 0; copy < P2_SESSION_COPIES; copy++) {
        if (publisher->watches[copy] == NULL) {
            p2_session_slot_key(&key, &publisher->keys, copy, publisher->slot);
            (void)p2_overlay_watch(publisher->options.overlay, &key, &watch_events, publisher,
                                   &publisher->watches[copy]); /* else at the next tick */
        }
    }
}

uint64_t p2_session_publisher_tick(struct p2_session_publisher *publisher)
{
    const struct p2_overlay_now now = p2_overlay_now(publisher->options.overlay);
    if (!publisher->is_running) {
        return UINT64_MAX;
    }
    follow_slot(publisher, now.unix_s);
    bool is_flooded =
        publisher->sees_junk && now.mono_us >= publisher->last_us + P2_PUBLISH_JUNK_US;
    if (now.mono_us >= publisher->next_us || is_flooded) {
        put(publisher, &now);
    }
    keep_watching(publisher);
    uint64_t hour_ends =
        now.mono_us + ((publisher->slot + 1) * P2_SESSION_SLOT_S - now.unix_s) * 1000000;
    /* Junk may come any time: looking every 5 s costs nothing. */
    uint64_t look = publisher->last_us + P2_PUBLISH_JUNK_US;
    look = look > now.mono_us ? look : now.mono_us + P2_PUBLISH_JUNK_US;
    uint64_t due = publisher->next_us < hour_ends ? publisher->next_us : hour_ends;
    return look < due ? look : due;
}

void p2_session_publisher_stop(struct p2_session_publisher *publisher)
{
    if (publisher->is_running) {
        stop_watching(publisher);
    }
    p2_secret_wipe(publisher, sizeof *publisher);
}

/* ---- the resolver ------------------------------------------------------------------------------- */

void p2_resolver_init(struct p2_resolver *resolver)
{
    memset(resolver, 0, sizeof *resolver);
}

static void tell_change(const struct p2_resolver *resolver)
{
    if (resolver->options.on_change != NULL) {
        resolver->options.on_change(resolver->options.ctx);
    }
}

static enum p2_overlay_verdict on_value(struct p2_overlay_op *op, struct p2_span value, void *ctx)
{
    struct p2_resolver_lookup *lookup = ctx;
    struct p2_resolver *resolver = lookup->resolver;
    struct p2_overlay_now now = p2_overlay_now(op->overlay);
    struct p2_overlay_session record;
    struct p2_overlay_record raw;
    if (!p2_collector_begin(&resolver->collector, &now)) {
        return P2_OVERLAY_STOP;
    }
    int error = p2_session_check(&resolver->checker, &record, &raw, value, &op->key, now.unix_s);
    now = p2_overlay_now(op->overlay);
    if (error != P2_OK) {
        p2_collector_reject(&resolver->collector, &now);
        return P2_OVERLAY_MORE;
    }
    p2_collector_keep(&resolver->collector, &raw, &now);
    if (!resolver->has_record || record.sequence > resolver->record.sequence) {
        resolver->record = record;
        resolver->has_record = true;
    }
    if (resolver->state == P2_RESOLVER_SEARCHING) {
        resolver->state = P2_RESOLVER_GATHERING;
        bool is_flood = resolver->collector.junk >= P2_RESOLVER_FLOOD;
        resolver->due_us = now.mono_us + (is_flood ? 0 : P2_RESOLVER_GATHER_US);
        tell_change(resolver);
    }
    return P2_OVERLAY_MORE;
}

static void on_lookup_end(struct p2_overlay_op *op, int result, void *ctx)
{
    struct p2_resolver_lookup *lookup = ctx;
    (void)op;
    (void)result; /* whatever came was checked; nothing is made of how it ended */
    lookup->op = NULL;
    lookup->resolver->running--;
    tell_change(lookup->resolver);
}

static const struct p2_overlay_events lookup_events = {on_value, on_lookup_end};

/* Starts the six lookups of a round; this hour first, since the overlay serves in order. */
static void begin_round(struct p2_resolver *resolver, const struct p2_overlay_now *now)
{
    static const int hours[] = {0, -1, 1};
    const struct p2_overlay_limits limits = {P2_OVERLAY_VALUES_MAX, P2_OVERLAY_TIME_MAX_MS};
    struct p2_collector_limits read_limits = p2_collector_default_limits();
    uint64_t slot = p2_session_slot(now->unix_s);
    /* Values are limited for each lookup, by the overlay; CPU time for the round. */
    read_limits.values *= P2_RESOLVER_LOOKUPS;
    p2_collector_reset(&resolver->collector, &read_limits, now);
    p2_session_checker_renew(&resolver->checker);
    resolver->state = P2_RESOLVER_SEARCHING;
    resolver->due_us = UINT64_MAX;
    for (unsigned i = 0; i < P2_RESOLVER_LOOKUPS; i++) {
        struct p2_resolver_lookup *lookup = &resolver->lookups[i];
        struct p2_overlay_key key;
        p2_session_slot_key(&key, &resolver->keys, i % P2_SESSION_COPIES,
                            slot + (uint64_t)hours[i / P2_SESSION_COPIES]);
        lookup->resolver = resolver;
        int error = p2_overlay_lookup(resolver->options.overlay, &key, &limits, &lookup_events,
                                      lookup, &lookup->op);
        if (error == P2_OK) {
            resolver->running++;
        } else {
            resolver->refused++; /* the other lookups and rounds make up for it */
        }
    }
}

int p2_resolver_start(struct p2_resolver *resolver, const struct p2_resolver_options *options,
                      const struct p2_session_id *id)
{
    const struct p2_overlay_now now = p2_overlay_now(options->overlay);
    struct p2_session_keys keys;
    if (resolver->state == P2_RESOLVER_SEARCHING || resolver->state == P2_RESOLVER_GATHERING ||
        resolver->state == P2_RESOLVER_PAUSING) {
        return P2_E_STATE;
    }
    bool is_same = resolver->has_keys && p2_session_id_equal(&resolver->id, id);
    if (is_same && resolver->has_record && resolver->record.expires > now.unix_s) {
        resolver->state = P2_RESOLVER_FOUND;
        return P2_OK;
    }
    int error = p2_session_keys_derive(&keys, id, options->rules);
    if (error != P2_OK) {
        return error;
    }
    p2_resolver_stop(resolver);
    resolver->options = *options;
    resolver->id = *id;
    resolver->keys = keys;
    resolver->has_keys = true;
    p2_secret_wipe(&keys, sizeof keys);
    p2_session_checker_init(&resolver->checker, id, options->known_key, &resolver->keys,
                            options->rules);
    resolver->options.known_key = NULL; /* the checker has a copy */
    resolver->began_us = now.mono_us;
    begin_round(resolver, &now);
    return P2_OK;
}

static void cancel_lookups(struct p2_resolver *resolver)
{
    for (unsigned i = 0; i < P2_RESOLVER_LOOKUPS; i++) {
        if (resolver->lookups[i].op != NULL) {
            p2_overlay_cancel(resolver->options.overlay, resolver->lookups[i].op);
            resolver->lookups[i].op = NULL;
        }
    }
    resolver->running = 0;
}

static void round_is_over(struct p2_resolver *resolver, uint64_t now_us)
{
    static const uint64_t pauses_us[P2_RESOLVER_ROUNDS - 1] = {1000000, 5000000};
    /* Cut short by junk: that is no answer, and the next round knows the verdicts of this one. */
    bool is_cut = resolver->collector.end == P2_COLLECTOR_END_CPU &&
                  now_us - resolver->began_us < P2_RESOLVER_JUNK_US;
    if (resolver->round + 1 >= P2_RESOLVER_ROUNDS && !is_cut) {
        resolver->state = P2_RESOLVER_NOT_FOUND;
        return;
    }
    resolver->state = P2_RESOLVER_PAUSING;
    resolver->due_us = now_us + pauses_us[is_cut ? 0 : resolver->round];
    resolver->round += !is_cut;
}

uint64_t p2_resolver_tick(struct p2_resolver *resolver)
{
    if (resolver->state != P2_RESOLVER_SEARCHING && resolver->state != P2_RESOLVER_GATHERING &&
        resolver->state != P2_RESOLVER_PAUSING) {
        return UINT64_MAX;
    }
    const struct p2_overlay_now now = p2_overlay_now(resolver->options.overlay);
    if (resolver->state == P2_RESOLVER_GATHERING &&
        (resolver->running == 0 || now.mono_us >= resolver->due_us)) {
        cancel_lookups(resolver);
        resolver->state = P2_RESOLVER_FOUND;
        return UINT64_MAX;
    }
    if (resolver->state == P2_RESOLVER_SEARCHING && resolver->running == 0) {
        round_is_over(resolver, now.mono_us);
    }
    if (resolver->state == P2_RESOLVER_PAUSING && now.mono_us >= resolver->due_us) {
        begin_round(resolver, &now);
    }
    return resolver->state == P2_RESOLVER_NOT_FOUND ? UINT64_MAX : resolver->due_us;
}

void p2_resolver_forget(struct p2_resolver *resolver)
{
    resolver->has_record = false;
    if (resolver->state == P2_RESOLVER_FOUND) {
        resolver->state = P2_RESOLVER_IDLE;
    }
}

void p2_resolver_stop(struct p2_resolver *resolver)
{
    cancel_lookups(resolver);
    p2_secret_wipe(resolver, sizeof *resolver);
}

const char *p2_resolver_state_name(enum p2_resolver_state state)
{
    static const char *const names[] = {"idle",    "searching", "gathering",
                                        "pausing", "found",     "not found"};
    return (size_t)state < P2_COUNT_OF(names) ? names[state] : "?";
}
