/* The game in a terminal with 24-bit colours: two pixels a character (upper half blocks).
 *
 * Keys: w a s d walk, arrows look, space jump, f g b first second third, e use, 0..9 in the hand,
 * h figures, t who drew what, v the other view, q the end. A terminal tells no key releases, so a
 * key counts as held for KEY_HOLD_MS. */
#include "client/show.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define KEY_HOLD_MS 180u /* chosen: a little above a keyboard's first repeats at 30 a second */
#define PRESENT_MS  50u  /* 20 pictures a second: a terminal takes some 50 bytes a pixel pair */
#define COLUMNS_MAX 240u
#define ROWS_MAX    80u
#define LOOK_STEP   900 /* 1/65536 turn a press: 5 degrees */
#define CELL_BYTES  64u /* two colours and the block */

enum {
    KEY_FORWARD,
    KEY_BACK,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_JUMP,
    KEY_FIRST,
    KEY_SECOND,
    KEY_THIRD,
    KEY_USE,
    KEYS
};

struct p2_show {
    struct termios saved;
    struct p2c2r_pad pad;
    uint64_t held_until[KEYS];
    uint64_t shown_ms;
    uint32_t columns, rows; /* of the terminal */
    char *out;              /* owned */
};

static uint64_t now_ms(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void write_all(const char *data, size_t size)
{
    while (size > 0) {
        ssize_t wrote = write(STDOUT_FILENO, data, size);
        if (wrote < 0 && errno != EINTR) {
            return; /* the terminal is gone; the loop hears of it by a signal */
        }
        data += wrote > 0 ? wrote : 0;
        size -= wrote > 0 ? (size_t)wrote : 0;
    }
}

static void measure(struct p2_show *show)
{
    struct winsize size = {0};
    show->columns = 80;
    show->rows = 24;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 1) {
        show->columns = size.ws_col;
        show->rows = size.ws_row;
    }
    show->columns = show->columns < COLUMNS_MAX ? show->columns : COLUMNS_MAX;
    show->rows = show->rows < ROWS_MAX ? show->rows : ROWS_MAX;
}

static int open_tty(struct p2_show **ret_show, const struct p2_show_options *options,
                    struct p2_failure *failure)
{
    (void)options;
    struct termios raw;
    if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0 ||
        tcgetattr(STDIN_FILENO, &raw) != 0) {
        return p2_fail(failure, P2_E_UNSUPPORTED, "standard input and output are no terminal");
    }
    struct p2_show *show = calloc(1, sizeof *show);
    char *out = malloc((size_t)COLUMNS_MAX * ROWS_MAX * CELL_BYTES + 512);
    if (show == NULL || out == NULL) {
        free(show);
        free(out);
        return p2_fail(failure, P2_E_NOMEM, "no memory");
    }
    show->out = out;
    show->saved = raw;
    raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    static const char begin[] = "\033[?1049h\033[?25l\033[2J";
    write_all(begin, sizeof begin - 1);
    measure(show);
    *ret_show = show;
    return P2_OK;
}

static void size_tty(const struct p2_show *show, uint32_t *ret_width, uint32_t *ret_height)
{
    *ret_width = show->columns;
    *ret_height = (show->rows - 1) * 2;
}

static void press(struct p2_show *show, int key)
{
    show->held_until[key] = now_ms() + KEY_HOLD_MS;
}

static void look(struct p2_show *show, char arrow)
{
    int pitch = show->pad.pitch;
    show->pad.yaw =
        (uint16_t)(show->pad.yaw + (arrow == 'C' ? LOOK_STEP : 0) - (arrow == 'D' ? LOOK_STEP : 0));
    pitch += (arrow == 'A' ? LOOK_STEP : 0) - (arrow == 'B' ? LOOK_STEP : 0);
    show->pad.pitch = (int16_t)(pitch > P2C2R_SCENE_PITCH_MAX    ? P2C2R_SCENE_PITCH_MAX
                                : pitch < -P2C2R_SCENE_PITCH_MAX ? -P2C2R_SCENE_PITCH_MAX
                                                                 : pitch);
}

static void take_key(struct p2_show *show, char key, struct p2_intent *intent)
{
    static const char holds[] = "wsad fgbe"; /* in the order of the enum */
    const char *held = strchr(holds, key);
    if (held != NULL && key != '\0') {
        press(show, (int)(held - holds));
    } else if (key >= '0' && key <= '9') {
        show->pad.slot = (uint8_t)(key - '0');
    }
    intent->toggles_figures ^= key == 'h';
    intent->toggles_tint ^= key == 't';
    intent->toggles_view ^= key == 'v';
    intent->quits = intent->quits || key == 'q' || key == 3;
}

static void poll_tty(struct p2_show *show, struct p2_intent *intent)
{
    char keys[64];
    ssize_t count = read(STDIN_FILENO, keys, sizeof keys);
    for (ssize_t i = 0; i < count; i++) {
        if (keys[i] == '\033' && i + 2 < count && keys[i + 1] == '[') {
            look(show, keys[i + 2]);
            i += 2;
        } else {
            take_key(show, keys[i], intent);
        }
    }
    uint64_t now = now_ms();
    bool held[KEYS];
    for (int key = 0; key < KEYS; key++) {
        held[key] = show->held_until[key] > now;
    }
    show->pad.forward = (int8_t)(held[KEY_FORWARD] ? 127 : held[KEY_BACK] ? -127 : 0);
    show->pad.right = (int8_t)(held[KEY_RIGHT] ? 127 : held[KEY_LEFT] ? -127 : 0);
    show->pad.buttons = 0;
    for (int key = KEY_JUMP; key < KEYS; key++) {
        show->pad.buttons = (uint8_t)(show->pad.buttons | (held[key] ? 1u << (key - KEY_JUMP) : 0));
    }
    intent->pad = show->pad;
}

/* One character: the upper pixel in the foreground, the lower one behind it. */
static size_t cell(char *out, const uint8_t *upper, const uint8_t *lower)
{
    return (size_t)snprintf(out, CELL_BYTES, "\033[38;2;%u;%u;%um\033[48;2;%u;%u;%um\xe2\x96\x80",
                            upper[0], upper[1], upper[2], lower[0], lower[1], lower[2]);
}

static int present_tty(struct p2_show *show, const struct p2_view *view,
                       const struct p2_gamer *gamer, bool is_fresh, struct p2_failure *failure)
{
    (void)is_fresh;
    (void)failure;
    uint64_t now = now_ms();
    if (now - show->shown_ms < PRESENT_MS) {
        return P2_OK;
    }
    show->shown_ms = now;
    char *at = show->out;
    at += snprintf(at, CELL_BYTES, "\033[H");
    for (uint32_t y = 0; y + 1 < view->height && y / 2 + 1 < show->rows; y += 2) {
        for (uint32_t x = 0; x < view->width && x < show->columns; x++) {
            const uint8_t *upper = view->rgb + ((size_t)y * view->width + x) * 3;
            at += cell(at, upper, upper + (size_t)view->width * 3);
        }
        at += snprintf(at, CELL_BYTES, "\033[0m\r\n");
    }
    char line[160] = "";
    if (gamer->phase == P2_SEAT_PLAYING) {
        p2_hud_tiers(gamer, line, sizeof line);
    }
    at += snprintf(at, COLUMNS_MAX + 8, "%.*s\033[K", (int)(show->columns - 1), line);
    write_all(show->out, (size_t)(at - show->out));
    measure(show);
    return P2_OK;
}

static void close_tty(struct p2_show *show)
{
    static const char end[] = "\033[0m\033[?25h\033[?1049l";
    if (show != NULL) {
        write_all(end, sizeof end - 1);
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &show->saved);
        free(show->out);
        free(show);
    }
}

const struct p2_show_ops p2_show_tty = {.open = open_tty,
                                        .size = size_tty,
                                        .poll = poll_tty,
                                        .present = present_tty,
                                        .close = close_tty};
