/* IP addresses as values. The scopes are a table of prefixes, the longest match first. */
#include "link/ip.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

#define GROUPS_MAX 8 /* 16-bit groups of an IPv6 address */

/* ---- bytes ------------------------------------------------------------------------------------ */

struct p2_ip p2_ip_from_v4(const uint8_t bytes[4])
{
    struct p2_ip ip = {.family = 4};
    memcpy(ip.bytes, bytes, 4);
    return ip;
}

struct p2_ip p2_ip_from_v6(const uint8_t bytes[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:0:0/96, RFC 4291 */
    if (memcmp(bytes, mapped, sizeof mapped) == 0) {
        return p2_ip_from_v4(bytes + sizeof mapped);
    }
    struct p2_ip ip = {.family = 6};
    memcpy(ip.bytes, bytes, 16);
    return ip;
}

bool p2_ip_equal(const struct p2_ip *a, const struct p2_ip *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* ---- text ------------------------------------------------------------------------------------- */

/* What is left of a text; taking from it never reads beyond `end`. */
struct text {
    const char *at;
    const char *end;
};

static bool take_char(struct text *text, char wanted)
{
    if (text->at == text->end || *text->at != wanted) {
        return false;
    }
    text->at++;
    return true;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* Takes 1..digits_max digits of `base`; -1 when there is none. The number is at most 16 bits. */
static int take_number(struct text *text, int base, int digits_max)
{
    int value = 0;
    int digits = 0;
    while (text->at < text->end && digits < digits_max) {
        int digit = digit_value(*text->at);
        if (digit < 0 || digit >= base) {
            break;
        }
        value = value * base + digit;
        digits++;
        text->at++;
    }
    return digits > 0 ? value : -1;
}

/* Takes all that is left as an IPv4 address. */
static bool take_v4(struct text *text, uint8_t bytes[4])
{
    for (int i = 0; i < 4; i++) {
        if (i > 0 && !take_char(text, '.')) {
            return false;
        }
        const char *start = text->at;
        int value = take_number(text, 10, 3);
        bool leading_zero = text->at - start > 1 && *start == '0'; /* some read that as octal */
        if (value < 0 || value > 255 || leading_zero) {
            return false;
        }
        bytes[i] = (uint8_t)value;
    }
    return text->at == text->end;
}

/* Moves the groups after "::" to the end and fills the gap with zeros. */
static bool spread(uint8_t bytes[16], int count, int gap)
{
    if (gap < 0) {
        return count == GROUPS_MAX;
    }
    if (count >= GROUPS_MAX) {
        return false; /* "::" stands for at least one group */
    }
    size_t tail = (size_t)(count - gap) * 2;
    size_t zeros = (size_t)(GROUPS_MAX - count) * 2;
    memmove(bytes + 16 - tail, bytes + gap * 2, tail);
    memset(bytes + gap * 2, 0, zeros);
    return true;
}

/* Takes all that is left as an IPv6 address: groups, at most one "::", perhaps an IPv4 tail. */
static bool take_v6(struct text *text, uint8_t bytes[16])
{
    int count = 0;
    int gap = -1; /* groups before "::" */
    if (take_char(text, ':')) {
        if (!take_char(text, ':')) {
            return false;
        }
        gap = 0;
    }
    while (text->at < text->end) {
        struct text group = *text;
        int value = take_number(text, 16, 4);
        if (count <= GROUPS_MAX - 2 && text->at < text->end && *text->at == '.') {
            if (!take_v4(&group, bytes + count * 2)) {
                return false;
            }
            count += 2;
            text->at = text->end;
            break;
        }
        if (value < 0 || count == GROUPS_MAX) {
            return false;
        }
        bytes[count * 2] = (uint8_t)(value >> 8);
        bytes[count * 2 + 1] = (uint8_t)value;
        count++;
        if (text->at == text->end) {
            break;
        }
        if (!take_char(text, ':') || text->at == text->end) {
            return false;
        }
        if (take_char(text, ':')) {
            if (gap >= 0) {
                return false;
            }
            gap = count;
        }
    }
    return spread(bytes, count, gap);
}

int p2_ip_parse(struct p2_ip *ret_ip, const char *text, size_t length)
{
    uint8_t bytes[16] = {0};
    struct text left = {text, text + length};
    if (length == 0 || length >= P2_IP_TEXT_MAX) {
        return P2_E_MALFORMED;
    }
    if (memchr(text, ':', length) != NULL) {
        if (!take_v6(&left, bytes)) {
            return P2_E_MALFORMED;
        }
        *ret_ip = p2_ip_from_v6(bytes);
        return P2_OK;
    }
    if (!take_v4(&left, bytes)) {
        return P2_E_MALFORMED;
    }
    *ret_ip = p2_ip_from_v4(bytes);
    return P2_OK;
}

/* The longest run of two or more zero groups, the first of equal ones (RFC 5952 section 4.2). */
static void find_gap(const uint8_t bytes[16], int *ret_start, int *ret_length)
{
    *ret_start = -1;
    *ret_length = 1;
    for (int i = 0, run = 0; i < GROUPS_MAX; i++) {
        run = bytes[i * 2] == 0 && bytes[i * 2 + 1] == 0 ? run + 1 : 0;
        if (run > *ret_length) {
            *ret_length = run;
            *ret_start = i + 1 - run;
        }
    }
}

void p2_ip_format(char text[P2_IP_TEXT_MAX], const struct p2_ip *ip)
{
    const uint8_t *b = ip->bytes;
    if (ip->family == 4) {
        (void)snprintf(text, P2_IP_TEXT_MAX, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
        return;
    }
    int gap = 0;
    int gap_length = 0;
    size_t used = 0;
    find_gap(b, &gap, &gap_length);
    text[0] = '\0';
    for (int i = 0; i < GROUPS_MAX; i++) {
        if (i == gap) {
            used += (size_t)snprintf(text + used, P2_IP_TEXT_MAX - used, "::");
            i += gap_length - 1;
            continue;
        }
        bool colon = i > 0 && i != gap + gap_length; /* without a gap the sum is 0 */
        unsigned group = (unsigned)b[i * 2] << 8 | b[i * 2 + 1];
        used += (size_t)snprintf(text + used, P2_IP_TEXT_MAX - used, "%s%x", colon ? ":" : "",
                                 group); /* 8 groups and 7 colons always fit */
    }
}

/* ---- scope ------------------------------------------------------------------------------------ */

struct range {
    uint8_t bytes[16];
    uint8_t bits; /* of the prefix */
    enum p2_ip_scope scope;
};

/* Longest prefixes first where one contains another. */
static const struct range v4_ranges[] = {
    {{0, 0, 0, 0}, 32, P2_IP_UNSPECIFIED},
    {{0}, 8, P2_IP_RESERVED}, /* "this network", RFC 791 */
    {{10}, 8, P2_IP_PRIVATE},
    {{100, 64}, 10, P2_IP_SHARED},
    {{127}, 8, P2_IP_LOOPBACK},
    {{169, 254}, 16, P2_IP_LINK_LOCAL},
    {{172, 16}, 12, P2_IP_PRIVATE},
    {{192, 0, 0}, 24, P2_IP_RESERVED}, /* protocol assignments, RFC 6890 */
    {{192, 0, 2}, 24, P2_IP_DOCUMENTATION},
    {{192, 88, 99}, 24, P2_IP_RESERVED}, /* 6to4 relays, RFC 7526 */
    {{192, 168}, 16, P2_IP_PRIVATE},
    {{198, 18}, 15, P2_IP_RESERVED}, /* benchmarks, RFC 2544 */
    {{198, 51, 100}, 24, P2_IP_DOCUMENTATION},
    {{203, 0, 113}, 24, P2_IP_DOCUMENTATION},
    {{224}, 4, P2_IP_MULTICAST},
    {{240}, 4, P2_IP_RESERVED}, /* RFC 1112; holds the broadcast address */
    {{0}, 0, P2_IP_GLOBAL},
};

static const struct range v6_ranges[] = {
    {{0}, 128, P2_IP_UNSPECIFIED},
    {{[15] = 1}, 128, P2_IP_LOOPBACK},
    {{0xfc}, 7, P2_IP_PRIVATE},
    {{0xfe, 0x80}, 10, P2_IP_LINK_LOCAL},
    {{0xff}, 8, P2_IP_MULTICAST},
    {{0x20, 0x01, 0x0d, 0xb8}, 32, P2_IP_DOCUMENTATION},
    {{0x3f, 0xff}, 20, P2_IP_DOCUMENTATION},
    {{0x20, 0x01, 0x00}, 23, P2_IP_RESERVED}, /* protocol assignments: Teredo, ORCHID, ... */
    {{0x20, 0x02}, 16, P2_IP_RESERVED},       /* 6to4: reaches an IPv4 address of choice */
    {{0x20}, 3, P2_IP_GLOBAL},                /* all that IANA gives out */
    {{0}, 0, P2_IP_RESERVED},
};

static bool in_range(const uint8_t bytes[16], const struct range *range)
{
    size_t whole = range->bits / 8u;
    unsigned rest = range->bits % 8u;
    if (memcmp(bytes, range->bytes, whole) != 0) {
        return false;
    }
    return rest == 0 || (bytes[whole] ^ range->bytes[whole]) >> (8 - rest) == 0;
}

enum p2_ip_scope p2_ip_scope(const struct p2_ip *ip)
{
    static const struct range nat64 = {{0x00, 0x64, 0xff, 0x9b}, 96, P2_IP_GLOBAL};
    const struct range *range = ip->family == 4 ? v4_ranges : v6_ranges;
    struct p2_ip inside;
    if (ip->family == 6 && in_range(ip->bytes, &nat64)) {
        inside = p2_ip_from_v4(ip->bytes + 12);
        ip = &inside;
        range = v4_ranges;
    }
    while (!in_range(ip->bytes, range)) {
        range++; /* the last row of both tables contains everything */
    }
    return range->scope;
}

const char *p2_ip_scope_name(enum p2_ip_scope scope)
{
    static const char *const names[] = {
        [P2_IP_GLOBAL] = "global",       [P2_IP_PRIVATE] = "private",
        [P2_IP_LOOPBACK] = "loopback",   [P2_IP_LINK_LOCAL] = "link-local",
        [P2_IP_MULTICAST] = "multicast", [P2_IP_UNSPECIFIED] = "unspecified",
        [P2_IP_SHARED] = "shared",       [P2_IP_DOCUMENTATION] = "documentation",
        [P2_IP_RESERVED] = "reserved",
    };
    return (size_t)scope < P2_COUNT_OF(names) ? names[scope] : "unknown";
}

/* ---- prefix ----------------------------------------------------------------------------------- */

uint64_t p2_ip_prefix(const struct p2_ip *ip)
{
    size_t size = ip->family == 4 ? 3 : 6; /* /24 and /48 */
    uint64_t prefix = ip->family;
    for (size_t i = 0; i < size; i++) {
        prefix = prefix << 8 | ip->bytes[i];
    }
    return prefix;
}

bool p2_ip_prefix_counts(const struct p2_ip *ip, enum p2_local_peers local_peers)
{
    enum p2_ip_scope scope = p2_ip_scope(ip);
    bool local = scope == P2_IP_LOOPBACK || scope == P2_IP_PRIVATE || scope == P2_IP_LINK_LOCAL;
    return local_peers == P2_LOCAL_PEERS_STRICT || !local;
}
