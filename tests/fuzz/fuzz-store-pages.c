/* A damaged or made-up LMDB file: the page walk must end, in bounds, for every commit asked for. */
#include "store/pages.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p2_pages_report report;
    struct p2_failure failure;
    for (uint64_t commit = 0; commit < 3; commit++) {
        if (p2_pages_check(p2_span(data, size), commit, P2_PAGES_ALL, &report, &failure) == P2_OK) {
            P2_ASSERT(report.branches + report.leaves + report.overflow <= report.last_page);
            P2_ASSERT(p2_pages_check(p2_span(data, size), commit, 1, &report, &failure) == P2_OK);
        }
    }
    return 0;
}
