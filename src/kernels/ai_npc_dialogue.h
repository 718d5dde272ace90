/* ai_npc_dialogue: a line for a character to say, from a supplied vocabulary. STATE, P0, version 1.
 *
 * A first-order Markov chain over words (Shannon, "A Mathematical Theory of Communication", 1948,
 * section 3), steered: the weight of each successor is multiplied by the word's affinity to the
 * mood and to the topic and quartered for every time the line used the word already. Several
 * candidates are drawn from supplied random words (never from a seed) and the one that fits mood
 * and topic best is the line. It never holds a word outside the vocabulary.
 *
 * Input (little-endian):
 *   offset  size        what
 *   0       2           words W, 1..2048
 *   2       2           edges E, 1..16384
 *   4       1, 1        moods M, 1..8; topics T, 1..16
 *   6       1, 1        mood, below M; topic, below T
 *   8       1, 1        fewest and most words of a line, 1 <= fewest <= most <= 64
 *   10      2           most bytes of a line, 1..1024
 *   12      1           candidates K, 1..32
 *   13      3           0
 *   16      4           bytes X of all words, at most 65536
 *   20      2*(W+2)     rows: number of the first edge of the start row, of each word's row, and E
 *   ..      4*E         edges: next word (65535: the line ends) and weight 1..65535, 2 bytes each
 *   ..      W*(2+M+T)   words: length in bytes 1..64; 1 when it follows without a space (a comma),
 *                       else 0; affinity to each mood; to each topic (16 neutral, 0 never)
 *   ..      X           the words' bytes, one after another; none below 32 and no 127
 *   ..      4*K*most    random words
 *
 * One step: of the row's edges, those that end the line too early, name a word of affinity 0, or
 * would pass the most bytes have weight 0; the others weigh weight * mood * topic affinity >> (2 *
 * earlier uses), an ending one weight * 256. The random word R picks the edge at place R * sum / 2^32.
 * No weight left, an ending edge or the most words end the candidate. Its score: 16 * (sum of both
 * affinities) / words, + 64 when it ended by an ending edge, - 32 per repeated word, at least 0, and
 * 0 with too few words. The highest score wins, the lowest number among equals.
 *
 * Output:
 *   0       1, 1        winning candidate; words N, 0..most
 *   2       2           bytes Y of the text, at most the most bytes
 *   4       4           score
 *   8       2*N         word numbers
 *   8+2*N   Y           the text: words with one space between them, an initial a..z capitalised
 *
 * Check: the winner is derived again and compared byte for byte, and one other candidate, chosen by
 * the secret, must not beat it. A result that names a beaten candidate and is right otherwise passes
 * with probability (K - 1 - better ones) / (K - 1). Generated cases take at most 10 us, the largest
 * input the declared 1 ms: a host that goes by bounds runs it in its pool. */
#ifndef P2_KERNELS_AI_NPC_DIALOGUE_H
#define P2_KERNELS_AI_NPC_DIALOGUE_H

#include "p2c2r/kernel.h"

#define P2_DIALOGUE_WORDS_MAX      2048u
#define P2_DIALOGUE_EDGES_MAX      16384u
#define P2_DIALOGUE_MOODS_MAX      8u
#define P2_DIALOGUE_TOPICS_MAX     16u
#define P2_DIALOGUE_LINE_WORDS_MAX 64u
#define P2_DIALOGUE_LINE_BYTES_MAX 1024u
#define P2_DIALOGUE_CANDIDATES_MAX 32u
#define P2_DIALOGUE_TEXT_MAX       65536u
#define P2_DIALOGUE_WORD_BYTES_MAX 64u
#define P2_DIALOGUE_END            65535u /* "next word" of an edge that ends the line */
#define P2_DIALOGUE_HEADER_BYTES   20u
#define P2_DIALOGUE_RESULT_BYTES   8u /* of the output's head */
#define P2_DIALOGUE_NEUTRAL        16u

extern const struct p2c2r_kernel p2_kernel_ai_npc_dialogue;

/* The generator of cases, in dialogue_cases.c. */
void p2_dialogue_generate(uint64_t seed, uint32_t index, struct p2c2r_kernel_case *test_case);

#endif
