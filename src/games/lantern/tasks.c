/* STATE tasks of minds and land: paths, speech, raiders' isles. Each has a number of its own in the
 * tag; a result for an older number finds nobody. What a degraded answer means stands beside it. */
#include "lantern.h"

/* Frames after which a request that was never answered is forgotten: only an imported save has such
 * requests, its tasks died with the old host. Above every slack. */
#define PATIENCE 900

#define PATH_SLACK   6
#define SPEECH_SLACK 60
#define ISLE_SLACK   240
#define WINDOW       192 /* cells of a path batch each way */

bool lan_submit(struct lan *lan, const char *kernel, enum lan_task task, unsigned index,
                struct lan_request *request, size_t size, unsigned class, unsigned slack,
                unsigned weight)
{
    uint64_t id;
    struct p2c2r_task order = {
        .size = sizeof order,
        .kernel = kernel,
        .task_class = class,
        .slack = slack,
        .weight = weight,
        .input = {lan->input, size},
    };
    request->number++;
    order.tag = (uint64_t)task << 56 | (uint64_t)index << 32 | request->number;
    if (size == 0 || lan->host.submit(lan->host.ctx, &order, &id) != 0) {
        return false;
    }
    request->is_open = 1;
    request->since = (uint32_t)lan->s->frame;
    return true;
}

static void give_up(const struct lan_state *s, struct lan_request *request)
{
    if (request->is_open != 0 && (uint32_t)s->frame - request->since > PATIENCE) {
        request->is_open = 0;
        request->number++;
    }
}

/* ---- paths ---------------------------------------------------------------------------------- */

static int cell_of(int32_t at)
{
    const int cell = at >> 8;
    return cell < 0 ? 0 : cell > LAN_SIDE - 1 ? LAN_SIDE - 1 : cell;
}

/* The walkable cell nearest to (x, z) within 3; false: none. */
static bool nearest_open(const struct lan *lan, int x, int z, int ret_cell[2])
{
    int best = 99;
    for (int dz = -3; dz <= 3; dz++) {
        for (int dx = -3; dx <= 3; dx++) {
            const int distance = dx * dx + dz * dz;
            if (distance < best && lan_is_inside(x + dx, 0, z + dz) &&
                lan->open[lan_cell(x + dx, z + dz)] != 0) {
                best = distance;
                ret_cell[0] = x + dx;
                ret_cell[1] = z + dz;
            }
        }
    }
    return best < 99;
}

static int window_origin(int a, int b)
{
    const int origin = (a + b) / 2 - WINDOW / 2;
    return origin < 0 ? 0 : origin > LAN_SIDE - WINDOW ? LAN_SIDE - WINDOW : origin;
}

static bool is_within(int value, int origin)
{
    return value >= origin && value < origin + WINDOW;
}

/* Fills the query of folk `i`; false when it lies outside of the window or has no place to stand. */
static bool make_query(struct lan *lan, unsigned i, const int origin[2],
                       struct p2c2r_path_query *query)
{
    struct lan_folk *f = &lan->s->folk[i];
    int start[2], goal[2];
    if (!nearest_open(lan, cell_of(f->at[0]), cell_of(f->at[2]), start)) {
        f->wish = LAN_NO_PATH;
        f->steps = f->step = 0;
        return false;
    }
    if (!nearest_open(lan, f->goal[0], f->goal[1], goal)) {
        goal[0] = f->goal[0];
        goal[1] = f->goal[1];
    }
    for (unsigned k = 0; k < 2; k++) {
        if (!is_within(start[k], origin[k]) || !is_within(goal[k], origin[k])) {
            return false;
        }
        query->start[k] = (uint16_t)(start[k] - origin[k]);
        query->goal[k] = (uint16_t)(goal[k] - origin[k]);
        if (start[k] != cell_of(f->at[k * 2])) { /* clambers out of what it stands in */
            f->at[k * 2] = start[k] * LAN_ONE + 128;
        }
    }
    return true;
}

static void ask_paths(struct lan *lan, unsigned index)
{
    struct lan_state *s = lan->s;
    struct lan_batch *batch = &s->batches[index];
    struct p2c2r_path_query queries[LAN_QUERIES];
    static const size_t cells = (size_t)WINDOW * WINDOW;
    uint8_t *open = lan->input + sizeof lan->input - cells; /* behind the input: 5 KiB */
    int origin[2] = {-1, 0};
    batch->count = 0;
    for (unsigned k = 0; k < LAN_FOLK && batch->count < LAN_QUERIES; k++) {
        const unsigned i = (unsigned)((s->frame * 7 + k) % LAN_FOLK);
        struct lan_folk *f = &s->folk[i];
        if (f->kind == LAN_NOBODY || f->wish != LAN_WANTS_PATH) {
            continue;
        }
        if (origin[0] <
            0) { /* the first one chooses the window: the map is sent without its place */
            origin[0] = window_origin(cell_of(f->at[0]), f->goal[0]);
            origin[1] = window_origin(cell_of(f->at[2]), f->goal[1]);
        }
        if (make_query(lan, i, origin, &queries[batch->count])) {
            batch->folk[batch->count] = (uint8_t)i;
            batch->ask[batch->count++] = ++f->ask;
            f->wish = LAN_ASKED_PATH;
        }
    }
    if (batch->count == 0) {
        return;
    }
    for (int z = 0; z < WINDOW; z++) {
        memcpy(open + (size_t)z * WINDOW, lan->open + lan_cell(origin[0], origin[1] + z), WINDOW);
    }
    const size_t size = p2c2r_ai_pathfinding_input(lan->input, sizeof lan->input - cells, WINDOW,
                                                   WINDOW, open, queries, batch->count);
    if (!lan_submit(lan, "ai_pathfinding", LAN_TASK_PATH, index, &batch->request, size,
                    P2C2R_CLASS_SOON, PATH_SLACK, 3)) {
        for (unsigned i = 0; i < batch->count; i++) {
            s->folk[batch->folk[i]].wish = LAN_WANTS_PATH;
        }
    }
}

static void take_paths(struct lan *lan, unsigned index, const struct p2c2r_result *result)
{
    struct lan_state *s = lan->s;
    struct lan_batch *batch = &s->batches[index];
    const bool is_late = result->status == P2C2R_RESULT_CORRECTED;
    for (unsigned i = 0; i < batch->count; i++) {
        struct lan_folk *f = &s->folk[batch->folk[i]];
        uint32_t steps = 0;
        if (f->ask != batch->ask[i] || f->kind == LAN_NOBODY) {
            continue; /* somebody else by now, or it changed its mind */
        }
        if (is_late) { /* it walks a wrong way already: it asks again from where it is */
            f->wish = LAN_WANTS_PATH;
            continue;
        }
        f->wish = LAN_NO_PATH;
        if (result->status != P2C2R_RESULT_OK) {
            continue; /* degraded: the old path is kept, the next thought asks again */
        }
        f->step = f->steps = 0;
        if (p2c2r_ai_pathfinding_path(result->bytes, batch->count, i, f->path, LAN_PATH, &steps)) {
            f->steps = (uint16_t)(steps > LAN_PATH ? LAN_PATH : steps);
        }
    }
}

/* ---- speech --------------------------------------------------------------------------------- */

enum words { CALL, NAME, DARK, RAID, FLOOD, LIGHT, CALM, FEAR, BRAVE, TAIL, COMMA, STOP, CLASSES };
#define BIT(class) (1u << (class))
#define THINGS     (BIT(DARK) | BIT(RAID) | BIT(FLOOD) | BIT(LIGHT))
#define VERBS      (BIT(CALM) | BIT(FEAR) | BIT(BRAVE))

static const char *const class_words[CLASSES] = {
    [CALL] = "listen hurry friend stranger look careful please hush wait",
    [NAME] = "Mara Tobin Elsbeth Orrin Hal Wenna Gregor Isolde Bram",
    [DARK] = "night darkness moon shadow forest fog",
    [RAID] = "raiders boats torches enemy drums blades",
    [FLOOD] = "water dam pond flood river",
    [LIGHT] = "lantern hearth gate village flame dawn",
    [CALM] = "waits sleeps rests lingers watches",
    [FEAR] = "comes falls burns breaks drowns",
    [BRAVE] = "stands holds shines answers fights",
    [TAIL] = "tonight again soon together beyond_the_hill before_dawn behind_us everywhere",
    [COMMA] = ",",
    [STOP] = ". !",
};
static const uint16_t followers[CLASSES + 1] = {
    [CALL] = BIT(COMMA),
    [NAME] = BIT(COMMA) | VERBS,
    [DARK] = VERBS,
    [RAID] = VERBS,
    [FLOOD] = VERBS,
    [LIGHT] = VERBS,
    [CALM] = BIT(TAIL) | BIT(STOP),
    [FEAR] = BIT(TAIL) | BIT(STOP),
    [BRAVE] = BIT(TAIL) | BIT(STOP),
    [TAIL] = BIT(STOP) | BIT(COMMA),
    [COMMA] = THINGS | BIT(NAME),
    [STOP] = BIT(CLASSES),
    [CLASSES] = BIT(CALL) | THINGS | BIT(NAME),
};
#define MOODS  3
#define TOPICS 4
/* Calm, afraid, brave; night, raiders, water, lantern. 16 is neutral. */
static const uint8_t mood_affinity[CLASSES * MOODS] = {
    16, 24, 12, 16, 16, 20, 16, 20, 10, 8,  24, 20, 12, 24, 12, 20, 8,  20,
    40, 4,  8,  4,  40, 12, 8,  6,  40, 16, 16, 16, 16, 16, 16, 16, 16, 16};
static const uint8_t topic_affinity[CLASSES * TOPICS] = {
    16, 16, 16, 16, 16, 16, 16, 16, 60, 4,  6,  10, 6,  60, 4,  6,  4,  4,  60, 4,  8,  6,  6,  60,
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16};
static const struct p2c2r_vocabulary vocabulary = {
    CLASSES, class_words, followers,     BIT(COMMA) | BIT(STOP),
    MOODS,   TOPICS,      mood_affinity, topic_affinity};

#define CANDIDATES 6
#define LINE_WORDS 8

static void ask_speech(struct lan *lan)
{
    struct lan_state *s = lan->s;
    uint32_t random[CANDIDATES * LINE_WORDS];
    const unsigned folk = lan_random(lan, LAN_FOLK);
    const struct lan_folk *f = &s->folk[folk];
    if (f->kind != LAN_VILLAGER || f->speech > 0) {
        return;
    }
    for (unsigned i = 0; i < CANDIDATES * LINE_WORDS; i++) {
        random[i] = (uint32_t)lan->host.random(lan->host.ctx, 1);
    }
    const bool is_night = s->phase == LAN_PHASE_NIGHT;
    const uint8_t mood = (uint8_t)(!is_night ? 0 : f->hp < 4 ? 1 : 1 + lan_random(lan, 2));
    const uint8_t topic = (uint8_t)(s->fluids[0].is_used != 0 ? 2
                                    : is_night                ? 1
                                                              : lan_random(lan, 4));
    const struct p2c2r_line line = {mood, topic, 3, LINE_WORDS, CANDIDATES, 72, random};
    const size_t size =
        p2c2r_ai_npc_dialogue_input(lan->input, sizeof lan->input, &vocabulary, &line);
    s->speech.folk = (uint8_t)folk;
    (void)lan_submit(lan, "ai_npc_dialogue", LAN_TASK_SPEECH, 0, &s->speech.request, size,
                     P2C2R_CLASS_LATER, SPEECH_SLACK, 1); /* refused: nobody speaks */
}

static void take_speech(struct lan *lan, const struct p2c2r_result *result)
{
    struct lan_folk *f = &lan->s->folk[lan->s->speech.folk];
    struct p2c2r_bytes text = {(const uint8_t *)"...", 3}; /* degraded: it thinks */
    if (f->kind != LAN_VILLAGER) {
        return;
    }
    if (result->status == P2C2R_RESULT_OK || result->status == P2C2R_RESULT_CORRECTED) {
        (void)p2c2r_ai_npc_dialogue_text(result->bytes, &text); /* false: "..." stays */
    }
    f->line_size = (uint8_t)(text.size < sizeof f->line ? text.size : sizeof f->line);
    memset(f->line, 0, sizeof f->line);
    for (unsigned i = 0; i < f->line_size; i++) { /* words with a gap of their own */
        f->line[i] = (char)(text.data[i] == '_' ? ' ' : text.data[i]);
    }
    f->speech = 5 * LAN_HZ;
}

/* ---- raiders' isles ------------------------------------------------------------------------- */

#define ISLE_RADIUS 22

static void ask_isle(struct lan *lan, unsigned stamp)
{
    const struct p2c2r_terrain terrain = {lan->s->secret, 20, 14, 10, 64, 0, 90, 20};
    const unsigned isle = stamp / LAN_ISLE_CHUNKS, part = stamp % LAN_ISLE_CHUNKS;
    struct lan_request request = {0, 0, 0};
    int middle[2];
    lan_isle_middle(isle, middle);
    const size_t size = p2c2r_ai_procedural_input(lan->input, sizeof lan->input, &terrain,
                                                  middle[0] / 16 - 1 + (int)(part % 3),
                                                  middle[1] / 16 - 1 + (int)(part / 3));
    if (lan_submit(lan, "ai_procedural", LAN_TASK_ISLE, stamp, &request, size, P2C2R_CLASS_LATER,
                   ISLE_SLACK, 2)) {
        lan->s->stamp_open[stamp] = 1;
        lan->s->stamp_since[stamp] = (uint32_t)lan->s->frame;
    }
}

/* One column of an isle: the kernel's land, sunk the deeper the farther from the middle. Degraded:
 * a bank of sand. */
static void stamp_column(struct lan_state *s, int x, int z, const int middle[2],
                         const struct p2c2r_result *result)
{
    const int dx = x - middle[0], dz = z - middle[1], squared = dx * dx + dz * dz;
    const bool is_given =
        result->status == P2C2R_RESULT_OK || result->status == P2C2R_RESULT_CORRECTED;
    const int sunk = squared * 20 / (ISLE_RADIUS * ISLE_RADIUS);
    uint8_t *column = s->voxels + lan_at(x, 0, z);
    if (squared > ISLE_RADIUS * ISLE_RADIUS) {
        return;
    }
    for (int y = 1; y < LAN_HEIGHT; y++) {
        uint8_t material = y + sunk < LAN_SEA + 3 ? P2C2R_SAND : P2C2R_AIR;
        if (is_given && y + sunk < LAN_HEIGHT) {
            (void)p2c2r_ai_procedural_voxel(result->bytes, (uint32_t)x & 15u, (uint32_t)(y + sunk),
                                            (uint32_t)z & 15u, &material);
        }
        if (material == P2C2R_WATER || material == P2C2R_AIR) {
            material = y < LAN_SEA ? P2C2R_WATER : P2C2R_AIR;
        } else if (material == P2C2R_GRASS && y <= LAN_SEA + 1) {
            material = P2C2R_SAND;
        }
        column[y] = material;
    }
    s->base[lan_cell(x, z)] = lan_world_base(s, x, z);
}

static void take_isle(struct lan *lan, unsigned stamp, const struct p2c2r_result *result)
{
    struct lan_state *s = lan->s;
    const unsigned part = stamp % LAN_ISLE_CHUNKS;
    int middle[2];
    lan_isle_middle(stamp / LAN_ISLE_CHUNKS, middle);
    const int x0 = (middle[0] / 16 - 1 + (int)(part % 3)) * 16;
    const int z0 = (middle[1] / 16 - 1 + (int)(part / 3)) * 16;
    s->stamp_open[stamp] = 2;
    for (int z = z0; z < z0 + 16; z++) {
        for (int x = x0; x < x0 + 16; x++) {
            stamp_column(s, x, z, middle, result);
        }
    }
    lan_world_refresh(lan, x0, z0, 16);
}

/* ---- all ------------------------------------------------------------------------------------ */

void lan_tasks_tick(struct lan *lan, const struct p2c2r_frame *frame)
{
    struct lan_state *s = lan->s;
    (void)frame;
    for (unsigned i = 0; i < LAN_BATCHES; i++) {
        give_up(s, &s->batches[i].request);
        if (s->batches[i].request.is_open == 0) {
            for (unsigned k = 0; k < s->batches[i].count; k++) { /* given up: they ask again */
                struct lan_folk *f = &s->folk[s->batches[i].folk[k]];
                if (f->wish == LAN_ASKED_PATH && f->ask == s->batches[i].ask[k]) {
                    f->wish = LAN_WANTS_PATH;
                }
            }
            ask_paths(lan, i);
        }
    }
    give_up(s, &s->speech.request);
    if (s->frame % 50 == 0 && s->speech.request.is_open == 0) {
        ask_speech(lan);
    }
    if (s->frame % 6 == 0 && s->stamp_next < LAN_ISLE_STAMPS) {
        ask_isle(lan, s->stamp_next++);
    }
    for (unsigned i = 0; i < LAN_ISLE_STAMPS; i++) {
        if (s->stamp_open[i] == 1 && (uint32_t)s->frame - s->stamp_since[i] > PATIENCE) {
            const struct p2c2r_result lost = {.size = sizeof lost, .status = P2C2R_RESULT_DEGRADED};
            take_isle(lan, i, &lost);
        }
    }
}

/* True when the result answers the request; a correction may come after it was closed. */
static bool is_answer(struct lan_request *request, const struct p2c2r_result *result)
{
    if (request->number != (uint16_t)result->tag) {
        return false;
    }
    if (result->status == P2C2R_RESULT_CORRECTED) {
        return request->is_open == 0;
    }
    const bool was_open = request->is_open != 0;
    request->is_open = 0;
    return was_open;
}

void lan_tasks_result(struct lan *lan, const struct p2c2r_result *result)
{
    struct lan_state *s = lan->s;
    const unsigned index = (unsigned)(result->tag >> 32) & 255u;
    switch ((enum lan_task)(result->tag >> 56)) {
    case LAN_TASK_PATH:
        if (index < LAN_BATCHES && is_answer(&s->batches[index].request, result)) {
            take_paths(lan, index, result);
        }
        break;
    case LAN_TASK_SPEECH:
        if (is_answer(&s->speech.request, result)) {
            take_speech(lan, result);
        }
        break;
    case LAN_TASK_ISLE:
        if (index < LAN_ISLE_STAMPS && s->stamp_open[index] != 0) {
            take_isle(lan, index, result);
        }
        break;
    case LAN_TASK_RIGID:
        if (index < LAN_GROUPS && is_answer(&s->groups[index], result)) {
            lan_ruin_rigid_result(lan, index, result);
        }
        break;
    case LAN_TASK_BLAST:
        if (index < LAN_DEMOLITIONS && is_answer(&s->demolitions[index].request, result)) {
            lan_ruin_blast_result(lan, index, result);
        }
        break;
    case LAN_TASK_FLUID:
        if (index < LAN_FLUIDS && is_answer(&s->fluids[index].request, result)) {
            lan_ruin_fluid_result(lan, index, result);
        }
        break;
    default:
        break;
    }
}
