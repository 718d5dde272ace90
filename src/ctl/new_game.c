/* Copies the files of the template. */
#include "ctl/new_game.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *const names[] = {"game.c", "Makefile", "README.md"};

static int copy(const char *from, const char *to, struct p2_failure *failure)
{
    char bytes[4096];
    size_t size;
    FILE *in = fopen(from, "re");
    if (in == NULL) {
        return p2_fail(failure, P2_E_NOENT,
                       "%s: %s; the template comes with the package libp2c2r-dev", from,
                       strerror(errno));
    }
    FILE *out = fopen(to, "wxe");
    bool is_fine = out != NULL;
    while (is_fine && (size = fread(bytes, 1, sizeof bytes, in)) > 0) {
        is_fine = fwrite(bytes, 1, size, out) == size;
    }
    is_fine = is_fine && ferror(in) == 0;
    is_fine = (out == NULL || fclose(out) == 0) && is_fine;
    (void)fclose(in); /* only read */
    return is_fine ? P2_OK : p2_fail(failure, P2_E_IO, "%s cannot be written", to);
}

int p2_new_game(const char *folder, const char *from, struct p2_failure *failure)
{
    char source[PATH_MAX], target[PATH_MAX];
    from = from == NULL ? P2_TEMPLATE_DIR : from;
    if (mkdir(folder, 0777) != 0) {
        return errno == EEXIST ? p2_fail(failure, P2_E_EXIST, "%s exists already", folder)
                               : p2_fail(failure, P2_E_IO, "%s: %s", folder, strerror(errno));
    }
    for (size_t i = 0; i < P2_COUNT_OF(names); i++) {
        if (snprintf(source, sizeof source, "%s/%s", from, names[i]) >= (int)sizeof source ||
            snprintf(target, sizeof target, "%s/%s", folder, names[i]) >= (int)sizeof target) {
            return p2_fail(failure, P2_E_INVALID, "%s: the name is too long", folder);
        }
        const int error = copy(source, target, failure);
        if (error != P2_OK) {
            return error;
        }
    }
    return P2_OK;
}

int p2_new_game_offline(int count, char **words, json_t **ret_result, struct p2_failure *failure)
{
    const int error = p2_new_game(words[0], count > 1 ? words[1] : NULL, failure);
    if (error != P2_OK) {
        return error;
    }
    *ret_result = json_pack("{s:s}", "folder", words[0]);
    return *ret_result != NULL ? P2_OK : p2_fail(failure, P2_E_INVALID, "the name is not text");
}
