/* p2c2rd: parse, open, run. */
#include "base/crypto.h"
#include "daemon/daemon.h"
#include "helper/helper.h"
#include "helper/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

/* The exit status for a start that failed; listed in the manual. */
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
        return EX_TEMPFAIL;
    case P2_E_BAD_MODE:
    case P2_E_CORRUPT:
        return EX_CONFIG;
    default:
        return EX_OSERR;
    }
}

int main(int argc, char **argv)
{
    static struct p2_options options; /* large, and kept for reloads */
    struct p2_helperd_setup setup = {.program = &p2_helper_program, .options = &options};
    struct p2_helperd *helper = NULL;
    struct p2_failure failure = {0};
    int status = p2_options_start(&p2_helper_program, argc, argv, &options, &setup.config);
    if (status != P2_OPTIONS_GO_ON) {
        return status;
    }
    int error = p2_daemon_launch(&failure, &setup.launcher);
    if (error == P2_OK && p2_crypto_init() != P2_OK) {
        p2_launcher_stop(setup.launcher);
        error = p2_fail(&failure, P2_E_UNSUPPORTED, "libsodium cannot start");
    }
    if (error != P2_OK) {
        p2_config_free(setup.config);
    } else {
        error = p2_helperd_open(&setup, &failure, &helper);
    }
    if (error == P2_OK) {
        error = p2_helperd_run(helper);
        p2_helperd_close(helper);
    }
    if (error != P2_OK) {
        (void)fprintf(stderr, "p2c2rd: %s\n",
                      failure.message[0] != '\0' ? failure.message : p2_error_text(error));
    }
    return exit_status(error);
}
