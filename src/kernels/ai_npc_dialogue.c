/* Steered Markov lines. */
#include "kernels/ai_npc_dialogue.h"

#include "kernels/pack.h"

#include <string.h>

#define ENDED_BONUS    64u /* a finished sentence is better than one cut off */
#define REPEAT_PENALTY 32u /* two steps of neutral affinity */
/* Uses beyond this one no longer lower the weight; keeps the shift below 32. */
#define REPEATS_SHIFTED_MAX 7u

/* ---- input ---------------------------------------------------------------------------------- */

struct job {
    uint32_t words, edges, moods, topics, mood, topic, fewest, most, bytes_max, candidates;
    uint32_t text_bytes;
    const uint8_t *rows;   /* 2 * (words + 2) bytes */
    const uint8_t *edge;   /* 4 * edges */
    const uint8_t *word;   /* words * word_bytes */
    size_t word_bytes;     /* of one word's record */
    const uint8_t *text;   /* text_bytes */
    const uint8_t *random; /* 4 * candidates * most */
    uint32_t *text_at;     /* text_at[words]: where each word's bytes begin; in the arena */
    uint8_t *uses;         /* uses[words]: of the line being made; in the arena, all 0 between */
};

static uint32_t row_start(const struct job *job, uint32_t row)
{
    return p2_load_le16(job->rows + 2 * (size_t)row);
}

static uint32_t word_length(const struct job *job, uint32_t word)
{
    return job->word[word * job->word_bytes];
}

static bool word_joins(const struct job *job, uint32_t word)
{
    return job->word[word * job->word_bytes + 1] != 0;
}

static uint32_t affinity_to_mood(const struct job *job, uint32_t word)
{
    return job->word[word * job->word_bytes + 2 + job->mood];
}

static uint32_t affinity_to_topic(const struct job *job, uint32_t word)
{
    return job->word[word * job->word_bytes + 2 + job->moods + job->topic];
}

static bool header_is_valid(const struct job *job)
{
    return job->words >= 1 && job->words <= P2_DIALOGUE_WORDS_MAX && job->edges >= 1 &&
           job->edges <= P2_DIALOGUE_EDGES_MAX && job->moods >= 1 &&
           job->moods <= P2_DIALOGUE_MOODS_MAX && job->topics >= 1 &&
           job->topics <= P2_DIALOGUE_TOPICS_MAX && job->mood < job->moods &&
           job->topic < job->topics && job->fewest >= 1 && job->fewest <= job->most &&
           job->most <= P2_DIALOGUE_LINE_WORDS_MAX && job->bytes_max >= 1 &&
           job->bytes_max <= P2_DIALOGUE_LINE_BYTES_MAX && job->candidates >= 1 &&
           job->candidates <= P2_DIALOGUE_CANDIDATES_MAX && job->text_bytes <= P2_DIALOGUE_TEXT_MAX;
}

/* Rows rise from 0 to the number of edges; edges name words and have weight. */
static bool chain_is_valid(const struct job *job)
{
    if (row_start(job, 0) != 0 || row_start(job, job->words + 1) != job->edges) {
        return false;
    }
    for (uint32_t row = 0; row <= job->words; row++) {
        if (row_start(job, row) > row_start(job, row + 1)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < job->edges; i++) {
        const uint32_t next = p2_load_le16(job->edge + 4 * (size_t)i);
        if ((next >= job->words && next != P2_DIALOGUE_END) ||
            p2_load_le16(job->edge + 4 * (size_t)i + 2) == 0) {
            return false;
        }
    }
    return true;
}

/* Lengths add up to the text, which has no control characters. */
static bool words_are_valid(const struct job *job)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < job->words; i++) {
        const uint32_t length = word_length(job, i);
        if (length == 0 || length > P2_DIALOGUE_WORD_BYTES_MAX ||
            job->word[i * job->word_bytes + 1] > 1) {
            return false;
        }
        sum += length;
    }
    for (uint32_t i = 0; i < job->text_bytes; i++) {
        if (job->text[i] < 32 || job->text[i] == 127) {
            return false;
        }
    }
    return sum == job->text_bytes;
}

static int parse(struct p2c2r_bytes input, uint32_t blob_count, struct job *ret_job)
{
    struct p2_unpack in = p2_unpack_start(input);
    struct job job = {0};
    job.words = p2_unpack_u16(&in);
    job.edges = p2_unpack_u16(&in);
    job.moods = p2_unpack_u8(&in);
    job.topics = p2_unpack_u8(&in);
    job.mood = p2_unpack_u8(&in);
    job.topic = p2_unpack_u8(&in);
    job.fewest = p2_unpack_u8(&in);
    job.most = p2_unpack_u8(&in);
    job.bytes_max = p2_unpack_u16(&in);
    const uint32_t last = p2_unpack_u32(&in);
    job.candidates = last & 0xff;
    job.text_bytes = p2_unpack_u32(&in);
    if (in.failed || last > 0xff || blob_count != 0 || !header_is_valid(&job)) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    job.word_bytes = (size_t)2 + job.moods + job.topics;
    job.rows = p2_unpack_bytes(&in, 2 * ((size_t)job.words + 2));
    job.edge = p2_unpack_bytes(&in, 4 * (size_t)job.edges);
    job.word = p2_unpack_bytes(&in, job.words * job.word_bytes);
    job.text = p2_unpack_bytes(&in, job.text_bytes);
    job.random = p2_unpack_bytes(&in, 4 * (size_t)job.candidates * job.most);
    if (!p2_unpack_done(&in) || !chain_is_valid(&job) || !words_are_valid(&job)) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    *ret_job = job;
    return P2C2R_KERNEL_OK;
}

/* Parses and prepares the tables of one call. */
static int job_init(struct job *job, const struct p2c2r_kernel_args *args)
{
    struct p2_arena arena = p2_arena_start(args->arena, args->arena_size);
    int status = parse(args->input, args->blob_count, job);
    if (status != P2C2R_KERNEL_OK) {
        return status;
    }
    job->text_at = p2_arena_take(&arena, job->words, sizeof(uint32_t));
    job->uses = p2_arena_take(&arena, job->words, 1);
    if (arena.failed) {
        return P2C2R_KERNEL_ARENA_FULL;
    }
    memset(job->uses, 0, job->words);
    uint32_t at = 0;
    for (uint32_t i = 0; i < job->words; i++) {
        job->text_at[i] = at;
        at += word_length(job, i);
    }
    return P2C2R_KERNEL_OK;
}

/* ---- one candidate -------------------------------------------------------------------------- */

struct line {
    uint16_t words[P2_DIALOGUE_LINE_WORDS_MAX];
    uint32_t count, bytes, score;
    uint32_t repeats;
    bool is_ended; /* by an ending edge */
};

/* Bytes the line grows by with `word` at its end. */
static uint32_t growth(const struct job *job, const struct line *line, uint32_t word)
{
    return word_length(job, word) + (line->count > 0 && !word_joins(job, word) ? 1 : 0);
}

/* The weight of an edge as the header says. */
static uint64_t edge_weight(const struct job *job, const struct line *line, const uint8_t *edge)
{
    const uint32_t next = p2_load_le16(edge);
    const uint64_t weight = p2_load_le16(edge + 2);
    if (next == P2_DIALOGUE_END) {
        return line->count < job->fewest ? 0 : weight * P2_DIALOGUE_NEUTRAL * P2_DIALOGUE_NEUTRAL;
    }
    if (growth(job, line, next) > job->bytes_max - line->bytes) {
        return 0;
    }
    const uint32_t uses = job->uses[next];
    return weight * affinity_to_mood(job, next) * affinity_to_topic(job, next) >>
           2 * (uses < REPEATS_SHIFTED_MAX ? uses : REPEATS_SHIFTED_MAX);
}

/* The next word after the row, P2_DIALOGUE_END when an ending edge was picked, P2_DIALOGUE_END + 1
 * when nothing has weight. */
static uint32_t pick(const struct job *job, const struct line *line, uint32_t row, uint32_t random)
{
    const uint32_t first = row_start(job, row), end = row_start(job, row + 1);
    uint64_t sum = 0;
    for (uint32_t i = first; i < end; i++) {
        sum += edge_weight(job, line, job->edge + 4 * (size_t)i);
    }
    /* random * sum / 2^32 without losing the high bits: sum is below 2^48. */
    uint64_t place = (sum >> 32) * random + ((sum & UINT32_MAX) * random >> 32);
    for (uint32_t i = first; i < end; i++) {
        const uint64_t weight = edge_weight(job, line, job->edge + 4 * (size_t)i);
        if (place < weight) {
            return p2_load_le16(job->edge + 4 * (size_t)i);
        }
        place -= weight;
    }
    return P2_DIALOGUE_END + 1;
}

static uint32_t score_of(const struct job *job, const struct line *line)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < line->count; i++) {
        sum += affinity_to_mood(job, line->words[i]) + affinity_to_topic(job, line->words[i]);
    }
    if (line->count < job->fewest) {
        return 0;
    }
    const uint32_t gain = 16 * sum / line->count + (line->is_ended ? ENDED_BONUS : 0);
    const uint32_t loss = REPEAT_PENALTY * line->repeats;
    return gain > loss ? gain - loss : 0;
}

/* Draws candidate `index` into `line`. */
static void draw_line(const struct job *job, uint32_t index, struct line *line)
{
    const uint8_t *random = job->random + 4 * (size_t)index * job->most;
    uint32_t row = 0;
    line->count = line->bytes = line->repeats = 0;
    line->is_ended = false;
    for (uint32_t i = 0; i < job->most; i++) {
        const uint32_t word = pick(job, line, row, p2_load_le32(random + 4 * (size_t)i));
        if (word >= P2_DIALOGUE_END) {
            line->is_ended = word == P2_DIALOGUE_END;
            break;
        }
        line->bytes += growth(job, line, word);
        line->repeats += job->uses[word] > 0;
        job->uses[word]++; /* at most the words of a line, 64 */
        line->words[line->count++] = (uint16_t)word;
        row = word + 1;
    }
    for (uint32_t i = 0; i < line->count; i++) {
        job->uses[line->words[i]] = 0;
    }
    line->score = score_of(job, line);
}

/* ---- output --------------------------------------------------------------------------------- */

static void write_text(const struct job *job, const struct line *line, struct p2_pack *out)
{
    const size_t start = out->size;
    for (uint32_t i = 0; i < line->count; i++) {
        const uint32_t word = line->words[i];
        if (i > 0 && !word_joins(job, word)) {
            p2_pack_u8(out, ' ');
        }
        p2_pack_bytes(out, job->text + job->text_at[word], word_length(job, word));
    }
    if (!out->failed && out->size > start && out->data[start] >= 'a' && out->data[start] <= 'z') {
        out->data[start] = (uint8_t)(out->data[start] - 'a' + 'A');
    }
}

static void write_line(const struct job *job, uint32_t index, const struct line *line,
                       struct p2_pack *out)
{
    p2_pack_u8(out, (uint8_t)index);
    p2_pack_u8(out, (uint8_t)line->count);
    p2_pack_u16(out, (uint16_t)line->bytes);
    p2_pack_u32(out, line->score);
    for (uint32_t i = 0; i < line->count; i++) {
        p2_pack_u16(out, line->words[i]);
    }
    write_text(job, line, out);
}

static int dialogue_run(const struct p2c2r_kernel_args *args, size_t *ret_size)
{
    struct job job;
    struct line line, best = {.count = 0};
    uint32_t winner = 0;
    int status = job_init(&job, args);
    if (status != P2C2R_KERNEL_OK) {
        return status;
    }
    for (uint32_t i = 0; i < job.candidates; i++) {
        draw_line(&job, i, &line);
        if (i == 0 || line.score > best.score) {
            best = line;
            winner = i;
        }
    }
    struct p2_pack out = p2_pack_start(args->output, args->output_capacity);
    write_line(&job, winner, &best, &out);
    if (out.failed) {
        return P2C2R_KERNEL_OUTPUT_FULL;
    }
    *ret_size = out.size;
    return P2C2R_KERNEL_OK;
}

static int dialogue_check(const struct p2c2r_kernel_args *args, struct p2c2r_bytes result,
                          uint64_t secret)
{
    uint8_t expected[P2_DIALOGUE_RESULT_BYTES + 2 * P2_DIALOGUE_LINE_WORDS_MAX +
                     P2_DIALOGUE_LINE_BYTES_MAX];
    struct job job;
    struct line line, other;
    int status = job_init(&job, args);
    if (status != P2C2R_KERNEL_OK) {
        return status;
    }
    if (result.size < P2_DIALOGUE_RESULT_BYTES || result.data[0] >= job.candidates) {
        return P2C2R_KERNEL_BAD_RESULT;
    }
    const uint32_t winner = result.data[0];
    struct p2_pack out = p2_pack_start(expected, sizeof expected);
    draw_line(&job, winner, &line);
    write_line(&job, winner, &line, &out);
    if (out.size != result.size || memcmp(expected, result.data, out.size) != 0) {
        return P2C2R_KERNEL_BAD_RESULT;
    }
    struct p2_kernel_random random = {secret};
    const uint32_t rival = p2_kernel_random_below(&random, job.candidates);
    draw_line(&job, rival, &other);
    const bool is_beaten =
        other.score > line.score || (other.score == line.score && rival < winner);
    return is_beaten ? P2C2R_KERNEL_BAD_RESULT : P2C2R_KERNEL_OK;
}

static uint64_t dialogue_cost(struct p2c2r_bytes input, const struct p2c2r_bytes *blobs,
                              uint32_t blob_count)
{
    struct job job;
    (void)blobs;
    if (parse(input, blob_count, &job) != P2C2R_KERNEL_OK) {
        return 0;
    }
    /* Reading the input, and steps times the edges of a mean row. Fitted to 800 generated cases:
     * lines there end a third of the way from the fewest to the most words, or when the bytes are
     * used up at six per word. */
    const uint32_t by_words = job.fewest + (job.most - job.fewest) / 3;
    const uint32_t by_bytes = job.bytes_max / 6 + 1;
    const uint64_t steps = (uint64_t)job.candidates * (by_words < by_bytes ? by_words : by_bytes);
    const uint64_t nanoseconds = ((uint64_t)job.edges + job.text_bytes) * 55 / 100 + steps * 12 +
                                 steps * job.edges * 53 / 10 / (job.words + 1);
    return (nanoseconds + 999) / 1000;
}

const struct p2c2r_kernel p2_kernel_ai_npc_dialogue = {
    .size = sizeof(struct p2c2r_kernel),
    .abi = P2C2R_KERNEL_ABI,
    .name = "ai_npc_dialogue",
    .version = 1,
    .kind = P2C2R_KERNEL_STATE,
    .privacy = P2C2R_KERNEL_P0,
    .arena_bytes = P2_DIALOGUE_WORDS_MAX * (sizeof(uint32_t) + 1),
    .input_max = P2_DIALOGUE_HEADER_BYTES + 2 * (P2_DIALOGUE_WORDS_MAX + 2) +
                 4 * P2_DIALOGUE_EDGES_MAX +
                 P2_DIALOGUE_WORDS_MAX * (2 + P2_DIALOGUE_MOODS_MAX + P2_DIALOGUE_TOPICS_MAX) +
                 P2_DIALOGUE_TEXT_MAX + 4 * P2_DIALOGUE_CANDIDATES_MAX * P2_DIALOGUE_LINE_WORDS_MAX,
    .output_max =
        P2_DIALOGUE_RESULT_BYTES + 2 * P2_DIALOGUE_LINE_WORDS_MAX + P2_DIALOGUE_LINE_BYTES_MAX,
    .blobs_max = 0,
    .blob_max = 0,
    .check_bound_us = 1000,
    .run = dialogue_run,
    .check = dialogue_check,
    .cost = dialogue_cost,
    .canonical = NULL,
    .generate = p2_dialogue_generate,
};
