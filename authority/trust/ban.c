/* Bans by people, with their trail. */
#include "authority/trust/ban.h"

#include <stdlib.h>
#include <string.h>

#define GROW 64u

void p2_bans_init(struct p2_bans *bans)
{
    memset(bans, 0, sizeof *bans);
    bans->next_number = 1;
}

void p2_bans_free(struct p2_bans *bans)
{
    free(bans->items);
    memset(bans, 0, sizeof *bans);
}

/* One line of printable ASCII or UTF-8, not empty. */
static bool is_line(const char *text, size_t max)
{
    size_t size = strnlen(text, max + 1);
    if (size == 0 || size > max) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool is_same(const struct p2_ban_entry *a, const struct p2_ban_entry *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    return a->kind == P2_BAN_KEY ? p2_id_equal(&a->id, &b->id)
                                 : p2_ip_prefix(&a->ip) == p2_ip_prefix(&b->ip);
}

/* Bans whose time is over make room for new ones. */
static void drop_expired(struct p2_bans *bans, uint64_t now_s)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < bans->count; i++) {
        if (bans->items[i].until_s > now_s) {
            bans->items[kept++] = bans->items[i];
        }
    }
    bans->count = kept;
}

static int remember(struct p2_bans *bans, const struct p2_ban_entry *entry)
{
    uint32_t at = 0;
    while (at < bans->count && !is_same(&bans->items[at], entry)) {
        at++;
    }
    if (entry->action == P2_BAN_LIFTED) {
        if (at == bans->count) {
            return P2_E_NOENT;
        }
        bans->items[at] = bans->items[--bans->count];
        return P2_OK;
    }
    if (at == bans->count) {
        if (bans->count == P2_BANS_MAX) {
            drop_expired(bans, entry->at_s);
            at = bans->count;
        }
        if (bans->count == P2_BANS_MAX) {
            return P2_E_LIMIT;
        }
        if (bans->count == bans->capacity) {
            struct p2_ban_entry *items =
                realloc(bans->items, (bans->capacity + GROW) * sizeof *items);
            if (items == NULL) {
                return P2_E_NOMEM;
            }
            bans->items = items;
            bans->capacity += GROW;
        }
        bans->count++;
    }
    bans->items[at] = *entry;
    return P2_OK;
}

int p2_bans_apply(struct p2_bans *bans, const struct p2_ban_entry *entry,
                  struct p2_ban_entry *ret_entry)
{
    if (!is_line(entry->actor, P2_BAN_ACTOR_MAX) || !is_line(entry->reason, P2_BAN_REASON_MAX)) {
        return P2_E_INVALID;
    }
    struct p2_ban_entry numbered = *entry;
    numbered.number = bans->next_number;
    int error = remember(bans, &numbered);
    if (error == P2_OK) {
        bans->next_number++;
        *ret_entry = numbered;
    }
    return error;
}

int p2_bans_restore(struct p2_bans *bans, const struct p2_ban_entry *entry)
{
    if (entry->number != bans->next_number) {
        return P2_E_CORRUPT;
    }
    int error = remember(bans, entry);
    if (error == P2_E_NOENT) {
        error = P2_OK; /* its time was over when it was lifted */
    }
    bans->next_number += error == P2_OK ? 1 : 0;
    return error;
}

const struct p2_ban_entry *p2_bans_find(const struct p2_bans *bans, const struct p2_id *id,
                                        const struct p2_ip *ip, uint64_t now_s)
{
    for (uint32_t i = 0; i < bans->count; i++) {
        const struct p2_ban_entry *entry = &bans->items[i];
        bool is_meant = entry->kind == P2_BAN_KEY
                            ? p2_id_equal(&entry->id, id)
                            : ip != NULL && p2_ip_prefix(&entry->ip) == p2_ip_prefix(ip);
        if (is_meant && entry->until_s > now_s) {
            return entry;
        }
    }
    return NULL;
}

/* ---- as stored: version, number, action, kind, id | family + address, times, texts --------------- */

static void write_text(struct p2_writer *writer, const char *text)
{
    size_t size = strlen(text);
    p2_writer_u8(writer, (uint8_t)size);
    p2_writer_bytes(writer, p2_span(text, size));
}

size_t p2_ban_encode(uint8_t *out, const struct p2_ban_entry *entry)
{
    struct p2_writer writer;
    p2_writer_init(&writer, out, P2_BAN_BYTES_MAX);
    p2_writer_u8(&writer, P2_BAN_VERSION);
    p2_writer_u64(&writer, entry->number);
    p2_writer_u8(&writer, (uint8_t)entry->action);
    p2_writer_u8(&writer, (uint8_t)entry->kind);
    if (entry->kind == P2_BAN_KEY) {
        p2_writer_bytes(&writer, p2_span(entry->id.bytes, P2_ID_BYTES));
    } else {
        p2_writer_u8(&writer, entry->ip.family);
        p2_writer_bytes(&writer, p2_span(entry->ip.bytes, sizeof entry->ip.bytes));
    }
    p2_writer_u64(&writer, entry->at_s);
    p2_writer_u64(&writer, entry->until_s);
    write_text(&writer, entry->actor);
    write_text(&writer, entry->reason);
    P2_ASSERT(writer.error == P2_OK);
    return writer.size;
}

static void read_text(struct p2_reader *reader, char *out, size_t max)
{
    size_t size = p2_reader_u8(reader);
    if (size > max) {
        p2_reader_fail(reader, P2_E_CORRUPT);
        return;
    }
    struct p2_span bytes = p2_reader_bytes(reader, size);
    if (bytes.size > 0) {
        memcpy(out, bytes.data, bytes.size);
    }
    out[bytes.size] = '\0';
    if (reader->error == P2_OK && !is_line(out, max)) {
        p2_reader_fail(reader, P2_E_CORRUPT);
    }
}

int p2_ban_decode(struct p2_ban_entry *ret_entry, struct p2_span bytes)
{
    struct p2_ban_entry entry = {0};
    struct p2_reader reader;
    p2_reader_init(&reader, bytes);
    uint8_t version = p2_reader_u8(&reader);
    if (reader.error == P2_OK && version > P2_BAN_VERSION) {
        return P2_E_NEW_SCHEMA;
    }
    entry.number = p2_reader_u64(&reader);
    uint8_t action = p2_reader_u8(&reader);
    uint8_t kind = p2_reader_u8(&reader);
    if (version != P2_BAN_VERSION || action > P2_BAN_LIFTED || kind > P2_BAN_PREFIX) {
        return P2_E_CORRUPT;
    }
    entry.action = (enum p2_ban_action)action;
    entry.kind = (enum p2_ban_kind)kind;
    uint8_t *into = entry.id.bytes;
    size_t size = P2_ID_BYTES;
    if (entry.kind == P2_BAN_PREFIX) {
        entry.ip.family = p2_reader_u8(&reader);
        into = entry.ip.bytes;
        size = sizeof entry.ip.bytes;
        if (entry.ip.family != 4 && entry.ip.family != 6) {
            p2_reader_fail(&reader, P2_E_CORRUPT);
        }
    }
    struct p2_span address = p2_reader_bytes(&reader, size);
    if (address.size == size) {
        memcpy(into, address.data, size);
    }
    entry.at_s = p2_reader_u64(&reader);
    entry.until_s = p2_reader_u64(&reader);
    read_text(&reader, entry.actor, P2_BAN_ACTOR_MAX);
    read_text(&reader, entry.reason, P2_BAN_REASON_MAX);
    if (p2_reader_end(&reader) != P2_OK) {
        return P2_E_CORRUPT;
    }
    *ret_entry = entry;
    return P2_OK;
}
