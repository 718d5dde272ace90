/* dlopen with manners. */
#include "authority/shell/game_module.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_ours(const struct stat *info)
{
    return info->st_uid == 0 || info->st_uid == geteuid();
}

/* Nobody else can have put another file there. */
static int check_folders(const char *path, struct p2_failure *failure)
{
    char folder[sizeof((struct p2_game_module *)0)->path];
    (void)snprintf(folder, sizeof folder, "%s", path);
    for (char *slash = strrchr(folder, '/'); slash != NULL; slash = strrchr(folder, '/')) {
        struct stat info;
        slash[slash == folder ? 1 : 0] = '\0';
        if (stat(folder, &info) != 0) {
            return p2_fail(failure, P2_E_NOENT, "%s: %s", folder, strerror(errno));
        }
        bool is_open = (info.st_mode & 022) != 0 && (info.st_mode & S_ISVTX) == 0;
        if (!is_ours(&info) || is_open) {
            return p2_fail(failure, P2_E_PERM,
                           "game modules run with the rights of this program, and others can write "
                           "to %s: its owner must be root or you, its mode at most 755",
                           folder);
        }
        if (slash == folder) {
            break;
        }
    }
    return P2_OK;
}

static int check_file(int fd, const char *path, struct p2_failure *failure)
{
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return p2_fail(failure, P2_E_IO, "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return p2_fail(failure, P2_E_UNSUPPORTED, "%s is no file", path);
    }
    if (!is_ours(&info) || (info.st_mode & 022) != 0) {
        return p2_fail(failure, P2_E_PERM,
                       "game modules run with the rights of this program, and others can write to "
                       "%s: its owner must be root or you, its mode at most 755",
                       path);
    }
    return P2_OK;
}

/* The real path of a module's name. */
static int find(const char *name, char *ret_path, size_t size, struct p2_failure *failure)
{
    char wanted[4096];
    int length = strchr(name, '/') != NULL
                     ? snprintf(wanted, sizeof wanted, "%s", name)
                     : snprintf(wanted, sizeof wanted, "%s/%s.so", P2_GAMES_DIR, name);
    if (length < 0 || (size_t)length >= sizeof wanted) {
        return p2_fail(failure, P2_E_INVALID, "the module's name is too long");
    }
    char *real = realpath(wanted, NULL);
    if (real == NULL) {
        return p2_fail(
            failure, P2_E_NOENT,
            "there is no game module %s: %s; give a path with a slash, or a name from %s", wanted,
            strerror(errno), P2_GAMES_DIR);
    }
    bool fits = strlen(real) < size;
    if (fits) {
        memcpy(ret_path, real, strlen(real) + 1);
    }
    free(real);
    return fits ? P2_OK : p2_fail(failure, P2_E_INVALID, "the module's path is too long");
}

/* Loads what was checked: by its descriptor, so that no other file can come in between, and so that
 * a file that was replaced is loaded again beside the old one. */
static int open_object(struct p2_game_module *module, int fd, struct p2_failure *failure)
{
    /* glibc takes an object with a name it has seen for the one it has: every load gets another
     * spelling of the same path. */
    static const char slashes[] = "////////////////////////////////";
    static unsigned loads;
    char by_descriptor[96];
    (void)snprintf(by_descriptor, sizeof by_descriptor, "/proc/self/fd%.*s%d",
                   (int)(1 + loads++ % (sizeof slashes - 1)), slashes, fd);
    module->handle = dlopen(by_descriptor, RTLD_NOW | RTLD_LOCAL);
    if (module->handle == NULL) {
        return p2_fail(failure, P2_E_UNSUPPORTED, "%s is no module that can be loaded: %s",
                       module->path, dlerror());
    }
    void *symbol = dlsym(module->handle, "p2c2r_game_entry");
    if (symbol == NULL) {
        return p2_fail(failure, P2_E_UNSUPPORTED,
                       "%s is no game module: it has no function p2c2r_game_entry", module->path);
    }
    memcpy(&module->entry, &symbol, sizeof symbol); /* POSIX: a data pointer that is a function */
    return P2_OK;
}

int p2_game_module_load(const char *name, struct p2_failure *failure,
                        struct p2_game_module **ret_module)
{
    struct p2_game_module *module = calloc(1, sizeof *module);
    if (module == NULL) {
        return p2_fail(failure, P2_E_NOMEM, "out of memory");
    }
    int error = find(name, module->path, sizeof module->path, failure);
    int fd = -1;
    if (error == P2_OK) {
        fd = open(module->path, O_RDONLY | O_CLOEXEC);
        error = fd < 0 ? p2_fail(failure, errno == EACCES ? P2_E_PERM : P2_E_NOENT, "%s: %s",
                                 module->path, strerror(errno))
                       : check_file(fd, module->path, failure);
    }
    if (error == P2_OK) {
        error = check_folders(module->path, failure);
    }
    if (error == P2_OK) {
        error = open_object(module, fd, failure);
    }
    if (fd >= 0) {
        (void)close(fd); /* only read */
    }
    if (error != P2_OK) {
        p2_game_module_free(module);
        return error;
    }
    *ret_module = module;
    return P2_OK;
}

void p2_game_module_free(struct p2_game_module *module)
{
    if (module != NULL) {
        if (module->handle != NULL) {
            (void)dlclose(module->handle); /* an object that stays mapped costs memory only */
        }
        free(module);
    }
}

static bool is_good_name(const char *name)
{
    size_t length = name == NULL ? 0 : strlen(name);
    return length > 0 && length < P2C2R_GAME_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

int p2_game_module_table(const struct p2_game_module *module, const struct p2c2r_host *host,
                         struct p2c2r_game *ret_game, struct p2_failure *failure)
{
    struct p2c2r_game game = {.size = sizeof game};
    int refusal = module->entry(host, &game);
    if (game.abi != P2C2R_GAME_ABI && game.abi != 0) {
        return p2_fail(failure, P2_E_UNSUPPORTED,
                       "%s is made for version %u of the game interface, this program has version "
                       "%u: build the module again with the headers of this release",
                       module->path, game.abi, P2C2R_GAME_ABI);
    }
    if (refusal != 0 || game.abi == 0) {
        return p2_fail(failure, P2_E_UNSUPPORTED,
                       "%s says that it cannot run on this host (interface version %u)",
                       module->path, P2C2R_GAME_ABI);
    }
    if (!is_good_name(game.name) || game.players_max == 0 || game.players_max > P2C2R_PLAYERS_MAX ||
        game.init == NULL || game.shutdown == NULL || game.join == NULL || game.leave == NULL ||
        game.input == NULL || game.tick == NULL || game.on_result == NULL || game.commit == NULL ||
        game.snapshot == NULL || game.view == NULL) {
        return p2_fail(failure, P2_E_UNSUPPORTED,
                       "%s lacks a callback that every game must have, or its name or number of "
                       "players is wrong (p2c2r/game.h)",
                       module->path);
    }
    *ret_game = game;
    return P2_OK;
}
