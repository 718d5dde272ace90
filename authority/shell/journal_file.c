/* The journal's file, through stdio. */
#include "authority/shell/journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC      "p2c2r journal 1\n"
#define MAGIC_SIZE (sizeof MAGIC - 1)

/* Bytes of one record. Chosen: a frame with every result at its inline limit. */
#define RECORD_MAX ((size_t)64 << 20)

#define ITEM_BYTES 27u

struct p2_journal_file {
    FILE *file;
    struct p2_buf record;
    int error;
};

static bool is_state(enum p2_in_kind kind)
{
    return kind == P2_IN_JOIN || kind == P2_IN_LEAVE || kind == P2_IN_CONSOLE ||
           kind == P2_IN_INPUT || kind == P2_IN_RESULT || kind == P2_IN_CORRECTED;
}

static struct p2_journal_file *make(int fd, const char *mode)
{
    struct p2_journal_file *journal = calloc(1, sizeof *journal);
    FILE *file = fd < 0 || journal == NULL ? NULL : fdopen(fd, mode);
    if (file == NULL) {
        free(journal);
        if (fd >= 0) {
            (void)close(fd); /* nothing was written */
        }
        return NULL;
    }
    journal->file = file;
    p2_buf_init(&journal->record, RECORD_MAX);
    return journal;
}

int p2_journal_file_close(struct p2_journal_file *journal)
{
    if (journal == NULL) {
        return P2_OK;
    }
    int error = fclose(journal->file) == 0 ? journal->error : P2_E_IO;
    p2_buf_free(&journal->record);
    free(journal);
    return error;
}

/* ---- writing ----------------------------------------------------------------------------------- */

static void put(struct p2_journal_file *journal, const void *data, size_t size)
{
    if (journal->error == P2_OK) {
        journal->error = p2_buf_append(&journal->record, p2_span(data, size));
    }
}

static void put_number(struct p2_journal_file *journal, uint64_t value, size_t size)
{
    uint8_t bytes[8];
    p2_store_be64(bytes, value);
    put(journal, bytes + 8 - size, size);
}

static void begin(struct p2_journal_file *journal, char kind)
{
    p2_buf_clear(&journal->record);
    put_number(journal, 0, 4);
    put(journal, &kind, 1);
}

static void end(struct p2_journal_file *journal)
{
    if (journal->error == P2_OK) {
        p2_store_be32(journal->record.data, (uint32_t)(journal->record.size - 4));
        size_t written = fwrite(journal->record.data, 1, journal->record.size, journal->file);
        journal->error = written == journal->record.size ? P2_OK : P2_E_IO;
    }
}

int p2_journal_file_create(struct p2_journal_file **ret_journal, const char *path,
                           const struct p2_journal_file_head *head, struct p2_failure *failure)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    struct p2_journal_file *journal = make(fd, "wb");
    if (journal == NULL) {
        return p2_fail(failure, errno == EEXIST ? P2_E_EXIST : P2_E_IO,
                       "cannot make the journal %s: %s", path, strerror(errno));
    }
    if (fwrite(MAGIC, 1, MAGIC_SIZE, journal->file) != MAGIC_SIZE) {
        journal->error = P2_E_IO;
    }
    begin(journal, 'S');
    put_number(journal, strlen(head->game), 1);
    put(journal, head->game, strlen(head->game));
    put_number(journal, head->version, 4);
    put_number(journal, head->schema, 4);
    put_number(journal, head->seed, 8);
    put_number(journal, strlen(head->options), 2);
    put(journal, head->options, strlen(head->options));
    end(journal);
    *ret_journal = journal;
    return P2_OK;
}

void p2_journal_file_frame(struct p2_journal_file *journal, const struct p2_frame_in *in,
                           size_t inline_max)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < in->count; i++) {
        count += is_state(in->items[i].kind) ? 1 : 0;
    }
    begin(journal, 'F');
    put_number(journal, in->frame, 8);
    put_number(journal, in->depth, 1);
    put_number(journal, in->quality, 1);
    put_number(journal, count, 4);
    for (uint32_t i = 0; i < in->count; i++) {
        const struct p2_in_item *item = &in->items[i];
        bool is_again = item->kind == P2_IN_RESULT && item->size > inline_max;
        if (!is_state(item->kind)) {
            continue;
        }
        put_number(journal, item->kind, 1);
        put_number(journal, item->player, 1);
        put_number(journal, item->status, 1);
        put_number(journal, item->sequence, 4);
        put_number(journal, item->task, 8);
        put_number(journal, item->version, 8);
        put_number(journal, is_again ? UINT32_MAX : item->size, 4);
        if (!is_again) {
            struct p2_span bytes = p2_frame_in_bytes(in, item);
            put(journal, bytes.data, bytes.size);
        }
    }
    end(journal);
}

void p2_journal_file_hash(struct p2_journal_file *journal, uint64_t frame, uint64_t hash)
{
    begin(journal, 'H');
    put_number(journal, frame, 8);
    put_number(journal, hash, 8);
    end(journal);
}

/* ---- reading ----------------------------------------------------------------------------------- */

/* The next record without its size; P2_E_NOENT at the end of the file. */
static int next(struct p2_journal_file *journal, struct p2_reader *ret_reader)
{
    uint8_t head[4];
    size_t got = fread(head, 1, sizeof head, journal->file);
    if (got == 0) {
        return ferror(journal->file) != 0 ? P2_E_IO : P2_E_NOENT;
    }
    size_t size = got == sizeof head ? p2_load_be32(head) : 0;
    p2_buf_clear(&journal->record);
    if (size == 0 || size > RECORD_MAX) {
        return P2_E_CORRUPT;
    }
    int error = p2_buf_reserve(&journal->record, size);
    if (error != P2_OK) {
        return error;
    }
    if (fread(journal->record.data, 1, size, journal->file) != size) {
        return P2_E_CORRUPT;
    }
    journal->record.size = size;
    p2_reader_init(ret_reader, p2_buf_span(&journal->record));
    return P2_OK;
}

static void get_text(struct p2_reader *reader, size_t size, char *text, size_t capacity)
{
    struct p2_span bytes = p2_reader_bytes(reader, size);
    if (bytes.size >= capacity) {
        p2_reader_fail(reader, P2_E_TOO_BIG);
    } else {
        if (bytes.size > 0) {
            memcpy(text, bytes.data, bytes.size);
        }
        text[bytes.size] = '\0';
    }
}

int p2_journal_file_open(struct p2_journal_file **ret_journal, const char *path,
                         struct p2_journal_file_head *ret_head, struct p2_failure *failure)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct p2_journal_file *journal = make(fd, "rb");
    if (journal == NULL) {
        return p2_fail(failure, errno == ENOENT ? P2_E_NOENT : P2_E_IO,
                       "cannot read the journal %s: %s", path, strerror(errno));
    }
    char magic[MAGIC_SIZE];
    struct p2_reader reader = {0};
    memset(ret_head, 0, sizeof *ret_head);
    int error = fread(magic, 1, sizeof magic, journal->file) == sizeof magic &&
                        memcmp(magic, MAGIC, sizeof magic) == 0
                    ? next(journal, &reader)
                    : P2_E_CORRUPT;
    if (error == P2_OK && p2_reader_u8(&reader) == 'S') {
        get_text(&reader, p2_reader_u8(&reader), ret_head->game, sizeof ret_head->game);
        ret_head->version = p2_reader_u32(&reader);
        ret_head->schema = p2_reader_u32(&reader);
        ret_head->seed = p2_reader_u64(&reader);
        get_text(&reader, p2_reader_u16(&reader), ret_head->options, sizeof ret_head->options);
        error = p2_reader_end(&reader);
    } else {
        error = P2_E_CORRUPT;
    }
    if (error != P2_OK) {
        (void)p2_journal_file_close(journal); /* only read */
        return p2_fail(failure, P2_E_CORRUPT, "%s is no journal of a session", path);
    }
    *ret_journal = journal;
    return P2_OK;
}

static int read_frame(struct p2_reader *reader, struct p2_frame_in *in)
{
    p2_frame_in_clear(in);
    in->frame = p2_reader_u64(reader);
    in->depth = p2_reader_u8(reader);
    in->quality = p2_reader_u8(reader);
    uint32_t count = p2_reader_u32(reader);
    if (reader->error != P2_OK || count > reader->left / ITEM_BYTES || in->depth < 1 ||
        in->depth > P2_DEPTH_MAX) {
        return P2_E_CORRUPT;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct p2_in_item item = {.kind = (enum p2_in_kind)p2_reader_u8(reader)};
        item.player = p2_reader_u8(reader);
        item.status = p2_reader_u8(reader);
        item.sequence = p2_reader_u32(reader);
        item.task = p2_reader_u64(reader);
        item.version = p2_reader_u64(reader);
        uint32_t size = p2_reader_u32(reader);
        if (size == UINT32_MAX) {
            item.status = P2_JOURNAL_FILE_COMPUTE;
            size = 0;
        }
        struct p2_span bytes = p2_reader_bytes(reader, size);
        if (reader->error != P2_OK || !is_state(item.kind) || item.player >= P2C2R_PLAYERS_MAX) {
            return P2_E_CORRUPT;
        }
        int error = p2_frame_in_add(in, &item, bytes);
        if (error != P2_OK) {
            return error;
        }
    }
    return p2_reader_end(reader) == P2_OK ? P2_OK : P2_E_CORRUPT;
}

int p2_journal_file_read(struct p2_journal_file *journal, enum p2_journal_file_record *ret_record,
                         struct p2_frame_in *in, uint64_t *ret_frame, uint64_t *ret_hash)
{
    struct p2_reader reader;
    int error = next(journal, &reader);
    if (error == P2_E_NOENT) {
        *ret_record = P2_JOURNAL_FILE_END;
        return P2_OK;
    }
    if (error != P2_OK) {
        return error;
    }
    uint8_t kind = p2_reader_u8(&reader);
    if (kind == 'F') {
        *ret_record = P2_JOURNAL_FILE_FRAME;
        error = read_frame(&reader, in);
        *ret_frame = in->frame;
        return error;
    }
    uint64_t frame = p2_reader_u64(&reader);
    uint64_t hash = p2_reader_u64(&reader);
    if (kind != 'H' || p2_reader_end(&reader) != P2_OK) {
        return P2_E_CORRUPT;
    }
    *ret_record = P2_JOURNAL_FILE_HASH;
    *ret_frame = frame;
    *ret_hash = hash;
    return P2_OK;
}
