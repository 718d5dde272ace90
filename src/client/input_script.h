/* Inputs from a file: what a person would have done, for tests, recordings and demonstrations.
 *
 *   # comment
 *   TICKS [NAME=VALUE]...      for so many ticks (1..1000000):
 *     walk=-127..127   forward, or back       turn=-32768..32767   added to yaw every tick
 *     strafe=-127..127 to the right           tilt=-15360..15360   added to pitch every tick
 *     yaw=0..65535     set at the beginning   pitch=-15360..15360  set at the beginning
 *     slot=0..15       what is in the hand    hold=A,B             jump first second third use
 *   repeat                     as the last line: from the beginning again
 *
 * Pure but for memory. Thread: one. */
#ifndef P2_CLIENT_INPUT_SCRIPT_H
#define P2_CLIENT_INPUT_SCRIPT_H

#include "base/buf.h"
#include "base/error.h"
#include "p2c2r/scene.h"

#include <stdbool.h>
#include <stdint.h>

#define P2_SCRIPT_LINES_MAX 4096u /* chosen: an hour of changes every second */
#define P2_SCRIPT_BYTES_MAX (1u << 20)

struct p2_script_line {
    uint32_t ticks;
    int32_t walk, strafe, turn, tilt, yaw, pitch;
    bool has_yaw, has_pitch;
    uint8_t slot, buttons;
};

struct p2_input_script {
    struct p2_script_line *lines; /* owned */
    uint32_t count;
    bool repeats;
    uint32_t at;   /* line */
    uint32_t tick; /* of the line */
};

/* Reads a script. P2_E_CONFIG with the line and what is allowed, P2_E_LIMIT, P2_E_NOMEM; then nothing
 * is to be freed. */
int p2_input_script_parse(struct p2_input_script *script, const char *name, struct p2_span text,
                          struct p2_failure *failure);
void p2_input_script_free(struct p2_input_script *script);

/* Moves `pad` by one tick. False: the script is over; the pad holds still. */
bool p2_input_script_step(struct p2_input_script *script, struct p2c2r_pad *pad);

#endif
