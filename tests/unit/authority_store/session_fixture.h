/* A session in a real store, with a model of its world; the writer has no thread. */
#ifndef P2_TESTS_UNIT_SESSION_FIXTURE_H
#define P2_TESTS_UNIT_SESSION_FIXTURE_H

#include "authority/store/saves.h"
#include "authority/store/schema.h"
#include "authority/store/session_store.h"
#include "tests/lib/session_model.h"
#include "tests/lib/test.h"

#define FIXTURE_SESSION UINT64_C(7)
#define FIXTURE_WORLD   ((size_t)200000) /* four chunks, the last one short */

struct session_fixture {
    struct p2_store *store;
    struct p2_store_writer *writer;
    struct p2_session_store *session;
    struct p2_image_builder *builder;
    struct session_model model;
    /* What the events said. */
    uint64_t durable_next;
    uint32_t durable[P2_PLAYERS_MAX];
    uint64_t watched_next; /* the sequences that came with this promise go to `watched` */
    uint32_t watched[MODEL_PLAYERS];
    unsigned durable_calls, troubles, recoveries;
    int trouble;
    char message[P2_FAILURE_MESSAGE_MAX];
    /* Of the last image. */
    unsigned images_done;
    int image_error;
    char image_message[P2_FAILURE_MESSAGE_MAX];
    size_t map_max; /* of the store, 0 = default; set before fixture_begin */
};

/* Makes the folder, opens a new store and session. */
void fixture_begin(struct session_fixture *fixture);
void fixture_end(struct session_fixture *fixture);

/* Runs `frames` frames of the model; commits after each when `commits`. */
void fixture_run(struct session_fixture *fixture, unsigned frames, bool commits);
void fixture_commit(struct session_fixture *fixture);

/* Writes an image of now. */
int fixture_image(struct session_fixture *fixture, unsigned kinds, const char *name);

/* A power cut: what was not committed is gone, the store is opened anew. The model is empty. */
void fixture_crash(struct session_fixture *fixture);

/* Recovers into the model and opens the session from where it stands. */
int fixture_recover(struct session_fixture *fixture, struct p2_session_position *ret_position,
                    struct p2_failure *failure);

/* Replaces the payload of a record by `bytes`, with a right checksum. */
void fixture_put(struct session_fixture *fixture, enum p2_authority_table table, struct p2_span key,
                 struct p2_span bytes);

/* Calls `visit` for each record of a table under the session; returns how many there are. With
 * `change` the payload's byte `at` (from the end when negative) of the record number `which` is
 * changed, checksum included. */
size_t fixture_count(struct session_fixture *fixture, enum p2_authority_table table);
void fixture_damage(struct session_fixture *fixture, enum p2_authority_table table, size_t which,
                    long at);

#endif
