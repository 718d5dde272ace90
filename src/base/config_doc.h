/* What people read about the options of a table: the values in force, a sample file, a fragment of
 * a manual page, one line per option for checks. All append text to a buffer.
 * Errors: those of p2_buf_append; the buffer may hold a part then. Pure. */
#ifndef P2_BASE_CONFIG_DOC_H
#define P2_BASE_CONFIG_DOC_H

#include "base/config.h"

/* Every option with its value in force under a comment that names the source. The text is a valid
 * configuration file (--dump-config). Secrets, options not set and options of the command line are
 * shown as comments. */
int p2_config_dump(const struct p2_config *config, struct p2_buf *buf);

/* A configuration file with every key of the table, its documentation, range and default, all
 * commented out. */
int p2_config_sample(const struct p2_option_table *table, struct p2_buf *buf);

/* The items of an mdoc(7) list (.It and text, without .Bl and .El): file keys or long options. */
enum p2_config_mdoc_part { P2_MDOC_KEYS, P2_MDOC_OPTIONS };
int p2_config_mdoc(const struct p2_option_table *table, enum p2_config_mdoc_part part,
                   struct p2_buf *buf);

/* One line per option, tab-separated, for checks of the documentation: name, letter or "-", section
 * or "-", type, range, default or "-", flags (comma-separated) or "-". */
int p2_config_list(const struct p2_option_table *table, struct p2_buf *buf);

/* Words of `text` after `indent` blanks, broken before column `width`; the first line starts at
 * column `column`, where text may stand already. Ends with a newline. `prefix` starts each further
 * line ("" or "# "). */
int p2_text_wrap(struct p2_buf *buf, const char *prefix, size_t column, size_t indent, size_t width,
                 const char *text);

/* Appends a string without its final zero. */
int p2_buf_append_text(struct p2_buf *buf, const char *text);

#endif
