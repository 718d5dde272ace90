/* The worker process; see the header. After p2_lockdown_worker the only system calls here are one
 * read and one write per hand-over. */
#include "exec/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a poisoned arena is filled with. Chosen: neither zero nor a small number nor a character. */
#define POISON 0xa5

/* Alignment promised for arenas by p2c2r/kernel.h. */
#define ARENA_ALIGNMENT 64u

struct view {
    struct p2_slot_view slot;
    const uint8_t *blobs;
};

static _Noreturn void give_up(struct view *view, const struct p2_lockdown *lock)
{
    if (view->slot.reply != NULL) {
        view->slot.reply->failed_step = lock->failed_step;
        view->slot.reply->failed_errno = lock->failed_errno;
    }
    _exit(P2_LOCK_EXIT_STEP + (int)lock->failed_step);
}

/* Maps slot and blobs, then locks. Returns only when everything mandatory holds. */
static void enter(struct view *view, struct p2_lockdown *lock, const struct p2_worker *worker)
{
    memset(view, 0, sizeof *view);
    int error = p2_slot_view_open(&view->slot, worker->slot_fd);
    if (error == P2_OK && worker->blob_fd >= 0) {
        void *map = mmap(NULL, worker->blob_bytes, PROT_READ, MAP_SHARED, worker->blob_fd, 0);
        if (map == MAP_FAILED) {
            error = P2_E_NOMEM;
        }
        view->blobs = map;
    }
    if (error != P2_OK) {
        lock->failed_step = P2_LOCK_DESCRIPTORS;
        lock->failed_errno = errno;
        give_up(view, lock);
    }
    if (p2_lockdown_worker(lock, &worker->lock) != P2_OK) {
        give_up(view, lock);
    }
}

static void announce(struct view *view, const struct p2_lockdown *lock,
                     const struct p2_worker *worker)
{
    struct p2_slot_reply *reply = view->slot.reply;
    reply->features = lock->features;
    reply->generation = worker->generation;
    atomic_store_explicit(&reply->sequence, P2_SLOT_READY, memory_order_release);
}

static void signal_daemon(void)
{
    uint64_t one = 1;
    if (write(P2_LOCK_DONE_FD, &one, sizeof one) != (ssize_t)sizeof one) {
        _exit(P2_LOCK_EXIT_STEP + (int)P2_LOCK_DESCRIPTORS);
    }
}

static void wait_for_work(void)
{
    uint64_t count;
    if (read(P2_LOCK_WAKE_FD, &count, sizeof count) != (ssize_t)sizeof count) {
        _exit(P2_LOCK_EXIT_STEP + (int)P2_LOCK_DESCRIPTORS);
    }
}

/* Runs one entry of the request, which the daemon has checked and this process cannot change. */
static void run_entry(const struct view *view, const struct p2_worker *worker, uint32_t index)
{
    const struct p2_slot_entry *entry = &view->slot.request->entries[index];
    struct p2_slot_outcome_raw *outcome = &view->slot.reply->outcomes[index];
    const struct p2c2r_kernel *kernel = worker->kernels[entry->kernel];
    struct p2c2r_bytes blobs[P2C2R_BLOBS_MAX];
    struct p2c2r_bytes result = {view->slot.result + entry->result_offset, entry->result_size};
    size_t size = 0;
    int status = P2C2R_KERNEL_BAD_INPUT;
    for (uint32_t i = 0; i < entry->blob_count; i++) {
        blobs[i].data = view->blobs + entry->blobs[i].offset;
        blobs[i].size = entry->blobs[i].size;
    }
    /* The arena's end meets the guard page, so that writing beyond it is seen. */
    size_t arena = (kernel->arena_bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
    const struct p2c2r_kernel_args args = {
        .input = {view->slot.input + entry->input_offset, entry->input_size},
        .blobs = blobs,
        .blob_count = entry->blob_count,
        .output = view->slot.output + entry->output_offset,
        .output_capacity = entry->output_capacity,
        .arena = worker->arena.data + (worker->arena.size - arena),
        .arena_size = kernel->arena_bytes,
    };
    if (worker->poisons_arena) {
        memset(args.arena, POISON, args.arena_size);
    }
    p2_lockdown_reset_float();
    switch ((enum p2_task_operation)entry->operation) {
    case P2_TASK_RUN:
        status = kernel->run(&args, &size);
        break;
    case P2_TASK_CHECK:
        status = kernel->check(&args, result, entry->secret);
        break;
    case P2_TASK_CANONICAL:
        status = kernel->canonical(&args, result, &size);
        break;
    }
    outcome->status = status;
    outcome->size = status == P2C2R_KERNEL_OK ? size : 0;
}

_Noreturn void p2_worker_main(struct p2_lockdown *lock, const struct p2_worker *worker)
{
    struct view view;
    enter(&view, lock, worker);
    announce(&view, lock, worker);
    signal_daemon();
    for (;;) {
        wait_for_work();
        uint64_t sequence =
            atomic_load_explicit(&view.slot.request->sequence, memory_order_acquire);
        uint32_t count = view.slot.request->count;
        for (uint32_t i = 0; i < count; i++) {
            run_entry(&view, worker, i);
        }
        view.slot.reply->count = count;
        atomic_store_explicit(&view.slot.reply->sequence, sequence, memory_order_release);
        signal_daemon();
    }
}

_Noreturn void p2_worker_probe(struct p2_lockdown *lock, const struct p2_worker *worker)
{
    struct view view;
    enter(&view, lock, worker);
    announce(&view, lock, worker);
    (void)socket(AF_UNIX, SOCK_STREAM, 0); /* must not come back */
    _exit(P2_LOCK_EXIT_STEP + (int)P2_LOCK_SECCOMP);
}

_Noreturn void p2_worker_hold(struct p2_lockdown *lock, const struct p2_worker *worker)
{
    struct view view;
    enter(&view, lock, worker);
    for (;;) {
        wait_for_work();
    }
}
