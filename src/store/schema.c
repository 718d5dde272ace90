/* The description of the tables, and migrations. */
#include "store/store.h"

#include <string.h>

/* Layout version of the description itself. */
#define DESCRIPTION_VERSION 1

/* Longest description: program, count, and all tables with the longest names. */
#define DESCRIPTION_MAX \
    (1 + P2_TABLE_NAME_MAX + 2 + P2_SCHEMA_TABLES_MAX * (2 + 1 + 1 + P2_TABLE_NAME_MAX))

static const struct p2_table own_table = {
    .name = "schema",
    .id = P2_SCHEMA_TABLE_ID,
    .version = 1,
    .owner = "store",
    .key_layout = "\"tables\"",
    .value_max = DESCRIPTION_MAX,
};

static struct p2_span own_key(void)
{
    return p2_span("tables", 6);
}

/* What the store says about its tables. */
struct stored {
    uint8_t bytes[DESCRIPTION_MAX]; /* the description; names point into it */
    struct p2_span program;
    size_t count;
    struct {
        uint16_t id;
        uint8_t version;
        struct p2_span name;
    } tables[P2_SCHEMA_TABLES_MAX];
};

/* ---- the declaration ----------------------------------------------------------------------------- */

static bool is_name(const char *name)
{
    size_t length = name == NULL ? 0 : strlen(name);
    return length >= 1 && length <= P2_TABLE_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == length;
}

int p2_schema_validate(const struct p2_schema *schema, struct p2_failure *failure)
{
    if (schema == NULL || !is_name(schema->program) || schema->table_count < 1 ||
        schema->table_count > P2_SCHEMA_TABLES_MAX) {
        return p2_fail(failure, P2_E_INVALID, "a schema needs a program and 1 to %d tables",
                       P2_SCHEMA_TABLES_MAX);
    }
    for (size_t i = 0; i < schema->table_count; i++) {
        const struct p2_table *table = &schema->tables[i];
        if (!is_name(table->name) || table->id == P2_SCHEMA_TABLE_ID || table->version == 0 ||
            (table->migrate == NULL && table->version > 1)) {
            return p2_fail(failure, P2_E_INVALID,
                           "table %zu of the schema needs a name, an id and a version above 0, and"
                           " a migration when its version is above 1",
                           i);
        }
        for (size_t j = 0; j < i; j++) {
            if (schema->tables[j].id == table->id) {
                return p2_fail(failure, P2_E_INVALID, "tables %s and %s have the same id",
                               schema->tables[j].name, table->name);
            }
        }
    }
    return P2_OK;
}

const struct p2_table *p2_schema_find(const struct p2_schema *schema, uint16_t id)
{
    for (size_t i = 0; i < schema->table_count; i++) {
        if (schema->tables[i].id == id) {
            return &schema->tables[i];
        }
    }
    return NULL;
}

/* ---- the description ------------------------------------------------------------------------------ */

static void write_text(struct p2_writer *out, const char *text)
{
    p2_writer_u8(out, (uint8_t)strlen(text));
    p2_writer_bytes(out, p2_span(text, strlen(text)));
}

static void write_description(struct p2_txn *txn, const struct p2_schema *schema)
{
    uint8_t bytes[DESCRIPTION_MAX];
    struct p2_writer out;
    p2_writer_init(&out, bytes, sizeof bytes);
    write_text(&out, schema->program);
    p2_writer_u16(&out, (uint16_t)schema->table_count);
    for (size_t i = 0; i < schema->table_count; i++) {
        p2_writer_u16(&out, schema->tables[i].id);
        p2_writer_u8(&out, schema->tables[i].version);
        write_text(&out, schema->tables[i].name);
    }
    P2_ASSERT(out.error == P2_OK); /* names were validated */
    p2_txn_put(txn, &own_table, own_key(), DESCRIPTION_VERSION, p2_writer_span(&out));
}

static int parse_description(struct stored *stored, size_t size)
{
    struct p2_reader in;
    p2_reader_init(&in, p2_span(stored->bytes, size));
    stored->program = p2_reader_bytes(&in, p2_reader_u8(&in));
    stored->count = p2_reader_u16(&in);
    if (stored->count > P2_SCHEMA_TABLES_MAX) {
        return P2_E_CORRUPT;
    }
    for (size_t i = 0; i < stored->count; i++) {
        stored->tables[i].id = p2_reader_u16(&in);
        stored->tables[i].version = p2_reader_u8(&in);
        stored->tables[i].name = p2_reader_bytes(&in, p2_reader_u8(&in));
    }
    return p2_reader_end(&in) == P2_OK ? P2_OK : P2_E_CORRUPT;
}

static int read_description(struct p2_txn *txn, struct stored *stored)
{
    struct p2_buf buf;
    uint8_t version = 0;
    p2_buf_init(&buf, DESCRIPTION_MAX);
    bool is_there = p2_txn_get(txn, &own_table, own_key(), &version, &buf);
    int error = txn->error != P2_OK             ? txn->error
                : !is_there                     ? P2_E_NOENT
                : version > DESCRIPTION_VERSION ? P2_E_NEW_SCHEMA
                : version < DESCRIPTION_VERSION ? P2_E_CORRUPT
                                                : P2_OK;
    if (error == P2_OK) {
        memcpy(stored->bytes, buf.data, buf.size);
        error = parse_description(stored, buf.size);
    }
    p2_buf_free(&buf);
    return error;
}

/* ---- bringing a store to the schema --------------------------------------------------------------- */

struct apply {
    const struct p2_schema *schema;
    struct p2_failure *failure;
    bool has_message;
    bool is_current; /* nothing to do */
};

static int refuse(struct apply *apply, int error, const char *what, const char *name, unsigned id)
{
    apply->has_message = true;
    return p2_fail(apply->failure, error, "%s (table %s, id %u)", what, name, id);
}

static int refuse_newer(struct apply *apply, struct p2_span name, unsigned id)
{
    char text[P2_TABLE_NAME_MAX + 1] = "";
    size_t size = name.size < P2_TABLE_NAME_MAX ? name.size : P2_TABLE_NAME_MAX;
    memcpy(text, name.data, size);
    return refuse(apply, P2_E_NEW_SCHEMA,
                  "a newer program wrote this store; use that program or restore an older backup",
                  text, id);
}

/* One table, step by step. */
static int migrate(struct p2_txn *txn, struct apply *apply, const struct p2_table *table,
                   uint8_t version)
{
    for (; version < table->version; version++) {
        struct p2_table from = *table, to = *table;
        from.version = version;
        to.version = (uint8_t)(version + 1);
        int error = table->migrate(txn, &from, &to);
        if (error != P2_OK || txn->error != P2_OK) {
            return error != P2_OK ? error : txn->error;
        }
        struct p2_cursor cursor;
        struct p2_entry record;
        p2_cursor_open(&cursor, txn, &from, p2_span(NULL, 0), P2_CURSOR_UP);
        bool is_left = p2_cursor_next(&cursor, &record);
        p2_cursor_close(&cursor);
        if (is_left) {
            return refuse(apply, P2_E_BUG, "a migration left records behind", table->name,
                          table->id);
        }
    }
    return txn->error;
}

static int compare_stored(struct p2_txn *txn, struct apply *apply, const struct stored *stored)
{
    const struct p2_schema *schema = apply->schema;
    size_t same = 0;
    for (size_t i = 0; i < stored->count; i++) {
        const struct p2_table *table = p2_schema_find(schema, stored->tables[i].id);
        if (table == NULL || table->version < stored->tables[i].version) {
            return refuse_newer(apply, stored->tables[i].name, stored->tables[i].id);
        }
        if (stored->tables[i].version == 0) {
            return P2_E_CORRUPT;
        }
        same += table->version == stored->tables[i].version;
        if (txn->is_write) {
            int error = migrate(txn, apply, table, stored->tables[i].version);
            if (error != P2_OK) {
                return error;
            }
        }
    }
    apply->is_current = same == schema->table_count && same == stored->count;
    return P2_OK;
}

/* In a read: is everything current? In a write: makes it so. */
static int apply_in(struct p2_txn *txn, void *ctx)
{
    struct apply *apply = ctx;
    struct stored stored;
    struct p2_span mine = p2_span(apply->schema->program, strlen(apply->schema->program));
    int error = read_description(txn, &stored);
    if (error == P2_E_NEW_SCHEMA) {
        return refuse_newer(apply, p2_span("schema", 6), P2_SCHEMA_TABLE_ID);
    }
    if (error == P2_OK && !p2_span_equal(stored.program, mine)) {
        apply->has_message = true;
        return p2_fail(apply->failure, P2_E_CORRUPT,
                       "this store belongs to another program, not to"
                       " %s",
                       apply->schema->program);
    }
    if (error == P2_OK) {
        error = compare_stored(txn, apply, &stored);
    }
    if (error == P2_OK && txn->is_write && !apply->is_current) {
        write_description(txn, apply->schema);
    }
    return error;
}

static int count_record(void *ctx, struct p2_span key, struct p2_span value)
{
    (void)key;
    (void)value;
    *(bool *)ctx = false;
    return P2_E_STATE; /* ends the walk */
}

static int write_first(struct p2_txn *txn, void *ctx)
{
    const struct apply *apply = ctx;
    write_description(txn, apply->schema);
    return P2_OK;
}

int p2_schema_apply(struct p2_store *store, const struct p2_schema *schema,
                    struct p2_failure *failure)
{
    struct apply apply = {.schema = schema, .failure = failure};
    struct p2_failure reason = {0};
    struct p2_txn txn;
    bool is_empty = true;
    p2_txn_begin_read(&txn, store);
    int error = txn.error == P2_OK ? apply_in(&txn, &apply) : txn.error;
    if (error == P2_E_NOENT) {
        (void)p2_txn_walk(&txn, count_record, &is_empty); /* the answer is in is_empty */
    }
    (void)p2_txn_end_read(&txn); /* its error is in `error` */
    if (error == P2_E_NOENT && is_empty) {
        return p2_store_write(store, write_first, &apply, failure);
    }
    if (error == P2_OK && !apply.is_current) {
        error = p2_store_write(store, apply_in, &apply, &reason);
    }
    if (error == P2_OK || apply.has_message) {
        return error;
    }
    if (reason.code != 0) {
        return p2_fail(failure, error, "the migration of %s failed, nothing was changed: %s",
                       p2_store_folder(store), reason.message);
    }
    return p2_fail(failure, error == P2_E_NOENT ? P2_E_CORRUPT : error,
                   "%s does not describe its tables: it is damaged or not ours",
                   p2_store_folder(store));
}
