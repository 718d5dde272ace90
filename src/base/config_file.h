/* Configuration files: INI syntax read by libinih, with file:line in every error.
 *
 * One `key = value` per line, keys without a section first, then `[section]`s; comments start with
 * ; or # and stand on lines of their own. libinih's silent cuts are errors here: lines above
 * P2_CONFIG_LINE_MAX, zero bytes, text behind a [section], continuation lines.
 *
 * Thread: libinih is set up by global variables, so one thread at a time reads files. */
#ifndef P2_BASE_CONFIG_FILE_H
#define P2_BASE_CONFIG_FILE_H

#include "base/config.h"

#include <stdbool.h>

/* Longest line without its newline: a name, an equals sign and the longest value. */
#define P2_CONFIG_LINE_MAX (P2_CONFIG_VALUE_MAX + 128)

/* Largest configuration file. Chosen: every key and every list entry of usual length. */
#define P2_CONFIG_FILE_MAX (1u << 20)

/* File of the state directory that programs write themselves (settings.h). */
#define P2_CONFIG_SETTINGS_NAME "settings.conf"

/* Reads `bytes` into the current layer (p2_config_begin comes first). The first error stops:
 * P2_E_CONFIG with "name:line: ..."; the object then holds the lines before it and is to be
 * dropped. `name` is only for messages of the syntax. */
int p2_config_parse(struct p2_config *config, const char *name, struct p2_span bytes,
                    struct p2_failure *failure);

/* Reads one file as a layer of its own. Files others can write are refused; P2_LAYER_SETTINGS wants
 * mode 0600 and no symbolic link. Errors of p2_file_read and p2_config_parse. */
int p2_config_read_file(struct p2_config *config, enum p2_config_layer layer, const char *path,
                        struct p2_failure *failure);

/* Where the files of one program are. Borrowed strings. */
struct p2_config_places {
    const char *program; /* "p2c2rd": /etc/p2c2r/p2c2rd.conf and p2c2rd.conf.d */
    const char *prefix;  /* before /etc; "" on a real machine, a temporary folder in tests */
    const char *file;    /* --config: read instead of both; NULL = the usual ones */
};

/* The layers of files in order: PREFIX/etc/p2c2r/PROGRAM.conf, then PROGRAM.conf.d/ *.conf sorted
 * by name (bytewise); or only `file`. The usual ones may be missing, `file` may not. */
int p2_config_read_files(struct p2_config *config, const struct p2_config_places *places,
                         struct p2_failure *failure);

/* settings.conf of the state directory, if it is there. Comes after p2_config_read_files. */
int p2_config_read_settings(struct p2_config *config, const char *state_folder,
                            struct p2_failure *failure);

#endif
