/* Inputs from a file. */
#include "client/input_script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX  64
#define TICKS_MAX 1000000

static bool read_number(const char *text, int32_t low, int32_t high, int32_t *ret_number)
{
    char *end = NULL;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < low || number > high) {
        return false;
    }
    *ret_number = (int32_t)number;
    return true;
}

static bool read_buttons(char *text, uint8_t *ret_buttons)
{
    static const char *const names[] = {"jump", "first", "second", "third", "use"};
    char *rest = NULL;
    for (char *name = strtok_r(text, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest)) {
        size_t i = 0;
        while (i < P2_COUNT_OF(names) && strcmp(names[i], name) != 0) {
            i++;
        }
        if (i == P2_COUNT_OF(names)) {
            return false;
        }
        *ret_buttons = (uint8_t)(*ret_buttons | 1u << i);
    }
    return true;
}

/* One NAME=VALUE. */
static bool read_pair(struct p2_script_line *line, char *word)
{
    char *value = strchr(word, '=');
    int32_t slot = 0;
    if (value == NULL) {
        return false;
    }
    *value++ = '\0';
    if (strcmp(word, "walk") == 0) {
        return read_number(value, -127, 127, &line->walk);
    }
    if (strcmp(word, "strafe") == 0) {
        return read_number(value, -127, 127, &line->strafe);
    }
    if (strcmp(word, "turn") == 0) {
        return read_number(value, INT16_MIN, INT16_MAX, &line->turn);
    }
    if (strcmp(word, "tilt") == 0) {
        return read_number(value, -P2C2R_SCENE_PITCH_MAX, P2C2R_SCENE_PITCH_MAX, &line->tilt);
    }
    if (strcmp(word, "yaw") == 0) {
        line->has_yaw = true;
        return read_number(value, 0, UINT16_MAX, &line->yaw);
    }
    if (strcmp(word, "pitch") == 0) {
        line->has_pitch = true;
        return read_number(value, -P2C2R_SCENE_PITCH_MAX, P2C2R_SCENE_PITCH_MAX, &line->pitch);
    }
    if (strcmp(word, "slot") == 0) {
        bool is_right = read_number(value, 0, 15, &slot);
        line->slot = (uint8_t)slot;
        return is_right;
    }
    return strcmp(word, "hold") == 0 && read_buttons(value, &line->buttons);
}

/* Reads a line that is not empty. */
static bool read_line(struct p2_script_line *line, char *text)
{
    char *rest = NULL;
    char *word = strtok_r(text, " \t\r", &rest);
    int32_t ticks = 0;
    *line = (struct p2_script_line){0};
    bool is_right = word != NULL && read_number(word, 1, TICKS_MAX, &ticks);
    line->ticks = (uint32_t)ticks;
    while (is_right && (word = strtok_r(NULL, " \t\r", &rest)) != NULL) {
        is_right = read_pair(line, word);
    }
    return is_right;
}

static int take_line(struct p2_input_script *script, char *text)
{
    text += strspn(text, " \t\r");
    text[strcspn(text, "#")] = '\0';
    if (*text == '\0') {
        return P2_OK;
    }
    if (script->repeats) {
        return P2_E_CONFIG; /* after the last line */
    }
    if (strncmp(text, "repeat", 6) == 0 && text[6 + strspn(text + 6, " \t\r")] == '\0') {
        script->repeats = true;
        return script->count > 0 ? P2_OK : P2_E_CONFIG;
    }
    if (script->count == P2_SCRIPT_LINES_MAX) {
        return P2_E_LIMIT;
    }
    return read_line(&script->lines[script->count], text) ? (script->count++, P2_OK) : P2_E_CONFIG;
}

int p2_input_script_parse(struct p2_input_script *script, const char *name, struct p2_span text,
                          struct p2_failure *failure)
{
    memset(script, 0, sizeof *script);
    if (text.size > P2_SCRIPT_BYTES_MAX) {
        return p2_fail(failure, P2_E_LIMIT, "%s: more than %u bytes", name, P2_SCRIPT_BYTES_MAX);
    }
    if (text.size > 0 && memchr(text.data, '\0', text.size) != NULL) {
        return p2_fail(failure, P2_E_CONFIG, "%s: a zero byte; a script is text", name);
    }
    char *copy = calloc(1, text.size + 1);
    script->lines = calloc(P2_SCRIPT_LINES_MAX, sizeof *script->lines);
    int error = copy == NULL || script->lines == NULL ? P2_E_NOMEM : P2_OK;
    if (error == P2_OK && text.size > 0) {
        memcpy(copy, text.data, text.size);
    }
    unsigned number = 0;
    for (char *line = copy; error == P2_OK && line != NULL && *line != '\0';) {
        char *next = strchr(line, '\n');
        number++;
        if (next != NULL) {
            *next++ = '\0';
        }
        error = take_line(script, line);
        line = next;
    }
    free(copy);
    if (error == P2_E_LIMIT) {
        error =
            p2_fail(failure, error, "%s:%u: more than %u lines", name, number, P2_SCRIPT_LINES_MAX);
    }
    if (error == P2_E_CONFIG) {
        error =
            p2_fail(failure, error,
                    "%s:%u: expected TICKS [walk= strafe= turn= tilt= yaw= pitch= slot= hold=], "
                    "or repeat as the last line",
                    name, number);
    }
    if (error != P2_OK) {
        p2_input_script_free(script);
    }
    return error;
}

void p2_input_script_free(struct p2_input_script *script)
{
    free(script->lines);
    memset(script, 0, sizeof *script);
}

static int16_t within_pitch(int32_t pitch)
{
    return (int16_t)(pitch < -P2C2R_SCENE_PITCH_MAX  ? -P2C2R_SCENE_PITCH_MAX
                     : pitch > P2C2R_SCENE_PITCH_MAX ? P2C2R_SCENE_PITCH_MAX
                                                     : pitch);
}

bool p2_input_script_step(struct p2_input_script *script, struct p2c2r_pad *pad)
{
    if (script->at == script->count && script->repeats) {
        script->at = 0;
    }
    if (script->at == script->count) {
        *pad = (struct p2c2r_pad){.yaw = pad->yaw, .pitch = pad->pitch, .slot = pad->slot};
        return false;
    }
    const struct p2_script_line *line = &script->lines[script->at];
    bool is_first = script->tick == 0;
    pad->yaw = is_first && line->has_yaw ? (uint16_t)line->yaw : pad->yaw;
    pad->pitch = is_first && line->has_pitch ? (int16_t)line->pitch : pad->pitch;
    pad->yaw = (uint16_t)(pad->yaw + line->turn);
    pad->pitch = within_pitch(pad->pitch + line->tilt);
    pad->forward = (int8_t)line->walk;
    pad->right = (int8_t)line->strafe;
    pad->slot = line->slot;
    pad->buttons = line->buttons;
    if (++script->tick == line->ticks) {
        script->tick = 0;
        script->at++;
    }
    return true;
}
