/* Consistency walks. */
#include "store/check.h"

#include "base/file.h"
#include "store/place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A running writer may overwrite the meta page we read: then we begin anew. Chosen: each try needs
 * two commits within a microsecond to fail. */
#define TRIES_MAX 16

/* Maps the whole file `fd`. */
static int map_file(int fd, struct p2_span *ret_file)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || status.st_size < 0) {
        return P2_E_IO;
    }
    if (status.st_size == 0) {
        *ret_file = p2_span(NULL, 0);
        return P2_OK;
    }
    void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED) {
        return P2_E_NOMEM;
    }
    *ret_file = p2_span(bytes, (size_t)status.st_size);
    return P2_OK;
}

static void unmap_file(struct p2_span file)
{
    union {
        const void *read_only;
        void *any;
    } bytes = {.read_only = file.data};
    if (file.size > 0) {
        (void)munmap(bytes.any, file.size); /* ours: cannot fail */
    }
}

int p2_store_check_file(const char *path, uint64_t budget, struct p2_failure *failure)
{
    struct p2_pages_report report;
    struct p2_span file;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return p2_fail(failure, p2_file_error(errno), "cannot open %s: %s", path, strerror(errno));
    }
    int error = map_file(fd, &file);
    if (error == P2_OK) {
        error = p2_pages_check(file, 0, budget, &report, failure);
        unmap_file(file);
    } else {
        (void)p2_fail(failure, error, "cannot read %s", path);
    }
    (void)close(fd); /* it was only read */
    return error;
}

struct visit {
    const struct p2_schema *schema;
    struct p2_store_report *report;
    struct p2_failure *failure;
    int error; /* the first damage */
};

static struct p2_table_report *find_report(struct visit *visit, struct p2_span key)
{
    uint16_t id = p2_load_be16(key.data);
    for (size_t i = 0; i < visit->schema->table_count; i++) {
        if (visit->schema->tables[i].id == id && visit->schema->tables[i].version == key.data[2]) {
            return &visit->report->tables[i];
        }
    }
    return NULL;
}

/* Counts on after damage: the report says how much is lost. */
static int visit_record(void *ctx, struct p2_span key, struct p2_span value)
{
    struct visit *visit = ctx;
    struct p2_span payload;
    uint8_t version;
    unsigned table = key.size >= P2_ENTRY_KEY_HEAD ? p2_load_be16(key.data) : UINT16_MAX;
    struct p2_table_report *mine = key.size >= P2_ENTRY_KEY_HEAD ? find_report(visit, key) : NULL;
    bool is_known = mine != NULL || table == P2_SCHEMA_TABLE_ID;
    bool is_whole = p2_entry_open(key, value, &version, &payload) == P2_OK;
    visit->report->records++;
    visit->report->unknown += !is_known;
    visit->report->damaged += !is_whole;
    if (mine != NULL) {
        mine->records++;
        mine->bytes += key.size + value.size;
        mine->damaged += !is_whole;
    }
    if ((!is_known || !is_whole) && visit->error == P2_OK) {
        visit->error = p2_fail(visit->failure, P2_E_CORRUPT,
                               !is_whole ? "record %llu, of table %u, is damaged; restore a backup"
                                         : "record %llu is of the unknown table %u",
                               (unsigned long long)visit->report->records, table);
    }
    return P2_OK;
}

static int check_pages(struct p2_store *store, struct p2_txn *txn, struct p2_store_report *report,
                       struct p2_failure *failure)
{
    struct p2_span file;
    int error = map_file(p2_store_file(store), &file);
    if (error != P2_OK) {
        return p2_fail(failure, error, "cannot map the file of %s", p2_store_folder(store));
    }
    error = p2_pages_check(file, p2_txn_number(txn), P2_PAGES_ALL, &report->pages, failure);
    unmap_file(file);
    return error;
}

int p2_store_check(struct p2_store *store, struct p2_store_report *report,
                   struct p2_failure *failure)
{
    struct visit visit = {.schema = p2_store_schema(store), .report = report, .failure = failure};
    struct p2_txn txn;
    int error = P2_E_NOENT;
    memset(report, 0, sizeof *report);
    for (unsigned i = 0; i < TRIES_MAX && error == P2_E_NOENT; i++) {
        p2_txn_begin_read(&txn, store);
        error = txn.error == P2_OK ? check_pages(store, &txn, report, failure) : txn.error;
        if (error == P2_OK) {
            error = p2_txn_walk(&txn, visit_record, &visit);
        }
        (void)p2_txn_end_read(&txn); /* its error is in `error` */
    }
    if (error == P2_E_NOENT) {
        return p2_fail(failure, P2_E_AGAIN, "the store %s changes too fast; try again",
                       p2_store_folder(store));
    }
    if (error != P2_OK) {
        return error == P2_E_CORRUPT ? error
                                     : p2_fail(failure, error, "cannot read the store %s: %s",
                                               p2_store_folder(store), p2_error_text(error));
    }
    return visit.error;
}
