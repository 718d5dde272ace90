/* Messages as one line of text for logs and tools, without secrets.
 *
 *   CANCEL id=7
 *   LEASE id=7 kernel=2 ... blobs=[4 5] input=1024:0001020304050607..
 *   SAVES saves=[{id=1 kind=NAMED name="before the flood" created_s=1700000000 frame=12}]
 *
 * Strings are escaped (base/text.h). Of bytes the length and the first 8 are shown, of lists the
 * first 4 elements and how many follow; of secrets only the length. */
#ifndef P2_WIRE_PRINT_H
#define P2_WIRE_PRINT_H

#include "wire/messages.h"

/* Writes the line without a line end. When the writer is full, the rest is missing and the writer's
 * error is set. A type that is none prints as "UNKNOWN". */
void p2_wire_print(struct p2_writer *writer, const struct p2_msg *msg);

#endif
