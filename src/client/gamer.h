/* A gamer's side of the protocol: a seat in a session, what comes, what goes (DESIGN 5).
 *
 *   state     how it is entered                  leaves it when
 *   AWAY      init, lost                          joining
 *   JOINING   JOIN was sent                       WELCOME -> PLAYING, END -> ENDED, lost -> AWAY
 *   PLAYING   FRAMEs come, INPUTs go              END -> ENDED, lost -> AWAY
 *   ENDED     END came, or its bytes were wrong   for good; `end` says why
 *
 * Everything received is foreign bytes: what is malformed ends the session with a reason, a delta or
 * tile that is refused is counted and the old one stays.
 *
 * Inputs are kept until the authority promises that they survive a crash (durable_input), and are sent
 * again after a lost link from where WELCOME says. The numbers of a new seat begin anew.
 *
 * Pure but for memory: time is an argument, messages leave by a function. Thread: one. */
#ifndef P2_CLIENT_GAMER_H
#define P2_CLIENT_GAMER_H

#include "client/picture.h"
#include "client/scene_store.h"
#include "overlay/join_proof.h"

/* Inputs kept for resending. Chosen: 17 s at 60 a second; a journal commits within milliseconds. */
#define P2_GAMER_INPUTS_KEPT 1024u

/* Inputs ahead of the newest that is known to be applied. Below the 64 an authority believes
 * (authority/limits.h, P2_INPUT_WINDOW): one that refused a second of inputs, for it was not ready,
 * would refuse all later ones as wild. After so many the numbers begin anew behind the applied one. */
#define P2_GAMER_INPUTS_AHEAD 60u

enum p2_gamer_phase { P2_SEAT_AWAY, P2_SEAT_JOINING, P2_SEAT_PLAYING, P2_SEAT_ENDED };

/* Chosen by the person; strings are borrowed for the gamer's life. */
struct p2_gamer_options {
    const char *name; /* clean UTF-8, 1..P2_WIRE_STRING_MAX bytes */
    const char *agent;
    enum p2_view_mode view;
    uint16_t width, height; /* pixels */
    /* Sends; the result of p2_link_send. */
    int (*send)(void *ctx, uint8_t type, struct p2_span body);
    void *ctx;
};

struct p2_gamer_input {
    uint32_t sequence;
    uint32_t size;
    uint64_t made_us;
    uint64_t seen_frame;
    uint8_t data[P2_WIRE_INPUT_MAX];
};

/* What the newest frame said, and what was measured: for people. */
struct p2_gamer_figures {
    uint64_t frame;         /* number of the newest, 0: none yet */
    uint64_t frames;        /* received */
    uint64_t frames_missed; /* numbers that were left out */
    uint64_t frames_unfit;  /* started from a scene that is not here */
    uint64_t refused;       /* deltas and tiles */
    uint64_t bytes;         /* of FRAME bodies */
    uint32_t applied_input, durable_input;
    uint32_t input_us; /* EWMA of: from an input to the first frame that contains it */
    uint32_t queue_us, compute_us, merge_us;
    uint32_t jitter_us;
    uint8_t depth;
    enum p2_frame_reason reason;
    uint16_t tiers[5];
    uint64_t tier_sums[5]; /* of all frames */
};

/* Read its members, change it by the functions below. */
struct p2_gamer {
    struct p2_gamer_options options;
    enum p2_gamer_phase phase;
    struct p2_scene_store scene;
    struct p2_picture picture; /* all zero in the state view */
    uint8_t palette[256][3];   /* red, green, blue */
    bool has_palette;
    uint64_t version; /* of the scene */
    struct p2_gamer_figures figures;
    uint8_t seat, seats;
    uint16_t tick_hz;
    bool is_resumed;
    char game[P2_WIRE_STRING_MAX + 1];
    enum p2_view_mode view;        /* what comes: of WELCOME */
    enum p2_view_mode wanted_view; /* of the person */
    bool is_fresh;                 /* a frame came since p2_gamer_take_fresh */

    enum p2_end_reason end;
    char end_text[P2_WIRE_STRING_MAX + 1]; /* the host's words; escape them at output */
    uint32_t end_retry_s;

    struct p2_gamer_input inputs[P2_GAMER_INPUTS_KEPT]; /* by sequence modulo */
    uint32_t first_input;                               /* oldest kept */
    uint32_t next_input;                                /* the next to be made */
    uint32_t seen_input;                                /* newest that is known to be applied */
    uint64_t arrived_us;                                /* of the newest frame */
    uint64_t rejoined;                                  /* times a seat was taken again */
    struct p2_msg_frame *message;                       /* owned */
    uint8_t *unpacked; /* owned; one delta, and the decoder's memory */
    struct p2_buf out; /* messages are packed here */
};

/* P2_E_NOMEM. Free in any case. */
int p2_gamer_init(struct p2_gamer *gamer, const struct p2_gamer_options *options);
void p2_gamer_free(struct p2_gamer *gamer);

/* The link is open: asks for a seat. `binding` is p2_link_binding of it. Errors of `send`. */
int p2_gamer_join(struct p2_gamer *gamer, const struct p2_session_keys *keys,
                  const struct p2_id *authority, const struct p2_id *self, const uint8_t *binding);

/* A message came. P2_OK, or the reason to close the link with: P2_E_CANCELLED after END, an error of
 * class PEER when the bytes were wrong (phase is ENDED then), P2_E_NOMEM. */
int p2_gamer_message(struct p2_gamer *gamer, uint8_t type, struct p2_span body, uint64_t now_us);

/* The link is gone. The scene stays on show; inputs stay for resending. */
void p2_gamer_lost(struct p2_gamer *gamer);

/* An input of the person for one tick, sent if there is a seat. P2_E_STATE otherwise, P2_E_TOO_BIG;
 * a link that takes no more is no error: the input is dropped, the next one replaces it. */
int p2_gamer_input(struct p2_gamer *gamer, struct p2_span data, uint64_t now_us);

/* Asks for the other view, which a new WELCOME begins. P2_E_STATE without a seat. */
int p2_gamer_switch(struct p2_gamer *gamer, enum p2_view_mode view);

/* Says goodbye: END with LEFT. */
void p2_gamer_leave(struct p2_gamer *gamer);

/* True once after each frame. */
bool p2_gamer_take_fresh(struct p2_gamer *gamer);

/* What the end means, for people: "the session is full". Static. */
const char *p2_gamer_end_text(enum p2_end_reason reason);

/* Is there any point in dialling again after this end? */
bool p2_gamer_may_return(enum p2_end_reason reason);

#endif
