/* Frame n ships in its slot, always, and no frame is skipped. */
#include "tests/sim/sim.h"

void check_slots(struct sim_play *play, const struct p2_frame_record *record)
{
    struct sim *sim = play->sim;
    if (record->frame != play->frames_seen) {
        sim_violation(sim, "slots", "a frame is missing", record->frame);
        sim->missing_frames++;
    }
    play->frames_seen = record->frame + 1;
    uint64_t start =
        play->epoch_us + record->frame / 60 * 1000000u + record->frame % 60 * 1000000u / 60;
    uint64_t end = play->epoch_us + (record->frame + 1) / 60 * 1000000u +
                   (record->frame + 1) % 60 * 1000000u / 60;
    if (sim->now_us < start || sim->now_us >= end) {
        sim_violation(sim, "slots", "a frame outside its slot", record->frame);
    } else if (record->is_on_time != (record->required_degraded == 0)) {
        sim_violation(sim, "slots", "on time is not what the record says", record->frame);
    }
}
