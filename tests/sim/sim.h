/* The simulator: the production core of the authority over a network, helpers and a game that exist
 * only in memory. One virtual clock in microseconds, one queue of events ordered by (time, order of
 * making), one seed, which also draws the configuration. */
#ifndef P2_TESTS_SIM_SIM_H
#define P2_TESTS_SIM_SIM_H

#include "authority/core.h"
#include "authority/trust/trail.h"
#include "authority/trust/trust.h"
#include "base/rng.h"
#include "link/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_HELPERS_MAX   1000u
#define SIM_PLAYS_MAX     4u /* sessions at once */
#define SIM_INPUT_BYTES   32u
#define SIM_OUTPUT_BYTES  32u
#define SIM_CANDIDATES    6u       /* results of one task that were allowed to count */
#define SIM_SHADOW_TASKS  32768u   /* power of two; tasks by id */
#define SIM_SHADOW_LEASES 32768u   /* power of two; leases by order of granting */
#define SIM_HEAL_US       5000000u /* after healing everything settles within this */

enum sim_profile {
    SIM_HONEST,
    SIM_CHURN,
    SIM_LIARS,
    SIM_SWARM,
    SIM_ONTIME,   /* 30 helpers, 20-60 ms, 20 ms jitter, 5 % dying a minute */
    SIM_MASSACRE, /* half of the helpers die at half time */
    SIM_ALONE,    /* no helper at all */
    SIM_BURST,    /* 10,000 tasks in one frame, two helpers */
    SIM_POLICED,  /* the production policy of trust, 3 of 10 new helpers lie */
    SIM_TURNED    /* the same, but they proved themselves before */
};

/* What a liar does; a set of bits. */
#define SIM_WRONG     1u
#define SIM_LATE      2u
#define SIM_SILENT    4u
#define SIM_REPLAY    8u
#define SIM_OTHER     16u
#define SIM_FLOOD     32u
#define SIM_MALFORMED 64u
#define SIM_LATER_BAD 128u /* good until it has 200 answers, then WRONG */
#define SIM_COLLUDE   256u /* wrong, and equal to the other colluders' answer */
#define SIM_INTEGRITY (SIM_WRONG | SIM_REPLAY | SIM_OTHER | SIM_LATER_BAD | SIM_COLLUDE)

struct sim_config {
    uint32_t helpers;
    uint32_t gamers;
    uint32_t rtt_min_us, rtt_max_us;
    uint32_t jitter_us;          /* uniform, added to each direction: 0 .. jitter / 2 */
    uint32_t loss_ppm;           /* of messages: 200 ms later, and all behind it */
    uint32_t deaths_per_min_ppm; /* share of helpers that die a minute */
    uint32_t restart_us;         /* until a dead one comes back; 0: never */
    uint32_t fault_every_us;     /* partitions, clogs, slow CPUs; 0: none */
    uint32_t silent_death_ppm;   /* deaths nobody is told of */
    uint32_t liars_ppm;
    uint32_t liar_set;  /* bits they may have */
    uint32_t catch_ppm; /* wrong results that the cheap check catches */
    uint32_t check_us;  /* time of a check in the pool; 0: at once */
    uint32_t cores_max;
    uint32_t slots_max;
    uint32_t local_cores;
    uint32_t leases_max;
    uint32_t tasks_max;
    uint32_t window_max;
    uint32_t c1_tasks, c2_tasks, c3_tasks; /* most per frame */
    uint32_t replicas_ppm;
    uint32_t blobs_ppm; /* tasks that read contents */
    uint32_t cost_min, cost_max;
    uint64_t massacre_us; /* 0: none */
    uint32_t burst;       /* tasks in frame 0 */
    uint32_t sessions;
    uint32_t clouds_ppm;     /* helpers that are the host's own machines */
    uint64_t cloud_units;    /* per hour */
    uint32_t secrets_ppm;    /* tasks that no peer may see */
    uint32_t drain_every_us; /* the authority asks a helper to leave; 0: never */
};

struct sim_link {
    bool is_open;
    uint32_t epoch;                    /* counts the links of this helper */
    uint64_t up_last_us, down_last_us; /* arrivals keep their order */
    uint64_t up_sent_us, down_sent_us; /* what is sent in one instant leaves in one write */
    uint64_t up_blocked_us, down_blocked_us;
    struct p2_link_rtt rtt;
};

#define SIM_JOBS_MAX 512u

struct sim_job {
    uint64_t lease;
    uint8_t input[SIM_INPUT_BYTES];
    bool is_running;
};

struct sim_helper {
    struct p2_id id;
    struct p2_ip ip;
    struct sim_link link;
    bool is_alive;
    uint32_t lies; /* SIM_* bits */
    bool has_lied; /* an integrity event would be just */
    uint32_t rtt_us;
    bool is_cloud;
    bool is_drained; /* asked to leave: no new lease before it comes back */
    uint32_t cores, slots;
    uint32_t ns_per_unit;
    uint32_t owner;
    uint32_t answers;
    uint32_t slow_factor; /* 1 or more */
    struct sim_job jobs[SIM_JOBS_MAX];
    uint32_t job_count, running;
    uint8_t last_result[128]; /* for REPLAY and OTHER */
    uint32_t last_size;
    uint8_t other_output[SIM_OUTPUT_BYTES];
};

/* What the checkers know of a task and of a lease. */
struct sim_task {
    uint64_t id;
    uint64_t due_frame;
    uint8_t class;
    uint8_t flags;
    uint32_t cost;
    bool is_delivered, is_cancelled;
    bool is_wrong; /* what was delivered of it is, and was not corrected */
    uint64_t delivered_us;
    uint64_t candidates[SIM_CANDIDATES];
    uint32_t candidate_count;
    uint8_t input[SIM_INPUT_BYTES];
};

struct sim_lease {
    uint64_t id;
    uint64_t task;
    uint64_t end_us; /* hard deadline */
    uint32_t peer;
    uint32_t epoch;
    bool is_ended; /* cancelled, expired or lost */
    bool is_answered;
};

/* The game: its state is a hash over inputs and results. `sink` takes its tasks. */
struct sim_game {
    uint64_t state;
    const struct sim_config *config;
    uint64_t next_task; /* reference: id the next submit gets */
};

/* What the reference replay keeps of a task. */
struct sim_expected {
    uint64_t id;
    uint64_t due_frame;
    uint64_t tag;
    uint8_t flags;
    bool is_live;
};

struct sim_event {
    uint64_t at_us;
    uint64_t order;
    uint32_t kind;
    uint32_t helper;
    uint32_t epoch;
    uint64_t number;
    uint16_t session;
    uint8_t type;
    int status;
    uint32_t size;
    uint8_t *bytes; /* owned */
};

struct sim_local_job {
    uint64_t task;
    uint16_t session;
    uint64_t due_us;
    bool is_running;
};

/* One session with its game, its reference and what the checkers know of its tasks. */
struct sim_play {
    struct sim *sim; /* borrowed */
    uint16_t session;
    uint64_t epoch_us; /* slot of frame 0 */
    struct sim_game game;
    struct sim_game reference;
    struct sim_task *tasks; /* owned; by id */
    uint32_t input_sequence[P2_PLAYERS_MAX];
    uint32_t input_applied[P2_PLAYERS_MAX];
    uint64_t last_task; /* of the frame that runs */
    uint64_t frames_seen;
    struct sim_expected *expected; /* owned; by id */
    uint64_t expected_first;       /* ids below are over */
    uint64_t expected_last_id;     /* of this frame's results */
    uint8_t reference_depth;
    bool is_reference_ticked;
};

struct sim_store;

struct sim {
    struct sim_config config;
    struct sim_store *store; /* owned; sim_store.h */
    enum sim_profile profile;
    uint64_t seed;
    bool is_traced;
    uint64_t now_us;
    uint64_t order;
    struct sim_event *heap; /* owned */
    size_t heap_count, heap_capacity;
    struct p2_rng net, faults, lies, draws;
    struct p2_core core;
    struct p2_outbox out;
    struct sim_play plays[SIM_PLAYS_MAX];
    uint32_t play_count;
    struct sim_helper *helpers; /* owned */
    struct sim_local_job locals[P2_LOCAL_JOBS_MAX];
    uint32_t local_count, local_running;
    struct sim_lease *leases; /* owned; by id modulo */
    bool is_healing;          /* no more faults, no more tasks */
    uint64_t steps;
    uint64_t trace; /* hash over all effects */
    uint64_t violations;
    bool is_massacred;
    struct p2_trust trust; /* profiles `policed` and `turned` */
    struct p2_trail trail;
    uint32_t banned_liars, banned_honest;
    uint64_t wrong_state, corrected_in_time, corrected_late, audits_after;
    int64_t wrong_now;
    /* figures */
    uint64_t drained, cloud_leases;
    uint64_t delivered, degraded, submitted, cancelled, wrong_applied;
    uint64_t tiers[5];
    uint64_t frames, on_time, degraded_after_massacre, missing_frames;
    uint64_t frames_after, on_time_after; /* from 1 s after the massacre */
    uint64_t reasons[9];
};

/* ---- sim_run.c -------------------------------------------------------------------------------- */

int sim_init(struct sim *sim, enum sim_profile profile, uint64_t seed, bool is_traced);
void sim_free(struct sim *sim);
/* Runs until `steps` core steps or `end_us` of virtual time, then heals and runs SIM_HEAL_US more. */
void sim_run(struct sim *sim, uint64_t steps, uint64_t end_us);
const char *sim_profile_name(enum sim_profile profile);
void sim_draw(struct sim *sim); /* sim_config.c: fills config from profile and seed */

/* `bytes` may be delivered for the task from now on. */
void sim_note_candidate(struct sim *sim, uint16_t session, uint64_t task, struct p2_span bytes);

/* One step of the core and its effects. */
void sim_step(struct sim *sim, const struct p2_event *event);

/* ---- sim_police.c: profiles `policed` and `turned` ----------------------------------------------- */

int sim_police_open(struct sim *sim);
void sim_police_enrol(struct sim *sim);
void sim_police_close(struct sim *sim);
void sim_police_effect(struct sim *sim, const struct p2_effect *effect);
void sim_police_checked(struct sim *sim, const struct p2_effect *effect);
void sim_police_audited(struct sim *sim, const struct sim_event *event);
void sim_police_corrected(struct sim_play *play, const struct p2_delivery *delivery);
void sim_police_end(struct sim *sim);

/* ---- sim_net.c -------------------------------------------------------------------------------- */

enum sim_kind {
    SIM_EVENT_TIME,
    SIM_EVENT_OPEN,     /* helper dials: OPENED at the authority, HELLO behind it */
    SIM_EVENT_UP,       /* message of a helper arrives */
    SIM_EVENT_DOWN,     /* message to a helper arrives */
    SIM_EVENT_DONE,     /* a helper's core finished: number is the lease */
    SIM_EVENT_CLOSED,   /* the authority learns that a link is gone */
    SIM_EVENT_CHECKED,  /* number: lease */
    SIM_EVENT_COMPUTED, /* number: task */
    SIM_EVENT_RTT,
    SIM_EVENT_FAULT,
    SIM_EVENT_DEATH,
    SIM_EVENT_MASSACRE,
    SIM_EVENT_AUDITED, /* number: task; bytes: input, result, helper */
    SIM_EVENT_BAN,     /* number: until */
    SIM_EVENT_DRAIN,
    SIM_EVENT_INPUT
};

struct sim_event *sim_push(struct sim *sim, uint64_t at_us, enum sim_kind kind);
void sim_attach(struct sim_event *event, const void *bytes, size_t size);
bool sim_pop(struct sim *sim, struct sim_event *ret_event);
void sim_send_up(struct sim *sim, uint32_t helper, uint8_t type, const void *body, size_t size);
void sim_send_down(struct sim *sim, uint32_t helper, uint8_t type, const void *body, size_t size);

/* ---- sim_helper.c ----------------------------------------------------------------------------- */

void sim_helper_dial(struct sim *sim, uint32_t helper);
void sim_helper_hear(struct sim *sim, const struct sim_event *event);
void sim_helper_done(struct sim *sim, const struct sim_event *event);
void sim_helper_die(struct sim *sim, uint32_t helper, bool is_silent, bool may_restart);
void sim_model(const uint8_t input[SIM_INPUT_BYTES], uint8_t output[SIM_OUTPUT_BYTES]);
void sim_model_digest(uint8_t digest[16]);

/* ---- sim_game.c ------------------------------------------------------------------------------- */

struct p2_game_port sim_game_port(struct sim_play *play);
uint64_t sim_mix(uint64_t a, uint64_t b);
uint64_t sim_hash(const void *bytes, size_t size);
/* Tasks of one tick, as a function of the state; both game and reference use it. */
uint32_t sim_game_plan(struct sim_game *game, uint64_t frame, struct p2_task_spec *specs,
                       uint8_t (*inputs)[SIM_INPUT_BYTES], uint64_t *keys, uint32_t max);
#define SIM_PLAN_MAX 12000u
struct sim_task *sim_task(struct sim_play *play, uint64_t id);
struct sim_play *sim_play_of(struct sim *sim, uint16_t session);

/* ---- checkers, one function each -------------------------------------------------------------- */

void sim_violation(struct sim *sim, const char *checker, const char *what, uint64_t number);
void check_once(struct sim_play *play, const struct p2_delivery *delivery, uint64_t frame);
void check_acceptance_lease(struct sim *sim, const struct p2_effect *effect);
void check_acceptance_result(struct sim_play *play, const struct p2_delivery *delivery);
void check_slots(struct sim_play *play, const struct p2_frame_record *record);
void check_replay_journal(struct sim_play *play, const struct p2_effect *effect);
void check_replay_frame(struct sim_play *play, const struct p2_frame_record *record);
void check_limits(struct sim *sim);
void check_tiers(struct sim *sim, const struct p2_effect *effect);
void check_drained(struct sim *sim, const struct p2_effect *effect);
void check_integrity(struct sim *sim, const struct p2_effect *effect);
void check_settled(struct sim *sim);

#endif
