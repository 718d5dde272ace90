/* Chains, snapshots, save files. */
#include "store_fixture.h"

#include "store/chain.h"
#include "store/save_file.h"
#include "store/snapshot.h"

#include <stdlib.h>
#include <string.h>

static const struct p2_snapshot_place place = {
    .snapshots = &fixture_tables[0], .chunks = &fixture_tables[1], .session = 5};

/* ---- chains ------------------------------------------------------------------------------------- */

static void a_chain_finds_what_was_changed_lost_or_moved(void)
{
    struct p2_chain chain, reader;
    struct p2_span entry;
    uint8_t sealed[4][P2_CHAIN_SEALED(10)];
    p2_chain_init(&chain, p2_span("journal 1", 9));
    for (size_t i = 0; i < 4; i++) {
        p2_chain_seal(&chain, fixture_bytes(i, 10), sealed[i]);
    }
    P2_ASSERT_EQUAL(chain.count, 4);
    p2_chain_init(&reader, p2_span("journal 1", 9));
    for (size_t i = 0; i < 4; i++) {
        P2_ASSERT_ERROR(p2_chain_open(&reader, p2_span(sealed[i], sizeof sealed[i]), &entry),
                        P2_OK);
        P2_ASSERT_BYTES(entry.data, fixture_bytes(i, 10).data, 10);
    }
    P2_ASSERT_BYTES(reader.head, chain.head, P2_CHAIN_HEAD);
    /* Out of order, after a gap, in another journal, cut, changed. */
    p2_chain_init(&reader, p2_span("journal 1", 9));
    P2_ASSERT_ERROR(p2_chain_open(&reader, p2_span(sealed[1], sizeof sealed[1]), &entry),
                    P2_E_CORRUPT);
    P2_ASSERT_ERROR(p2_chain_open(&reader, p2_span(sealed[0], sizeof sealed[0]), &entry), P2_OK);
    P2_ASSERT_ERROR(p2_chain_open(&reader, p2_span(sealed[2], sizeof sealed[2]), &entry),
                    P2_E_CORRUPT);
    for (size_t size = 0; size < sizeof sealed[1]; size++) {
        P2_ASSERT_ERROR(p2_chain_open(&reader, p2_span(sealed[1], size), &entry), P2_E_CORRUPT);
    }
    for (size_t bit = 0; bit < 8 * sizeof sealed[1]; bit++) {
        sealed[1][bit / 8] ^= (uint8_t)(1u << bit % 8);
        P2_ASSERT_ERROR(p2_chain_open(&reader, p2_span(sealed[1], sizeof sealed[1]), &entry),
                        P2_E_CORRUPT);
        sealed[1][bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    p2_chain_init(&chain, p2_span("journal 2", 9));
    P2_ASSERT_ERROR(p2_chain_open(&chain, p2_span(sealed[0], sizeof sealed[0]), &entry),
                    P2_E_CORRUPT);
    /* From a checkpoint on. */
    p2_chain_resume(&chain, reader.head, reader.count);
    P2_ASSERT_ERROR(p2_chain_open(&chain, p2_span(sealed[1], sizeof sealed[1]), &entry), P2_OK);
}

/* ---- snapshots ---------------------------------------------------------------------------------- */

static struct p2_snapshot_written written;

static int write_in(struct p2_txn *txn, void *ctx)
{
    return p2_snapshot_write(txn, &place, ctx, &written);
}

static int write_one(struct p2_store *store, const struct p2_snapshot_input *input)
{
    struct p2_snapshot_input copy = *input;
    return p2_store_write(store, write_in, &copy, NULL);
}

static int delete_in(struct p2_txn *txn, void *ctx)
{
    const struct p2_snapshot_info *info = ctx;
    return p2_snapshot_delete(txn, &place, info->kind, info->number);
}

static int delete_one(struct p2_store *store, enum p2_snapshot_kind kind, uint64_t number)
{
    struct p2_snapshot_info info = {.kind = kind, .number = number};
    return p2_store_write(store, delete_in, &info, NULL);
}

static bool reads_as(struct p2_store *store, enum p2_snapshot_kind kind, uint64_t number,
                     struct p2_span world)
{
    struct p2_txn txn;
    struct p2_buf buf;
    struct p2_snapshot_info info;
    p2_buf_init(&buf, P2_SNAPSHOT_WORLD_MAX);
    p2_txn_begin_read(&txn, store);
    bool is_same = p2_snapshot_read(&txn, &place, kind, number, &buf, &info, NULL) == P2_OK &&
                   p2_span_equal(p2_buf_span(&buf), world) && info.bytes == world.size;
    (void)p2_txn_end_read(&txn);
    p2_buf_free(&buf);
    return is_same;
}

static uint64_t count_chunks(struct p2_store *store)
{
    static struct p2_store_report report;
    P2_ASSERT_ERROR(p2_store_check(store, &report, NULL), P2_OK);
    return report.tables[1].records;
}

/* A world of ten and a half chunks, of which some can be changed. */
#define WORLD (10 * P2_SNAPSHOT_CHUNK + 1000)
static uint8_t world[WORLD];

static struct p2_snapshot_input world_input(enum p2_snapshot_kind kind)
{
    return (struct p2_snapshot_input){
        .kind = kind, .frame = 1, .made_ms = 2, .world = p2_span(world, WORLD)};
}

static void fresh_world(void)
{
    memcpy(world, fixture_bytes(1, WORLD).data, WORLD);
    memset(world + 2 * P2_SNAPSHOT_CHUNK, 7, 3 * P2_SNAPSHOT_CHUNK); /* three that are equal */
}

static void only_chunks_that_changed_are_written_and_the_last_n_kept(void)
{
    struct p2_store *store = fixture_open();
    struct p2_snapshot_input input = world_input(P2_SNAPSHOT_CHECKPOINT);
    uint8_t dirty[2] = {1u << 1, 1u << 2};
    fresh_world();
    P2_ASSERT_ERROR(write_one(store, &input), P2_OK);
    P2_ASSERT_EQUAL(written.number, 1);
    P2_ASSERT_EQUAL(written.chunks, 11);
    P2_ASSERT_EQUAL(written.new_chunks, 9);
    world[P2_SNAPSHOT_CHUNK]++;
    world[WORLD - 1]++;
    input.dirty = dirty;
    input.since = 1;
    input.keep = 2;
    P2_ASSERT_ERROR(write_one(store, &input), P2_OK);
    P2_ASSERT_EQUAL(written.number, 2);
    P2_ASSERT_EQUAL(written.new_chunks, 2);
    CU_ASSERT(reads_as(store, P2_SNAPSHOT_CHECKPOINT, 2, p2_span(world, WORLD)));
    P2_ASSERT_EQUAL(count_chunks(store), 11);
    /* A third one, from nothing: `since` is gone. */
    input.since = 77;
    P2_ASSERT_ERROR(write_one(store, &input), P2_OK);
    P2_ASSERT_EQUAL(written.new_chunks, 0);
    P2_ASSERT_EQUAL(count_chunks(store), 9);
    CU_ASSERT(!reads_as(store, P2_SNAPSHOT_CHECKPOINT, 1, p2_span(world, WORLD)));
    CU_ASSERT(reads_as(store, P2_SNAPSHOT_CHECKPOINT, 2, p2_span(world, WORLD)));
    CU_ASSERT(reads_as(store, P2_SNAPSHOT_CHECKPOINT, 3, p2_span(world, WORLD)));
    P2_ASSERT_ERROR(delete_one(store, P2_SNAPSHOT_CHECKPOINT, 2), P2_OK);
    P2_ASSERT_ERROR(delete_one(store, P2_SNAPSHOT_CHECKPOINT, 2), P2_E_NOENT);
    CU_ASSERT(reads_as(store, P2_SNAPSHOT_CHECKPOINT, 3, p2_span(world, WORLD)));
    P2_ASSERT_ERROR(delete_one(store, P2_SNAPSHOT_CHECKPOINT, 3), P2_OK);
    P2_ASSERT_EQUAL(count_chunks(store), 0);
    /* Worlds of no and of one byte. */
    input = world_input(P2_SNAPSHOT_AUTOSAVE);
    input.world.size = 0;
    P2_ASSERT_ERROR(write_one(store, &input), P2_OK);
    CU_ASSERT(reads_as(store, P2_SNAPSHOT_AUTOSAVE, 1, p2_span(world, 0)));
    input.world.size = 1;
    P2_ASSERT_ERROR(write_one(store, &input), P2_OK);
    CU_ASSERT(reads_as(store, P2_SNAPSHOT_AUTOSAVE, 2, p2_span(world, 1)));
    fixture_close(store);
}

static void named_saves_are_found_listed_and_unique(void)
{
    struct p2_store *store = fixture_open();
    struct p2_snapshot_input input = world_input(P2_SNAPSHOT_NAMED);
    fresh_world();
    P2_ASSERT_ERROR(write_one(store, &input), P2_E_INVALID);
    input.name = "before the d\xc3\xa9luge";
    P2_ASSERT_ERROR(write_one(store, &input), P2_OK);
    P2_ASSERT_ERROR(write_one(store, &input), P2_E_EXIST);
    input.name = "tricky\xe2\x80\xae";
    P2_ASSERT_ERROR(write_one(store, &input), P2_E_INVALID);
    input.name = "second";
    input.frame = 9;
    P2_ASSERT_ERROR(write_one(store, &input), P2_OK);
    input = world_input(P2_SNAPSHOT_AUTOSAVE);
    input.name = "no";
    P2_ASSERT_ERROR(write_one(store, &input), P2_E_INVALID);
    input.name = NULL;
    P2_ASSERT_ERROR(write_one(store, &input), P2_OK);
    input.kind = (enum p2_snapshot_kind)9;
    P2_ASSERT_ERROR(write_one(store, &input), P2_E_INVALID);
    struct p2_txn txn;
    struct p2_snapshot_info infos[P2_SNAPSHOTS_MAX];
    size_t damaged;
    p2_txn_begin_read(&txn, store);
    P2_ASSERT_EQUAL(p2_snapshot_list(&txn, &place, infos, &damaged), 3);
    P2_ASSERT_EQUAL(damaged, 0);
    P2_ASSERT_EQUAL(infos[0].kind, P2_SNAPSHOT_AUTOSAVE);
    CU_ASSERT_STRING_EQUAL(infos[1].name, "second");
    P2_ASSERT_EQUAL(infos[1].frame, 9);
    P2_ASSERT_EQUAL(infos[2].made_ms, 2);
    P2_ASSERT_ERROR(p2_snapshot_find(&txn, &place, "second", &infos[0]), P2_OK);
    P2_ASSERT_EQUAL(infos[0].number, 2);
    P2_ASSERT_ERROR(p2_snapshot_find(&txn, &place, "third", &infos[0]), P2_E_NOENT);
    P2_ASSERT_ERROR(p2_txn_end_read(&txn), P2_OK);
    fixture_close(store);
}

static int spoil(struct p2_txn *txn, void *ctx)
{
    /* The chunk of the first digest of snapshot 2 of autosaves, as another program might. */
    struct p2_buf *key = ctx;
    p2_txn_put(txn, place.chunks, p2_buf_span(key), 1, p2_span("\0\1\0\0spoiled", 11));
    return P2_OK;
}

static int lose(struct p2_txn *txn, void *ctx)
{
    CU_ASSERT(p2_txn_delete(txn, place.chunks, p2_buf_span(ctx)));
    return P2_OK;
}

/* The key of the first chunk of a snapshot. */
static void first_chunk(struct p2_store *store, uint64_t number, struct p2_buf *key)
{
    uint8_t name[17] = {0}, session[8];
    struct p2_txn txn;
    struct p2_buf buf;
    p2_store_be64(name, place.session);
    p2_store_be64(session, place.session);
    name[8] = P2_SNAPSHOT_AUTOSAVE;
    p2_store_be64(name + 9, number);
    p2_buf_init(&buf, 1 << 20);
    p2_txn_begin_read(&txn, store);
    CU_ASSERT(p2_txn_get(&txn, place.snapshots, p2_span(name, 17), NULL, &buf));
    (void)p2_txn_end_read(&txn);
    p2_buf_clear(key);
    (void)p2_buf_append(key, p2_span(session, 8));
    (void)p2_buf_append(key, p2_span(buf.data + 25, 32));
    p2_buf_free(&buf);
}

static void a_damaged_save_is_refused_and_the_newest_good_one_offered(void)
{
    struct p2_store *store = fixture_open();
    struct p2_snapshot_input input = world_input(P2_SNAPSHOT_AUTOSAVE);
    struct p2_failure failure;
    struct p2_snapshot_info info;
    struct p2_buf key, buf;
    struct p2_txn txn;
    p2_buf_init(&key, 64);
    p2_buf_init(&buf, WORLD);
    for (unsigned i = 0; i < 3; i++) {
        memcpy(world, fixture_bytes(i + 1, WORLD).data, WORLD);
        input.frame = 10 + i;
        P2_ASSERT_ERROR(write_one(store, &input), P2_OK);
    }
    first_chunk(store, 3, &key);
    P2_ASSERT_ERROR(p2_store_write(store, spoil, &key, NULL), P2_OK);
    first_chunk(store, 2, &key);
    P2_ASSERT_ERROR(p2_store_write(store, lose, &key, NULL), P2_OK);
    p2_txn_begin_read(&txn, store);
    P2_ASSERT_ERROR(p2_snapshot_read(&txn, &place, P2_SNAPSHOT_AUTOSAVE, 3, &buf, NULL, &failure),
                    P2_E_CORRUPT);
    CU_ASSERT(strstr(failure.message, "chunk 1 of 11") != NULL);
    P2_ASSERT_EQUAL(buf.size, 0);
    P2_ASSERT_ERROR(p2_snapshot_read(&txn, &place, P2_SNAPSHOT_AUTOSAVE, 2, &buf, NULL, &failure),
                    P2_E_CORRUPT);
    P2_ASSERT_ERROR(p2_snapshot_newest_good(&txn, &place, &buf, &info), P2_OK);
    P2_ASSERT_EQUAL(info.frame, 10);
    CU_ASSERT(p2_span_equal(p2_buf_span(&buf), fixture_bytes(1, WORLD)));
    struct p2_snapshot_place nobody = place;
    nobody.session = 6;
    P2_ASSERT_ERROR(p2_snapshot_newest_good(&txn, &nobody, &buf, &info), P2_E_NOENT);
    P2_ASSERT_ERROR(p2_txn_end_read(&txn), P2_OK);
    P2_ASSERT_ERROR(delete_one(store, P2_SNAPSHOT_AUTOSAVE, 2), P2_OK);
    P2_ASSERT_ERROR(delete_one(store, P2_SNAPSHOT_AUTOSAVE, 3), P2_OK);
    CU_ASSERT(reads_as(store, P2_SNAPSHOT_AUTOSAVE, 1, fixture_bytes(1, WORLD)));
    p2_buf_free(&key);
    p2_buf_free(&buf);
    fixture_close(store);
}

static int put_nonsense(struct p2_txn *txn, void *ctx)
{
    uint8_t name[17] = {0};
    p2_store_be64(name, place.session);
    name[8] = P2_SNAPSHOT_AUTOSAVE;
    p2_store_be64(name + 9, 50);
    p2_txn_put(txn, place.snapshots, p2_span(name, 17), *(uint8_t *)ctx, p2_span("nonsense", 8));
    return P2_OK;
}

static void nonsense_among_the_saves_is_counted_and_can_be_deleted(void)
{
    struct p2_store *store = fixture_open();
    uint8_t version = 1;
    struct p2_snapshot_info infos[P2_SNAPSHOTS_MAX];
    struct p2_txn txn;
    size_t damaged;
    for (; version <= 2; version++) {
        P2_ASSERT_ERROR(p2_store_write(store, put_nonsense, &version, NULL), P2_OK);
        p2_txn_begin_read(&txn, store);
        P2_ASSERT_EQUAL(p2_snapshot_list(&txn, &place, infos, &damaged), 0);
        P2_ASSERT_EQUAL(damaged, 1);
        P2_ASSERT_ERROR(p2_txn_end_read(&txn), P2_OK);
        P2_ASSERT_ERROR(delete_one(store, P2_SNAPSHOT_AUTOSAVE, 50), P2_OK);
        P2_ASSERT_ERROR(delete_one(store, P2_SNAPSHOT_AUTOSAVE, 50), P2_E_NOENT);
    }
    fixture_close(store);
}

static void there_is_a_most_number_of_saves(void)
{
    struct p2_store *store = fixture_open();
    struct p2_snapshot_input input = {.kind = P2_SNAPSHOT_HOURLY};
    for (size_t i = 0; i < P2_SNAPSHOTS_MAX; i++) {
        P2_ASSERT_ERROR(write_one(store, &input), P2_OK);
    }
    P2_ASSERT_ERROR(write_one(store, &input), P2_E_LIMIT);
    fixture_close(store);
}

/* ---- files -------------------------------------------------------------------------------------- */

static void a_file_brings_back_the_world(void)
{
    static const struct p2_save_head head = {
        .frame = 12, .made_ms = 34, .name = "home", .game = "voxel"};
    struct p2_save_head back;
    struct p2_buf file, buf;
    fresh_world();
    p2_buf_init(&file, 2 * WORLD);
    p2_buf_init(&buf, WORLD);
    for (size_t size = 0; size <= WORLD; size += WORLD / 2) {
        p2_buf_clear(&file);
        P2_ASSERT_ERROR(p2_save_file_write(&file, &head, p2_span(world, size)), P2_OK);
        P2_ASSERT_ERROR(p2_save_file_read(p2_buf_span(&file), WORLD, &back, &buf, NULL), P2_OK);
        CU_ASSERT(p2_span_equal(p2_buf_span(&buf), p2_span(world, size)));
        P2_ASSERT_EQUAL(back.frame, 12);
        P2_ASSERT_EQUAL(back.made_ms, 34);
        CU_ASSERT_STRING_EQUAL(back.name, "home");
        CU_ASSERT_STRING_EQUAL(back.game, "voxel");
    }
    struct p2_failure failure;
    P2_ASSERT_ERROR(p2_save_file_read(p2_buf_span(&file), WORLD - 2, &back, &buf, &failure),
                    P2_E_TOO_BIG);
    struct p2_save_head wrong = head;
    wrong.game[0] = '\0';
    P2_ASSERT_ERROR(p2_save_file_write(&file, &wrong, p2_span(world, 1)), P2_E_INVALID);
    p2_buf_free(&file);
    p2_buf_free(&buf);
}

static void every_changed_or_missing_byte_of_a_file_is_refused(void)
{
    static const struct p2_save_head head = {.name = "n", .game = "g"};
    struct p2_save_head back;
    struct p2_buf file, buf;
    struct p2_failure failure;
    p2_buf_init(&file, WORLD);
    p2_buf_init(&buf, WORLD);
    P2_ASSERT_ERROR(p2_save_file_write(&file, &head, fixture_bytes(3, 300)), P2_OK);
    for (size_t size = 0; size < file.size; size++) {
        int error = p2_save_file_read(p2_span(file.data, size), WORLD, &back, &buf, &failure);
        P2_ASSERT_EQUAL(p2_error_class(error), P2_CLASS_PEER);
        P2_ASSERT_EQUAL(buf.size, 0);
    }
    size_t harmless = 0;
    for (size_t bit = 0; bit < 8 * file.size; bit++) {
        file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        int error = p2_save_file_read(p2_buf_span(&file), WORLD, &back, &buf, &failure);
        if (error == P2_OK) {
            /* Bits of the zstd frame's head that mean nothing; the digest proves the content. */
            CU_ASSERT(p2_span_equal(p2_buf_span(&buf), fixture_bytes(3, 300)));
            harmless++;
        } else {
            P2_ASSERT_EQUAL(p2_error_class(error), P2_CLASS_PEER);
        }
        file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CU_ASSERT(harmless < 8);
    P2_ASSERT_ERROR(p2_buf_append(&file, p2_span("x", 1)), P2_OK);
    P2_ASSERT_ERROR(p2_save_file_read(p2_buf_span(&file), WORLD, &back, &buf, &failure),
                    P2_E_TRAILING);
    p2_buf_free(&file);
    p2_buf_free(&buf);
}

static void a_file_of_today_reads_for_ever(void)
{
    struct p2_span file = p2_test_data_read("store/hello.save");
    struct p2_save_head head;
    struct p2_buf buf;
    p2_buf_init(&buf, 100);
    P2_ASSERT_ERROR(p2_save_file_read(file, 100, &head, &buf, NULL), P2_OK);
    CU_ASSERT(p2_span_equal(p2_buf_span(&buf), p2_span("hello, world\n", 13)));
    P2_ASSERT_EQUAL(head.frame, 3600);
    P2_ASSERT_EQUAL(head.made_ms, 1700000000000);
    P2_ASSERT_EQUAL(head.schema, 7);
    CU_ASSERT_STRING_EQUAL(head.name, "first light");
    CU_ASSERT_STRING_EQUAL(head.game, "demo");
    p2_buf_free(&buf);
    free((void *)(uintptr_t)file.data);
}

int main(int argc, char **argv)
{
    CU_TestInfo chains[] = {
        P2_TEST(a_chain_finds_what_was_changed_lost_or_moved),
        CU_TEST_INFO_NULL,
    };
    CU_TestInfo snapshots[] = {
        P2_TEST(only_chunks_that_changed_are_written_and_the_last_n_kept),
        P2_TEST(named_saves_are_found_listed_and_unique),
        P2_TEST(a_damaged_save_is_refused_and_the_newest_good_one_offered),
        P2_TEST(nonsense_among_the_saves_is_counted_and_can_be_deleted),
        P2_TEST(there_is_a_most_number_of_saves),
        CU_TEST_INFO_NULL,
    };
    CU_TestInfo files[] = {
        P2_TEST(a_file_brings_back_the_world),
        P2_TEST(every_changed_or_missing_byte_of_a_file_is_refused),
        P2_TEST(a_file_of_today_reads_for_ever),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"chains", NULL, NULL, NULL, NULL, chains},
        {"snapshots", NULL, NULL, NULL, NULL, snapshots},
        {"files", NULL, NULL, NULL, NULL, files},
        CU_SUITE_INFO_NULL,
    };
    return p2_test_main(argc, argv, suites);
}
