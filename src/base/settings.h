/* Changing one key of settings.conf, the layer that programs write themselves (p2c2rctl). */
#ifndef P2_BASE_SETTINGS_H
#define P2_BASE_SETTINGS_H

#include "base/config.h"

/* Sets the option `name` to `values[count]` in settings.conf of `state_folder` and keeps every
 * other line, comments too; one value unless it is a list, none removes the key so that the layers below
 * apply again. Values are checked first. The file is replaced in one step, mode 0600, durable when
 * the call returns; it need not exist. One program owns the folder, so there is no lock.
 *
 * P2_E_CONFIG (unknown key, bad value, the present file is not valid), P2_E_LIMIT, P2_E_NOMEM and
 * errors of p2_file_read and p2_file_replace; the file is unchanged then. */
int p2_settings_write(const struct p2_option_table *table, const char *state_folder,
                      const char *name, const char *const *values, size_t count,
                      struct p2_failure *failure);

#endif
