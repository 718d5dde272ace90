/* p2c2r-authority: parse, open, run. */
#include "authority/shell/authority.h"
#include "authority/shell/options.h"
#include "authority/shell/replay.h"
#include "base/crypto.h"
#include "daemon/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

/* The exit status for a start or a session that failed; listed in the manual. */
static int exit_status(int error)
{
    switch (error) {
    case P2_OK:
        return EX_OK;
    case P2_E_UNSUPPORTED:
        return EX_UNAVAILABLE;
    case P2_E_PERM:
        return EX_NOPERM;
    case P2_E_EXIST:
    case P2_E_ADDRESS:
        return EX_TEMPFAIL;
    case P2_E_BAD_MODE:
    case P2_E_CORRUPT:
        return EX_CONFIG;
    case P2_E_NOENT:
        return EX_NOINPUT;
    default:
        return EX_OSERR;
    }
}

/* Does what the command line says. Takes `config` and `launcher`. */
static int run(const struct p2_options *options, struct p2_config *config,
               struct p2_launcher *launcher, struct p2_failure *failure)
{
    struct p2_authority *authority = NULL;
    const char *replay = p2_config_string(config, P2_AUTHORITY_OPTION_REPLAY);
    if (options->command == P2_AUTHORITY_COMMAND_HOST && replay != NULL) {
        int error = p2_replay(replay, options->operands[0], launcher, failure);
        p2_config_free(config);
        return error;
    }
    int error = p2_authority_open(options, config, launcher, failure, &authority);
    if (error == P2_OK) {
        error = p2_authority_run(authority, failure);
        p2_authority_close(authority);
    }
    return error;
}

int main(int argc, char **argv)
{
    static struct p2_options options; /* large, and kept for reloads */
    struct p2_config *config = NULL;
    struct p2_launcher *launcher = NULL;
    struct p2_failure failure = {0};
    int status = p2_options_start(&p2_authority_program, argc, argv, &options, &config);
    if (status != P2_OPTIONS_GO_ON) {
        return status;
    }
    if (options.operand_count != (options.command == P2_AUTHORITY_COMMAND_HOST ? 1 : 0)) {
        (void)fprintf(stderr, "p2c2r-authority: host wants one module, serve wants nothing more; "
                              "options stand before the command; see --help\n");
        p2_config_free(config);
        return EX_USAGE;
    }
    int error = p2_daemon_launch(&failure, &launcher);
    if (error == P2_OK && p2_crypto_init() != P2_OK) {
        p2_launcher_stop(launcher);
        error = p2_fail(&failure, P2_E_UNSUPPORTED, "libsodium cannot start");
    }
    if (error != P2_OK) {
        p2_config_free(config);
    } else {
        error = run(&options, config, launcher, &failure);
    }
    if (error != P2_OK) {
        (void)fprintf(stderr, "p2c2r-authority: %s\n",
                      failure.message[0] != '\0' ? failure.message : p2_error_text(error));
    }
    return exit_status(error);
}
