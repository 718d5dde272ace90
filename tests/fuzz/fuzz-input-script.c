/* Input scripts of any bytes: accepted ones are played for a while, and every pad can be written. */
#include "client/input_script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS 2000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p2_input_script script;
    struct p2_failure failure = {0};
    struct p2c2r_pad pad = {0};
    uint8_t out[P2C2R_PAD_BYTES];
    if (p2_input_script_parse(&script, "script", p2_span(data, size), &failure) != P2_OK) {
        return 0;
    }
    P2_ASSERT(script.count <= P2_SCRIPT_LINES_MAX);
    bool goes_on = true;
    for (unsigned i = 0; i < STEPS && goes_on; i++) {
        goes_on = p2_input_script_step(&script, &pad);
        P2_ASSERT(p2c2r_pad_write(out, sizeof out, &pad) == sizeof out);
    }
    p2_input_script_free(&script);
    return 0;
}
