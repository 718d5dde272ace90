/* Small files: read whole with a bound, replace in one step. Blocking: at start, on reload and for
 * files of a few KiB. Thread: reentrant. */
#ifndef P2_BASE_FILE_H
#define P2_BASE_FILE_H

#include "base/buf.h"
#include "base/error.h"

#include <sys/types.h>

/* What must be true of a file before its bytes are believed. */
struct p2_file_rules {
    mode_t forbidden_mode; /* bits that must be clear, such as 0077 */
    bool no_symlink;       /* the last part of the path may not be a symbolic link */
};

/* The error of a failed call on files with this errno; P2_E_IO when it has none of its own. */
int p2_file_error(int number);

/* Appends the bytes of the regular file `path` to `buf`, up to the buffer's limit, and gives its
 * mode in ret_mode (may be NULL). P2_E_NOENT, P2_E_PERM, P2_E_BAD_MODE (not a regular file, a
 * forbidden bit, an owner that is neither root nor us), P2_E_LIMIT, P2_E_IO, P2_E_NOMEM; the
 * message names path and remedy, the buffer may hold a part then. */
int p2_file_read(struct p2_buf *buf, const char *path, const struct p2_file_rules *rules,
                 mode_t *ret_mode, struct p2_failure *failure);

enum p2_file_durability {
    P2_FILE_VOLATILE, /* atomic for readers; a power cut may lose it */
    P2_FILE_DURABLE   /* on the disk, with its name, when the call returns */
};

/* Replaces `path` by a file of `mode` holding `bytes`: written beside it under another name, then
 * renamed, so a reader sees the old or the new file and never a part. P2_E_NOENT, P2_E_PERM,
 * P2_E_NODISK, P2_E_IO: the old file is untouched then, except when only the sync of the folder
 * failed (the message says so), which leaves the new file in place but perhaps not on the disk. */
int p2_file_replace(const char *path, struct p2_span bytes, mode_t mode,
                    enum p2_file_durability durability, struct p2_failure *failure);

#endif
