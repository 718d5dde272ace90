/* Who plays in a session: JOIN, INPUT, FRAME, ACK, VIEW, END.
 *
 *   seat    entered by                                       left by
 *   FREE    at first; LEAVE was told to the game             JOIN of a new key
 *   ASKED   JOIN: the game is asked in its next frame        its answer: TAKEN, or FREE and END
 *   TAKEN   the game said yes                                END of the gamer, P2_SEAT_KEPT_US without
 *                                                            a client, kick
 *
 * A seat belongs to (session, gamer key). A client that is lost and comes back within that time has
 * it at once, without a dialogue; one that joins from elsewhere replaces the older one. What is
 * malformed, forbidden or too much ends the gamer's own link with a named reason, and nobody else's.
 * Thread: the loop. */
#ifndef P2_AUTHORITY_SHELL_SEATS_H
#define P2_AUTHORITY_SHELL_SEATS_H

#include "authority/shell/hosted.h"
#include "authority/shell/peers.h"

/* Attempts to join, all sessions together. Chosen: a party of 8 joins at once, ten times over; whoever
 * guesses session IDs needs 2^75 of them. */
#define P2_JOINS_PER_S 10u
#define P2_JOINS_BURST 80u

/* Messages of one gamer. Chosen: an INPUT and an ACK for every frame, twice that fast. */
#define P2_GAMER_MESSAGES_PER_S 240u
#define P2_GAMER_MESSAGES_BURST 480u

/* JOIN of a stranger: a seat, or END. */
void p2_seat_join(struct p2_peer *peer, struct p2_span body);

/* Anything else of a gamer. */
void p2_seat_message(struct p2_peer *peer, uint8_t type, struct p2_span body);

/* The link of a gamer is gone: the seat is kept. */
void p2_seat_lost(struct p2_peer *peer);

/* A gamer was sent away by END: the seat forgets its link; it is kept all the same. */
void p2_seat_left(struct p2_peer *peer);

/* What the game's thread made for a seat. */
void p2_seat_answered(struct p2_hosted *hosted, uint8_t seat, uint64_t serial, int status,
                      struct p2_span why);
void p2_seat_frame(struct p2_hosted *hosted, uint8_t seat, struct p2_span payload);

/* The session begins, ends; a quarter of a second went by. */
void p2_seats_begin(struct p2_hosted *hosted);
void p2_seats_end(struct p2_hosted *hosted, enum p2_end_reason reason, const char *text);
void p2_seats_look(struct p2_hosted *hosted, uint64_t now_us);

/* The seat is free at the next frame; its gamer is told. P2_E_NOENT. */
int p2_seat_kick(struct p2_hosted *hosted, uint8_t seat);

/* Seats that are not FREE. */
uint32_t p2_seats_taken(const struct p2_hosted *hosted);

#endif
