/* Reading and writing host:port#key; see the header. */
#include "link/address.h"

#include <stdio.h>
#include <string.h>

#define LABEL_LEN_MAX 63 /* RFC 1035 */

struct part {
    const char *at;
    size_t size;
};

/* ---- host ------------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_label_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

/* A label is 1..63 letters, digits and inner hyphens (RFC 952, RFC 1123). */
static bool is_label(struct part label)
{
    if (label.size == 0 || label.size > LABEL_LEN_MAX || label.at[0] == '-' ||
        label.at[label.size - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < label.size; i++) {
        if (!is_label_char(label.at[i])) {
            return false;
        }
    }
    return true;
}

/* No top-level name is a number (RFC 3696), so that "127.1" or "0x7f.1" can never be taken for a
 * name and then read as an IPv4 address by the resolver. */
static bool looks_like_number(struct part label)
{
    if (label.size >= 2 && label.at[0] == '0' && (label.at[1] == 'x' || label.at[1] == 'X')) {
        return true;
    }
    for (size_t i = 0; i < label.size; i++) {
        if (!is_digit(label.at[i])) {
            return false;
        }
    }
    return true;
}

static bool is_name(struct part host)
{
    struct part label = {host.at, 0};
    for (size_t i = 0; i < host.size; i++) {
        if (host.at[i] != '.') {
            label.size++;
            continue;
        }
        if (!is_label(label)) {
            return false;
        }
        label = (struct part){host.at + i + 1, 0};
    }
    return is_label(label) && !looks_like_number(label);
}

static void copy_lower(char *out, struct part text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.at[i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    out[text.size] = '\0';
}

static int parse_host(struct p2_address *address, struct part host, bool bracketed,
                      struct p2_failure *failure)
{
    if (host.size == 0) {
        return p2_fail(failure, P2_E_MALFORMED, "the host is missing; write host:port#key");
    }
    if (host.size > P2_ADDRESS_HOST_LEN) {
        return p2_fail(failure, P2_E_TOO_BIG, "the host is longer than %d characters",
                       P2_ADDRESS_HOST_LEN);
    }
    address->is_literal = p2_ip_parse(&address->ip, host.at, host.size) == P2_OK;
    bool has_colon = memchr(host.at, ':', host.size) != NULL;
    if (bracketed && (!address->is_literal || !has_colon)) {
        return p2_fail(failure, P2_E_MALFORMED,
                       "what stands in brackets is not an IPv6 address without a zone");
    }
    if (!bracketed && has_colon) {
        return p2_fail(failure, P2_E_MALFORMED,
                       "an IPv6 address stands in brackets; write [address]:port#key");
    }
    if (address->is_literal) {
        p2_ip_format(address->host, &address->ip);
        return P2_OK;
    }
    if (!is_name(host)) {
        return p2_fail(failure, P2_E_MALFORMED,
                       "the host is neither an IP address nor a valid host name");
    }
    copy_lower(address->host, host);
    return P2_OK;
}

/* ---- port and key ----------------------------------------------------------------------------- */

static int parse_port(struct p2_address *address, struct part port, struct p2_failure *failure)
{
    unsigned value = 0;
    if (port.size == 0 || port.size > 5 || port.at[0] == '0') {
        return p2_fail(failure, P2_E_RANGE, "the port is not a number from 1 to 65535");
    }
    for (size_t i = 0; i < port.size; i++) {
        if (!is_digit(port.at[i])) {
            return p2_fail(failure, P2_E_RANGE, "the port is not a number from 1 to 65535");
        }
        value = value * 10 + (unsigned)(port.at[i] - '0');
    }
    if (value > UINT16_MAX) {
        return p2_fail(failure, P2_E_RANGE, "the port is not a number from 1 to 65535");
    }
    address->port = (uint16_t)value;
    return P2_OK;
}

static int parse_key(struct p2_address *address, struct part key, struct p2_failure *failure)
{
    uint8_t exchange[P2_KEY_BYTES];
    int error = p2_id_parse(&address->key, key.at, key.size);
    if (error == P2_E_CHECKSUM) {
        return p2_fail(failure, error, "the key after '#' is damaged: its check does not match");
    }
    if (error != P2_OK) {
        return p2_fail(failure, error, "what follows '#' is not a key of %d characters",
                       P2_ID_TEXT_LEN);
    }
    error = p2_id_to_exchange_key(exchange, address->key.bytes);
    if (error != P2_OK) {
        return p2_fail(failure, error, "no node can have the key after '#'");
    }
    return P2_OK;
}

/* ---- whole addresses -------------------------------------------------------------------------- */

/* The colon before the port, or NULL: the last one, since an IPv6 address has some of its own. */
static const char *find_last_colon(struct part text)
{
    for (size_t i = text.size; i > 0; i--) {
        if (text.at[i - 1] == ':') {
            return text.at + i - 1;
        }
    }
    return NULL;
}

static int parse_endpoint(struct p2_address *address, struct part text, struct p2_failure *failure)
{
    bool bracketed = text.size > 0 && text.at[0] == '[';
    const char *end = text.at + text.size;
    struct part host = text;
    const char *colon;
    if (bracketed) {
        const char *close = memchr(text.at, ']', text.size);
        if (close == NULL) {
            return p2_fail(failure, P2_E_MALFORMED, "the closing bracket is missing");
        }
        host = (struct part){text.at + 1, (size_t)(close - text.at) - 1};
        colon = close + 1 < end && close[1] == ':' ? close + 1 : NULL;
    } else {
        colon = find_last_colon(text);
        host.size = colon != NULL ? (size_t)(colon - text.at) : 0;
    }
    if (colon == NULL) {
        return p2_fail(failure, P2_E_MALFORMED, "the port is missing; write host:port#key");
    }
    int error = parse_host(address, host, bracketed, failure);
    if (error != P2_OK) {
        return error;
    }
    return parse_port(address, (struct part){colon + 1, (size_t)(end - colon) - 1}, failure);
}

static int check_length(size_t length, struct p2_failure *failure)
{
    if (length >= P2_ADDRESS_TEXT_MAX) {
        return p2_fail(failure, P2_E_TOO_BIG, "the address is longer than %d characters",
                       P2_ADDRESS_TEXT_MAX - 1);
    }
    return length > 0 ? P2_OK : p2_fail(failure, P2_E_MALFORMED, "the address is empty");
}

int p2_address_parse(struct p2_address *ret_address, const char *text, size_t length,
                     struct p2_failure *failure)
{
    struct p2_address address = {0};
    int error = check_length(length, failure);
    if (error != P2_OK) {
        return error;
    }
    const char *mark = memchr(text, '#', length);
    if (mark == NULL) {
        return p2_fail(failure, P2_E_MALFORMED,
                       "the key is missing; write host:port#key, without it anybody could answer");
    }
    size_t before = (size_t)(mark - text);
    error = parse_endpoint(&address, (struct part){text, before}, failure);
    if (error == P2_OK) {
        error = parse_key(&address, (struct part){mark + 1, length - before - 1}, failure);
    }
    if (error == P2_OK) {
        *ret_address = address;
    }
    return error;
}

int p2_address_parse_endpoint(struct p2_address *ret_address, const char *text, size_t length,
                              struct p2_failure *failure)
{
    struct p2_address address = {0};
    int error = check_length(length, failure);
    if (error == P2_OK) {
        error = parse_endpoint(&address, (struct part){text, length}, failure);
    }
    if (error == P2_OK) {
        *ret_address = address;
    }
    return error;
}

void p2_address_format(char text[P2_ADDRESS_TEXT_MAX], const struct p2_address *address)
{
    char key[P2_ID_TEXT_MAX];
    bool brackets = address->is_literal && address->ip.family == 6;
    p2_id_format(key, &address->key);
    int length = snprintf(text, P2_ADDRESS_TEXT_MAX, "%s%s%s:%u#%s", brackets ? "[" : "",
                          address->host, brackets ? "]" : "", (unsigned)address->port, key);
    P2_ASSERT(length > 0 && length < P2_ADDRESS_TEXT_MAX);
}
