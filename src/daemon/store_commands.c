/* store check, store stats, backup. */
#include "daemon/store_commands.h"

#include "store/check.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* One command that runs on libuv's pool. */
struct job {
    uv_work_t work;
    struct p2_store_commands *commands;
    struct p2_ctl_call *call;
    int fd; /* of a backup; -1 otherwise */
    int error;
    struct p2_failure failure;
    struct p2_store_report report;
};

/* ---- stats -------------------------------------------------------------------------------------------- */

static int add(json_t *object, const char *name, uint64_t value)
{
    return json_object_set_new(object, name, json_integer((json_int_t)value));
}

static json_t *describe_writer(struct p2_store_writer *writer)
{
    struct p2_store_writer_stats stats = p2_store_writer_stats(writer);
    json_t *object = json_object();
    int bad =
        add(object, "commits", stats.commits) | add(object, "batches", stats.batches) |
        add(object, "failed", stats.failed) | add(object, "bytes", stats.bytes) |
        add(object, "queued", stats.queued) | add(object, "largest_group", stats.largest_group) |
        add(object, "commit_mean_us", stats.commits > 0 ? stats.commit_us / stats.commits : 0) |
        add(object, "commit_max_us", stats.commit_max_us) |
        json_object_set_new(object, "state",
                            json_string(stats.last_error == P2_OK
                                            ? "takes promises"
                                            : p2_error_text(stats.last_error)));
    if (bad != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static void on_stats(struct p2_ctl_call *call, void *ctx)
{
    const struct p2_store_commands *commands = ctx;
    struct p2_store_stats stats;
    int error = p2_store_stats(commands->store, &stats);
    if (error != P2_OK) {
        p2_ctl_refuse(call, error, "the store cannot be read: %s", p2_error_text(error));
        return;
    }
    json_t *object = json_object();
    int bad =
        json_object_set_new(object, "folder", json_string(p2_store_folder(commands->store))) |
        add(object, "records", stats.records) | add(object, "used_bytes", stats.used_bytes) |
        add(object, "map_bytes", stats.map_bytes) | add(object, "page_bytes", stats.page_bytes) |
        add(object, "tree_pages", stats.tree_pages) | add(object, "depth", stats.depth) |
        add(object, "last_commit", stats.last_commit) | add(object, "readers", stats.readers) |
        add(object, "growths", stats.growths) | add(object, "reopenings", stats.reopenings) |
        add(object, "stale_cleared", stats.stale_cleared);
    if (bad == 0 && commands->writer != NULL) {
        bad = json_object_set_new(object, "writer", describe_writer(commands->writer));
    }
    if (bad != 0) {
        json_decref(object);
        object = NULL;
    }
    p2_ctl_reply(call, object);
}

/* ---- check and backup --------------------------------------------------------------------------------- */

static void run_check(uv_work_t *work)
{
    struct job *job = work->data;
    job->error = p2_store_check(job->commands->store, &job->report, &job->failure);
}

static json_t *describe_report(const struct p2_store *store, const struct p2_store_report *report)
{
    const struct p2_schema *schema = p2_store_schema(store);
    json_t *tables = json_object(), *object = json_object();
    int bad = 0;
    for (size_t i = 0; i < schema->table_count; i++) {
        bad |= json_object_set_new(tables, schema->tables[i].name,
                                   json_pack("{s:I, s:I}", "records",
                                             (json_int_t)report->tables[i].records, "bytes",
                                             (json_int_t)report->tables[i].bytes));
    }
    bad |= json_object_set_new(object, "state", json_string("whole")) |
           add(object, "commit", report->pages.commit) | add(object, "records", report->records) |
           add(object, "branch_pages", report->pages.branches) |
           add(object, "leaf_pages", report->pages.leaves) |
           add(object, "overflow_pages", report->pages.overflow) |
           add(object, "free_pages", report->pages.free_pages) |
           json_object_set(object, "tables", tables);
    json_decref(tables);
    if (bad != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static void on_checked(uv_work_t *work, int status)
{
    struct job *job = work->data;
    (void)status; /* nobody cancels it */
    job->commands->calls--;
    if (job->error == P2_OK) {
        p2_ctl_reply(job->call, describe_report(job->commands->store, &job->report));
    } else {
        p2_ctl_refuse(job->call, job->error, "%s", job->failure.message);
    }
    free(job);
}

static void run_backup(uv_work_t *work)
{
    struct job *job = work->data;
    job->error = p2_store_backup(job->commands->store, job->fd, &job->failure);
    /* A pipe cannot be synced, and its reader keeps the bytes. */
    if (job->error == P2_OK && fsync(job->fd) != 0 && errno != EINVAL && errno != EROFS) {
        job->error = p2_fail(&job->failure, errno == ENOSPC ? P2_E_NODISK : P2_E_IO,
                             "the backup was written, but its disk did not confirm it");
    }
}

static void on_backed_up(uv_work_t *work, int status)
{
    struct job *job = work->data;
    (void)status; /* nobody cancels it */
    off_t bytes = lseek(job->fd, 0, SEEK_END);
    (void)close(job->fd); /* it is synced */
    job->commands->calls--;
    if (job->error == P2_OK) {
        p2_ctl_reply(job->call, json_pack("{s:I}", "bytes", (json_int_t)(bytes < 0 ? 0 : bytes)));
    } else {
        p2_ctl_refuse(job->call, job->error, "%s", job->failure.message);
    }
    free(job);
}

/* Starts a job on the pool; takes `fd`. */
static void start(struct p2_ctl_call *call, struct p2_store_commands *commands, int fd,
                  uv_work_cb run, uv_after_work_cb done)
{
    struct job *job = commands->calls == 0 ? calloc(1, sizeof *job) : NULL;
    int error = commands->calls != 0 ? P2_E_BUSY : job == NULL ? P2_E_NOMEM : P2_OK;
    if (error == P2_OK) {
        *job = (struct job){.work.data = job, .commands = commands, .call = call, .fd = fd};
        error = uv_queue_work(p2_ctl_call_loop(call), &job->work, run, done) == 0 ? P2_OK : P2_E_IO;
    }
    if (error != P2_OK) {
        free(job);
        if (fd >= 0) {
            (void)close(fd); /* nothing was written to it */
        }
        p2_ctl_refuse(call, error,
                      error == P2_E_BUSY ? "a check or backup is running; wait for it"
                                         : "out of memory");
        return;
    }
    commands->calls++;
}

static void on_check(struct p2_ctl_call *call, void *ctx)
{
    start(call, ctx, -1, run_check, on_checked);
}

static void on_backup(struct p2_ctl_call *call, void *ctx)
{
    int fd = p2_ctl_call_take_fd(call);
    if (fd < 0) {
        p2_ctl_refuse(call, P2_E_INVALID, "backup needs a file to write to");
        return;
    }
    start(call, ctx, fd, run_backup, on_backed_up);
}

int p2_store_commands_add(struct p2_ctl_server *server, struct p2_store_commands *commands)
{
    const struct p2_ctl_command rows[] = {
        {"store-stats", P2_CTL_ANYONE, on_stats, commands},
        {"store-check", P2_CTL_ADMIN, on_check, commands},
        {"backup", P2_CTL_ADMIN, on_backup, commands},
    };
    int error = P2_OK;
    for (size_t i = 0; i < P2_COUNT_OF(rows) && error == P2_OK; i++) {
        error = p2_ctl_server_add(server, &rows[i]);
    }
    return error;
}
