/* Entries of the ledger as bytes and text. */
#include "authority/trust/ledger_record.h"

#include <stdio.h>
#include <string.h>

struct p2_ledger_shape p2_ledger_shape(enum p2_ledger_kind kind)
{
    static const struct p2_ledger_shape shapes[P2_LEDGER_KINDS] = {
        [P2_LEDGER_CREDIT] = {P2_ACCOUNT_WORLD, P2_ACCOUNT_GAMER},
        [P2_LEDGER_CHARGE] = {P2_ACCOUNT_GAMER, P2_ACCOUNT_ESCROW},
        [P2_LEDGER_SUBSIDY] = {P2_ACCOUNT_HOST, P2_ACCOUNT_ESCROW},
        [P2_LEDGER_EARN] = {P2_ACCOUNT_ESCROW, P2_ACCOUNT_HELD},
        [P2_LEDGER_CLEAR] = {P2_ACCOUNT_HELD, P2_ACCOUNT_HELPER},
        [P2_LEDGER_FORFEIT] = {P2_ACCOUNT_HELD, P2_ACCOUNT_HOST},
        [P2_LEDGER_RETURN] = {P2_ACCOUNT_ESCROW, P2_ACCOUNT_HOST},
        [P2_LEDGER_PAYOUT] = {P2_ACCOUNT_HELPER, P2_ACCOUNT_TRANSIT},
        [P2_LEDGER_PAID] = {P2_ACCOUNT_TRANSIT, P2_ACCOUNT_WORLD},
        [P2_LEDGER_UNPAID] = {P2_ACCOUNT_TRANSIT, P2_ACCOUNT_HELPER},
    };
    return shapes[kind];
}

bool p2_ledger_is_shaped(const struct p2_ledger_entry *entry)
{
    if (entry->kind >= P2_LEDGER_KINDS) {
        return false;
    }
    struct p2_ledger_shape shape = p2_ledger_shape(entry->kind);
    bool is_from = entry->from == shape.from ||
                   (entry->kind == P2_LEDGER_EARN && entry->from == P2_ACCOUNT_HOST);
    bool is_to =
        entry->to == shape.to || (entry->kind == P2_LEDGER_CREDIT && entry->to == P2_ACCOUNT_HOST);
    return is_from && is_to;
}

const char *p2_ledger_kind_name(enum p2_ledger_kind kind)
{
    static const char *const names[P2_LEDGER_KINDS] = {
        "CREDIT",  "CHARGE", "SUBSIDY", "EARN", "CLEAR",
        "FORFEIT", "RETURN", "PAYOUT",  "PAID", "UNPAID",
    };
    return kind < P2_LEDGER_KINDS ? names[kind] : "UNKNOWN";
}

const char *p2_account_kind_name(enum p2_account_kind kind)
{
    static const char *const names[P2_ACCOUNT_KINDS] = {
        "WORLD", "HOST", "ESCROW", "GAMER", "HELD", "HELPER", "TRANSIT",
    };
    return kind < P2_ACCOUNT_KINDS ? names[kind] : "UNKNOWN";
}

/*   0  1  version      20 32  key            108 4  rest
 *   1  8  number       52 32  session        112 8  reference
 *   9  8  at_s         84  8  amount_nd      120 16 digest
 *  17  1  kind         92  8  units
 *  18  1  from        100  8  tasks
 *  19  1  to                                                   */
size_t p2_ledger_entry_encode(uint8_t *out, const struct p2_ledger_entry *entry)
{
    struct p2_writer writer;
    p2_writer_init(&writer, out, P2_LEDGER_ENTRY_BYTES_MAX);
    p2_writer_u8(&writer, P2_LEDGER_VERSION);
    p2_writer_u64(&writer, entry->number);
    p2_writer_u64(&writer, entry->at_s);
    p2_writer_u8(&writer, (uint8_t)entry->kind);
    p2_writer_u8(&writer, (uint8_t)entry->from);
    p2_writer_u8(&writer, (uint8_t)entry->to);
    p2_writer_bytes(&writer, p2_span(entry->key.bytes, P2_ID_BYTES));
    p2_writer_bytes(&writer, p2_span(entry->session.bytes, P2_ID_BYTES));
    p2_writer_u64(&writer, entry->amount_nd);
    p2_writer_u64(&writer, entry->units);
    p2_writer_u64(&writer, entry->tasks);
    p2_writer_u32(&writer, entry->rest);
    p2_writer_u64(&writer, entry->reference);
    p2_writer_bytes(&writer, p2_span(entry->digest, P2_DIGEST_BYTES));
    P2_ASSERT(writer.error == P2_OK);
    return writer.size;
}

static void read_bytes(struct p2_reader *reader, uint8_t *out, size_t size)
{
    struct p2_span bytes = p2_reader_bytes(reader, size);
    if (bytes.size == size) {
        memcpy(out, bytes.data, size);
    }
}

int p2_ledger_entry_decode(struct p2_ledger_entry *ret_entry, struct p2_span bytes)
{
    struct p2_ledger_entry entry = {0};
    struct p2_reader reader;
    p2_reader_init(&reader, bytes);
    uint8_t version = p2_reader_u8(&reader);
    if (reader.error == P2_OK && version > P2_LEDGER_VERSION) {
        return P2_E_NEW_SCHEMA;
    }
    entry.number = p2_reader_u64(&reader);
    entry.at_s = p2_reader_u64(&reader);
    uint8_t kind = p2_reader_u8(&reader);
    uint8_t from = p2_reader_u8(&reader);
    uint8_t to = p2_reader_u8(&reader);
    if (version != P2_LEDGER_VERSION || kind >= P2_LEDGER_KINDS || from >= P2_ACCOUNT_KINDS ||
        to >= P2_ACCOUNT_KINDS) {
        return P2_E_CORRUPT;
    }
    entry.kind = (enum p2_ledger_kind)kind;
    entry.from = (enum p2_account_kind)from;
    entry.to = (enum p2_account_kind)to;
    read_bytes(&reader, entry.key.bytes, P2_ID_BYTES);
    read_bytes(&reader, entry.session.bytes, P2_ID_BYTES);
    entry.amount_nd = p2_reader_u64(&reader);
    entry.units = p2_reader_u64(&reader);
    entry.tasks = p2_reader_u64(&reader);
    entry.rest = p2_reader_u32(&reader);
    entry.reference = p2_reader_u64(&reader);
    read_bytes(&reader, entry.digest, P2_DIGEST_BYTES);
    if (p2_reader_end(&reader) != P2_OK || !p2_ledger_is_shaped(&entry)) {
        return P2_E_CORRUPT;
    }
    *ret_entry = entry;
    return P2_OK;
}

/* ---- text --------------------------------------------------------------------------------------- */

const char p2_ledger_csv_head[] =
    "number,time,kind,from,to,key,session,amount_nd,units,tasks,rest,reference,digest";

struct texts {
    char key[P2_ID_TEXT_MAX];
    char session[P2_ID_TEXT_MAX];
    char digest[2 * P2_DIGEST_BYTES + 1];
};

static void id_text(char text[P2_ID_TEXT_MAX], const struct p2_id *id)
{
    static const struct p2_id none;
    text[0] = '\0';
    if (!p2_id_equal(id, &none)) {
        p2_id_format(text, id);
    }
}

static void make_texts(struct texts *texts, const struct p2_ledger_entry *entry)
{
    id_text(texts->key, &entry->key);
    id_text(texts->session, &entry->session);
    texts->digest[0] = '\0';
    for (size_t i = 0; entry->kind == P2_LEDGER_FORFEIT && i < P2_DIGEST_BYTES; i++) {
        (void)snprintf(texts->digest + 2 * i, 3, "%02x", entry->digest[i]);
    }
}

/* 4 numbers of 20 digits, 3 words, 2 ids of 56, a digest of 32: below P2_LEDGER_TEXT_MAX. */
void p2_ledger_entry_csv(char *text, const struct p2_ledger_entry *entry)
{
    struct texts texts;
    make_texts(&texts, entry);
    (void)snprintf(text, P2_LEDGER_TEXT_MAX, "%llu,%llu,%s,%s,%s,%s,%s,%llu,%llu,%llu,%u,%llu,%s",
                   (unsigned long long)entry->number, (unsigned long long)entry->at_s,
                   p2_ledger_kind_name(entry->kind), p2_account_kind_name(entry->from),
                   p2_account_kind_name(entry->to), texts.key, texts.session,
                   (unsigned long long)entry->amount_nd, (unsigned long long)entry->units,
                   (unsigned long long)entry->tasks, (unsigned)entry->rest,
                   (unsigned long long)entry->reference, texts.digest);
}

void p2_ledger_entry_json(char *text, const struct p2_ledger_entry *entry)
{
    struct texts texts;
    make_texts(&texts, entry);
    (void)snprintf(text, P2_LEDGER_TEXT_MAX,
                   "{\"number\":%llu,\"time\":%llu,\"kind\":\"%s\",\"from\":\"%s\",\"to\":\"%s\","
                   "\"key\":\"%s\",\"session\":\"%s\",\"amount_nd\":%llu,\"units\":%llu,"
                   "\"tasks\":%llu,\"rest\":%u,\"reference\":%llu,\"digest\":\"%s\"}",
                   (unsigned long long)entry->number, (unsigned long long)entry->at_s,
                   p2_ledger_kind_name(entry->kind), p2_account_kind_name(entry->from),
                   p2_account_kind_name(entry->to), texts.key, texts.session,
                   (unsigned long long)entry->amount_nd, (unsigned long long)entry->units,
                   (unsigned long long)entry->tasks, (unsigned)entry->rest,
                   (unsigned long long)entry->reference, texts.digest);
}
