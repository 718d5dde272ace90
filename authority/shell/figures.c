/* Finding a session, and its figures as JSON: the summary of `host` and the status. */
#include "authority/shell/hosted.h"

#include "authority/shell/seats.h"

#include <string.h>

const char *p2_hosted_state_name(enum p2_hosted_state state)
{
    static const char *const names[] = {[P2_HOSTED_LOADING] = "loading",
                                        [P2_HOSTED_READY] = "waiting",
                                        [P2_HOSTED_RUNNING] = "running",
                                        [P2_HOSTED_CLOSING] = "closing",
                                        [P2_HOSTED_ENDING] = "ending"};
    return names[state];
}

static void set(json_t *object, const char *name, uint64_t value)
{
    /* Failing to add shows as a missing member. */
    (void)json_object_set_new(object, name, json_integer((json_int_t)value));
}

static double percent(uint64_t part, uint64_t all)
{
    return all == 0 ? 0 : 100.0 * (double)part / (double)all;
}

json_t *p2_hosted_summary(const struct p2_hosted *hosted)
{
    const struct p2_figures *figures = &hosted->figures;
    const struct p2_authority *authority = hosted->authority;
    const struct p2_core_counters *counters = &authority->core.counters;
    json_t *summary = json_object();
    json_t *tiers = json_object();
    uint64_t units = 0;
    for (uint64_t tier = 0; tier < P2_COUNT_OF(figures->tiers); tier++) {
        set(tiers, p2_tier_name(tier), figures->tiers[tier]);
        units += figures->cost[tier];
    }
    (void)json_object_set_new(summary, "game", json_string(hosted->game_name));
    set(summary, "frames", figures->shipped);
    set(summary, "shipped", figures->shipped);
    set(summary, "on_time", figures->on_time);
    (void)json_object_set_new(summary, "on_time_percent",
                              json_real(percent(figures->on_time, figures->shipped)));
    set(summary, "missed_slots", figures->missed_slots);
    set(summary, "quality", hosted->quality);
    set(summary, "tasks", figures->tasks);
    set(summary, "settled", figures->settled);
    set(summary, "open", figures->tasks - figures->settled);
    (void)json_object_set_new(summary, "tiers", tiers);
    (void)json_object_set_new(
        summary, "peer_units_percent",
        json_real(percent(figures->cost[P2_TIER_PEER] + figures->cost[P2_TIER_SECOND], units)));
    set(summary, "lies_by_check", authority->policy.lies_by_check);
    set(summary, "lies_by_recomputation", authority->policy.lies_by_recomputation);
    set(summary, "audits", authority->policy.audits);
    set(summary, "corrected", figures->corrected);
    set(summary, "late_answers", counters->results_late);
    set(summary, "expired", counters->leases_expired);
    set(summary, "lost", counters->leases_lost);
    set(summary, "hedges", counters->hedges);
    set(summary, "unsolicited", authority->unsolicited);
    set(summary, "overruns", figures->overruns);
    set(summary, "game_max_us", figures->game_max_us);
    set(summary, "game_mean_us", figures->shipped > 0 ? figures->game_us / figures->shipped : 0);
    set(summary, "cut", figures->cut);
    set(summary, "out_of_sync", figures->out_of_sync);
    set(summary, "frames_sent", figures->frames_sent);
    set(summary, "frame_bytes", figures->frame_bytes);
    set(summary, "players", p2_seats_taken(hosted));
    (void)json_object_set(summary, "lies", authority->lies);
    return summary;
}

struct p2_hosted *p2_hosted_of(struct p2_authority *authority, uint16_t session)
{
    struct p2_hosted *hosted = authority->sessions;
    while (hosted != NULL && (!hosted->is_open || hosted->session != session)) {
        hosted = hosted->next;
    }
    return hosted;
}

struct p2_hosted *p2_hosted_named(struct p2_authority *authority, const char *name)
{
    struct p2_hosted *hosted = authority->sessions;
    while (hosted != NULL && strcmp(hosted->name, name) != 0) {
        hosted = hosted->next;
    }
    return hosted;
}
