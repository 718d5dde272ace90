/* Realistic cases for ai_npc_dialogue: the vocabulary of a village under siege, by word classes. */
#include "kernels/ai_npc_dialogue.h"
#include "kernels/pack.h"

#include <string.h>

enum word_class {
    ARTICLE,
    ADJECTIVE,
    NOUN,
    VERB,
    ADVERB,
    PREPOSITION,
    NAME,
    CALL,
    COMMA,
    STOP,
    CLASSES
};

/* Words of each class, one space between them. */
static const char *const class_words[CLASSES] = {
    [ARTICLE] = "the a this that our your every no my their",
    [ADJECTIVE] =
        "old dark burning cold brave broken hidden quiet tall wounded golden hungry empty "
        "bright lost narrow heavy sleeping cruel gentle",
    [NOUN] = "lantern wall gate tower river forest well night watch captain smith baker wolf road "
             "bridge harvest storm fire shield arrow child market cellar mill ash moon stone door",
    [VERB] =
        "holds burns falls guards watches breaks needs finds carries hears follows waits hides "
        "remembers fears saves opens leaves calls fights",
    [ADVERB] = "tonight slowly again soon never quietly together alone today there",
    [PREPOSITION] = "behind under near beyond over without before inside against past",
    [NAME] = "Mara Tobin Elsbeth Orrin Hal Wenna Gregor Isolde",
    [CALL] = "listen hurry friend stranger look careful well please",
    [COMMA] = ", ; :",
    [STOP] = ". ! ?",
};

/* Which classes may follow a class, as bits; row CLASSES is the start of a line. */
#define BIT(class) (1u << (class))
static const uint32_t followers[CLASSES + 1] = {
    [ARTICLE] = BIT(ADJECTIVE) | BIT(NOUN),
    [ADJECTIVE] = BIT(NOUN),
    [NOUN] = BIT(VERB) | BIT(PREPOSITION) | BIT(COMMA) | BIT(STOP) | BIT(ADVERB),
    [VERB] = BIT(ARTICLE) | BIT(PREPOSITION) | BIT(ADVERB) | BIT(NAME) | BIT(STOP),
    [ADVERB] = BIT(COMMA) | BIT(STOP) | BIT(PREPOSITION),
    [PREPOSITION] = BIT(ARTICLE) | BIT(NAME),
    [NAME] = BIT(VERB) | BIT(COMMA) | BIT(STOP),
    [CALL] = BIT(COMMA),
    [COMMA] = BIT(ARTICLE) | BIT(NAME) | BIT(CALL),
    [STOP] = BIT(ARTICLE) | BIT(CALL),
    [CLASSES] = BIT(ARTICLE) | BIT(NAME) | BIT(CALL),
};

struct vocabulary {
    uint8_t class[P2_DIALOGUE_WORDS_MAX];
    uint8_t length[P2_DIALOGUE_WORDS_MAX];
    uint32_t words;
    uint32_t class_first[CLASSES + 1]; /* words are sorted by class */
    uint32_t text_bytes;
};

/* Appends the word text[length], with a made-up ending when `ending` is given. */
static void add_word(struct vocabulary *vocabulary, uint8_t *text, unsigned class, const char *word,
                     size_t length, const char *ending)
{
    memcpy(text + vocabulary->text_bytes, word, length);
    vocabulary->text_bytes += (uint32_t)length;
    for (; *ending != '\0'; ending++, length++) {
        text[vocabulary->text_bytes++] = (uint8_t)*ending;
    }
    vocabulary->class[vocabulary->words] = (uint8_t) class;
    vocabulary->length[vocabulary->words] = (uint8_t)length;
    vocabulary->words++;
}

/* All words, and the nouns also with endings: a larger game has a larger vocabulary. Writes their
 * bytes to `text`. */
static void make_vocabulary(struct vocabulary *vocabulary, struct p2_kernel_random *random,
                            uint8_t *text)
{
    static const char *const endings[] = {"",     "keeper", "side", "stone",
                                          "folk", "yard",   "song", "light"};
    const uint32_t rounds = 1 + p2_kernel_random_below(random, 8);
    vocabulary->words = vocabulary->text_bytes = 0;
    for (unsigned class = 0; class < CLASSES; class ++) {
        const bool has_endings = class == NOUN;
        vocabulary->class_first[class] = vocabulary->words;
        for (uint32_t round = 0; round < (has_endings ? rounds : 1); round++) {
            for (const char *word = class_words[class]; *word != '\0';) {
                const size_t length = strcspn(word, " ");
                add_word(vocabulary, text, class, word, length, endings[round]);
                word += length + (word[length] == ' ');
            }
        }
    }
    vocabulary->class_first[CLASSES] = vocabulary->words;
}

/* A random word of the classes in `mask`. */
static uint32_t follower(const struct vocabulary *vocabulary, struct p2_kernel_random *random,
                         uint32_t mask)
{
    unsigned class = p2_kernel_random_below(random, CLASSES);
    while ((mask >> class & 1) == 0) {
        class = (class + 1) % CLASSES;
    }
    const uint32_t first = vocabulary->class_first[class];
    return first + p2_kernel_random_below(random, vocabulary->class_first[class + 1] - first);
}

/* Rows and edges behind `rows`; returns the end. */
static uint8_t *write_chain(const struct vocabulary *vocabulary, struct p2_kernel_random *random,
                            uint8_t *rows, uint32_t *ret_edges)
{
    uint8_t *edge = rows + 2 * ((size_t)vocabulary->words + 2);
    const uint32_t degree = 4 + p2_kernel_random_below(random, 13);
    uint32_t edges = 0;
    for (uint32_t row = 0; row <= vocabulary->words; row++) {
        const unsigned class = row == 0 ? CLASSES : vocabulary->class[row - 1];
        p2_store_le16(rows + 2 * (size_t)row, (uint16_t)edges);
        for (uint32_t i = 0; i < degree; i++, edges++, edge += 4) {
            const uint32_t next = follower(vocabulary, random, followers[class]);
            p2_store_le16(edge, (uint16_t)next);
            p2_store_le16(edge + 2, (uint16_t)(1 + p2_kernel_random_below(random, 60)));
        }
        if (class == STOP) {
            p2_store_le16(edge, P2_DIALOGUE_END);
            p2_store_le16(edge + 2, (uint16_t)(40 * degree));
            edges++;
            edge += 4;
        }
    }
    p2_store_le16(rows + 2 * ((size_t)vocabulary->words + 1), (uint16_t)edges);
    *ret_edges = edges;
    return edge;
}

/* Word records; most words are neutral to most moods and topics. */
static uint8_t *write_words(const struct vocabulary *vocabulary, struct p2_kernel_random *random,
                            uint32_t columns, uint8_t *at)
{
    for (uint32_t i = 0; i < vocabulary->words; i++) {
        const unsigned class = vocabulary->class[i];
        *at++ = vocabulary->length[i];
        *at++ = class == COMMA || class == STOP;
        for (uint32_t k = 0; k < columns; k++) {
            const bool is_neutral = p2_kernel_random_percent(random, 60);
            const uint32_t affinity = p2_kernel_random_below(random, 64);
            *at++ = (uint8_t)(is_neutral || class >= COMMA ? P2_DIALOGUE_NEUTRAL : affinity);
        }
    }
    return at;
}

void p2_dialogue_generate(uint64_t seed, uint32_t index, struct p2c2r_kernel_case *test_case)
{
    struct p2_kernel_random random = p2_kernel_random_start(seed, index);
    struct vocabulary vocabulary;
    uint8_t *input = test_case->input, *text = input + P2C2R_INPUT_MAX - P2_DIALOGUE_TEXT_MAX;
    uint32_t edges = 0;
    make_vocabulary(&vocabulary, &random, text);
    const uint32_t moods = 1 + p2_kernel_random_below(&random, P2_DIALOGUE_MOODS_MAX);
    const uint32_t topics = 1 + p2_kernel_random_below(&random, P2_DIALOGUE_TOPICS_MAX);
    const uint32_t fewest = 3 + p2_kernel_random_below(&random, 6);
    const uint32_t most = fewest + 8 + p2_kernel_random_below(&random, 24);
    uint32_t candidates = 4 + p2_kernel_random_below(&random, 29);
    candidates = test_case->is_small != 0 ? 1 + candidates / 8 : candidates;
    uint8_t *at = write_chain(&vocabulary, &random, input + P2_DIALOGUE_HEADER_BYTES, &edges);
    at = write_words(&vocabulary, &random, moods + topics, at);
    memmove(at, text, vocabulary.text_bytes);
    at += vocabulary.text_bytes;
    for (uint32_t i = 0; i < candidates * most; i++, at += 4) {
        p2_store_le32(at, p2_kernel_random_u32(&random));
    }
    p2_store_le16(input, (uint16_t)vocabulary.words);
    p2_store_le16(input + 2, (uint16_t)edges);
    input[4] = (uint8_t)moods;
    input[5] = (uint8_t)topics;
    input[6] = (uint8_t)p2_kernel_random_below(&random, moods);
    input[7] = (uint8_t)p2_kernel_random_below(&random, topics);
    input[8] = (uint8_t)fewest;
    input[9] = (uint8_t)most;
    p2_store_le16(input + 10, (uint16_t)p2_kernel_random_between(&random, 60, 240));
    p2_store_le32(input + 12, candidates);
    p2_store_le32(input + 16, vocabulary.text_bytes);
    test_case->input_size = (size_t)(at - input);
    test_case->blob_count = 0;
}
