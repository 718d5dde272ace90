/* Reading and writing join links; see the header. */
#include "overlay/join_link.h"

#include <stdio.h>
#include <string.h>

static const char scheme[] = "p2c2r://join/";
static const char at_word[] = "?at=";
static const char key_word[] = "&key=";
#define SCHEME_LEN (sizeof scheme - 1)
_Static_assert(SCHEME_LEN == 13 && sizeof at_word - 1 == 4 && sizeof key_word - 1 == 5,
               "P2_JOIN_LINK_MAX counts them");

static bool starts_with(const char *text, size_t length, const char *word)
{
    size_t size = strlen(word);
    return length >= size && memcmp(text, word, size) == 0;
}

static int parse_id(struct p2_join_link *link, const char *text, size_t length,
                    struct p2_failure *failure)
{
    int error = p2_session_id_parse(&link->id, text, length);
    if (error == P2_E_CHECKSUM) {
        return p2_fail(failure, error,
                       "the session ID has a typing slip: its check character does not match");
    }
    if (error != P2_OK) {
        return p2_fail(failure, error,
                       "a session ID has 16 letters and digits, like 4E8J-NHR6-NK02-EYQ9");
    }
    return P2_OK;
}

/* What follows "?at=". */
static int parse_address(struct p2_join_link *link, const char *text, size_t length,
                         struct p2_failure *failure)
{
    uint8_t exchange[P2_KEY_BYTES];
    struct p2_id key;
    const size_t tail = sizeof key_word - 1 + P2_ID_TEXT_LEN;
    if (length <= tail || !starts_with(text + length - tail, tail, key_word)) {
        return p2_fail(failure, P2_E_MALFORMED,
                       "after ?at=host:port the link needs &key= and a key of %d characters",
                       P2_ID_TEXT_LEN);
    }
    int error = p2_address_parse_endpoint(&link->address, text, length - tail, failure);
    if (error != P2_OK) {
        return error;
    }
    error = p2_id_parse(&key, text + length - P2_ID_TEXT_LEN, P2_ID_TEXT_LEN);
    if (error != P2_OK) {
        return p2_fail(failure, error, "the key in the link is damaged");
    }
    error = p2_id_to_exchange_key(exchange, key.bytes);
    if (error != P2_OK) {
        return p2_fail(failure, error, "no node can have the key in the link");
    }
    link->address.key = key;
    link->has_address = true;
    return P2_OK;
}

int p2_join_link_parse(struct p2_join_link *ret_link, const char *text, size_t length,
                       struct p2_failure *failure)
{
    struct p2_join_link link;
    memset(&link, 0, sizeof link);
    if (length >= P2_JOIN_LINK_MAX) {
        return p2_fail(failure, P2_E_TOO_BIG, "the link is longer than %d characters",
                       P2_JOIN_LINK_MAX - 1);
    }
    if (starts_with(text, length, scheme)) {
        text += SCHEME_LEN;
        length -= SCHEME_LEN;
    } else if (length > P2_SESSION_ID_TEXT_LEN) {
        return p2_fail(failure, P2_E_MALFORMED, "a join link begins with %s", scheme);
    }
    const char *query = length > 0 ? memchr(text, '?', length) : NULL;
    size_t id_length = query != NULL ? (size_t)(query - text) : length;
    int error = parse_id(&link, text, id_length, failure);
    if (error == P2_OK && query != NULL) {
        size_t word = sizeof at_word - 1;
        if (!starts_with(query, length - id_length, at_word)) {
            return p2_fail(failure, P2_E_MALFORMED, "after the ID only ?at= may follow");
        }
        error = parse_address(&link, query + word, length - id_length - word, failure);
    }
    if (error == P2_OK) {
        *ret_link = link;
    }
    return error;
}

void p2_join_link_format(char text[P2_JOIN_LINK_MAX], const struct p2_join_link *link)
{
    char id[P2_SESSION_ID_TEXT_MAX];
    char key[P2_ID_TEXT_MAX];
    p2_session_id_format(id, &link->id);
    if (!link->has_address) {
        (void)snprintf(text, P2_JOIN_LINK_MAX, "%s%s", scheme, id); /* the size was computed */
        return;
    }
    bool is_v6 = link->address.is_literal && link->address.ip.family == 6;
    p2_id_format(key, &link->address.key);
    (void)snprintf(text, P2_JOIN_LINK_MAX, "%s%s%s%s%s%s:%u%s%s", scheme, id, at_word,
                   is_v6 ? "[" : "", link->address.host, is_v6 ? "]" : "",
                   (unsigned)link->address.port, key_word, key);
}
