/* From a session ID to an open endpoint; see the header.
 *
 * Everything its user hears comes from on_wake. A callback may start, stop or report anything: after
 * each one the number of the start tells whether the work goes on. */
#include "overlay/session_finder.h"

#include "overlay/wakeup.h"

#include <stdlib.h>
#include <string.h>

/* One endpoint of the session, in the order of dialling. */
struct dial {
    enum { WAITS, DIALLED, FAILED, OPENED } state;
    unsigned number;
    struct p2_link_address address;
};

struct p2_session_finder {
    struct p2_finder_options options;
    const struct p2_finder_events *events;
    void *ctx;
    struct p2_wakeup wakeup;
    struct p2_resolver resolver;
    enum p2_finder_state state;
    uint64_t start; /* number of starts and stops */
    bool has_known_key;
    bool is_asked_again; /* past the cache, since no endpoint opened */
    struct p2_session_id id;
    struct p2_id known_key;
    struct p2_id authority; /* of the endpoints below */
    bool has_aes;
    unsigned next_number;
    uint64_t next_dial_us;
    uint8_t count;
    struct dial dials[P2_SESSION_ENDPOINTS];
};

static uint64_t now_us_of(const struct p2_session_finder *finder)
{
    return p2_overlay_now(finder->options.overlay).mono_us;
}

static void wake_soon(struct p2_session_finder *finder)
{
    (void)p2_wakeup_soon(&finder->wakeup); /* its place was reserved at open */
}

static void on_change(void *ctx)
{
    wake_soon(ctx);
}

/* ---- ends ----------------------------------------------------------------------------------------- */

/* Tells the user to close what is not needed; all but `winner` (or none: UINT_MAX). */
static void drop_all(struct p2_session_finder *finder, const struct dial *winner)
{
    struct dial dials[P2_SESSION_ENDPOINTS];
    uint8_t count = finder->count;
    memcpy(dials, finder->dials, sizeof dials);
    finder->count = 0;
    for (uint8_t i = 0; i < count; i++) {
        bool is_winner = winner != NULL && winner->number == dials[i].number;
        if (!is_winner && (dials[i].state == DIALLED || dials[i].state == OPENED)) {
            finder->events->on_drop(dials[i].number, finder->ctx);
        }
    }
}

static void end(struct p2_session_finder *finder, int result, const struct dial *winner)
{
    const struct dial kept = winner != NULL ? *winner : (struct dial){0};
    uint64_t start = finder->start;
    finder->state = P2_FINDER_IDLE;
    drop_all(finder, winner != NULL ? &kept : NULL);
    if (finder->start == start) { /* else on_drop began something else */
        finder->events->on_end(result, kept.number, finder->ctx);
    }
}

/* ---- dialling ------------------------------------------------------------------------------------- */

/* The first of the list, then the first of the other family, and so on. */
static void take_endpoints(struct p2_session_finder *finder,
                           const struct p2_link_address *endpoints, uint8_t count)
{
    bool is_taken[P2_SESSION_ENDPOINTS] = {false};
    uint8_t family = endpoints[0].ip.family;
    finder->count = 0;
    while (finder->count < count) {
        uint8_t chosen = count;
        for (uint8_t i = 0; i < count; i++) {
            bool is_wanted = !is_taken[i] && (endpoints[i].ip.family == family || chosen == count);
            bool is_better = chosen == count || endpoints[chosen].ip.family != family;
            chosen = is_wanted && is_better ? i : chosen;
        }
        is_taken[chosen] = true;
        family = endpoints[chosen].ip.family == 4 ? 6 : 4;
        finder->dials[finder->count++] = (struct dial){
            .state = WAITS, .number = finder->next_number++, .address = endpoints[chosen]};
    }
    finder->next_dial_us = 0;
}

static struct dial *first_in_state(struct p2_session_finder *finder, int state)
{
    for (uint8_t i = 0; i < finder->count; i++) {
        if ((int)finder->dials[i].state == state) {
            return &finder->dials[i];
        }
    }
    return NULL;
}

/* False: a callback ended or began something. */
static bool dial_next(struct p2_session_finder *finder, uint64_t now_us)
{
    struct dial *next = first_in_state(finder, WAITS);
    uint64_t start = finder->start;
    if (next == NULL || now_us < finder->next_dial_us) {
        return true;
    }
    const struct p2_finder_dial dial = {.number = next->number,
                                        .address = next->address,
                                        .authority = finder->authority,
                                        .has_aes = finder->has_aes};
    next->state = DIALLED;
    finder->next_dial_us = now_us + P2_FINDER_STAGGER_US;
    finder->events->on_dial(&dial, finder->ctx);
    return finder->start == start;
}

/* ---- searching ------------------------------------------------------------------------------------ */

static int search(struct p2_session_finder *finder)
{
    const struct p2_resolver_options options = {
        .overlay = finder->options.overlay,
        .rules = finder->options.rules,
        .known_key = finder->has_known_key ? &finder->known_key : NULL,
        .on_change = on_change,
        .ctx = finder};
    finder->state = P2_FINDER_SEARCHING;
    return p2_resolver_start(&finder->resolver, &options, &finder->id);
}

/* Nothing is left to try among the endpoints known. */
static void none_opened(struct p2_session_finder *finder)
{
    int error = P2_E_UNREACHABLE;
    bool is_first = finder->state == P2_FINDER_DIRECT;
    if (is_first || !finder->is_asked_again) {
        finder->is_asked_again |= !is_first;
        if (!is_first) {
            p2_resolver_forget(&finder->resolver);
        }
        finder->count = 0;
        error = search(finder);
        wake_soon(finder);
    }
    if (error != P2_OK) {
        end(finder, error, NULL);
    }
}

static void on_found(struct p2_session_finder *finder)
{
    const struct p2_overlay_session record = finder->resolver.record;
    uint64_t start = finder->start;
    if (finder->events->on_record != NULL) {
        finder->events->on_record(&record, finder->ctx);
    }
    if (finder->start != start) {
        return;
    }
    if (finder->events->on_dial == NULL) {
        end(finder, P2_OK, NULL);
        return;
    }
    finder->state = P2_FINDER_DIALLING;
    finder->authority = record.authority;
    finder->has_aes = record.has_aes;
    take_endpoints(finder, record.endpoints, record.endpoint_count);
    wake_soon(finder);
}

static void go_on_searching(struct p2_session_finder *finder)
{
    uint64_t due_us = p2_resolver_tick(&finder->resolver);
    if (finder->resolver.state == P2_RESOLVER_FOUND) {
        on_found(finder);
    } else if (finder->resolver.state == P2_RESOLVER_NOT_FOUND) {
        end(finder, P2_E_NOENT, NULL);
    } else {
        (void)p2_wakeup_at(&finder->wakeup, due_us);
    }
}

static void go_on_dialling(struct p2_session_finder *finder)
{
    uint64_t now_us = now_us_of(finder);
    const struct dial *winner = first_in_state(finder, OPENED);
    if (winner != NULL) {
        end(finder, P2_OK, winner);
        return;
    }
    if (!dial_next(finder, now_us)) {
        return;
    }
    if (first_in_state(finder, WAITS) != NULL) {
        (void)p2_wakeup_at(&finder->wakeup, finder->next_dial_us);
    } else if (first_in_state(finder, DIALLED) == NULL && first_in_state(finder, OPENED) == NULL) {
        none_opened(finder);
    }
}

static void on_wake(void *ctx)
{
    struct p2_session_finder *finder = ctx;
    switch (finder->state) {
    case P2_FINDER_IDLE:
        break;
    case P2_FINDER_SEARCHING:
        go_on_searching(finder);
        break;
    case P2_FINDER_DIRECT:
    case P2_FINDER_DIALLING:
        go_on_dialling(finder);
        break;
    }
}

/* ---- public --------------------------------------------------------------------------------------- */

int p2_session_finder_open(struct p2_session_finder **ret_finder,
                           const struct p2_finder_options *options,
                           const struct p2_finder_events *events, void *ctx)
{
    struct p2_session_finder *finder = calloc(1, sizeof *finder);
    if (finder == NULL) {
        return P2_E_NOMEM;
    }
    P2_ASSERT(events->on_dial == NULL || events->on_drop != NULL);
    finder->options = *options;
    finder->events = events;
    finder->ctx = ctx;
    p2_resolver_init(&finder->resolver);
    p2_wakeup_init(&finder->wakeup, options->overlay, on_wake, finder);
    *ret_finder = finder;
    return P2_OK;
}

int p2_session_finder_start(struct p2_session_finder *finder, const struct p2_session_id *id,
                            const struct p2_id *known_key, const struct p2_link_address *direct,
                            uint8_t count)
{
    if (finder->state != P2_FINDER_IDLE) {
        return P2_E_STATE;
    }
    if (count > P2_SESSION_ENDPOINTS || (count > 0 && known_key == NULL)) {
        return P2_E_RANGE;
    }
    finder->start++;
    finder->id = *id;
    finder->has_known_key = known_key != NULL;
    finder->known_key = known_key != NULL ? *known_key : (struct p2_id){0};
    finder->is_asked_again = false;
    finder->count = 0;
    if (known_key != NULL && finder->resolver.has_record &&
        !p2_id_equal(&finder->resolver.record.authority, known_key)) {
        p2_resolver_forget(&finder->resolver); /* the link names somebody else */
    }
    int error = P2_OK;
    if (count > 0 && finder->events->on_dial != NULL) {
        finder->state = P2_FINDER_DIRECT;
        finder->authority = *known_key;
        finder->has_aes = false; /* nobody said so: the other cipher works everywhere */
        take_endpoints(finder, direct, count);
    } else {
        error = search(finder);
    }
    if (error == P2_OK) {
        error = p2_wakeup_soon(&finder->wakeup);
    }
    if (error != P2_OK) {
        finder->state = P2_FINDER_IDLE;
    }
    return error;
}

void p2_session_finder_dialled(struct p2_session_finder *finder, unsigned number, bool is_open)
{
    for (uint8_t i = 0; i < finder->count; i++) {
        struct dial *dial = &finder->dials[i];
        if (dial->number == number && dial->state == DIALLED) {
            dial->state = is_open ? OPENED : FAILED;
            finder->next_dial_us = is_open ? finder->next_dial_us : 0;
            wake_soon(finder);
        }
    }
}

enum p2_finder_state p2_session_finder_state(const struct p2_session_finder *finder)
{
    return finder->state;
}

const char *p2_session_finder_text(const struct p2_session_finder *finder)
{
    static const char *const rounds[P2_RESOLVER_ROUNDS] = {
        "searching, round 1 of 3", "searching, round 2 of 3", "searching, round 3 of 3"};
    switch (finder->state) {
    case P2_FINDER_IDLE:
        break;
    case P2_FINDER_SEARCHING:
        return rounds[finder->resolver.round];
    case P2_FINDER_DIRECT:
        return "dialling the address of the link";
    case P2_FINDER_DIALLING:
        return "dialling";
    }
    return "idle";
}

void p2_session_finder_stop(struct p2_session_finder *finder)
{
    bool was_running = finder->state != P2_FINDER_IDLE;
    finder->start++;
    finder->state = P2_FINDER_IDLE;
    p2_wakeup_cancel(&finder->wakeup);
    if (was_running && finder->resolver.state != P2_RESOLVER_FOUND) {
        p2_resolver_stop(&finder->resolver);
    }
    drop_all(finder, NULL);
}

void p2_session_finder_close(struct p2_session_finder *finder)
{
    if (finder != NULL) {
        p2_session_finder_stop(finder);
        p2_resolver_stop(&finder->resolver);
        p2_secret_wipe(finder, sizeof *finder);
        free(finder);
    }
}
