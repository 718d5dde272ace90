/* Tables for people: `p2c2rctl` prints results as aligned columns or as "name: value" lines. */
#ifndef P2_CTL_TABLE_H
#define P2_CTL_TABLE_H

#include <jansson.h>

#include <stdio.h>

/* Prints the members of `object` as "name  value" lines, names aligned, in their order; nested
 * objects are indented, arrays of objects become tables. Text from elsewhere is escaped. */
void p2_ctl_print_object(FILE *out, const json_t *object);

/* Prints `rows`, an array of objects, as a table whose columns are the members of the first row.
 * Numbers are aligned to the right. An empty array prints "none". */
void p2_ctl_print_rows(FILE *out, const json_t *rows);

#endif
