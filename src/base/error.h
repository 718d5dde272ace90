/* Errors: one table of codes, each with a class and a text.
 *
 * Functions return int: 0 for success or one of the negative codes below. Errors of libraries are
 * translated in the one file that calls the library. Thread: everything here is reentrant. */
#ifndef P2_BASE_ERROR_H
#define P2_BASE_ERROR_H

#include <stdarg.h>
#include <stddef.h>

#define P2_OK 0

enum p2_error {
#define P2_ERROR(name, value, class, text) P2_E_##name = (value),
#include "base/error.def"
#undef P2_ERROR
};

/* Who is to blame. Only PEER may cost a peer reputation; NET means try again. */
enum p2_error_class {
    P2_CLASS_NONE,  /* not an error */
    P2_CLASS_LOCAL, /* our resources or arguments */
    P2_CLASS_PEER,  /* the peer's bytes are wrong */
    P2_CLASS_NET,   /* the network: late, closed, unreachable */
    P2_CLASS_STATE, /* wrong order of calls */
    P2_CLASS_DATA,  /* stored bytes are wrong */
    P2_CLASS_BUG    /* our mistake, or a code outside the table */
};

/* The plain-English text of `error`; for 0 "success", for foreign codes "unknown error". Static. */
const char *p2_error_text(int error);

/* The stable name of `error` as in logs, "TIMEOUT"; "OK" for 0, "UNKNOWN" for foreign codes. */
const char *p2_error_name(int error);

/* The class of `error`; P2_CLASS_BUG for codes outside the table. */
enum p2_error_class p2_error_class(int error);

/* "PEER", "NET", ... Static. */
const char *p2_error_class_name(enum p2_error_class class);

/* Longest message kept for a person, with the final zero; longer ones are cut.
 * Chosen: two lines of a terminal and a path. */
#define P2_FAILURE_MESSAGE_MAX 512

/* An error with a message for a person: what failed, on which object, what to do. */
struct p2_failure {
    int code;                             /* P2_E_*, or 0 */
    char message[P2_FAILURE_MESSAGE_MAX]; /* always ends with a zero */
};

/* Writes code and formatted message into `failure` (may be NULL) and returns `code`. */
int p2_fail(struct p2_failure *failure, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Stays on in release: for our mistakes only, never for input. */
#define P2_ASSERT(condition)  \
    do {                      \
        if (!(condition)) {   \
            __builtin_trap(); \
        }                     \
    } while (0)

#define P2_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
