/* The error table as data, so that code, class and text cannot drift apart. */
#include "base/error.h"

#include <stdio.h>

struct row {
    int value;
    enum p2_error_class class;
    const char *name;
    const char *text;
};

static const struct row rows[] = {
#define P2_ERROR(name, value, class, text) {(value), P2_CLASS_##class, #name, (text)},
#include "base/error.def"
#undef P2_ERROR
};

static const struct row *find(int error)
{
    for (size_t i = 0; i < P2_COUNT_OF(rows); i++) {
        if (rows[i].value == error) {
            return &rows[i];
        }
    }
    return NULL;
}

const char *p2_error_text(int error)
{
    const struct row *row = find(error);
    return error == P2_OK ? "success" : row != NULL ? row->text : "unknown error";
}

const char *p2_error_name(int error)
{
    const struct row *row = find(error);
    return error == P2_OK ? "OK" : row != NULL ? row->name : "UNKNOWN";
}

enum p2_error_class p2_error_class(int error)
{
    const struct row *row = find(error);
    return error == P2_OK ? P2_CLASS_NONE : row != NULL ? row->class : P2_CLASS_BUG;
}

const char *p2_error_class_name(enum p2_error_class class)
{
    static const char *const names[] = {
        [P2_CLASS_NONE] = "NONE", [P2_CLASS_LOCAL] = "LOCAL", [P2_CLASS_PEER] = "PEER",
        [P2_CLASS_NET] = "NET",   [P2_CLASS_STATE] = "STATE", [P2_CLASS_DATA] = "DATA",
        [P2_CLASS_BUG] = "BUG",
    };
    return (size_t) class < P2_COUNT_OF(names) ? names[class] : "BUG";
}

int p2_fail(struct p2_failure *failure, int code, const char *format, ...)
{
    if (failure == NULL) {
        return code;
    }
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(failure->message, sizeof failure->message, format, arguments);
    va_end(arguments);
    if (length < 0) {
        failure->message[0] = '\0';
    }
    failure->code = code;
    return code;
}
