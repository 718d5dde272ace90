/* p2c2r: parse, play. */
#include "base/crypto.h"
#include "base/file.h"
#include "client/options.h"
#include "client/play.h"
#include "client/session_words.h"
#include "link/keyfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static int complain(const struct p2_failure *failure, int error)
{
    (void)fprintf(stderr, "p2c2r: %s\n",
                  failure->message[0] != '\0' ? failure->message : p2_error_text(error));
    return error == P2_E_MALFORMED || error == P2_E_CHECKSUM                         ? EX_USAGE
           : error == P2_E_BAD_MODE || error == P2_E_CORRUPT || error == P2_E_CONFIG ? EX_CONFIG
           : error == P2_E_CANCELLED                                                 ? EX_NOPERM
                                                                                     : EX_OSERR;
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0';
}

/* Options may stand before, between and after `join` and its ID: they are put first. */
static void put_options_first(int argc, char **argv)
{
    int at = 1;
    while (at < argc && strcmp(argv[at], "join") != 0) {
        at++;
    }
    if (at + 1 >= argc) {
        return;
    }
    int what = is_option(argv[at + 1]) ? argc - 1 : at + 1;
    char *command = argv[at], *id = argv[what];
    memmove(argv + what, argv + what + 1, (size_t)(argc - what - 1) * sizeof *argv);
    memmove(argv + at, argv + at + 1, (size_t)(argc - at - 1) * sizeof *argv);
    argv[argc - 2] = command;
    argv[argc - 1] = id;
}

int main(int argc, char **argv)
{
    static struct p2_options options; /* large */
    static struct p2_play_options play;
    struct p2_config *config = NULL;
    struct p2_failure failure = {0};
    struct p2_session_words words = {0};
    put_options_first(argc, argv);
    int status = p2_options_start(&p2_client_program, argc, argv, &options, &config);
    if (status != P2_OPTIONS_GO_ON) {
        return status;
    }
    int error = p2_crypto_init() == P2_OK
                    ? p2_session_words_read(&words, &options, config, &play, &failure)
                    : p2_fail(&failure, P2_E_UNSUPPORTED, "libsodium cannot start");
    if (error != P2_OK) {
        status = complain(&failure, error);
    } else if (options.command == P2_CLIENT_KEY) {
        (void)printf("%s\n", words.key_path);
        status = EX_OK;
    } else {
        status = p2_play(&play);
    }
    p2_session_words_free(&words);
    p2_config_free(config);
    return status;
}
