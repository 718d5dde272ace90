/* The log of record_writes.c: heads and bytes, in the order of the calls. */
#ifndef P2_TESTS_CRASH_RECORD_WRITES_H
#define P2_TESTS_CRASH_RECORD_WRITES_H

#include <stdint.h>

enum record_kind {
    RECORD_WRITE,       /* in memory only, until a sync */
    RECORD_WRITE_SYNC,  /* on an O_DSYNC descriptor: on the disk when the call returns */
    RECORD_SYNC,        /* all writes to the data file are on the disk */
    RECORD_SYNC_FOLDER, /* a rename is on the disk */
    RECORD_TRUNCATE,    /* offset = size */
    RECORD_RENAME,      /* the data file got its name */
    RECORD_MARK,        /* offset = number of the acknowledged transfer */
    RECORD_UNEXPECTED   /* something the replay does not know */
};

struct record_head {
    uint64_t kind;
    uint64_t offset;
    uint64_t size; /* of the bytes that follow */
};

#endif
