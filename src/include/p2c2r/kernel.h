/* Task kernels: the contract between a kernel and whoever runs it.
 *
 * A kernel is a pure function: its output bytes are a function of its input bytes and blobs and of
 * nothing else, and they are the same on every compiler, optimisation level and CPU. It allocates
 * nothing, keeps no state between calls, reads no clock and calls no library that does.
 *
 * Rules that make bits equal everywhere (each was measured): integers first; float only with
 * + - * / and sqrt, compiled with -ffp-contract=off; no libm transcendental function; a range check
 * before every conversion from float to integer; no NaN and no negative zero in outputs; fixed
 * order of sums; ties broken by index; no padding bytes in outputs. Layouts are little-endian and
 * written byte by byte.
 *
 * Numbers in input are hostile: whatever `run`, `check` and `cost` are given, they end in bounded
 * time, touch only the spans they were given, and report P2C2R_KERNEL_BAD_INPUT for input outside
 * the kernel's limits. Thread: all functions are reentrant when their arenas differ. */
#ifndef P2C2R_KERNEL_H
#define P2C2R_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of this contract; a host refuses kernels of another one. */
#define P2C2R_KERNEL_ABI 1

#define P2C2R_INPUT_MAX  (1u << 20)  /* bytes of input: a worker's slot has 1 MiB each way */
#define P2C2R_OUTPUT_MAX (1u << 20)  /* bytes of output */
#define P2C2R_BLOBS_MAX  64u         /* read-only blobs of one task */
#define P2C2R_BLOB_MAX   (1u << 20)  /* bytes of one blob */
#define P2C2R_ARENA_MAX  (64u << 20) /* bytes of scratch memory, mapped before a worker's lock-down */
#define P2C2R_NAME_MAX   32u         /* bytes of a kernel's name with its final zero */

/* Borrowed bytes; `data` may be NULL when `size` is 0. */
struct p2c2r_bytes {
    const uint8_t *data;
    size_t size; /* bytes */
};

enum p2c2r_kernel_status {
    P2C2R_KERNEL_OK = 0,
    P2C2R_KERNEL_BAD_INPUT = -1,  /* input or blobs are malformed or outside the limits */
    P2C2R_KERNEL_OUTPUT_FULL = -2, /* the output span is smaller than the result */
    P2C2R_KERNEL_ARENA_FULL = -3, /* the arena is smaller than the kernel declares */
    P2C2R_KERNEL_BAD_RESULT = -4  /* check only: the result is wrong for this input */
};

/* What a run may touch. Everything is borrowed for the length of the call. */
struct p2c2r_kernel_args {
    struct p2c2r_bytes input;
    const struct p2c2r_bytes *blobs; /* blobs[blob_count]: parts of a resident scene, say */
    uint32_t blob_count;             /* at most P2C2R_BLOBS_MAX */
    uint8_t *output;                 /* output[output_capacity] */
    size_t output_capacity;
    uint8_t *arena; /* arena[arena_size], 64-byte aligned, content arbitrary on entry */
    size_t arena_size;
};

/* A result is either part of the game's state or shown to a player only. */
enum p2c2r_kernel_kind {
    P2C2R_KERNEL_STATE = 1, /* reaches the game: audited before it counts */
    P2C2R_KERNEL_VIEW = 2   /* pixels and bytes for a client: never enters the state */
};

/* What a task reveals of the game to the helper that runs it. */
enum p2c2r_kernel_privacy {
    P2C2R_KERNEL_P0 = 0, /* self-contained, rebased and shuffled: nothing about the world */
    P2C2R_KERNEL_P1 = 1  /* needs a resident piece of the scene */
};

/* Where a generator writes one test case. */
struct p2c2r_kernel_case {
    uint8_t *input; /* input[P2C2R_INPUT_MAX], written by the generator */
    size_t input_size;
    uint8_t *blob_storage; /* blob_storage[blob_capacity], written by the generator */
    size_t blob_capacity;  /* at least blobs_max * blob_max of the kernel */
    struct p2c2r_bytes blobs[P2C2R_BLOBS_MAX]; /* into blob_storage */
    uint32_t blob_count;
    /* Asked of the generator, 0 or 1: a case of the same shapes that takes a small part of the time,
     * for comparing the bits of many cases on slow machines. Generators may ignore it. */
    uint32_t is_small;
};

struct p2c2r_kernel {
    uint32_t size;    /* sizeof(struct p2c2r_kernel), so that both sides can grow */
    uint32_t abi;     /* P2C2R_KERNEL_ABI */
    const char *name; /* lower case, [a-z0-9_], at most P2C2R_NAME_MAX with its zero */
    uint32_t version; /* raised whenever any output bit may change */
    enum p2c2r_kernel_kind kind;
    enum p2c2r_kernel_privacy privacy;
    size_t arena_bytes;      /* scratch memory of run, check and canonical: the largest of them */
    size_t input_max;        /* bytes, at most P2C2R_INPUT_MAX */
    size_t output_max;       /* bytes, at most P2C2R_OUTPUT_MAX */
    uint32_t blobs_max;      /* at most P2C2R_BLOBS_MAX; 0 when the kernel takes none */
    size_t blob_max;         /* bytes of one blob, at most P2C2R_BLOB_MAX */
    uint32_t check_bound_us; /* declared bound of check's time on the reference core */

    /* Computes the result into args->output and its length into *ret_size (written on success
     * only). Returns an enum p2c2r_kernel_status. */
    int (*run)(const struct p2c2r_kernel_args *args, size_t *ret_size);

    /* Cheap validity test of `result` for this input. args->output is not used. `secret` chooses
     * what is looked at; whoever made the result must not know it. P2C2R_KERNEL_OK when nothing
     * wrong was found, P2C2R_KERNEL_BAD_RESULT when the result is wrong, BAD_INPUT. A correct
     * result always passes. */
    int (*check)(const struct p2c2r_kernel_args *args, struct p2c2r_bytes result, uint64_t secret);

    /* Predicted cost in units (1 unit = 1 us of a reference core), from the input alone, without
     * doing the work; at least 1 for valid input, 0 for malformed input. */
    uint64_t (*cost)(struct p2c2r_bytes input, const struct p2c2r_bytes *blobs,
                     uint32_t blob_count);

    /* The bytes that are compared, audited and digested, when they are not the result itself
     * (a compressed result decodes to them). NULL: the result is canonical. Same shape as run,
     * with the result as a further argument. BAD_RESULT when it does not decode. */
    int (*canonical)(const struct p2c2r_kernel_args *args, struct p2c2r_bytes result,
                     size_t *ret_size);

    /* Writes the realistic case number `index` of series `seed` into `test_case`. The same numbers
     * give the same bytes everywhere. Cases vary in size as a game's would. Always valid input. */
    void (*generate)(uint64_t seed, uint32_t index, struct p2c2r_kernel_case *test_case);
};

#ifdef __cplusplus
}
#endif

#endif
