/* Control requests and answers as JSON lines. jansson parses; we check every member. */
#include "ctl/protocol.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* Nesting of requests and answers. jansson itself stops at 2048; see depth_is_fine. */
#define DEPTH_MAX 8

#define PARSE_FLAGS (JSON_REJECT_DUPLICATES)

/* Strings aside, counts open brackets: jansson recurses once per level. */
static bool depth_is_fine(struct p2_span line)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < line.size; i++) {
        char c = (char)line.data[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > DEPTH_MAX) {
                return false;
            }
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return true;
}

static json_t *load(struct p2_span line, struct p2_failure *failure)
{
    json_error_t problem;
    if (!depth_is_fine(line)) {
        (void)p2_fail(failure, P2_E_TOO_DEEP, "nested deeper than %d", DEPTH_MAX);
        return NULL;
    }
    json_t *root = json_loadb((const char *)line.data, line.size, PARSE_FLAGS, &problem);
    if (root == NULL) {
        (void)p2_fail(failure, P2_E_MALFORMED, "not JSON: %s", problem.text);
    } else if (!json_is_object(root)) {
        (void)p2_fail(failure, P2_E_MALFORMED, "not a JSON object");
        json_decref(root);
        root = NULL;
    }
    return root;
}

static int check_version(const json_t *root, struct p2_failure *failure)
{
    const json_t *version = json_object_get(root, "v");
    if (!json_is_integer(version)) {
        return p2_fail(failure, P2_E_MALFORMED, "\"v\" is missing or not a number");
    }
    if (json_integer_value(version) != P2_CTL_VERSION) {
        return p2_fail(failure, P2_E_BAD_VERSION,
                       "control protocol %lld is not supported, this is version %d",
                       (long long)json_integer_value(version), P2_CTL_VERSION);
    }
    return P2_OK;
}

/* Every member of a request is one we know. */
static int check_members(json_t *root, struct p2_failure *failure)
{
    static const char *const known[] = {"v", "id", "command", "arguments"};
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        bool found = false;
        for (size_t i = 0; i < P2_COUNT_OF(known); i++) {
            found = found || strcmp(key, known[i]) == 0;
        }
        if (!found) {
            return p2_fail(failure, P2_E_MALFORMED, "unknown member \"%.32s\"", key);
        }
    }
    return P2_OK;
}

static int read_request(struct p2_ctl_request *request, json_t *root, struct p2_failure *failure)
{
    int error = check_version(root, failure);
    if (error == P2_OK) {
        error = check_members(root, failure);
    }
    if (error != P2_OK) {
        return error;
    }
    const json_t *command = json_object_get(root, "command");
    json_t *arguments = json_object_get(root, "arguments");
    if (!json_is_string(command) || json_string_length(command) == 0 ||
        json_string_length(command) >= P2_CTL_NAME_MAX ||
        strlen(json_string_value(command)) != json_string_length(command)) {
        return p2_fail(failure, P2_E_MALFORMED, "\"command\" is missing, too long or not text");
    }
    if (arguments != NULL && !json_is_object(arguments)) {
        return p2_fail(failure, P2_E_MALFORMED, "\"arguments\" is not an object");
    }
    memcpy(request->command, json_string_value(command), json_string_length(command) + 1);
    request->arguments = arguments != NULL ? json_incref(arguments) : json_object();
    return request->arguments != NULL ? P2_OK : p2_fail(failure, P2_E_NOMEM, "out of memory");
}

int p2_ctl_request_parse(struct p2_ctl_request *ret_request, struct p2_span line,
                         struct p2_failure *failure)
{
    struct p2_failure ignored;
    failure = failure != NULL ? failure : &ignored;
    *ret_request = (struct p2_ctl_request){.id = 0};
    if (line.size > P2_CTL_REQUEST_MAX) {
        return p2_fail(failure, P2_E_TOO_BIG, "a request has at most %u bytes", P2_CTL_REQUEST_MAX);
    }
    json_t *root = load(line, failure);
    if (root == NULL) {
        return failure->code;
    }
    const json_t *id = json_object_get(root, "id");
    int error = P2_OK;
    if (json_is_integer(id)) {
        ret_request->id = json_integer_value(id);
        error = read_request(ret_request, root, failure);
    } else {
        error = p2_fail(failure, P2_E_MALFORMED, "\"id\" is missing or not a number");
    }
    json_decref(root);
    return error;
}

void p2_ctl_request_free(struct p2_ctl_request *request)
{
    json_decref(request->arguments);
    request->arguments = NULL;
}

/* Takes `root` (may be NULL when building it failed). */
static char *line_of(json_t *root)
{
    char *text = root != NULL ? json_dumps(root, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    json_decref(root);
    if (text == NULL) {
        return NULL;
    }
    size_t length = strlen(text);
    char *line = length + 1 <= P2_CTL_ANSWER_MAX ? realloc(text, length + 2) : NULL;
    if (line == NULL) {
        free(text);
        return NULL;
    }
    line[length] = '\n';
    line[length + 1] = '\0';
    return line;
}

char *p2_ctl_request_line(int64_t id, const char *command, const json_t *arguments)
{
    json_t *copy = arguments != NULL ? json_deep_copy(arguments) : json_object();
    return line_of(json_pack("{s:i, s:I, s:s, s:o}", "v", P2_CTL_VERSION, "id", (json_int_t)id,
                             "command", command, "arguments", copy));
}

char *p2_ctl_answer_line(int64_t id, const json_t *result)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)result); /* shallow: only counts references */
    return line_of(json_pack("{s:i, s:I, s:b, s:o}", "v", P2_CTL_VERSION, "id", (json_int_t)id,
                             "ok", 1, "result", copy));
}

/* Bytes of `text` up to the first that is no UTF-8: a text that was cut within a character. */
static size_t utf8_length(const char *text)
{
    struct p2_span left = p2_span(text, strlen(text));
    uint32_t scalar;
    size_t length, done = 0;
    while ((length = p2_text_decode(left, &scalar)) > 0) {
        done += length;
        left = p2_span(left.data + length, left.size - length);
    }
    return done;
}

char *p2_ctl_error_line(int64_t id, int error, const char *text)
{
    return line_of(json_pack("{s:i, s:I, s:b, s:{s:s, s:s#}}", "v", P2_CTL_VERSION, "id",
                             (json_int_t)id, "ok", 0, "error", "name", p2_error_name(error), "text",
                             text, (int)utf8_length(text)));
}

/* The code whose name the daemon sent. */
static int error_by_name(const char *name)
{
#define P2_ERROR(label, value, class, text) \
    if (strcmp(name, #label) == 0) {        \
        return (value);                     \
    }
#include "base/error.def"
#undef P2_ERROR
    return P2_E_MALFORMED;
}

static int read_answer(json_t **ret_result, json_t *root, int64_t id, struct p2_failure *failure)
{
    int error = check_version(root, failure);
    if (error != P2_OK) {
        return error;
    }
    const json_t *ok = json_object_get(root, "ok");
    const json_t *answered = json_object_get(root, "id");
    if (!json_is_boolean(ok) || !json_is_integer(answered)) {
        return p2_fail(failure, P2_E_MALFORMED, "the daemon's answer is not understood");
    }
    if (json_is_true(ok)) {
        json_t *result = json_object_get(root, "result");
        if (json_integer_value(answered) != id || result == NULL) {
            return p2_fail(failure, P2_E_MALFORMED, "the answer is not for this request");
        }
        *ret_result = json_incref(result);
        return P2_OK;
    }
    const char *name = NULL;
    const char *text = NULL;
    if (json_unpack(json_object_get(root, "error"), "{s:s, s:s}", "name", &name, "text", &text) !=
        0) {
        return p2_fail(failure, P2_E_MALFORMED, "the daemon's error is not understood");
    }
    return p2_fail(failure, error_by_name(name), "%s", text);
}

int p2_ctl_answer_parse(json_t **ret_result, struct p2_span line, int64_t id,
                        struct p2_failure *failure)
{
    struct p2_failure ignored;
    failure = failure != NULL ? failure : &ignored;
    if (line.size > P2_CTL_ANSWER_MAX) {
        return p2_fail(failure, P2_E_TOO_BIG, "the answer is too long");
    }
    json_t *root = load(line, failure);
    if (root == NULL) {
        return failure->code;
    }
    int error = read_answer(ret_result, root, id, failure);
    json_decref(root);
    return error;
}
