/* Prints what doc/wire.md and tests/fuzz/wire.dict must hold, made from src/wire/messages.def.
 *
 *   wire-doc doc          the document
 *   wire-doc dictionary   libFuzzer's dictionary of the wire targets
 *
 * tests/tools/wire-fresh compares both with the committed files. */
#include "wire/messages.h"
#include "wire/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the document ---------------------------------------------------------------------------- */

static const char introduction[] =
    "# Messages on the wire\n"
    "\n"
    "This file is printed by `tests/tools/wire-doc doc` from `src/wire/messages.def`, and a test\n"
    "fails when it is stale. Change the table, never this file.\n"
    "\n"
    "Protocol version %u. The type of a message is a number of one byte that travels in the "
    "link's\n"
    "fragment header; the payload is described here. It is a\n"
    "[msgpack](https://github.com/msgpack/msgpack/blob/master/spec.md) array of exactly the "
    "fields\n"
    "below, in their order. A group inside a list is such an array too.\n"
    "\n"
    "Rules for every payload; whatever breaks one is refused with an error of class PEER:\n"
    "\n"
    "* Numbers, lengths and counts have their shortest encoding, so that equal messages have "
    "equal\n"
    "  bytes. Nothing follows the array. Arrays nest at most %u deep.\n"
    "* No maps, floats, extensions and no nil.\n"
    "* Strings are well-formed UTF-8 of at most %u bytes without control, bidi or other invisible\n"
    "  characters. They are escaped again before a person sees them.\n"
    "* The whole payload is at most as large as the table of messages says for its type.\n"
    "* Whoever was not accepted yet (a stranger) may send HELLO or JOIN only, at most %u bytes.\n"
    "\n"
    "Order is kept within a priority class only: a message of an earlier class overtakes those of "
    "a\n"
    "later one (CONTROL, LEASE, BULK, FRAME). Of FRAME messages that wait, the newest stays.\n"
    "\n"
    "| type of field | msgpack | range means |\n"
    "| --- | --- | --- |\n"
    "| u8 u16 u32 u64 | unsigned number | value |\n"
    "| i64 | number | value |\n"
    "| bool | true or false | |\n"
    "| enum | unsigned number of a table below | |\n"
    "| bytes | bin | size in bytes |\n"
    "| secret | bin; never printed or logged | size in bytes |\n"
    "| string | str | size in bytes |\n"
    "| fixed | bin | size in bytes |\n"
    "| id | bin, a public key | size in bytes |\n"
    "| list | array of numbers or groups | count |\n"
    "\n"
    "Units: nd is a nano-dollar, nd/M nano-dollars per million cost units; a cost unit is one\n"
    "microsecond of a reference core.\n";

/* A limit as people write it. */
static void print_number(uint64_t value, bool is_signed)
{
    if (value == UINT64_MAX && !is_signed) {
        (void)printf("2^64-1");
    } else if (value == INT64_MAX) {
        (void)printf("2^63-1");
    } else if (is_signed && value == (uint64_t)INT64_MIN) {
        (void)printf("-2^63");
    } else if (value == UINT32_MAX) {
        (void)printf("2^32-1");
    } else {
        (void)printf("%" PRIu64, value);
    }
}

static void print_range(const char *kind, uint64_t min, uint64_t max)
{
    if (strcmp(kind, "BOOL") == 0 || strcmp(kind, "ENUM") == 0) {
        return;
    }
    print_number(min, strcmp(kind, "I64") == 0);
    if (min != max) {
        (void)printf("..");
        print_number(max, strcmp(kind, "I64") == 0);
    }
}

static void print_type(const char *kind, const char *of)
{
    if (strcmp(kind, "ENUM") == 0) {
        (void)printf("[%s](#%s)", of, of);
    } else if (strcmp(kind, "LIST") == 0) {
        (void)printf("list of [%s](#%s)", of, of);
    } else if (strcmp(kind, "NUMBERS") == 0) {
        (void)printf("list of %s", of);
    } else {
        for (const char *c = kind; *c != '\0'; c++) {
            (void)putchar(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
        }
    }
}

static void print_field(const char *name, const char *kind, const char *of, uint64_t min,
                        uint64_t max, const char *unit, const char *doc)
{
    (void)printf("| %s | ", name);
    print_type(kind, of);
    (void)printf(" | ");
    print_range(kind, min, max);
    (void)printf(" | %s | %s |\n", unit, doc);
}

static void print_fields_head(void)
{
    (void)printf("\n| field | type | range | unit | meaning |\n| --- | --- | --- | --- | --- |\n");
}

/* "HELPER | GAMER" as "helper, gamer"; a bar would end the table's cell. */
static void print_roles(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (strncmp(c, " | ", 3) == 0) {
            (void)printf(", ");
            c += 2;
        } else {
            (void)putchar(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
        }
    }
}

static void print_row(unsigned number, const char *name, const char *anchor, const char *from,
                      const char *to, const char *class, unsigned size, const char *doc)
{
    (void)printf("| %u | [%s](#%s) | ", number, name, anchor);
    print_roles(from);
    (void)printf(" | ");
    print_roles(to);
    (void)printf(" | %s | %u | %s |\n", class, size, doc);
}

static void print_document(void)
{
    (void)printf(introduction, P2_WIRE_PROTOCOL, P2_WIRE_DEPTH_MAX, P2_WIRE_STRING_MAX,
                 P2_WIRE_STRANGER_MAX);
    (void)printf("\n## All messages\n\n"
                 "| number | message | from | to | class | bytes | what |\n"
                 "| --- | --- | --- | --- | --- | --- | --- |\n");
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) \
    print_row((number), #NAME, #name, #from, #to, #class, (size), doc);
#include "wire/messages.def"
    (void)printf("\n# Fields of each message\n");
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc)       \
    (void)printf("\n## %s\n\n%u: %s\n", #name, (unsigned)(number), doc); \
    print_fields_head();
#define P2_GROUP(name, doc)                               \
    (void)printf("\n## %s\n\nA group: %s\n", #name, doc); \
    print_fields_head();
#define P2_FIELD(kind, name, of, min, max, unit, doc) \
    print_field(#name, #kind, #of, (uint64_t)(min), (uint64_t)(max), unit, doc);
#include "wire/messages.def"
    (void)printf("\n# Enums\n");
#define P2_ENUM(type, TYPE, doc) \
    (void)printf("\n## %s\n\n%s\n\n| value | name | meaning |\n| --- | --- | --- |\n", #type, doc);
#define P2_VALUE(type, TYPE, NAME, value, doc) \
    (void)printf("| %u | %s | %s |\n", (unsigned)(value), #NAME, doc);
#include "wire/messages.def"
}

/* ---- the dictionary -------------------------------------------------------------------------- */

static void print_entry(const char *name, const char *suffix, const uint8_t *bytes, size_t size)
{
    (void)printf("%s%s=\"", name, suffix);
    for (size_t i = 0; i < size; i++) {
        (void)printf("\\x%02x", bytes[i]);
    }
    (void)printf("\"\n");
}

/* The shortest encoding of a number; written here again, so that it does not depend on ours. */
static void print_number_entry(const char *name, uint64_t value)
{
    uint8_t bytes[9];
    size_t width = value < 0x80          ? 0
                   : value <= UINT8_MAX  ? 1
                   : value <= UINT16_MAX ? 2
                   : value <= UINT32_MAX ? 4
                                         : 8;
    bytes[0] = width == 0   ? (uint8_t)value
               : width == 1 ? 0xcc
               : width == 2 ? 0xcd
               : width == 4 ? 0xce
                            : 0xcf;
    for (size_t i = 0; i < width; i++) {
        bytes[1 + i] = (uint8_t)(value >> (8 * (width - 1 - i)));
    }
    print_entry(name, "_max", bytes, 1 + width);
}

/* The head of an array of `count` elements; no record has more than 65,535 fields. */
static void print_array_entry(const char *name, unsigned count)
{
    const uint8_t wide[3] = {0xdc, (uint8_t)(count >> 8), (uint8_t)count};
    const uint8_t narrow = (uint8_t)(0x90 | (count & 15));
    print_entry(name, "_array", count < 16 ? &narrow : wide, count < 16 ? 1 : sizeof wide);
}

static void print_dictionary(void)
{
    static const uint8_t heads[] = {0x90, 0xa0, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xcc, 0xcd, 0xce,
                                    0xcf, 0xd0, 0xd1, 0xd2, 0xd3, 0xd9, 0xdc, 0xdd, 0xdf, 0xff};
    (void)printf("# Printed by tests/tools/wire-doc dictionary; a test fails when it is stale.\n");
    for (size_t i = 0; i < sizeof heads; i++) {
        print_entry("head", "", &heads[i], 1);
    }
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) \
    {                                                              \
        const uint8_t type = (number);                             \
        print_entry(#name, "_type", &type, 1);                     \
        print_array_entry(#name, P2_WIRE_FIELDS_##name);           \
    }
#define P2_GROUP(name, doc)                           print_array_entry(#name, P2_WIRE_FIELDS_##name);
#define P2_FIELD(kind, name, of, min, max, unit, doc) print_number_entry(#name, (uint64_t)(max));
#include "wire/messages.def"
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "doc") == 0) {
        print_document();
    } else if (argc == 2 && strcmp(argv[1], "dictionary") == 0) {
        print_dictionary();
    } else {
        (void)fprintf(stderr, "usage: wire-doc doc|dictionary\n");
        return EXIT_FAILURE;
    }
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
