/* A frame of a journal with any bytes: what reads must be written back as just these bytes. */
#include "authority/store/journal.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p2_journal_reader reader;
    struct p2_journal_entry entry;
    struct p2_buf again;
    p2_buf_init(&again, P2_JOURNAL_FRAME_MAX);
    P2_ASSERT(p2_journal_begin(&again) == P2_OK);
    if (p2_journal_reader_init(&reader, p2_span(data, size)) == P2_OK) {
        while (p2_journal_next(&reader, &entry)) {
            P2_ASSERT(p2_journal_append(&again, 0, &entry) == P2_OK);
        }
        if (p2_journal_reader_end(&reader) == P2_OK) {
            P2_ASSERT(p2_span_equal(p2_buf_span(&again), p2_span(data, size)));
        }
    }
    p2_buf_free(&again);
    return 0;
}
