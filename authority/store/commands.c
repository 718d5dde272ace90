/* save list, create, restore, delete, export, import. */
#include "authority/store/commands.h"

#include "authority/store/session_store.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* One command on its way. */
struct job {
    uv_work_t work;
    struct p2_save_commands *commands;
    struct p2_ctl_call *call;
    struct p2_save_session session;
    char name[P2_SAVE_LABEL_MAX];
    char game[P2_SNAPSHOT_NAME_MAX + 1];
    int fd;
    int error;
    struct p2_failure failure;
    struct p2_snapshot_info *infos; /* of a list */
    size_t count, damaged;
    struct p2_buf world; /* of a restore */
    struct p2_save_origin origin;
    struct p2_snapshot_info info;
    struct p2_image *image; /* of an import */
    struct p2_save_head head;
    bool has_name;
};

static void job_free(struct job *job)
{
    if (job->fd >= 0) {
        (void)close(job->fd); /* what was written was synced, or the error told */
    }
    free(job->infos);
    p2_buf_free(&job->world);
    p2_buf_free(&job->origin.host);
    p2_image_free(job->image);
    job->commands->calls--;
    free(job);
}

/* Ends a job with its error, or with `result`. */
static void answer(struct job *job, json_t *result)
{
    if (job->error == P2_OK) {
        p2_ctl_reply(job->call, result);
    } else {
        json_decref(result);
        p2_ctl_refuse(job->call, job->error, "%s",
                      job->failure.message[0] != '\0' ? job->failure.message
                                                      : p2_error_text(job->error));
    }
    job_free(job);
}

/* ---- arguments ---------------------------------------------------------------------------------------- */

/* Reads the arguments and finds the session. On an error the call is answered and NULL returned. */
static struct job *job_new(struct p2_ctl_call *call, struct p2_save_commands *commands,
                           bool needs_name)
{
    json_int_t session = 0;
    const char *name = NULL;
    json_error_t problem;
    int fd = p2_ctl_call_take_fd(call);
    json_t *arguments = (json_t *)(uintptr_t)p2_ctl_call_arguments(call); /* unpacking only reads */
    struct job *job = calloc(1, sizeof *job);
    struct p2_save_session found = {0};
    int error = job == NULL ? P2_E_NOMEM : P2_OK;
    if (error == P2_OK && json_unpack_ex(arguments, &problem, JSON_STRICT, "{s?I, s?s}", "session",
                                         &session, "name", &name) != 0) {
        error = P2_E_INVALID;
    }
    if (error == P2_OK && (session < 0 || (needs_name && name == NULL) ||
                           (name != NULL && strlen(name) >= P2_SAVE_LABEL_MAX))) {
        error = P2_E_INVALID;
    }
    if (error != P2_OK) {
        p2_ctl_refuse(call, error, "arguments: {\"session\": number, \"name\": at most %u bytes}",
                      P2_SAVE_LABEL_MAX - 1);
    } else {
        error = commands->port->find(commands->ctx, (uint64_t)session, &found);
        if (error != P2_OK) {
            p2_ctl_refuse(call, error,
                          error == P2_E_INVALID
                              ? "several sessions are there; add the number of one"
                              : "no such session");
        }
    }
    if (error != P2_OK) {
        if (fd >= 0) {
            (void)close(fd); /* nothing was done with it */
        }
        free(job);
        return NULL;
    }
    *job = (struct job){
        .commands = commands, .call = call, .session = found, .fd = fd, .has_name = name != NULL};
    (void)snprintf(job->name, sizeof job->name, "%s", name != NULL ? name : "");
    (void)snprintf(job->game, sizeof job->game, "%s", found.game);
    p2_buf_init(&job->world, P2_SNAPSHOT_WORLD_MAX);
    p2_buf_init(&job->origin.host, P2_SESSION_HOST_MAX);
    commands->calls++;
    return job;
}

static void refuse(struct job *job, int error, const char *text)
{
    job->error = p2_fail(&job->failure, error, "%s", text);
    answer(job, NULL);
}

static uint64_t now_ms(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now); /* always there on Linux */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void queue(struct job *job, uv_work_cb run, uv_after_work_cb done)
{
    job->work.data = job;
    if (uv_queue_work(p2_ctl_call_loop(job->call), &job->work, run, done) != 0) {
        refuse(job, P2_E_IO, "the work cannot be started");
    }
}

/* ---- list --------------------------------------------------------------------------------------------- */

static void run_list(uv_work_t *work)
{
    struct job *job = work->data;
    job->infos = calloc(P2_SNAPSHOTS_MAX, sizeof *job->infos);
    job->error = job->infos == NULL ? P2_E_NOMEM
                                    : p2_saves_list(job->commands->store, job->session.session,
                                                    job->infos, &job->count, &job->damaged);
}

static void on_listed(uv_work_t *work, int status)
{
    struct job *job = work->data;
    json_t *rows = json_array();
    (void)status; /* nobody cancels it */
    for (size_t i = 0; i < job->count && job->error == P2_OK; i++) {
        static const char *const kinds[] = {"", "checkpoint", "autosave", "hourly", "named"};
        const struct p2_snapshot_info *info = &job->infos[i];
        char label[P2_SAVE_LABEL_MAX];
        p2_save_label(label, info);
        (void)json_array_append_new(
            rows, json_pack("{s:s, s:s, s:I, s:I, s:I}", "name", label, "kind", kinds[info->kind],
                            "frame", (json_int_t)info->frame, "made_ms", (json_int_t)info->made_ms,
                            "bytes", (json_int_t)info->bytes));
    }
    answer(job, json_pack("{s:I, s:I, s:o}", "session", (json_int_t)job->session.session, "damaged",
                          (json_int_t)job->damaged, "saves", rows));
}

static void on_list(struct p2_ctl_call *call, void *ctx)
{
    struct job *job = job_new(call, ctx, false);
    if (job != NULL) {
        queue(job, run_list, on_listed);
    }
}

/* ---- create ------------------------------------------------------------------------------------------- */

/* The shell's answer, or the writer's. */
static void on_changed(void *ctx, int error, const struct p2_failure *failure)
{
    struct job *job = ctx;
    job->error = error;
    if (error != P2_OK && failure != NULL) {
        job->failure = *failure;
    }
    answer(job, error == P2_OK ? json_pack("{s:s}", "name", job->name) : NULL);
}

static void on_create(struct p2_ctl_call *call, void *ctx)
{
    struct job *job = job_new(call, ctx, true);
    if (job == NULL) {
        return;
    }
    if (!p2_save_name_is_good(job->name)) {
        refuse(job, P2_E_INVALID,
               "a save's name has 1 to 64 bytes of text without \"/\", does not begin with \"-\", "
               "and is not that of a checkpoint or autosave");
        return;
    }
    int error = job->commands->port->create(job->commands->ctx, job->session.session, job->name,
                                            on_changed, job);
    if (error != P2_OK) {
        refuse(job, error, p2_error_text(error));
    }
}

/* ---- restore ------------------------------------------------------------------------------------------ */

static void run_restore(uv_work_t *work)
{
    struct job *job = work->data;
    job->error = p2_saves_read(job->commands->store, job->session.session, job->name, &job->world,
                               &job->origin, &job->info, &job->failure);
}

static void on_read(uv_work_t *work, int status)
{
    struct job *job = work->data;
    (void)status; /* nobody cancels it */
    if (job->error != P2_OK) {
        answer(job, NULL);
        return;
    }
    int error = job->commands->port->restore(job->commands->ctx, job->session.session, &job->world,
                                             &job->origin, &job->info, on_changed, job);
    if (error != P2_OK) {
        refuse(job, error, p2_error_text(error));
    }
}

static void on_restore(struct p2_ctl_call *call, void *ctx)
{
    struct job *job = job_new(call, ctx, true);
    if (job != NULL) {
        queue(job, run_restore, on_read);
    }
}

/* ---- delete ------------------------------------------------------------------------------------------- */

static void on_deleted(void *ctx, int error, const struct p2_failure *failure)
{
    struct job *job = ctx;
    struct p2_failure none;
    if (error == P2_E_NOENT) {
        (void)p2_fail(&none, error, "there is no save \"%s\"; see p2c2rctl save list", job->name);
        failure = &none;
    }
    on_changed(job, error, failure);
}

/* Submits a batch that one of p2_saves_* filled with `error`; takes it. */
static void submit(struct job *job, struct p2_batch *batch, int error, p2_batch_done_fn *done)
{
    if (error == P2_OK) {
        error = p2_store_writer_submit(job->commands->writer, batch, done, job);
    }
    if (error != P2_OK) {
        p2_batch_free(batch);
        refuse(job, error,
               error == P2_E_INVALID ? "checkpoints belong to the program; only saves are deleted"
                                     : p2_error_text(error));
    }
}

static void on_delete(struct p2_ctl_call *call, void *ctx)
{
    struct job *job = job_new(call, ctx, true);
    if (job == NULL) {
        return;
    }
    struct p2_batch *batch = p2_batch_new();
    submit(job, batch,
           batch == NULL ? P2_E_NOMEM : p2_saves_delete(batch, job->session.session, job->name),
           on_deleted);
}

/* ---- export and import -------------------------------------------------------------------------------- */

static void run_export(uv_work_t *work)
{
    struct job *job = work->data;
    job->error = p2_saves_export(job->commands->store, job->session.session, job->name, job->game,
                                 job->fd, &job->failure);
    if (job->error == P2_OK) {
        (void)fsync(job->fd); /* a pipe cannot; the file is a copy, the store has the save */
    }
}

static void on_exported(uv_work_t *work, int status)
{
    struct job *job = work->data;
    (void)status; /* nobody cancels it */
    off_t bytes = lseek(job->fd, 0, SEEK_CUR);
    answer(job, json_pack("{s:s, s:I}", "name", job->name, "bytes",
                          (json_int_t)(bytes < 0 ? 0 : bytes)));
}

static void on_export(struct p2_ctl_call *call, void *ctx)
{
    struct job *job = job_new(call, ctx, true);
    if (job != NULL && job->fd < 0) {
        refuse(job, P2_E_INVALID, "export needs a file to write to");
    } else if (job != NULL) {
        queue(job, run_export, on_exported);
    }
}

static void run_import(uv_work_t *work)
{
    struct job *job = work->data;
    job->error = p2_saves_import(job->fd, job->game, job->session.world_max, &job->image,
                                 &job->head, &job->failure);
}

static void on_added(void *ctx, int error, const struct p2_failure *failure)
{
    struct job *job = ctx;
    struct p2_failure own;
    if (error == P2_E_EXIST || error == P2_E_LIMIT) {
        (void)p2_fail(&own, error,
                      error == P2_E_EXIST ? "there is a save \"%s\"; delete it first"
                                          : "save \"%s\": too many named saves; delete some first",
                      job->name);
        failure = &own;
    }
    on_changed(job, error, failure);
}

static void on_imported(uv_work_t *work, int status)
{
    struct job *job = work->data;
    (void)status; /* nobody cancels it */
    if (job->error != P2_OK) {
        answer(job, NULL);
        return;
    }
    if (!job->has_name) {
        (void)snprintf(job->name, sizeof job->name, "%s", job->head.name);
    }
    if (!p2_save_name_is_good(job->name)) {
        refuse(job, P2_E_INVALID, "the file names no save, or badly; give a name");
        return;
    }
    struct p2_batch *batch = p2_batch_new();
    struct p2_image *image = job->image;
    job->image = NULL;
    int error = P2_E_NOMEM;
    if (batch == NULL) {
        p2_image_free(image);
    } else {
        error = p2_saves_add(batch, job->session.session, job->name, job->head.frame,
                             job->head.schema, now_ms(), image);
    }
    submit(job, batch, error, on_added);
}

static void on_import(struct p2_ctl_call *call, void *ctx)
{
    struct job *job = job_new(call, ctx, false);
    if (job != NULL && job->fd < 0) {
        refuse(job, P2_E_INVALID, "import needs a file to read");
    } else if (job != NULL) {
        queue(job, run_import, on_imported);
    }
}

int p2_save_commands_add(struct p2_ctl_server *server, struct p2_save_commands *commands)
{
    const struct p2_ctl_command rows[] = {
        {"save-list", P2_CTL_ANYONE, on_list, commands},
        {"save-create", P2_CTL_ADMIN, on_create, commands},
        {"save-restore", P2_CTL_ADMIN, on_restore, commands},
        {"save-delete", P2_CTL_ADMIN, on_delete, commands},
        {"save-export", P2_CTL_ADMIN, on_export, commands},
        {"save-import", P2_CTL_ADMIN, on_import, commands},
    };
    int error = P2_OK;
    for (size_t i = 0; i < P2_COUNT_OF(rows) && error == P2_OK; i++) {
        error = p2_ctl_server_add(server, &rows[i]);
    }
    return error;
}
