/* What the person typed. */
#include "client/session_words.h"

#include "base/file.h"
#include "client/options.h"
#include "link/keyfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORD_MAX (P2_JOIN_LINK_MAX + 2u)

/* ---- the key -------------------------------------------------------------------------------------- */

static int make_folder(const char *path, struct p2_failure *failure)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return p2_fail(failure, P2_E_IO, "%s: %s", path, strerror(errno));
    }
    return P2_OK;
}

/* ~/.local/share/p2c2r/gamer.key, its folders made (XDG base directories). */
static int default_key_path(char path[PATH_MAX], struct p2_failure *failure)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    int error = P2_OK, length = 0;
    if (data != NULL && data[0] == '/') {
        length = snprintf(path, PATH_MAX, "%s", data);
    } else if (home != NULL && home[0] == '/') {
        length = snprintf(path, PATH_MAX, "%s/.local", home);
        error = length < PATH_MAX - 32 ? make_folder(path, failure) : P2_E_LIMIT;
        length = snprintf(path, PATH_MAX, "%s/.local/share", home);
    } else {
        return p2_fail(failure, P2_E_CONFIG, "neither HOME nor --key-file says where your key is");
    }
    if (error == P2_OK && length >= PATH_MAX - 32) {
        error = p2_fail(failure, P2_E_LIMIT, "the path of your key is too long");
    }
    static const char *const parts[] = {"", "/p2c2r"};
    for (size_t i = 0; i < P2_COUNT_OF(parts) && error == P2_OK; i++) {
        memcpy(path + length, parts[i], strlen(parts[i]) + 1);
        error = make_folder(path, failure);
    }
    if (error == P2_OK) {
        (void)snprintf(path + length, 32, "/p2c2r/gamer.key");
    }
    return error;
}

static int read_key(struct p2_session_words *words, const struct p2_config *config,
                    struct p2_failure *failure)
{
    const char *path = p2_config_string(config, P2_CLIENT_OPTION_KEY_FILE);
    int error = P2_OK;
    if (path == NULL) {
        error = default_key_path(words->key_path, failure);
    } else if (snprintf(words->key_path, PATH_MAX, "%s", path) >= PATH_MAX) {
        error = p2_fail(failure, P2_E_LIMIT, "the path of your key is too long");
    }
    return error == P2_OK ? p2_keyfile_open(&words->master, words->key_path, failure) : error;
}

/* ---- the session ---------------------------------------------------------------------------------- */

static int read_word(char word[WORD_MAX], const struct p2_options *options,
                     struct p2_failure *failure)
{
    if (options->operand_count != 1) {
        return p2_fail(failure, P2_E_MALFORMED, "join takes one session ID or link, or -");
    }
    const char *given = options->operands[0];
    if (strcmp(given, "-") == 0) {
        if (fgets(word, (int)WORD_MAX, stdin) == NULL) {
            return p2_fail(failure, P2_E_MALFORMED, "standard input holds no session ID");
        }
    } else if (snprintf(word, WORD_MAX, "%s", given) >= (int)WORD_MAX) {
        return p2_fail(failure, P2_E_MALFORMED, "that is too long for a session ID or join link");
    }
    word[strcspn(word, "\r\n")] = '\0';
    return P2_OK;
}

/* A link from a web page must not make this machine connect anywhere unasked. */
static int ask(const struct p2_join_link *link, struct p2_failure *failure)
{
    char address[P2_ADDRESS_TEXT_MAX], answer[8] = "";
    p2_address_format(address, &link->address);
    if (isatty(STDIN_FILENO) == 0) {
        return p2_fail(failure, P2_E_CANCELLED,
                       "the link names an address (%s); --yes connects to it", address);
    }
    (void)fprintf(stderr, "This link connects you to %s.\nConnect? [y/N] ", address);
    if (fgets(answer, sizeof answer, stdin) == NULL || (answer[0] != 'y' && answer[0] != 'Y')) {
        return p2_fail(failure, P2_E_CANCELLED, "not connected");
    }
    return P2_OK;
}

static int read_session(struct p2_join_link *link, const struct p2_options *options,
                        const struct p2_config *config, struct p2_failure *failure)
{
    char word[WORD_MAX];
    const char *address = p2_config_string(config, P2_CLIENT_OPTION_ADDRESS);
    int error = read_word(word, options, failure);
    if (error == P2_OK) {
        error = p2_join_link_parse(link, word, strlen(word), failure);
    }
    p2_secret_wipe(word, sizeof word);
    if (error != P2_OK) {
        return error;
    }
    if (address != NULL) {
        link->has_address = true;
        return p2_address_parse(&link->address, address, strlen(address), failure);
    }
    bool is_asked = link->has_address && !p2_config_bool(config, P2_CLIENT_OPTION_YES);
    return is_asked ? ask(link, failure) : P2_OK;
}

/* ---- the show ------------------------------------------------------------------------------------- */

static int read_script(struct p2_session_words *words, const char *path, struct p2_failure *failure)
{
    struct p2_buf text;
    p2_buf_init(&text, P2_SCRIPT_BYTES_MAX);
    static const struct p2_file_rules rules = {0};
    int error = p2_file_read(&text, path, &rules, NULL, failure);
    if (error == P2_OK) {
        error = p2_input_script_parse(&words->script, path, p2_span(text.data, text.size), failure);
    }
    p2_buf_free(&text);
    return error;
}

static int choose_show(struct p2_session_words *words, const struct p2_config *config,
                       struct p2_play_options *play, struct p2_failure *failure)
{
    const char *script = p2_config_string(config, P2_CLIENT_OPTION_INPUT);
    const char *log = p2_config_string(config, P2_CLIENT_OPTION_HASH_LOG);
    bool is_headless = p2_config_bool(config, P2_CLIENT_OPTION_HEADLESS);
    bool is_tty = p2_config_bool(config, P2_CLIENT_OPTION_TTY);
    play->show = is_headless ? &p2_show_headless : is_tty ? &p2_show_tty : &p2_show_sdl;
    play->prints_summary = is_headless;
    play->show_options = (struct p2_show_options){
        .width = play->gamer.width,
        .height = play->gamer.height,
        .title = "P2C2R",
        .dump_dir = p2_config_string(config, P2_CLIENT_OPTION_DUMP),
        .dump_every = (uint32_t)p2_config_u64(config, P2_CLIENT_OPTION_DUMP_EVERY),
        .has_vsync = p2_config_bool(config, P2_CLIENT_OPTION_VSYNC)};
    if (script != NULL) {
        int error = read_script(words, script, failure);
        if (error != P2_OK) {
            return error;
        }
        play->show_options.script = &words->script;
    }
    if (log != NULL) {
        words->hash_log = fopen(log, "we");
        if (words->hash_log == NULL) {
            return p2_fail(failure, P2_E_IO, "%s: %s", log, strerror(errno));
        }
        play->show_options.hash_log = words->hash_log;
    }
    return P2_OK;
}

static int read_network(struct p2_session_words *words, const struct p2_config *config,
                        struct p2_connection_options *connection, struct p2_failure *failure)
{
    connection->network = p2_config_string(config, P2_CLIENT_OPTION_NETWORK);
    connection->finds_lan = p2_config_bool(config, P2_CLIENT_OPTION_LAN);
    connection->puzzle_bits = (uint8_t)p2_config_u64(config, P2_CLIENT_OPTION_PUZZLE_BITS);
    connection->dht_program = p2_config_string(config, P2_CLIENT_OPTION_DHT_PROGRAM);
    connection->bootstrap = words->bootstrap;
    connection->bootstrap_count = p2_config_count(config, P2_CLIENT_OPTION_BOOTSTRAP);
    if (connection->bootstrap_count > P2_BOOTSTRAP_MAX) {
        return p2_fail(failure, P2_E_LIMIT, "at most %u bootstrap nodes", P2_BOOTSTRAP_MAX);
    }
    for (size_t i = 0; i < connection->bootstrap_count; i++) {
        words->bootstrap[i] = p2_config_at(config, P2_CLIENT_OPTION_BOOTSTRAP, i);
    }
    return P2_OK;
}

int p2_session_words_read(struct p2_session_words *words, const struct p2_options *options,
                          const struct p2_config *config, struct p2_play_options *play,
                          struct p2_failure *failure)
{
    const char *size = p2_config_string(config, P2_CLIENT_OPTION_SIZE);
    int error = read_key(words, config, failure);
    if (error != P2_OK || options->command == P2_CLIENT_KEY) {
        return error;
    }
    play->gamer = (struct p2_gamer_options){
        .name = p2_config_string(config, P2_CLIENT_OPTION_NAME),
        .agent = "p2c2r/" PACKAGE_VERSION,
        .view = p2_config_choice(config, P2_CLIENT_OPTION_VIEW) == 0 ? P2_VIEW_MODE_STATE
                                                                     : P2_VIEW_MODE_PIXELS};
    (void)p2_client_parse_size(size, &play->gamer.width, &play->gamer.height); /* checked */
    play->seconds = p2_config_u64(config, P2_CLIENT_OPTION_SECONDS);
    play->patience_s = p2_config_u64(config, P2_CLIENT_OPTION_PATIENCE);
    play->shows_figures = p2_config_bool(config, P2_CLIENT_OPTION_FIGURES);
    play->connection.master = words->master;
    error = read_session(&play->connection.join, options, config, failure);
    if (error == P2_OK) {
        error = read_network(words, config, &play->connection, failure);
    }
    return error == P2_OK ? choose_show(words, config, play, failure) : error;
}

void p2_session_words_free(struct p2_session_words *words)
{
    p2_secret_free(words->master);
    p2_input_script_free(&words->script);
    if (words->hash_log != NULL) {
        (void)fclose(words->hash_log);
    }
}
