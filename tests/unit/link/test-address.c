/* IP literals, their scopes and prefixes, and host:port#key. */
#include "link/address.h"
#include "link/ip.h"
#include "tests/lib/handshake.h"
#include "tests/lib/test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static struct p2_ip ip_of(const char *text)
{
    struct p2_ip ip = {0};
    P2_ASSERT_ERROR(p2_ip_parse(&ip, text, strlen(text)), P2_OK);
    return ip;
}

/* ---- literals --------------------------------------------------------------------------------- */

static void literals_are_read_and_written_canonically(void)
{
    static const char *const pairs[][2] = {
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"192.0.2.7", "192.0.2.7"},
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"2001:db8::7", "2001:db8::7"},
        {"2001:DB8:0:0:0:0:0:7", "2001:db8::7"},
        {"2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"}, /* RFC 5952 4.2.3 */
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},                 /* RFC 5952 4.2.2 */
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
        {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"}, /* RFC 6052 */
        {"1:2:3:4:5:6:192.0.2.33", "1:2:3:4:5:6:c000:221"},
        {"::ffff:192.0.2.33", "192.0.2.33"}, /* IPv4-mapped: the IPv4 address itself */
        {"::ffff:c000:221", "192.0.2.33"},
    };
    for (size_t i = 0; i < P2_COUNT_OF(pairs); i++) {
        char text[P2_IP_TEXT_MAX];
        struct p2_ip ip = ip_of(pairs[i][0]);
        p2_ip_format(text, &ip);
        CU_ASSERT_STRING_EQUAL(text, pairs[i][1]);
    }
}

static void texts_that_are_no_literal_are_refused(void)
{
    static const char *const texts[] = {
        "",
        "1",
        "1.2",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.",
        ".1.2.3",
        "256.1.1.1",
        "1.2.3.1000",
        "01.2.3.4",
        "1.2.3.00",
        "0x7f.0.0.1",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3.-4",
        "+1.2.3.4",
        ":",
        ":::",
        "1:2",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8::",
        "::1::",
        "1::2::3",
        ":1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:",
        "::12345",
        "::g",
        "fe80::1%eth0",
        "[::1]",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::1.2.3",
        "::1.2.3.4:5",
        "1.2.3.4::",
        "::1.2.3.256",
        "a.b.c.d",
        "1:2:3:4:5:6:7:8:",
        "::1 ",
        "0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:1",
        "1:",
    };
    for (size_t i = 0; i < P2_COUNT_OF(texts); i++) {
        struct p2_ip ip = {.family = 77};
        P2_ASSERT_ERROR(p2_ip_parse(&ip, texts[i], strlen(texts[i])), P2_E_MALFORMED);
        P2_ASSERT_EQUAL(ip.family, 77);
    }
}

/* The C library's parser is the second opinion: whatever one change makes of a literal, both must
 * agree. It takes nothing else than we do for these characters. */
static void the_parser_agrees_with_inet_pton_on_changed_literals(void)
{
    static const char *const seeds[] = {
        "192.168.17.254", "2001:db8::1:2", "::ffff:10.0.0.1", "1:2:3:4:5:6:7:8", "::",
        "1::8:127.0.0.1"};
    static const char alphabet[] = "0123456789abcfF:.g";
    for (size_t s = 0; s < P2_COUNT_OF(seeds); s++) {
        for (size_t at = 0; at < strlen(seeds[s]); at++) {
            for (size_t c = 0; c < 2 * sizeof alphabet; c++) {
                char text[64];
                uint8_t bytes[16];
                struct p2_ip ip;
                struct p2_ip expected = {0};
                /* replaced in one half of the runs, inserted in the other */
                (void)snprintf(text, sizeof text, "%.*s%.1s%s", (int)at, seeds[s],
                               &alphabet[c % sizeof alphabet],
                               seeds[s] + at + (c < sizeof alphabet ? 1 : 0));
                bool good = false;
                if (inet_pton(AF_INET6, text, bytes) == 1) {
                    expected = p2_ip_from_v6(bytes);
                    good = true;
                } else if (inet_pton(AF_INET, text, bytes) == 1) {
                    expected = p2_ip_from_v4(bytes);
                    good = true;
                }
                P2_ASSERT_ERROR(p2_ip_parse(&ip, text, strlen(text)),
                                good ? P2_OK : P2_E_MALFORMED);
                if (good) {
                    CU_ASSERT(p2_ip_equal(&ip, &expected));
                }
            }
        }
    }
}

/* ---- scope and prefix -------------------------------------------------------------------------- */

struct scope_case {
    const char *text;
    enum p2_ip_scope scope;
};

/* First and last address of each range and the neighbours outside, from the IANA registries. */
static const struct scope_case scope_cases[] = {
    {"0.0.0.0", P2_IP_UNSPECIFIED},
    {"0.0.0.1", P2_IP_RESERVED},
    {"0.255.255.255", P2_IP_RESERVED},
    {"1.0.0.0", P2_IP_GLOBAL},
    {"9.255.255.255", P2_IP_GLOBAL},
    {"10.0.0.0", P2_IP_PRIVATE},
    {"10.255.255.255", P2_IP_PRIVATE},
    {"11.0.0.0", P2_IP_GLOBAL},
    {"100.63.255.255", P2_IP_GLOBAL},
    {"100.64.0.0", P2_IP_SHARED},
    {"100.127.255.255", P2_IP_SHARED},
    {"100.128.0.0", P2_IP_GLOBAL},
    {"127.0.0.1", P2_IP_LOOPBACK},
    {"127.255.255.255", P2_IP_LOOPBACK},
    {"128.0.0.0", P2_IP_GLOBAL},
    {"169.253.255.255", P2_IP_GLOBAL},
    {"169.254.0.0", P2_IP_LINK_LOCAL},
    {"169.254.255.255", P2_IP_LINK_LOCAL},
    {"172.15.255.255", P2_IP_GLOBAL},
    {"172.16.0.0", P2_IP_PRIVATE},
    {"172.31.255.255", P2_IP_PRIVATE},
    {"172.32.0.0", P2_IP_GLOBAL},
    {"192.0.0.1", P2_IP_RESERVED},
    {"192.0.2.255", P2_IP_DOCUMENTATION},
    {"192.0.3.0", P2_IP_GLOBAL},
    {"192.88.99.1", P2_IP_RESERVED},
    {"192.167.255.255", P2_IP_GLOBAL},
    {"192.168.0.0", P2_IP_PRIVATE},
    {"192.168.255.255", P2_IP_PRIVATE},
    {"192.169.0.0", P2_IP_GLOBAL},
    {"198.17.255.255", P2_IP_GLOBAL},
    {"198.18.0.0", P2_IP_RESERVED},
    {"198.19.255.255", P2_IP_RESERVED},
    {"198.20.0.0", P2_IP_GLOBAL},
    {"198.51.100.9", P2_IP_DOCUMENTATION},
    {"203.0.113.9", P2_IP_DOCUMENTATION},
    {"223.255.255.255", P2_IP_GLOBAL},
    {"224.0.0.1", P2_IP_MULTICAST},
    {"239.255.255.255", P2_IP_MULTICAST},
    {"240.0.0.0", P2_IP_RESERVED},
    {"255.255.255.255", P2_IP_RESERVED},
    {"::", P2_IP_UNSPECIFIED},
    {"::1", P2_IP_LOOPBACK},
    {"::2", P2_IP_RESERVED},
    {"::ffff:127.0.0.1", P2_IP_LOOPBACK},
    {"::ffff:10.1.2.3", P2_IP_PRIVATE},
    {"::ffff:8.8.8.8", P2_IP_GLOBAL},
    {"::8.8.8.8", P2_IP_RESERVED},
    {"64:ff9b::8.8.8.8", P2_IP_GLOBAL},
    {"64:ff9b::192.168.1.1", P2_IP_PRIVATE},
    {"64:ff9b::127.0.0.1", P2_IP_LOOPBACK},
    {"64:ff9b:1::1", P2_IP_RESERVED},
    {"100::1", P2_IP_RESERVED},
    {"1fff:ffff::", P2_IP_RESERVED},
    {"2000::1", P2_IP_GLOBAL},
    {"2001::1", P2_IP_RESERVED},
    {"2001:1ff:ffff::1", P2_IP_RESERVED},
    {"2001:200::1", P2_IP_GLOBAL},
    {"2001:db8::1", P2_IP_DOCUMENTATION},
    {"2001:db9::1", P2_IP_GLOBAL},
    {"2002:c0a8:101::1", P2_IP_RESERVED},
    {"2003::1", P2_IP_GLOBAL},
    {"2a00:1450::1", P2_IP_GLOBAL},
    {"3fff:fff::1", P2_IP_DOCUMENTATION},
    {"3fff:1000::1", P2_IP_GLOBAL},
    {"4000::", P2_IP_RESERVED},
    {"fbff::1", P2_IP_RESERVED},
    {"fc00::1", P2_IP_PRIVATE},
    {"fdff:ffff::1", P2_IP_PRIVATE},
    {"fe00::1", P2_IP_RESERVED},
    {"fe80::1", P2_IP_LINK_LOCAL},
    {"febf::1", P2_IP_LINK_LOCAL},
    {"fec0::1", P2_IP_RESERVED},
    {"ff02::1", P2_IP_MULTICAST},
};

static void every_range_has_its_scope_up_to_its_edges(void)
{
    for (size_t i = 0; i < P2_COUNT_OF(scope_cases); i++) {
        struct p2_ip ip = ip_of(scope_cases[i].text);
        if (p2_ip_scope(&ip) != scope_cases[i].scope) {
            (void)fprintf(stderr, "%s is %s, expected %s\n", scope_cases[i].text,
                          p2_ip_scope_name(p2_ip_scope(&ip)),
                          p2_ip_scope_name(scope_cases[i].scope));
        }
        P2_ASSERT_EQUAL(p2_ip_scope(&ip), scope_cases[i].scope);
    }
    CU_ASSERT_STRING_EQUAL(p2_ip_scope_name(P2_IP_LINK_LOCAL), "link-local");
    CU_ASSERT_STRING_EQUAL(p2_ip_scope_name((enum p2_ip_scope)99), "unknown");
}

static void prefixes_are_24_bits_of_ipv4_and_48_of_ipv6(void)
{
    struct p2_ip a = ip_of("192.0.2.1");
    struct p2_ip b = ip_of("192.0.2.255");
    struct p2_ip c = ip_of("192.0.3.1");
    struct p2_ip mapped = ip_of("::ffff:192.0.2.77");
    CU_ASSERT(p2_ip_prefix(&a) == p2_ip_prefix(&b));
    CU_ASSERT(p2_ip_prefix(&a) != p2_ip_prefix(&c));
    CU_ASSERT(p2_ip_prefix(&a) == p2_ip_prefix(&mapped));
    a = ip_of("2001:db8:1::");
    b = ip_of("2001:db8:1:ffff:ffff:ffff:ffff:ffff");
    c = ip_of("2001:db8:2::");
    CU_ASSERT(p2_ip_prefix(&a) == p2_ip_prefix(&b));
    CU_ASSERT(p2_ip_prefix(&a) != p2_ip_prefix(&c));
    a = ip_of("0.0.0.0");
    b = ip_of("::");
    CU_ASSERT(p2_ip_prefix(&a) != 0 && p2_ip_prefix(&b) != 0);
    CU_ASSERT(p2_ip_prefix(&a) != p2_ip_prefix(&b));
}

static void local_peers_lifts_prefix_rules_for_local_addresses_only(void)
{
    static const char *const local[] = {"127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.1.1",
                                        "::1",       "fd00::1",  "fe80::1",     "::ffff:127.0.0.1"};
    static const char *const others[] = {"8.8.8.8", "2a00:1450::1", "100.64.0.1", "192.0.2.1",
                                         "224.0.0.1"};
    for (size_t i = 0; i < P2_COUNT_OF(local); i++) {
        struct p2_ip ip = ip_of(local[i]);
        CU_ASSERT(p2_ip_prefix_counts(&ip, P2_LOCAL_PEERS_STRICT));
        CU_ASSERT_FALSE(p2_ip_prefix_counts(&ip, P2_LOCAL_PEERS_ALLOW));
    }
    for (size_t i = 0; i < P2_COUNT_OF(others); i++) {
        struct p2_ip ip = ip_of(others[i]);
        CU_ASSERT(p2_ip_prefix_counts(&ip, P2_LOCAL_PEERS_STRICT));
        CU_ASSERT(p2_ip_prefix_counts(&ip, P2_LOCAL_PEERS_ALLOW));
    }
}

/* ---- host:port#key ---------------------------------------------------------------------------- */

static void make_key_text(char text[P2_ID_TEXT_MAX])
{
    struct p2_identity identity;
    struct p2_id id;
    p2_test_identity(&identity, 5);
    memcpy(id.bytes, identity.public_key, P2_ID_BYTES);
    p2_id_format(text, &id);
}

/* Parses "endpoint#key" with the good key of the tests. */
static int parse_with_key(struct p2_address *address, const char *endpoint,
                          struct p2_failure *failure)
{
    char key[P2_ID_TEXT_MAX];
    char text[1024];
    make_key_text(key);
    int length = snprintf(text, sizeof text, "%s#%s", endpoint, key);
    return p2_address_parse(address, text, (size_t)length, failure);
}

static void addresses_are_read_and_written_canonically(void)
{
    static const struct {
        const char *endpoint;
        const char *canonical;
        const char *host;
        unsigned port;
        bool literal;
    } cases[] = {
        {"192.0.2.7:4242", "192.0.2.7:4242", "192.0.2.7", 4242, true},
        {"[2001:DB8::7]:1", "[2001:db8::7]:1", "2001:db8::7", 1, true},
        {"[::ffff:192.0.2.7]:65535", "192.0.2.7:65535", "192.0.2.7", 65535, true},
        {"Host.Example.ORG:80", "host.example.org:80", "host.example.org", 80, false},
        {"localhost:8080", "localhost:8080", "localhost", 8080, false},
        {"3com.com:9", "3com.com:9", "3com.com", 9, false},
        {"a-b.c4:9", "a-b.c4:9", "a-b.c4", 9, false},
    };
    char key[P2_ID_TEXT_MAX];
    make_key_text(key);
    for (size_t i = 0; i < P2_COUNT_OF(cases); i++) {
        struct p2_address address;
        struct p2_address again;
        char text[P2_ADDRESS_TEXT_MAX];
        char expected[P2_ADDRESS_TEXT_MAX];
        P2_ASSERT_ERROR(parse_with_key(&address, cases[i].endpoint, NULL), P2_OK);
        CU_ASSERT_STRING_EQUAL(address.host, cases[i].host);
        P2_ASSERT_EQUAL(address.port, cases[i].port);
        CU_ASSERT(address.is_literal == cases[i].literal);
        (void)snprintf(expected, sizeof expected, "%s#%s", cases[i].canonical, key);
        p2_address_format(text, &address);
        CU_ASSERT_STRING_EQUAL(text, expected);
        P2_ASSERT_ERROR(p2_address_parse(&again, text, strlen(text), NULL), P2_OK);
        CU_ASSERT(p2_id_equal(&again.key, &address.key));
        CU_ASSERT_STRING_EQUAL(again.host, address.host);
        P2_ASSERT_ERROR(
            p2_address_parse_endpoint(&again, cases[i].endpoint, strlen(cases[i].endpoint), NULL),
            P2_OK);
        P2_ASSERT_EQUAL(again.port, cases[i].port);
    }
}

static void endpoints_with_a_bad_host_or_port_are_refused_with_a_reason(void)
{
    static const struct {
        const char *endpoint;
        int error;
        const char *reason; /* part of the message */
    } cases[] = {
        {"", P2_E_MALFORMED, "port is missing"},
        {"host", P2_E_MALFORMED, "port is missing"},
        {":80", P2_E_MALFORMED, "host is missing"},
        {"[]:80", P2_E_MALFORMED, "host is missing"},
        {"host:", P2_E_RANGE, "1 to 65535"},
        {"host:0", P2_E_RANGE, "1 to 65535"},
        {"host:65536", P2_E_RANGE, "1 to 65535"},
        {"host:99999", P2_E_RANGE, "1 to 65535"},
        {"host:100000", P2_E_RANGE, "1 to 65535"},
        {"host:080", P2_E_RANGE, "1 to 65535"},
        {"host:+80", P2_E_RANGE, "1 to 65535"},
        {"host:8 0", P2_E_RANGE, "1 to 65535"},
        {"2001:db8::7:80", P2_E_MALFORMED, "in brackets"},
        {"[2001:db8::7:80", P2_E_MALFORMED, "closing bracket"},
        {"[2001:db8::7]80", P2_E_MALFORMED, "port is missing"},
        {"[2001:db8::7]", P2_E_MALFORMED, "port is missing"},
        {"[fe80::1%eth0]:80", P2_E_MALFORMED, "in brackets"},
        {"[192.0.2.7]:80", P2_E_MALFORMED, "in brackets"},
        {"[host]:80", P2_E_MALFORMED, "in brackets"},
        {"127.1:80", P2_E_MALFORMED, "neither"},
        {"0x7f.0x1:80", P2_E_MALFORMED, "neither"},
        {"2130706433:80", P2_E_MALFORMED, "neither"},
        {"256.1.1.1:80", P2_E_MALFORMED, "neither"},
        {"-a.example:80", P2_E_MALFORMED, "neither"},
        {"a-.example:80", P2_E_MALFORMED, "neither"},
        {"a..example:80", P2_E_MALFORMED, "neither"},
        {".example:80", P2_E_MALFORMED, "neither"},
        {"example.:80", P2_E_MALFORMED, "neither"},
        {"a_b.example:80", P2_E_MALFORMED, "neither"},
        {"a b:80", P2_E_MALFORMED, "neither"},
        {"h\xc3\xb6st:80", P2_E_MALFORMED, "neither"},
    };
    for (size_t i = 0; i < P2_COUNT_OF(cases); i++) {
        struct p2_address address = {.port = 7};
        struct p2_failure failure = {0};
        P2_ASSERT_ERROR(parse_with_key(&address, cases[i].endpoint, &failure), cases[i].error);
        P2_ASSERT_EQUAL(failure.code, cases[i].error);
        if (strstr(failure.message, cases[i].reason) == NULL) {
            (void)fprintf(stderr, "%s: %s\n", cases[i].endpoint, failure.message);
        }
        CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, cases[i].reason));
        P2_ASSERT_EQUAL(address.port, 7);
    }
}

static void an_address_without_a_good_key_is_refused(void)
{
    char key[P2_ID_TEXT_MAX];
    char text[256];
    struct p2_address address;
    struct p2_failure failure = {0};
    struct p2_id mirrored;
    P2_ASSERT_ERROR(p2_address_parse(&address, "host:80", 7, &failure), P2_E_MALFORMED);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "key is missing"));
    P2_ASSERT_ERROR(p2_address_parse(&address, "host:80#", 8, &failure), P2_E_MALFORMED);
    P2_ASSERT_ERROR(p2_address_parse(&address, "", 0, &failure), P2_E_MALFORMED);
    make_key_text(key);
    for (size_t i = 0; i < P2_ID_TEXT_LEN; i++) {
        char changed[P2_ID_TEXT_MAX];
        memcpy(changed, key, sizeof changed);
        changed[i] = changed[i] == '7' ? '8' : '7';
        int length = snprintf(text, sizeof text, "host:80#%s", changed);
        P2_ASSERT_ERROR(p2_address_parse(&address, text, (size_t)length, &failure), P2_E_CHECKSUM);
        (void)snprintf(text, sizeof text, "host:80#%.*s", (int)i, key);
        P2_ASSERT_ERROR(p2_address_parse(&address, text, strlen(text), &failure), P2_E_MALFORMED);
    }
    (void)snprintf(text, sizeof text, "host:80#%s#", key);
    P2_ASSERT_ERROR(p2_address_parse(&address, text, strlen(text), &failure), P2_E_MALFORMED);
    P2_ASSERT_ERROR(p2_id_parse(&mirrored, key, P2_ID_TEXT_LEN), P2_OK);
    mirrored.bytes[31] |= 0x80;
    p2_id_format(key, &mirrored);
    (void)snprintf(text, sizeof text, "host:80#%s", key);
    P2_ASSERT_ERROR(p2_address_parse(&address, text, strlen(text), &failure), P2_E_BAD_KEY);
}

static void host_names_have_the_lengths_of_rfc_1035(void)
{
    char host[300];
    char endpoint[320];
    struct p2_address address;
    memset(host, 'a', sizeof host);
    host[63] = '.';
    host[127] = '.';
    host[191] = '.';
    (void)snprintf(endpoint, sizeof endpoint, "%.253s:80", host);
    P2_ASSERT_ERROR(parse_with_key(&address, endpoint, NULL), P2_OK);
    P2_ASSERT_EQUAL(strlen(address.host), 253);
    (void)snprintf(endpoint, sizeof endpoint, "%.254s:80", host);
    P2_ASSERT_ERROR(parse_with_key(&address, endpoint, NULL), P2_E_TOO_BIG);
    (void)snprintf(endpoint, sizeof endpoint, "a%.63s.b:80", host); /* a label of 64 */
    P2_ASSERT_ERROR(parse_with_key(&address, endpoint, NULL), P2_E_MALFORMED);
    host[63] = 'a'; /* and of more */
    (void)snprintf(endpoint, sizeof endpoint, "%.200s:80", host);
    P2_ASSERT_ERROR(parse_with_key(&address, endpoint, NULL), P2_E_MALFORMED);
    (void)snprintf(endpoint, sizeof endpoint, "%.299s:80", host);
    P2_ASSERT_ERROR(parse_with_key(&address, endpoint, NULL), P2_E_TOO_BIG);
    P2_ASSERT_ERROR(p2_address_parse_endpoint(&address, endpoint, P2_ADDRESS_TEXT_MAX, NULL),
                    P2_E_TOO_BIG);
    P2_ASSERT_ERROR(p2_address_parse_endpoint(&address, "", 0, NULL), P2_E_MALFORMED);
}

static CU_TestInfo tests[] = {
    P2_TEST(literals_are_read_and_written_canonically),
    P2_TEST(texts_that_are_no_literal_are_refused),
    P2_TEST(the_parser_agrees_with_inet_pton_on_changed_literals),
    P2_TEST(every_range_has_its_scope_up_to_its_edges),
    P2_TEST(prefixes_are_24_bits_of_ipv4_and_48_of_ipv6),
    P2_TEST(local_peers_lifts_prefix_rules_for_local_addresses_only),
    P2_TEST(addresses_are_read_and_written_canonically),
    P2_TEST(endpoints_with_a_bad_host_or_port_are_refused_with_a_reason),
    P2_TEST(an_address_without_a_good_key_is_refused),
    P2_TEST(host_names_have_the_lengths_of_rfc_1035),
    CU_TEST_INFO_NULL,
};

int main(int argc, char **argv)
{
    CU_SuiteInfo suites[] = {{"address", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
