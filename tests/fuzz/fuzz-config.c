/* Any bytes as a configuration file: accepted or refused with a line, and what was accepted comes
 * back from its own dump. */
#include "tests/unit/base/sample-table.h"

#include "base/config_doc.h"
#include "base/config_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int parse(struct p2_config **ret_config, struct p2_span bytes, struct p2_failure *failure)
{
    P2_ASSERT(p2_config_new(ret_config, &sample_table) == P2_OK);
    P2_ASSERT(p2_config_begin(*ret_config, P2_LAYER_FILE, "fuzz.conf", true) == P2_OK);
    return p2_config_parse(*ret_config, "fuzz.conf", bytes, failure);
}

/* Secrets are not in a dump; everything else is. */
static void check_dump(const struct p2_config *config)
{
    struct p2_config *again = NULL;
    struct p2_failure failure = {0};
    struct p2_buf buf;
    p2_buf_init(&buf, 4 << 20);
    P2_ASSERT(p2_config_dump(config, &buf) == P2_OK);
    P2_ASSERT(parse(&again, p2_buf_span(&buf), &failure) == P2_OK);
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        P2_ASSERT((sample_options[i].flags & P2_OPTION_SECRET) != 0 ||
                  p2_config_is_same(config, again, i));
    }
    p2_config_free(again);
    p2_buf_free(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p2_config *config = NULL;
    struct p2_failure failure = {0};
    int error = parse(&config, p2_span(data, size), &failure);
    P2_ASSERT(error == P2_OK || error == P2_E_CONFIG);
    if (error == P2_OK) {
        check_dump(config);
    } else {
        P2_ASSERT(strncmp(failure.message, "fuzz.conf:", 10) == 0);
    }
    P2_ASSERT(p2_config_u64(config, SAMPLE_CORES) >= 1);
    P2_ASSERT(p2_config_u64(config, SAMPLE_CORES) <= 64);
    p2_config_free(config);
    return 0;
}
