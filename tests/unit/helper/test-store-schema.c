/* What p2c2rd keeps comes back; a receipt never goes back. */
#include "helper/store_schema.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

static struct p2_store *store;
static struct p2_store_writer *writer;

static void begin(void)
{
    char folder[4096];
    (void)snprintf(folder, sizeof folder, "%s/store", p2_test_folder_make());
    struct p2_store_options options = {.folder = folder, .schema = &p2_helper_schema};
    P2_ASSERT_ERROR(p2_store_open(&store, &options, NULL), P2_OK);
    struct p2_store_writer_options writer_options = {.store = store};
    P2_ASSERT_ERROR(p2_store_writer_new(&writer, &writer_options), P2_OK);
}

static void end(void)
{
    p2_store_writer_stop(writer, NULL, NULL);
    p2_store_writer_free(writer);
    p2_store_close(store);
    p2_test_folder_remove();
}

static void submit(struct p2_batch *batch, int expected)
{
    int error = p2_store_writer_submit(writer, batch, NULL, NULL);
    P2_ASSERT_ERROR(error, expected);
    if (error != P2_OK) {
        p2_batch_free(batch);
    }
    while (p2_store_writer_run(writer)) {
    }
}

static uint64_t seen_sequence;

static int see_receipt(void *ctx, const struct p2_helper_receipt *receipt)
{
    (void)ctx;
    seen_sequence = receipt->sequence;
    P2_ASSERT_EQUAL(receipt->authority.bytes[0], 4);
    P2_ASSERT_EQUAL(receipt->when_ms, receipt->sequence * 10);
    CU_ASSERT(p2_span_equal(receipt->bytes, p2_span("signed", 6)));
    return P2_OK;
}

static void put_receipt(uint64_t sequence)
{
    struct p2_helper_receipt receipt = {.authority.bytes = {4},
                                        .when_ms = sequence * 10,
                                        .sequence = sequence,
                                        .bytes = p2_span("signed", 6)};
    struct p2_batch *batch = p2_batch_new();
    P2_ASSERT_ERROR(p2_helper_receipt_put(batch, &receipt), P2_OK);
    submit(batch, P2_OK);
    P2_ASSERT_ERROR(p2_helper_receipt_each(store, see_receipt, NULL, NULL), P2_OK);
}

static void the_newest_receipt_of_an_authority_stays(void)
{
    begin();
    put_receipt(5);
    P2_ASSERT_EQUAL(seen_sequence, 5);
    put_receipt(9);
    P2_ASSERT_EQUAL(seen_sequence, 9);
    put_receipt(7);
    P2_ASSERT_EQUAL(seen_sequence, 9);
    end();
}

static void consent_is_there_after_yes_and_gone_after_no(void)
{
    struct p2_helper_consent consent = {
        .version = 2, .when_ms = 99, .uid = 1000, .digest = {1, 2, 3}};
    struct p2_helper_consent read = {0};
    begin();
    P2_ASSERT_ERROR(p2_helper_consent_get(store, &read), P2_E_NOENT);
    struct p2_batch *batch = p2_batch_new();
    p2_helper_consent_put(batch, &consent);
    submit(batch, P2_OK);
    P2_ASSERT_ERROR(p2_helper_consent_get(store, &read), P2_OK);
    P2_ASSERT_EQUAL(read.version, 2);
    P2_ASSERT_EQUAL(read.when_ms, 99);
    P2_ASSERT_EQUAL(read.uid, 1000);
    P2_ASSERT_BYTES(read.digest, consent.digest, sizeof read.digest);
    batch = p2_batch_new();
    p2_helper_consent_delete(batch);
    submit(batch, P2_OK);
    P2_ASSERT_ERROR(p2_helper_consent_get(store, &read), P2_E_NOENT);
    end();
}

static unsigned offences;

static int see_offence(void *ctx, const struct p2_helper_offence *offence)
{
    (void)ctx;
    offences++;
    P2_ASSERT_EQUAL(offence->authority.bytes[1], 8);
    P2_ASSERT_EQUAL(offence->when_ms, 3);
    CU_ASSERT_STRING_EQUAL(offence->reason, "alleged a lie");
    return P2_OK;
}

static void counters_settings_and_offences_come_back(void)
{
    struct p2_helper_offence offence = {
        .authority.bytes = {0, 8}, .when_ms = 3, .reason = "alleged a lie"};
    struct p2_buf value;
    uint64_t number = 7;
    begin();
    p2_buf_init(&value, P2_HELPER_VALUE_MAX);
    P2_ASSERT_ERROR(p2_helper_counter_get(store, "leases", &number), P2_OK);
    P2_ASSERT_EQUAL(number, 0);
    struct p2_batch *batch = p2_batch_new();
    p2_helper_counter_put(batch, "leases", UINT64_C(1) << 40);
    p2_helper_setting_put(batch, "quiet-hours", p2_span("22-7", 4));
    p2_helper_offence_put(batch, &offence);
    submit(batch, P2_OK);
    P2_ASSERT_ERROR(p2_helper_counter_get(store, "leases", &number), P2_OK);
    CU_ASSERT(number == UINT64_C(1) << 40);
    P2_ASSERT_ERROR(p2_helper_setting_get(store, "quiet-hours", &value), P2_OK);
    CU_ASSERT(p2_span_equal(p2_buf_span(&value), p2_span("22-7", 4)));
    P2_ASSERT_ERROR(p2_helper_offence_each(store, see_offence, NULL, NULL), P2_OK);
    P2_ASSERT_EQUAL(offences, 1);
    batch = p2_batch_new();
    p2_helper_offence_delete(batch, &offence.authority);
    submit(batch, P2_OK);
    P2_ASSERT_ERROR(p2_helper_offence_each(store, see_offence, NULL, NULL), P2_OK);
    P2_ASSERT_EQUAL(offences, 1);
    batch = p2_batch_new();
    p2_helper_counter_put(batch, "", 1);
    submit(batch, P2_E_INVALID);
    p2_buf_free(&value);
    end();
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(the_newest_receipt_of_an_authority_stays),
        P2_TEST(consent_is_there_after_yes_and_gone_after_no),
        P2_TEST(counters_settings_and_offences_come_back),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"helper_store", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
