/* Saves as people handle them. */
#include "authority/store/saves.h"

#include "authority/store/session_internal.h"
#include "base/text.h"
#include "store/codec.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long a client's pipe may stand still. Chosen: longer than a slow disk, shorter than patience. */
#define PIPE_WAIT_MS 10000

/* Bytes read at a time. Chosen: a chunk. */
#define READ_BYTES ((size_t)64 << 10)

/* The most bytes a file with a world of `world` bytes can have (store/save_file.h). */
static size_t file_max(size_t world)
{
    size_t chunks = (world + P2_SNAPSHOT_CHUNK - 1) / P2_SNAPSHOT_CHUNK;
    return 512 + chunks * (4 + 32 + P2_CODEC_FRAME_MAX(P2_SNAPSHOT_CHUNK));
}

/* ---- names -------------------------------------------------------------------------------------------- */

static const struct {
    enum p2_snapshot_kind kind;
    const char *prefix;
} kinds[] = {
    {P2_SNAPSHOT_CHECKPOINT, "checkpoint-"},
    {P2_SNAPSHOT_AUTOSAVE, "autosave-"},
    {P2_SNAPSHOT_HOURLY, "hourly-"},
};

void p2_save_label(char label[P2_SAVE_LABEL_MAX], const struct p2_snapshot_info *info)
{
    (void)snprintf(label, P2_SAVE_LABEL_MAX, "%s", info->name);
    for (size_t i = 0; i < P2_COUNT_OF(kinds); i++) {
        if (kinds[i].kind == info->kind) {
            (void)snprintf(label, P2_SAVE_LABEL_MAX, "%s%llu", kinds[i].prefix,
                           (unsigned long long)info->number);
        }
    }
}

/* Is it a label of one of the kinds with numbers? */
static bool parse_label(const char *label, enum p2_snapshot_kind *ret_kind, uint64_t *ret_number)
{
    for (size_t i = 0; i < P2_COUNT_OF(kinds); i++) {
        size_t length = strlen(kinds[i].prefix), digits = 0;
        if (strncmp(label, kinds[i].prefix, length) != 0) {
            continue;
        }
        uint64_t number = 0;
        for (; label[length + digits] >= '0' && label[length + digits] <= '9' && digits < 19;
             digits++) {
            number = number * 10 + (uint64_t)(label[length + digits] - '0');
        }
        *ret_kind = kinds[i].kind;
        *ret_number = number;
        return digits > 0 && label[length + digits] == '\0';
    }
    return false;
}

bool p2_save_name_is_good(const char *name)
{
    enum p2_snapshot_kind kind;
    uint64_t number;
    size_t length = strnlen(name, P2_SNAPSHOT_NAME_MAX + 1);
    return length >= 1 && length <= P2_SNAPSHOT_NAME_MAX && name[0] != '-' &&
           strchr(name, '/') == NULL && p2_text_is_clean(p2_span(name, length)) &&
           !parse_label(name, &kind, &number);
}

/* ---- finding ------------------------------------------------------------------------------------------ */

static int find(struct p2_txn *txn, const struct p2_snapshot_place *place, const char *label,
                enum p2_snapshot_kind *ret_kind, uint64_t *ret_number)
{
    struct p2_snapshot_info info;
    if (parse_label(label, ret_kind, ret_number)) {
        return P2_OK;
    }
    int error = p2_snapshot_find(txn, place, label, &info);
    if (error == P2_OK) {
        *ret_kind = info.kind;
        *ret_number = info.number;
    }
    return error;
}

int p2_saves_list(struct p2_store *store, uint64_t session, struct p2_snapshot_info *infos,
                  size_t *ret_count, size_t *ret_damaged)
{
    struct p2_snapshot_place place = p2_session_snapshot_place(session);
    struct p2_txn txn;
    p2_txn_begin_read(&txn, store);
    *ret_count = p2_snapshot_list(&txn, &place, infos, ret_damaged);
    return p2_txn_end_read(&txn);
}

void p2_saves_offer(struct p2_store *store, uint64_t session, char offer[P2_SAVE_OFFER_MAX])
{
    struct p2_snapshot_place place = p2_session_snapshot_place(session);
    struct p2_snapshot_info info;
    struct p2_buf world;
    struct p2_txn txn;
    p2_buf_init(&world, P2_SNAPSHOT_WORLD_MAX);
    p2_txn_begin_read(&txn, store);
    int error =
        txn.error != P2_OK ? txn.error : p2_snapshot_newest_good(&txn, &place, &world, &info);
    (void)p2_txn_end_read(&txn); /* damage of others is what the search steps over */
    p2_buf_free(&world);
    if (error == P2_OK) {
        char label[P2_SAVE_LABEL_MAX];
        p2_save_label(label, &info);
        (void)snprintf(offer, P2_SAVE_OFFER_MAX, "the newest whole save is \"%s\", of frame %llu",
                       label, (unsigned long long)info.frame);
    } else {
        (void)snprintf(offer, P2_SAVE_OFFER_MAX, "no other save is whole");
    }
}

/* ---- reading ------------------------------------------------------------------------------------------ */

static int read_in(struct p2_txn *txn, uint64_t session, const char *label, struct p2_buf *world,
                   struct p2_save_origin *ret_origin, struct p2_snapshot_info *ret_info,
                   struct p2_failure *failure)
{
    struct p2_snapshot_place place = p2_session_snapshot_place(session);
    struct p2_checkpoint checkpoint = {0};
    enum p2_snapshot_kind kind;
    uint64_t number;
    int error = find(txn, &place, label, &kind, &number);
    if (error == P2_OK) {
        error = p2_snapshot_read(txn, &place, kind, number, world, ret_info, failure);
    }
    if (error == P2_OK && ret_origin != NULL) {
        error = p2_checkpoint_read(txn, session, kind, number, &checkpoint, &ret_origin->host);
        ret_origin->schema = checkpoint.schema;
        if (error == P2_E_NOENT || error == P2_E_CORRUPT) {
            error = p2_fail(failure, P2_E_CORRUPT, "the record beside its world: %s",
                            p2_error_text(P2_E_CORRUPT));
        }
    }
    return error;
}

int p2_saves_read(struct p2_store *store, uint64_t session, const char *label, struct p2_buf *world,
                  struct p2_save_origin *ret_origin, struct p2_snapshot_info *ret_info,
                  struct p2_failure *failure)
{
    struct p2_failure why = {0};
    struct p2_txn txn;
    p2_txn_begin_read(&txn, store);
    int error = txn.error != P2_OK
                    ? txn.error
                    : read_in(&txn, session, label, world, ret_origin, ret_info, &why);
    int end = p2_txn_end_read(&txn);
    error = error != P2_OK ? error : end;
    if (error == P2_E_NOENT) {
        return p2_fail(failure, error, "there is no save \"%s\"; see p2c2rctl save list", label);
    }
    if (error == P2_E_CORRUPT) {
        char offer[P2_SAVE_OFFER_MAX];
        p2_buf_clear(world);
        p2_saves_offer(store, session, offer);
        return p2_fail(failure, error, "save \"%s\" is damaged and is not used (%s); %s", label,
                       why.message[0] != '\0' ? why.message : p2_error_text(error), offer);
    }
    return error == P2_OK ? P2_OK
                          : p2_fail(failure, error, "save \"%s\" cannot be read: %s", label,
                                    p2_error_text(error));
}

/* ---- changing ----------------------------------------------------------------------------------------- */

struct deletion {
    uint64_t session;
    char label[P2_SAVE_LABEL_MAX];
};

static int delete_save(struct p2_txn *txn, void *ctx)
{
    const struct deletion *deletion = ctx;
    struct p2_snapshot_place place = p2_session_snapshot_place(deletion->session);
    enum p2_snapshot_kind kind;
    uint64_t number;
    int error = find(txn, &place, deletion->label, &kind, &number);
    return error == P2_OK ? p2_session_save_delete(txn, deletion->session, kind, number) : error;
}

int p2_saves_delete(struct p2_batch *batch, uint64_t session, const char *label)
{
    enum p2_snapshot_kind kind;
    uint64_t number;
    bool is_numbered = parse_label(label, &kind, &number);
    if (strnlen(label, P2_SAVE_LABEL_MAX) >= P2_SAVE_LABEL_MAX ||
        (is_numbered && kind == P2_SNAPSHOT_CHECKPOINT)) {
        return P2_E_INVALID;
    }
    struct deletion *deletion = calloc(1, sizeof *deletion);
    if (deletion == NULL) {
        return P2_E_NOMEM;
    }
    deletion->session = session;
    (void)snprintf(deletion->label, sizeof deletion->label, "%s", label);
    p2_batch_own(batch, free, deletion);
    p2_batch_work(batch, delete_save, deletion, sizeof *deletion);
    return P2_OK;
}

static void release_addition(void *ctx)
{
    struct p2_session_saving *saving = ctx;
    p2_image_free(saving->image);
    free(saving);
}

static int add_save(struct p2_txn *txn, void *ctx)
{
    struct p2_session_saving *saving = ctx;
    int error = p2_session_write_named(txn, saving);
    return error != P2_OK ? error : saving->name_error;
}

int p2_saves_add(struct p2_batch *batch, uint64_t session, const char *name, uint64_t frame,
                 uint32_t schema, uint64_t made_ms, struct p2_image *image)
{
    struct p2_session_saving *saving =
        p2_save_name_is_good(name) ? calloc(1, sizeof *saving) : NULL;
    if (saving == NULL) {
        p2_image_free(image);
        return p2_save_name_is_good(name) ? P2_E_NOMEM : P2_E_INVALID;
    }
    saving->session = session;
    saving->frame = frame;
    saving->schema = schema;
    saving->made_ms = made_ms;
    saving->has_name = true;
    (void)snprintf(saving->name, sizeof saving->name, "%s", name);
    saving->image = image;
    p2_batch_own(batch, release_addition, saving);
    p2_batch_work(batch, add_save, saving, p2_image_fresh(image));
    return P2_OK;
}

/* ---- files -------------------------------------------------------------------------------------------- */

/* Waits until a client's descriptor can go on. A file always can. */
static int wait_for(int fd, short events)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    int ready;
    do {
        ready = poll(&poll_fd, 1, PIPE_WAIT_MS);
    } while (ready < 0 && errno == EINTR);
    return ready > 0 ? P2_OK : ready == 0 ? P2_E_TIMEOUT : P2_E_IO;
}

static int write_all(int fd, struct p2_span bytes)
{
    struct stat status;
    /* A pipe takes this much at once when it takes anything (POSIX, PIPE_BUF). */
    bool is_file = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    size_t part_max = is_file ? (size_t)1 << 20 : PIPE_BUF;
    while (bytes.size > 0) {
        int error = wait_for(fd, POLLOUT);
        if (error != P2_OK) {
            return error;
        }
        ssize_t written = write(fd, bytes.data, bytes.size < part_max ? bytes.size : part_max);
        if (written < 0 && errno != EINTR && errno != EAGAIN) {
            return errno == ENOSPC || errno == EDQUOT ? P2_E_NODISK
                   : errno == EPIPE                   ? P2_E_CLOSED
                                                      : P2_E_IO;
        }
        size_t done = written < 0 ? 0 : (size_t)written;
        bytes = p2_span(bytes.data + done, bytes.size - done);
    }
    return P2_OK;
}

int p2_saves_export(struct p2_store *store, uint64_t session, const char *label, const char *game,
                    int fd, struct p2_failure *failure)
{
    struct p2_buf world, file;
    struct p2_snapshot_info info = {0};
    struct p2_save_origin origin = {.schema = 0};
    struct p2_save_head head = {0};
    p2_buf_init(&world, P2_SNAPSHOT_WORLD_MAX);
    p2_buf_init(&file, file_max(P2_SNAPSHOT_WORLD_MAX));
    p2_buf_init(&origin.host, P2_SESSION_HOST_MAX);
    int error = p2_saves_read(store, session, label, &world, &origin, &info, failure);
    if (error == P2_OK) {
        head.frame = info.frame;
        head.made_ms = info.made_ms;
        head.schema = origin.schema;
        (void)snprintf(head.game, sizeof head.game, "%s", game);
        (void)snprintf(head.name, sizeof head.name, "%s", info.name);
        error = p2_save_file_write(&file, &head, p2_buf_span(&world));
        if (error == P2_OK) {
            error = write_all(fd, p2_buf_span(&file));
        }
        if (error != P2_OK) {
            (void)p2_fail(failure, error, "save \"%s\" cannot be written to that file: %s", label,
                          p2_error_text(error));
        }
    }
    p2_buf_free(&world);
    p2_buf_free(&file);
    p2_buf_free(&origin.host);
    return error;
}

static int read_all(int fd, struct p2_buf *file)
{
    uint8_t *part = malloc(READ_BYTES);
    int error = part == NULL ? P2_E_NOMEM : P2_OK;
    while (error == P2_OK) {
        error = wait_for(fd, POLLIN);
        if (error != P2_OK) {
            break;
        }
        ssize_t size = read(fd, part, READ_BYTES);
        if (size == 0) {
            break;
        }
        if (size < 0) {
            error = errno == EINTR || errno == EAGAIN ? P2_OK : P2_E_IO;
            continue;
        }
        error = p2_buf_append(file, p2_span(part, (size_t)size));
        error = error == P2_E_LIMIT ? P2_E_TOO_BIG : error;
    }
    free(part);
    return error;
}

int p2_saves_import(int fd, const char *game, size_t world_max, struct p2_image **ret_image,
                    struct p2_save_head *ret_head, struct p2_failure *failure)
{
    struct p2_buf file, world;
    struct p2_save_head head = {0};
    size_t limit = world_max < P2_SNAPSHOT_WORLD_MAX ? world_max : P2_SNAPSHOT_WORLD_MAX;
    p2_buf_init(&file, file_max(limit));
    p2_buf_init(&world, limit);
    int error = read_all(fd, &file);
    if (error != P2_OK) {
        (void)p2_fail(failure, error, "this save cannot be used: %s", p2_error_text(error));
    } else {
        error = p2_save_file_read(p2_buf_span(&file), limit, &head, &world, failure);
    }
    if (error == P2_OK && strcmp(head.game, game) != 0) {
        error = p2_fail(failure, P2_E_INVALID, "this save is of the game \"%s\", not of \"%s\"",
                        head.game, game);
    }
    if (error == P2_OK) {
        error = p2_image_of(p2_buf_span(&world), ret_image);
    }
    if (error == P2_OK) {
        *ret_head = head;
    }
    p2_buf_free(&file);
    p2_buf_free(&world);
    return error;
}
