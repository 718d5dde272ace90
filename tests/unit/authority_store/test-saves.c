/* Saves as people handle them: kinds, names, files, damage. */
#include "session_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct session_fixture fixture;
static struct p2_snapshot_info infos[P2_SNAPSHOTS_MAX];

static size_t list(void)
{
    size_t count = 0, damaged = 0;
    P2_ASSERT_ERROR(p2_saves_list(fixture.store, FIXTURE_SESSION, infos, &count, &damaged), P2_OK);
    P2_ASSERT_EQUAL(damaged, 0);
    return count;
}

static size_t count_kind(enum p2_snapshot_kind kind)
{
    size_t count = list(), found = 0;
    for (size_t i = 0; i < count; i++) {
        found += infos[i].kind == kind;
    }
    return found;
}

static int read_save(const char *label, struct p2_failure *failure)
{
    struct p2_buf world;
    struct p2_save_origin origin = {.schema = 0};
    struct p2_snapshot_info info;
    p2_buf_init(&world, P2_SNAPSHOT_WORLD_MAX);
    p2_buf_init(&origin.host, P2_SESSION_HOST_MAX);
    int error =
        p2_saves_read(fixture.store, FIXTURE_SESSION, label, &world, &origin, &info, failure);
    if (error == P2_OK) {
        struct session_model model;
        P2_ASSERT_EQUAL(origin.schema, 3);
        P2_ASSERT_EQUAL(world.size, FIXTURE_WORLD);
        model_init(&model, FIXTURE_WORLD);
        while (model.next < info.frame) {
            model_run(&model, NULL);
        }
        P2_ASSERT_BYTES(world.data, model.world, FIXTURE_WORLD);
        model_free(&model);
    } else {
        P2_ASSERT_EQUAL(world.size, 0);
    }
    p2_buf_free(&world);
    p2_buf_free(&origin.host);
    return error;
}

static int finish(struct p2_batch *batch, int error)
{
    static int outcome;
    if (error != P2_OK) {
        p2_batch_free(batch);
        return error;
    }
    struct p2_store_writer_stats before = p2_store_writer_stats(fixture.writer);
    P2_ASSERT_ERROR(p2_store_writer_submit(fixture.writer, batch, NULL, NULL), P2_OK);
    fixture_commit(&fixture);
    struct p2_store_writer_stats after = p2_store_writer_stats(fixture.writer);
    outcome = after.failed > before.failed ? P2_E_STATE : P2_OK;
    return outcome;
}

static int delete_save(const char *label)
{
    struct p2_batch *batch = p2_batch_new();
    return finish(batch, p2_saves_delete(batch, FIXTURE_SESSION, label));
}

/* ---- kinds and names --------------------------------------------------------------------------- */

static void the_last_of_each_kind_are_kept(void)
{
    fixture_begin(&fixture);
    for (unsigned i = 0; i < P2_HOURLIES_KEPT + 3; i++) {
        fixture_run(&fixture, 2, true);
        P2_ASSERT_ERROR(
            fixture_image(&fixture, P2_DUE_CHECKPOINT | P2_DUE_AUTOSAVE | P2_DUE_HOURLY, NULL),
            P2_OK);
        fixture_commit(&fixture);
    }
    P2_ASSERT_EQUAL(count_kind(P2_SNAPSHOT_CHECKPOINT), P2_CHECKPOINTS_KEPT);
    P2_ASSERT_EQUAL(count_kind(P2_SNAPSHOT_AUTOSAVE), P2_AUTOSAVES_KEPT);
    P2_ASSERT_EQUAL(count_kind(P2_SNAPSHOT_HOURLY), P2_HOURLIES_KEPT);
    P2_ASSERT_ERROR(read_save("autosave-27", NULL), P2_OK);
    P2_ASSERT_ERROR(read_save("autosave-17", NULL), P2_E_NOENT);
    P2_ASSERT_ERROR(read_save("hourly-4", NULL), P2_OK);
    fixture_end(&fixture);
}

static void a_named_save_is_there_until_it_is_deleted(void)
{
    struct p2_failure failure = {0};
    fixture_begin(&fixture);
    fixture_run(&fixture, 3, true);
    P2_ASSERT_ERROR(fixture_image(&fixture, 0, "before the dragon"), P2_OK);
    fixture_commit(&fixture);
    P2_ASSERT_ERROR(fixture.image_error, P2_OK);
    P2_ASSERT_ERROR(read_save("before the dragon", &failure), P2_OK);
    /* The same name again: that save fails, the checkpoint of the same image does not. */
    fixture_run(&fixture, 3, true);
    P2_ASSERT_ERROR(fixture_image(&fixture, P2_DUE_CHECKPOINT, "before the dragon"), P2_OK);
    fixture_commit(&fixture);
    P2_ASSERT_ERROR(fixture.image_error, P2_E_EXIST);
    CU_ASSERT_PTR_NOT_NULL(strstr(fixture.image_message, "before the dragon"));
    P2_ASSERT_EQUAL(count_kind(P2_SNAPSHOT_CHECKPOINT), 1);
    P2_ASSERT_EQUAL(fixture.troubles, 0);
    P2_ASSERT_ERROR(delete_save("before the dragon"), P2_OK);
    P2_ASSERT_EQUAL(count_kind(P2_SNAPSHOT_NAMED), 0);
    P2_ASSERT_ERROR(delete_save("before the dragon"), P2_E_STATE);
    P2_ASSERT_ERROR(read_save("before the dragon", &failure), P2_E_NOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "before the dragon"));
    P2_ASSERT_ERROR(delete_save("checkpoint-1"), P2_E_INVALID);
    fixture_end(&fixture);
}

static void names_of_other_kinds_and_odd_ones_are_refused(void)
{
    char longest[66];
    memset(longest, 'x', 65);
    longest[65] = '\0';
    CU_ASSERT(!p2_save_name_is_good(longest));
    longest[64] = '\0';
    CU_ASSERT(p2_save_name_is_good(longest));
    CU_ASSERT(!p2_save_name_is_good(""));
    CU_ASSERT(!p2_save_name_is_good("autosave-3"));
    CU_ASSERT(!p2_save_name_is_good("checkpoint-1"));
    CU_ASSERT(p2_save_name_is_good("autosave-mine"));
    CU_ASSERT(!p2_save_name_is_good("a/b"));
    CU_ASSERT(!p2_save_name_is_good("-x"));
    CU_ASSERT(!p2_save_name_is_good("a\nb"));
    CU_ASSERT(!p2_save_name_is_good("\xff"));
}

/* ---- damage ------------------------------------------------------------------------------------ */

static void a_damaged_save_is_refused_and_the_newest_whole_one_offered(void)
{
    struct p2_failure failure = {0};
    fixture_begin(&fixture);
    fixture_run(&fixture, 5, true);
    P2_ASSERT_ERROR(fixture_image(&fixture, P2_DUE_AUTOSAVE, NULL), P2_OK);
    fixture_commit(&fixture);
    fixture_run(&fixture, 5, true);
    P2_ASSERT_ERROR(fixture_image(&fixture, 0, "mine"), P2_OK);
    fixture_commit(&fixture);
    fixture_damage(&fixture, P2_TABLE_SAVES, 1, -1); /* its last digest */
    P2_ASSERT_ERROR(read_save("mine", &failure), P2_E_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "chunk 4 of 4"));
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "\"autosave-1\", of frame 6"));
    fixture_damage(&fixture, P2_TABLE_CHUNKS, 0, -1);
    fixture_damage(&fixture, P2_TABLE_CHUNKS, 1, -1);
    fixture_damage(&fixture, P2_TABLE_CHUNKS, 2, -1);
    fixture_damage(&fixture, P2_TABLE_CHUNKS, 3, -1);
    P2_ASSERT_ERROR(read_save("autosave-1", &failure), P2_E_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "no other save is whole"));
    fixture_end(&fixture);
}

/* ---- files ------------------------------------------------------------------------------------- */

static FILE *exported(const char *label)
{
    struct p2_failure failure = {0};
    FILE *file = tmpfile();
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    P2_ASSERT_ERROR(
        p2_saves_export(fixture.store, FIXTURE_SESSION, label, "model", fileno(file), &failure),
        P2_OK);
    (void)lseek(fileno(file), 0, SEEK_SET);
    return file;
}

static void what_is_exported_can_be_imported_under_another_name(void)
{
    struct p2_failure failure = {0};
    struct p2_image *image = NULL;
    struct p2_save_head head;
    fixture_begin(&fixture);
    fixture_run(&fixture, 9, true);
    P2_ASSERT_ERROR(fixture_image(&fixture, 0, "mine"), P2_OK);
    fixture_commit(&fixture);
    FILE *file = exported("mine");
    P2_ASSERT_ERROR(p2_saves_import(fileno(file), "model", FIXTURE_WORLD, &image, &head, &failure),
                    P2_OK);
    (void)fclose(file);
    CU_ASSERT_STRING_EQUAL(head.name, "mine");
    P2_ASSERT_EQUAL(head.frame, 10);
    P2_ASSERT_EQUAL(head.schema, 3);
    struct p2_batch *batch = p2_batch_new();
    P2_ASSERT_ERROR(finish(batch, p2_saves_add(batch, FIXTURE_SESSION, "yours", head.frame,
                                               head.schema, 5, image)),
                    P2_OK);
    P2_ASSERT_ERROR(read_save("yours", &failure), P2_OK);
    P2_ASSERT_EQUAL(fixture_count(&fixture, P2_TABLE_CHUNKS), 4); /* shared */
    P2_ASSERT_ERROR(p2_image_of(p2_span("x", 1), &image), P2_OK);
    batch = p2_batch_new();
    P2_ASSERT_ERROR(finish(batch, p2_saves_add(batch, FIXTURE_SESSION, "yours", 1, 3, 5, image)),
                    P2_E_STATE);
    P2_ASSERT_ERROR(p2_image_of(p2_span("x", 1), &image), P2_OK);
    batch = p2_batch_new();
    P2_ASSERT_ERROR(
        finish(batch, p2_saves_add(batch, FIXTURE_SESSION, "autosave-1", 1, 3, 5, image)),
        P2_E_INVALID);
    fixture_end(&fixture);
}

static void a_file_of_another_game_or_a_larger_world_is_refused(void)
{
    struct p2_failure failure = {0};
    struct p2_image *image = NULL;
    struct p2_save_head head;
    fixture_begin(&fixture);
    fixture_run(&fixture, 9, true);
    P2_ASSERT_ERROR(fixture_image(&fixture, 0, "mine"), P2_OK);
    fixture_commit(&fixture);
    FILE *file = exported("mine");
    P2_ASSERT_ERROR(p2_saves_import(fileno(file), "chess", FIXTURE_WORLD, &image, &head, &failure),
                    P2_E_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "\"model\""));
    (void)lseek(fileno(file), 0, SEEK_SET);
    P2_ASSERT_ERROR(
        p2_saves_import(fileno(file), "model", FIXTURE_WORLD - 1, &image, &head, &failure),
        P2_E_TOO_BIG);
    /* More bytes than any file with such a world has are not even read to the end. */
    P2_ASSERT_EQUAL(ftruncate(fileno(file), 64 << 20), 0);
    (void)lseek(fileno(file), 0, SEEK_SET);
    P2_ASSERT_ERROR(p2_saves_import(fileno(file), "model", FIXTURE_WORLD, &image, &head, &failure),
                    P2_E_TOO_BIG);
    CU_ASSERT(lseek(fileno(file), 0, SEEK_CUR) < 1 << 20);
    (void)fclose(file);
    fixture_end(&fixture);
}

static void exporting_to_a_full_device_says_so(void)
{
    struct p2_failure failure = {0};
    fixture_begin(&fixture);
    fixture_run(&fixture, 2, true);
    P2_ASSERT_ERROR(fixture_image(&fixture, 0, "mine"), P2_OK);
    fixture_commit(&fixture);
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    CU_ASSERT_FATAL(fd >= 0);
    P2_ASSERT_ERROR(p2_saves_export(fixture.store, FIXTURE_SESSION, "mine", "model", fd, &failure),
                    P2_E_NODISK);
    (void)close(fd);
    P2_ASSERT_ERROR(p2_saves_export(fixture.store, FIXTURE_SESSION, "none", "model", -1, &failure),
                    P2_E_NOENT);
    fixture_end(&fixture);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(the_last_of_each_kind_are_kept),
        P2_TEST(a_named_save_is_there_until_it_is_deleted),
        P2_TEST(names_of_other_kinds_and_odd_ones_are_refused),
        P2_TEST(a_damaged_save_is_refused_and_the_newest_whole_one_offered),
        P2_TEST(what_is_exported_can_be_imported_under_another_name),
        P2_TEST(a_file_of_another_game_or_a_larger_world_is_refused),
        P2_TEST(exporting_to_a_full_device_says_so),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"saves", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
