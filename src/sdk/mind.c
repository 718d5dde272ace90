/* Inputs and outputs of the kernels of games' minds and chunks, and of compress. */
#include "kernels/ai_npc_dialogue.h"
#include "kernels/ai_pathfinding.h"
#include "kernels/ai_procedural.h"
#include "kernels/compress.h"
#include "kernels/pack.h"
#include "kernels/palette.h"
#include "p2c2r/kernels.h"

#include <string.h>

static size_t size_of(const struct p2_pack *out)
{
    return out->failed ? 0 : out->size;
}

/* ---- paths ---------------------------------------------------------------------------------- */

size_t p2c2r_ai_pathfinding_input(uint8_t *out, size_t capacity, uint32_t width, uint32_t height,
                                  const uint8_t *open, const struct p2c2r_path_query *queries,
                                  uint32_t count)
{
    struct p2_pack pack = p2_pack_start(out, capacity);
    if (width < 1 || width > 512 || height < 1 || height > 512 || count < 1 ||
        count > P2_PATH_QUERIES_MAX || (uint64_t)count * width * height > P2_PATH_WORK_MAX) {
        return 0;
    }
    p2_pack_u16(&pack, (uint16_t)width);
    p2_pack_u16(&pack, (uint16_t)height);
    p2_pack_u16(&pack, (uint16_t)count);
    p2_pack_u16(&pack, 0);
    const size_t row_bytes = (width + 7) / 8;
    uint8_t *rows = p2_pack_space(&pack, row_bytes * height);
    for (uint32_t y = 0; rows != NULL && y < height; y++) {
        memset(rows + y * row_bytes, 0, row_bytes);
        for (uint32_t x = 0; x < width; x++) {
            const unsigned bit = open[(size_t)y * width + x] != 0 ? 1u << x % 8 : 0;
            rows[y * row_bytes + x / 8] |= (uint8_t)bit;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (queries[i].start[0] >= width || queries[i].goal[0] >= width ||
            queries[i].start[1] >= height || queries[i].goal[1] >= height) {
            return 0;
        }
        p2_pack_u16(&pack, queries[i].start[0]);
        p2_pack_u16(&pack, queries[i].start[1]);
        p2_pack_u16(&pack, queries[i].goal[0]);
        p2_pack_u16(&pack, queries[i].goal[1]);
    }
    return size_of(&pack);
}

bool p2c2r_ai_pathfinding_path(struct p2c2r_bytes result, uint32_t count, uint32_t index,
                               uint8_t *ret_directions, uint32_t capacity, uint32_t *ret_steps)
{
    const size_t heads = (size_t)count * P2_PATH_SUMMARY_BYTES;
    size_t first = 0;
    if (index >= count || result.size < heads) {
        return false;
    }
    for (uint32_t i = 0; i < index; i++) {
        first += p2_load_le32(result.data + (size_t)i * P2_PATH_SUMMARY_BYTES + 8);
    }
    const uint8_t *head = result.data + (size_t)index * P2_PATH_SUMMARY_BYTES;
    const uint32_t runs = p2_load_le32(head + 8);
    if (p2_load_le32(head) == P2_PATH_NO_PATH || heads + (first + runs) * 2 > result.size) {
        return false;
    }
    uint32_t steps = 0;
    for (uint32_t i = 0; i < runs; i++) {
        const uint16_t run = p2_load_le16(result.data + heads + (first + i) * 2);
        for (uint32_t k = 0; k < (run & 8191u); k++, steps++) {
            if (steps < capacity) {
                ret_directions[steps] = (uint8_t)(run >> 13);
            }
        }
    }
    *ret_steps = steps;
    return true;
}

/* ---- dialogue ------------------------------------------------------------------------------- */

#define WORDS_MAX 512u

struct words {
    uint32_t count, bytes;
    const char *text[WORDS_MAX];
    uint8_t length[WORDS_MAX];
    uint8_t class[WORDS_MAX];
    uint32_t class_first[17];
};

static bool collect(const struct p2c2r_vocabulary *vocabulary, struct words *words)
{
    words->count = words->bytes = 0;
    for (uint32_t class = 0; class < vocabulary->class_count; class ++) {
        words->class_first[class] = words->count;
        for (const char *word = vocabulary->words[class]; *word != '\0';) {
            const size_t length = strcspn(word, " ");
            if (words->count == WORDS_MAX || length < 1 || length > P2_DIALOGUE_WORD_BYTES_MAX) {
                return false;
            }
            words->text[words->count] = word;
            words->length[words->count] = (uint8_t)length;
            words->class[words->count++] = (uint8_t) class;
            words->bytes += (uint32_t)length;
            word += length + (word[length] == ' ');
        }
    }
    words->class_first[vocabulary->class_count] = words->count;
    return words->count > 0;
}

/* Edges of one row; their number. Nothing is written when `pack` is NULL. */
static uint32_t put_row(struct p2_pack *pack, const struct p2c2r_vocabulary *vocabulary,
                        const struct words *words, uint16_t followers)
{
    uint32_t edges = 0;
    for (uint32_t class = 0; class < vocabulary->class_count; class ++) {
        const uint32_t size = words->class_first[class + 1] - words->class_first[class];
        for (uint32_t i = 0; (followers >> class & 1u) != 0 && i < size; i++, edges++) {
            if (pack != NULL) { /* each class weighs the same, whatever its number of words */
                p2_pack_u16(pack, (uint16_t)(words->class_first[class] + i));
                p2_pack_u16(pack, (uint16_t)(4096 / size));
            }
        }
    }
    if ((followers >> vocabulary->class_count & 1u) != 0) {
        if (pack != NULL) {
            p2_pack_u16(pack, P2_DIALOGUE_END);
            p2_pack_u16(pack, 4096);
        }
        edges++;
    }
    return edges;
}

static void put_words(struct p2_pack *pack, const struct p2c2r_vocabulary *vocabulary,
                      const struct words *words)
{
    const uint32_t moods = vocabulary->mood_count, topics = vocabulary->topic_count;
    for (uint32_t i = 0; i < words->count; i++) {
        const uint8_t class = words->class[i];
        p2_pack_u8(pack, words->length[i]);
        p2_pack_u8(pack, (vocabulary->joined >> class & 1u) != 0 ? 1 : 0);
        p2_pack_bytes(pack, vocabulary->mood_affinity + (size_t) class * moods, moods);
        p2_pack_bytes(pack, vocabulary->topic_affinity + (size_t) class * topics, topics);
    }
    for (uint32_t i = 0; i < words->count; i++) {
        p2_pack_bytes(pack, (const uint8_t *)words->text[i], words->length[i]);
    }
}

static void put_chain(struct p2_pack *pack, const struct p2c2r_vocabulary *vocabulary,
                      const struct words *words)
{
    uint32_t edges = 0;
    p2_pack_u16(pack, 0);
    for (uint32_t row = 0; row <= words->count; row++) {
        const uint32_t class = row == 0 ? vocabulary->class_count : words->class[row - 1];
        edges += put_row(NULL, vocabulary, words, vocabulary->followers[class]);
        p2_pack_u16(pack, (uint16_t)edges);
    }
    for (uint32_t row = 0; row <= words->count; row++) {
        const uint32_t class = row == 0 ? vocabulary->class_count : words->class[row - 1];
        (void)put_row(pack, vocabulary, words, vocabulary->followers[class]);
    }
}

static uint32_t count_edges(const struct p2c2r_vocabulary *vocabulary, const struct words *words)
{
    uint32_t edges = 0;
    for (uint32_t row = 0; row <= words->count; row++) {
        const uint32_t class = row == 0 ? vocabulary->class_count : words->class[row - 1];
        edges += put_row(NULL, vocabulary, words, vocabulary->followers[class]);
    }
    return edges;
}

size_t p2c2r_ai_npc_dialogue_input(uint8_t *out, size_t capacity,
                                   const struct p2c2r_vocabulary *vocabulary,
                                   const struct p2c2r_line *line)
{
    struct p2_pack pack = p2_pack_start(out, capacity);
    struct words words;
    if (vocabulary->class_count < 1 || vocabulary->class_count > 15 ||
        !collect(vocabulary, &words)) {
        return 0;
    }
    const uint32_t edges = count_edges(vocabulary, &words);
    if (edges < 1 || edges > P2_DIALOGUE_EDGES_MAX) {
        return 0;
    }
    p2_pack_u16(&pack, (uint16_t)words.count);
    p2_pack_u16(&pack, (uint16_t)edges);
    const uint8_t head[] = {(uint8_t)vocabulary->mood_count,
                            (uint8_t)vocabulary->topic_count,
                            line->mood,
                            line->topic,
                            line->fewest,
                            line->most};
    p2_pack_bytes(&pack, head, sizeof head);
    p2_pack_u16(&pack, line->bytes_max);
    p2_pack_u32(&pack, line->candidates); /* one byte and three zeros */
    p2_pack_u32(&pack, words.bytes);
    put_chain(&pack, vocabulary, &words);
    put_words(&pack, vocabulary, &words);
    for (uint32_t i = 0; i < (uint32_t)line->candidates * line->most; i++) {
        p2_pack_u32(&pack, line->random[i]);
    }
    return size_of(&pack);
}

bool p2c2r_ai_npc_dialogue_text(struct p2c2r_bytes result, struct p2c2r_bytes *ret_text)
{
    if (result.size < P2_DIALOGUE_RESULT_BYTES) {
        return false;
    }
    const size_t words = result.data[1], size = p2_load_le16(result.data + 2);
    if (result.size != P2_DIALOGUE_RESULT_BYTES + words * 2 + size) {
        return false;
    }
    *ret_text = (struct p2c2r_bytes){result.data + P2_DIALOGUE_RESULT_BYTES + words * 2, size};
    return true;
}

/* ---- terrain -------------------------------------------------------------------------------- */

size_t p2c2r_ai_procedural_input(uint8_t *out, size_t capacity, const struct p2c2r_terrain *terrain,
                                 int32_t chunk_x, int32_t chunk_z)
{
    const struct p2_procedural_world world = {terrain->seed,  terrain->base, terrain->relief,
                                              terrain->water, terrain->snow, terrain->caves,
                                              terrain->trees, terrain->ores};
    if (capacity < P2_CHUNK_INPUT_BYTES || terrain->base < 4 || terrain->base > 56 ||
        terrain->relief > 48 || terrain->water > 60 || terrain->snow > 64 || terrain->caves > 64) {
        return 0;
    }
    p2_procedural_input(&world, chunk_x, chunk_z, out);
    return P2_CHUNK_INPUT_BYTES;
}

bool p2c2r_ai_procedural_voxel(struct p2c2r_bytes result, uint32_t x, uint32_t y, uint32_t z,
                               uint8_t *ret_material)
{
    static const uint8_t materials[64] = {
        [P2_VOXEL_STONE] = P2_MATERIAL_STONE,   [P2_VOXEL_DIRT] = P2_MATERIAL_DIRT,
        [P2_VOXEL_GRASS] = P2_MATERIAL_GRASS,   [P2_VOXEL_SAND] = P2_MATERIAL_SAND,
        [P2_VOXEL_WATER] = P2_MATERIAL_WATER,   [P2_VOXEL_SNOW] = P2_MATERIAL_CLOUD,
        [P2_VOXEL_GRAVEL] = P2_MATERIAL_STONE,  [P2_VOXEL_COAL] = P2_MATERIAL_STONE,
        [P2_VOXEL_IRON] = P2_MATERIAL_ORE,      [P2_VOXEL_GOLD] = P2_MATERIAL_ORE,
        [P2_VOXEL_CRYSTAL] = P2_MATERIAL_ORE,   [P2_VOXEL_LOG] = P2_MATERIAL_WOOD,
        [P2_VOXEL_LEAVES] = P2_MATERIAL_LEAVES, [P2_VOXEL_BEDROCK] = P2_MATERIAL_STONE,
    };
    if (result.size != P2_CHUNK_BYTES || x >= P2_CHUNK_SIDE || z >= P2_CHUNK_SIDE ||
        y >= P2_CHUNK_HEIGHT) {
        return false;
    }
    *ret_material = materials[result.data[(z * P2_CHUNK_SIDE + x) * P2_CHUNK_HEIGHT + y] & 63u];
    return true;
}

/* ---- compress ------------------------------------------------------------------------------- */

size_t p2c2r_compress_input(uint8_t *out, size_t capacity, uint8_t level,
                            struct p2c2r_bytes content)
{
    struct p2_pack pack = p2_pack_start(out, capacity);
    if (level < P2_ZSTD_LEVEL_MIN || level > P2_ZSTD_LEVEL_MAX ||
        content.size > P2_COMPRESS_CONTENT_MAX) {
        return 0;
    }
    p2_pack_u32(&pack, level);
    p2_pack_bytes(&pack, content.data, content.size);
    return size_of(&pack);
}
