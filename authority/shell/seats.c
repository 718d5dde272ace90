/* Seats and their clients. */
#include "authority/shell/seats.h"

#include "base/error.h"
#include "link/peer_id.h"
#include "overlay/join_proof.h"
#include "wire/decode.h"
#include "wire/encode.h"

#include <stdio.h>
#include <string.h>

/* How long somebody who may not join is asked to stay away, in s. */
#define RETRY_S 5u

#define SCENE_VERSION 1u
#define SECOND_US     UINT64_C(1000000)

/* ---- what the game is told --------------------------------------------------------------------- */

static void tell(struct p2_hosted *hosted, const struct p2_in_item *item, struct p2_span bytes)
{
    if (p2_frame_in_add(hosted->in, item, bytes) != P2_OK) {
        P2_LOG_EVENT(&hosted->authority->daemon->log, P2_LEVEL_ERROR, "seat_not_told");
    }
}

static void tell_look(struct p2_hosted *hosted, uint8_t at)
{
    const struct p2_seat *seat = &hosted->seats[at];
    const struct p2_in_item item = {
        .kind = P2_IN_LOOK, .player = at, .width = seat->width, .height = seat->height};
    tell(hosted, &item, p2_span(NULL, 0));
}

static void tell_away(struct p2_hosted *hosted, uint8_t at)
{
    const struct p2_in_item item = {.kind = P2_IN_AWAY, .player = at};
    tell(hosted, &item, p2_span(NULL, 0));
}

static void tell_join(struct p2_hosted *hosted, uint8_t at)
{
    const struct p2_seat *seat = &hosted->seats[at];
    const struct p2_in_item item = {.kind = P2_IN_JOIN, .player = at, .version = seat->serial};
    tell(hosted, &item, p2_span(seat->name, strlen(seat->name)));
}

/* Nobody has the seat any more. */
static void vacate(struct p2_hosted *hosted, uint8_t at)
{
    struct p2_seat *seat = &hosted->seats[at];
    if (seat->state != P2_SEAT_FREE) {
        const struct p2_in_item item = {.kind = P2_IN_LEAVE, .player = at};
        tell(hosted, &item, p2_span(NULL, 0));
    }
    if (hosted->is_open) {
        (void)p2_session_leave(&hosted->authority->core, hosted->session, at); /* the seat exists */
    }
    *seat = (struct p2_seat){.state = P2_SEAT_FREE};
}

static void seat_in_core(struct p2_hosted *hosted, uint8_t at)
{
    const struct p2_seat *seat = &hosted->seats[at];
    if (hosted->is_open) {
        struct p2_ip ip = {0};
        if (seat->peer != NULL) {
            ip = p2_link_peer_address(seat->peer->link).ip;
        }
        (void)p2_session_join(&hosted->authority->core, hosted->session, at, &seat->id,
                              seat->peer != NULL ? &ip : NULL); /* session and seat exist */
    }
}

/* ---- messages to clients ----------------------------------------------------------------------- */

static void choose_view(struct p2_hosted *hosted, uint8_t at, enum p2_view_mode view,
                        uint16_t width, uint16_t height)
{
    struct p2_seat *seat = &hosted->seats[at];
    bool has_pictures = hosted->palette_size > 0 && view == P2_VIEW_MODE_PIXELS;
    seat->view = has_pictures ? P2_VIEW_MODE_PIXELS : P2_VIEW_MODE_STATE;
    seat->width = has_pictures ? width : 0;
    seat->height = has_pictures ? height : 0;
    p2_game_picture(&seat->width, &seat->height);
}

static void send_welcome(struct p2_hosted *hosted, uint8_t at, bool is_resumed)
{
    struct p2_seat *seat = &hosted->seats[at];
    const struct p2_msg_welcome welcome = {
        .protocol = P2_WIRE_PROTOCOL,
        .seat = at,
        .seats = (uint8_t)hosted->game.players_max,
        .is_resumed = is_resumed,
        .game = p2_span(hosted->game_name, strlen(hosted->game_name)),
        .game_version = hosted->game.version,
        .scene_version = SCENE_VERSION,
        .tick_hz = P2_FRAME_HZ,
        .frame = hosted->figures.shipped,
        .next_input = seat->durable + 1,
        .view = seat->view,
        .width = seat->width > 0 ? seat->width : 1,
        .height = seat->height > 0 ? seat->height : 1,
        .tile_width = P2_GAME_TILE_WIDTH,
        .tile_height = P2_GAME_TILE_HEIGHT,
        .palette = p2_span(hosted->palette, hosted->palette_size),
    };
    /* There is no store yet, so there are no saves. */
    const struct p2_msg_saves saves = {.saves_count = 0};
    int error;
    P2_PEER_SEND(error, seat->peer, WELCOME, welcome, &welcome);
    if (error == P2_OK) {
        P2_PEER_SEND(error, seat->peer, SAVES, saves, &saves);
    }
    if (error != P2_OK) {
        p2_link_close(seat->peer->link, error);
        return;
    }
    seat->is_welcomed = true;
    seat->first_frame = hosted->committed + 1;
    tell_look(hosted, at);
    P2_LOG(&hosted->authority->daemon->log, P2_LEVEL_NOTICE, "gamer_joined",
           P2_LOG_STR("session", hosted->name), P2_LOG_U64("seat", at),
           P2_LOG_ID("gamer", &seat->id), P2_LOG_U64("resumed", is_resumed ? 1 : 0));
}

void p2_seat_frame(struct p2_hosted *hosted, uint8_t at, struct p2_span payload)
{
    static struct p2_msg_frame frame; /* large */
    struct p2_seat *seat = &hosted->seats[at];
    if (seat->peer != NULL && seat->is_welcomed && hosted->out.frame >= seat->first_frame) {
        int error = p2_link_send(seat->peer->link, P2_MSG_FRAME, payload);
        if (error != P2_OK && error != P2_E_DRAINING) {
            p2_link_close(seat->peer->link, error);
        }
    } else if (seat->is_robot && p2_wire_decode_frame(&frame, payload) == P2_OK) {
        const struct p2_in_item ack = {
            .kind = P2_IN_ACK, .player = at, .task = frame.number, .version = frame.state_version};
        tell(hosted, &ack, p2_span(NULL, 0));
    }
}

void p2_seat_answered(struct p2_hosted *hosted, uint8_t at, uint64_t serial, int status,
                      struct p2_span why)
{
    struct p2_seat *seat = &hosted->seats[at];
    char text[P2_WIRE_STRING_MAX + 1] = {0};
    if (seat->state != P2_SEAT_ASKED || seat->serial != serial) {
        return;
    }
    if (status == 0) {
        seat->state = P2_SEAT_TAKEN;
        if (seat->peer != NULL) {
            send_welcome(hosted, at, false);
        } else if (seat->is_robot) {
            tell_look(hosted, at);
        }
        return;
    }
    if (why.size > 0) {
        memcpy(text, why.data, why.size < sizeof text ? why.size : sizeof text - 1);
    }
    if (seat->peer != NULL) {
        p2_peer_end(seat->peer, P2_END_REASON_FULL, text, RETRY_S);
    }
    vacate(hosted, at);
}

/* ---- joining ----------------------------------------------------------------------------------- */

static bool may_join_now(struct p2_authority *authority)
{
    uint64_t now_us = p2_pool_now_us();
    uint64_t passed = now_us - authority->joins_refill_us;
    uint64_t more = passed / (SECOND_US / P2_JOINS_PER_S);
    if (more > 0) {
        uint64_t left = authority->joins_left + more;
        authority->joins_left = left < P2_JOINS_BURST ? (uint32_t)left : P2_JOINS_BURST;
        authority->joins_refill_us = now_us;
    }
    if (authority->joins_left == 0) {
        return false;
    }
    authority->joins_left--;
    return true;
}

/* The session a JOIN means, when it shows that it knows the ID. */
static struct p2_hosted *find_session(struct p2_peer *peer, const struct p2_msg_join *join)
{
    struct p2_hosted *hosted = peer->authority->sessions;
    while (hosted != NULL &&
           (hosted->state < P2_HOSTED_READY || hosted->state > P2_HOSTED_RUNNING ||
            memcmp(hosted->tag, join->session, sizeof hosted->tag) != 0)) {
        hosted = hosted->next;
    }
    uint8_t proof[P2_WIRE_PROOF_BYTES];
    if (hosted == NULL) {
        return NULL;
    }
    p2_join_proof(proof, hosted->keys, p2_link_binding(peer->link), &join->node);
    return join->proof.size == sizeof proof &&
                   p2_secret_equal(proof, join->proof.data, sizeof proof)
               ? hosted
               : NULL;
}

static uint8_t find_seat(const struct p2_hosted *hosted, const struct p2_id *id)
{
    for (uint8_t i = 0; i < P2C2R_PLAYERS_MAX; i++) {
        if (hosted->seats[i].state != P2_SEAT_FREE && !hosted->seats[i].is_robot &&
            p2_id_equal(&hosted->seats[i].id, id)) {
            return i;
        }
    }
    return P2C2R_PLAYERS_MAX;
}

static void resume(struct p2_hosted *hosted, uint8_t at, struct p2_peer *peer,
                   const struct p2_msg_join *join)
{
    struct p2_seat *seat = &hosted->seats[at];
    if (seat->peer != NULL) {
        p2_peer_end(seat->peer, P2_END_REASON_REPLACED, NULL, 0);
    }
    seat->peer = peer;
    seat->lost_us = 0;
    choose_view(hosted, at, join->view, join->width, join->height);
    if (seat->state == P2_SEAT_TAKEN) {
        send_welcome(hosted, at, true);
    }
}

static void take_seat(struct p2_hosted *hosted, uint8_t at, struct p2_peer *peer,
                      const struct p2_msg_join *join)
{
    struct p2_seat *seat = &hosted->seats[at];
    *seat = (struct p2_seat){
        .state = P2_SEAT_ASKED, .id = join->node, .peer = peer, .serial = ++hosted->seat_serials};
    memcpy(seat->name, join->name.data, join->name.size); /* the decoder bounds it */
    choose_view(hosted, at, join->view, join->width, join->height);
    seat_in_core(hosted, at);
    tell_join(hosted, at);
}

static void admit(struct p2_peer *peer, const struct p2_msg_join *join)
{
    struct p2_hosted *hosted = find_session(peer, join);
    if (hosted == NULL) {
        p2_peer_end(peer, P2_END_REASON_UNKNOWN_SESSION, NULL, RETRY_S);
        return;
    }
    uint8_t at = find_seat(hosted, &join->node);
    bool is_known = at < P2C2R_PLAYERS_MAX;
    for (uint8_t i = 0; i < hosted->game.players_max && at == P2C2R_PLAYERS_MAX; i++) {
        at = hosted->seats[i].state == P2_SEAT_FREE ? i : at;
    }
    if (!is_known && hosted->is_locked) {
        p2_peer_end(peer, P2_END_REASON_LOCKED, NULL, RETRY_S);
        return;
    }
    if (at == P2C2R_PLAYERS_MAX) {
        p2_peer_end(peer, P2_END_REASON_FULL, NULL, RETRY_S);
        return;
    }
    int error = p2_link_accept(peer->link, P2_ROLE_GAMER, &join->node);
    if (error != P2_OK) {
        p2_link_close(peer->link, error);
        return;
    }
    peer->state = P2_PEER_GAMER;
    peer->hosted = hosted;
    peer->seat = at;
    peer->messages_left = P2_GAMER_MESSAGES_BURST;
    peer->refill_us = p2_pool_now_us();
    if (is_known) {
        resume(hosted, at, peer, join);
    } else {
        take_seat(hosted, at, peer, join);
    }
}

void p2_seat_join(struct p2_peer *peer, struct p2_span body)
{
    struct p2_msg_join join;
    int error = p2_wire_decode_join(&join, body);
    if (error != P2_OK) {
        p2_peer_end(peer, P2_END_REASON_MALFORMED, p2_error_text(error), RETRY_S);
        return;
    }
    peer->id = join.node;
    memcpy(peer->agent, join.agent.data, join.agent.size); /* the decoder bounds it */
    if (join.protocol != P2_WIRE_PROTOCOL) {
        p2_peer_end(peer, P2_END_REASON_PROTOCOL, NULL, RETRY_S);
    } else if (p2_peer_id_check(&join.node, p2_link_peer_static(peer->link)) != P2_OK) {
        p2_peer_end(peer, P2_END_REASON_IDENTITY, NULL, RETRY_S);
    } else if (peer->authority->is_ending) {
        p2_peer_end(peer, P2_END_REASON_HOST_STOPPED, NULL, RETRY_S);
    } else if (!may_join_now(peer->authority)) {
        p2_peer_end(peer, P2_END_REASON_RATE, NULL, RETRY_S);
    } else {
        admit(peer, &join);
    }
}

/* ---- messages of a gamer ----------------------------------------------------------------------- */

static bool is_too_much(struct p2_peer *peer)
{
    uint64_t now_us = p2_pool_now_us();
    uint64_t more = (now_us - peer->refill_us) * P2_GAMER_MESSAGES_PER_S / SECOND_US;
    if (more > 0) {
        uint64_t left = peer->messages_left + more;
        peer->messages_left =
            left < P2_GAMER_MESSAGES_BURST ? (uint32_t)left : P2_GAMER_MESSAGES_BURST;
        peer->refill_us = now_us;
    }
    if (peer->messages_left == 0) {
        return true;
    }
    peer->messages_left--;
    return false;
}

static int hear_input(struct p2_peer *peer, struct p2_span body)
{
    struct p2_hosted *hosted = peer->hosted;
    struct p2_seat *seat = &hosted->seats[peer->seat];
    struct p2_msg_input input;
    int error = p2_wire_decode_input(&input, body);
    if (error != P2_OK || hosted->state != P2_HOSTED_RUNNING || seat->state != P2_SEAT_TAKEN) {
        return error;
    }
    const struct p2_event event = {.type = P2_EVENT_INPUT,
                                   .session = hosted->session,
                                   .player = peer->seat,
                                   .sequence = input.sequence,
                                   .bytes = input.data};
    /* Refused ones are repeated, wild, or too many at once: they are not applied, as the client sees
     * by applied_input. After a lost link repeated ones are what the protocol asks for. */
    if (p2_authority_step(peer->authority, &event) == P2_OK) {
        seat->newest = input.sequence;
        seat->input_us = p2_pool_now_us();
    }
    return P2_OK;
}

static int hear_ack(struct p2_peer *peer, struct p2_span body)
{
    struct p2_msg_ack ack;
    int error = p2_wire_decode_ack(&ack, body);
    if (error == P2_OK) {
        const struct p2_in_item item = {.kind = P2_IN_ACK,
                                        .player = peer->seat,
                                        .task = ack.frame,
                                        .version = ack.state_version};
        tell(peer->hosted, &item, p2_span(NULL, 0));
    }
    return error;
}

static int hear_view(struct p2_peer *peer, struct p2_span body)
{
    struct p2_msg_view view;
    int error = p2_wire_decode_view(&view, body);
    struct p2_hosted *hosted = peer->hosted;
    if (error == P2_OK && hosted->seats[peer->seat].state == P2_SEAT_TAKEN) {
        choose_view(hosted, peer->seat, view.view, view.width, view.height);
        tell_look(hosted, peer->seat);
        send_welcome(hosted, peer->seat, true); /* says which size it became */
    }
    return error;
}

static void hear_end(struct p2_peer *peer)
{
    struct p2_hosted *hosted = peer->hosted;
    uint8_t at = peer->seat;
    P2_LOG(&peer->authority->daemon->log, P2_LEVEL_NOTICE, "gamer_left",
           P2_LOG_STR("session", hosted->name), P2_LOG_U64("seat", at));
    hosted->seats[at].peer = NULL;
    peer->hosted = NULL;
    peer->state = P2_PEER_CLOSING;
    p2_link_drain(peer->link);
    vacate(hosted, at);
}

void p2_seat_message(struct p2_peer *peer, uint8_t type, struct p2_span body)
{
    int error = P2_OK;
    if (is_too_much(peer)) {
        p2_peer_end(peer, P2_END_REASON_RATE, NULL, RETRY_S);
        return;
    }
    if (type == P2_MSG_INPUT) {
        error = hear_input(peer, body);
    } else if (type == P2_MSG_ACK) {
        error = hear_ack(peer, body);
    } else if (type == P2_MSG_VIEW) {
        error = hear_view(peer, body);
    } else if (type == P2_MSG_END) {
        hear_end(peer);
    } else {
        error = P2_E_NOT_ALLOWED;
    }
    if (error != P2_OK) {
        p2_peer_end(peer, P2_END_REASON_MALFORMED, p2_error_text(error), RETRY_S);
    }
}

/* ---- coming and going -------------------------------------------------------------------------- */

void p2_seat_left(struct p2_peer *peer)
{
    struct p2_hosted *hosted = peer->hosted;
    if (hosted == NULL) {
        return;
    }
    struct p2_seat *seat = &hosted->seats[peer->seat];
    peer->hosted = NULL;
    if (seat->peer == peer) {
        seat->peer = NULL;
        seat->is_welcomed = false;
        seat->lost_us = p2_pool_now_us();
        tell_away(hosted, peer->seat);
    }
}

void p2_seat_lost(struct p2_peer *peer)
{
    p2_seat_left(peer);
}

static void seat_robots(struct p2_hosted *hosted)
{
    uint32_t left = hosted->robots;
    for (uint8_t i = 0; i < hosted->game.players_max && left > 0; i++) {
        struct p2_seat *seat = &hosted->seats[i];
        if (seat->state == P2_SEAT_FREE) {
            *seat = (struct p2_seat){
                .state = P2_SEAT_ASKED, .is_robot = true, .serial = ++hosted->seat_serials};
            (void)snprintf(seat->name, sizeof seat->name, "robot %u", i);
            choose_view(hosted, i, P2_VIEW_MODE_PIXELS, P2_GAME_PICTURE_WIDTH,
                        P2_GAME_PICTURE_HEIGHT);
            tell_join(hosted, i);
            left--;
        }
    }
}

/* Those who joined before the first slot are asked for in it. */
void p2_seats_begin(struct p2_hosted *hosted)
{
    for (uint8_t i = 0; i < P2C2R_PLAYERS_MAX; i++) {
        if (hosted->seats[i].state != P2_SEAT_FREE) {
            seat_in_core(hosted, i);
        }
    }
    seat_robots(hosted);
}

void p2_seats_end(struct p2_hosted *hosted, enum p2_end_reason reason, const char *text)
{
    for (uint8_t i = 0; i < P2C2R_PLAYERS_MAX; i++) {
        struct p2_seat *seat = &hosted->seats[i];
        if (seat->peer != NULL) {
            p2_peer_end(seat->peer, reason, text, 0);
        }
        *seat = (struct p2_seat){.state = P2_SEAT_FREE};
    }
}

void p2_seats_look(struct p2_hosted *hosted, uint64_t now_us)
{
    for (uint8_t i = 0; i < P2C2R_PLAYERS_MAX; i++) {
        const struct p2_seat *seat = &hosted->seats[i];
        if (seat->state == P2_SEAT_TAKEN && seat->peer == NULL && !seat->is_robot &&
            now_us - seat->lost_us >= P2_SEAT_KEPT_US) {
            vacate(hosted, i);
        }
    }
}

int p2_seat_kick(struct p2_hosted *hosted, uint8_t at)
{
    if (at >= P2C2R_PLAYERS_MAX || hosted->seats[at].state == P2_SEAT_FREE) {
        return P2_E_NOENT;
    }
    if (hosted->seats[at].peer != NULL) {
        p2_peer_end(hosted->seats[at].peer, P2_END_REASON_KICKED, NULL, 0);
    }
    vacate(hosted, at);
    return P2_OK;
}

uint32_t p2_seats_taken(const struct p2_hosted *hosted)
{
    uint32_t count = 0;
    for (size_t i = 0; i < P2C2R_PLAYERS_MAX; i++) {
        count += hosted->seats[i].state != P2_SEAT_FREE ? 1 : 0;
    }
    return count;
}
