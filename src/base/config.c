/* Values in layers, each with its source. */
#include "base/config.h"

#include "base/option_value.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longest "file:line" at the start of a message; longer paths are cut at their end. */
#define WHERE_MAX 160

struct item {
    int64_t number;
    char *text; /* canonical; owned */
    unsigned line;
};

struct value {
    struct item *items; /* owned */
    size_t count;
    size_t layer;  /* index of the layer that set it, also when it set an empty list */
    unsigned line; /* of its first entry there */
};

struct layer {
    enum p2_config_layer kind;
    char *name; /* owned */
    bool is_private;
};

struct p2_config {
    const struct p2_option_table *table;
    struct value *values; /* one per option */
    struct layer layers[P2_CONFIG_LAYERS_MAX];
    size_t layer_count;
};

/* ---- life ------------------------------------------------------------------------------------ */

static char *copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (copy != NULL) {
        memcpy(copy, text, size);
    }
    return copy;
}

static void clear_value(struct value *value)
{
    for (size_t i = 0; i < value->count; i++) {
        free(value->items[i].text);
    }
    free(value->items);
    value->items = NULL;
    value->count = 0;
}

void p2_config_free(struct p2_config *config)
{
    if (config == NULL) {
        return;
    }
    for (size_t i = 0; config->values != NULL && i < config->table->count; i++) {
        clear_value(&config->values[i]);
    }
    for (size_t i = 0; i < config->layer_count; i++) {
        free(config->layers[i].name);
    }
    free(config->values);
    free(config);
}

/* Adds an item with a copy of `text`; unchanged on error. */
static int add_item(struct value *value, struct item item, const char *text)
{
    struct item *items = realloc(value->items, (value->count + 1) * sizeof *items);
    if (items == NULL) {
        return P2_E_NOMEM;
    }
    value->items = items;
    item.text = copy_text(text);
    if (item.text == NULL) {
        return P2_E_NOMEM;
    }
    items[value->count++] = item;
    return P2_OK;
}

static int set_defaults(struct p2_config *config)
{
    char text[P2_CONFIG_VALUE_MAX];
    char reason[P2_OPTION_REASON_MAX];
    for (size_t i = 0; i < config->table->count; i++) {
        const struct p2_option *option = &config->table->options[i];
        struct item item = {0, NULL, 0};
        if (option->default_text == NULL) {
            continue;
        }
        if (!p2_option_parse(option, option->default_text, true, &item.number, reason)) {
            return P2_E_BUG;
        }
        p2_option_format(option, item.number, option->default_text, text);
        int error = add_item(&config->values[i], item, text);
        if (error != P2_OK) {
            return error;
        }
    }
    return P2_OK;
}

int p2_config_new(struct p2_config **ret_config, const struct p2_option_table *table)
{
    struct p2_config *config = calloc(1, sizeof *config);
    if (config == NULL) {
        return P2_E_NOMEM;
    }
    config->table = table;
    config->values = calloc(table->count > 0 ? table->count : 1, sizeof *config->values);
    int error = config->values != NULL ? P2_OK : P2_E_NOMEM;
    if (error == P2_OK) {
        error = p2_config_begin(config, P2_LAYER_BUILTIN, "built-in", false);
    }
    if (error == P2_OK) {
        error = set_defaults(config);
    }
    if (error != P2_OK) {
        p2_config_free(config);
        return error;
    }
    *ret_config = config;
    return P2_OK;
}

int p2_config_begin(struct p2_config *config, enum p2_config_layer layer, const char *name,
                    bool is_private)
{
    if (config->layer_count == P2_CONFIG_LAYERS_MAX) {
        return P2_E_LIMIT;
    }
    char *copy = copy_text(name);
    if (copy == NULL) {
        return P2_E_NOMEM;
    }
    config->layers[config->layer_count++] = (struct layer){layer, copy, is_private};
    return P2_OK;
}

/* ---- setting --------------------------------------------------------------------------------- */

static void format_where(const struct p2_config *config, const struct p2_config_entry *entry,
                         char where[WHERE_MAX])
{
    const struct layer *layer = &config->layers[config->layer_count - 1];
    char name[WHERE_MAX - 24];
    if (layer->kind == P2_LAYER_OPTIONS) {
        (void)p2_text_escape_string(name, P2_CONFIG_NAME_MAX + 8, entry->name);
        (void)snprintf(where, WHERE_MAX, "--%s", name);
    } else {
        (void)p2_text_escape_string(name, sizeof name, layer->name);
        (void)snprintf(where, WHERE_MAX, entry->line > 0 ? "%s:%u" : "%s", name, entry->line);
    }
}

static int unknown_key(const struct p2_config *config, const struct p2_config_entry *entry,
                       const char *where, struct p2_failure *failure)
{
    char name[2 * P2_CONFIG_NAME_MAX], section[2 * P2_CONFIG_NAME_MAX];
    const char *suggestion = p2_option_suggest(config->table, entry->name);
    (void)p2_text_escape_string(name, sizeof name, entry->name);
    (void)p2_text_escape_string(section, sizeof section, entry->section);
    return p2_fail(failure, P2_E_CONFIG, "%s: unknown key \"%s\"%s%s%s%s%s%s", where, name,
                   section[0] != '\0' ? " in section [" : "", section,
                   section[0] != '\0' ? "]" : "", suggestion != NULL ? "; did you mean \"" : "",
                   suggestion != NULL ? suggestion : "", suggestion != NULL ? "\"?" : "");
}

/* The option of an entry, if it may stand in this layer; or a failure. */
static int find_option(const struct p2_config *config, const struct p2_config_entry *entry,
                       const char *where, size_t *ret_index, struct p2_failure *failure)
{
    const struct layer *layer = &config->layers[config->layer_count - 1];
    size_t index = p2_option_find(config->table, entry->name);
    if (index == config->table->count) {
        return unknown_key(config, entry, where, failure);
    }
    const struct p2_option *option = &config->table->options[index];
    const char *section = option->section != NULL ? option->section : "";
    if (layer->kind == P2_LAYER_OPTIONS) {
        if ((option->flags & (P2_OPTION_FILE | P2_OPTION_SECRET)) != 0) {
            return p2_fail(failure, P2_E_CONFIG, "%s: belongs in a configuration file", where);
        }
    } else if ((option->flags & P2_OPTION_COMMAND_LINE) != 0) {
        return p2_fail(failure, P2_E_CONFIG, "%s: \"%s\" is for the command line only", where,
                       option->name);
    } else if (strcmp(section, entry->section) != 0) {
        return p2_fail(failure, P2_E_CONFIG, "%s: \"%s\" belongs %s%s%s", where, option->name,
                       section[0] != '\0' ? "in section [" : "above the first section", section,
                       section[0] != '\0' ? "]" : "");
    } else if ((option->flags & P2_OPTION_SECRET) != 0 && !layer->is_private) {
        return p2_fail(failure, P2_E_CONFIG,
                       "%s: \"%s\" is secret, but others can read the file; chmod it to 0600",
                       where, option->name);
    }
    *ret_index = index;
    return P2_OK;
}

/* `text` without blanks around it, into out[P2_CONFIG_VALUE_MAX]; false when it does not fit. */
static bool trim(char *out, const char *text)
{
    text += strspn(text, " \t");
    size_t length = strnlen(text, P2_CONFIG_VALUE_MAX);
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t')) {
        length--;
    }
    if (length >= P2_CONFIG_VALUE_MAX) {
        return false;
    }
    memcpy(out, text, length);
    out[length] = '\0';
    return true;
}

/* Parses into *ret_item and canonical text[P2_CONFIG_VALUE_MAX]. */
static int parse_entry(const struct p2_config *config, const struct p2_option *option,
                       const struct p2_config_entry *entry, const char *where,
                       struct item *ret_item, char *text, struct p2_failure *failure)
{
    bool is_command_line = config->layers[config->layer_count - 1].kind == P2_LAYER_OPTIONS;
    char trimmed[P2_CONFIG_VALUE_MAX];
    char reason[P2_OPTION_REASON_MAX];
    char shown[64] = "(hidden)";
    if (!trim(trimmed, entry->value)) {
        return p2_fail(failure, P2_E_CONFIG, "%s: %s is longer than %d bytes", where, option->name,
                       P2_CONFIG_VALUE_MAX - 1);
    }
    *ret_item = (struct item){0, NULL, entry->line};
    if (!p2_option_parse(option, trimmed, is_command_line, &ret_item->number, reason)) {
        if ((option->flags & P2_OPTION_SECRET) == 0) {
            (void)p2_text_escape_string(shown, sizeof shown, trimmed);
        }
        return p2_fail(failure, P2_E_CONFIG, "%s: %s = %s: %s", where, option->name, shown, reason);
    }
    p2_option_format(option, ret_item->number, trimmed, text);
    return P2_OK;
}

/* Replaces or extends the value by `item`; unchanged on error. */
static int store(struct p2_config *config, size_t index, struct item item, const char *text,
                 bool is_empty_list)
{
    struct value *value = &config->values[index];
    size_t layer = config->layer_count - 1;
    struct value fresh = {.layer = layer, .line = item.line};
    int error = P2_OK;
    if (value->layer == layer && !is_empty_list) {
        return add_item(value, item, text); /* a list goes on */
    }
    if (!is_empty_list) {
        error = add_item(&fresh, item, text);
    }
    if (error != P2_OK) {
        clear_value(&fresh);
        return error;
    }
    clear_value(value);
    *value = fresh;
    return P2_OK;
}

int p2_config_set(struct p2_config *config, const struct p2_config_entry *entry,
                  struct p2_failure *failure)
{
    char where[WHERE_MAX];
    char text[P2_CONFIG_VALUE_MAX];
    struct item item = {0};
    size_t index = 0;
    P2_ASSERT(config->layer_count > 1); /* built-in values come from the table */
    format_where(config, entry, where);
    int error = find_option(config, entry, where, &index, failure);
    if (error != P2_OK) {
        return error;
    }
    const struct p2_option *option = &config->table->options[index];
    const struct value *value = &config->values[index];
    bool is_list = (option->flags & P2_OPTION_LIST) != 0;
    bool is_again = value->layer == config->layer_count - 1;
    bool is_empty_list = is_list && entry->value[strspn(entry->value, " \t")] == '\0';
    if (is_again && !is_list) {
        return value->line > 0
                   ? p2_fail(failure, P2_E_CONFIG, "%s: \"%s\" was set in line %u already", where,
                             option->name, value->line)
                   : p2_fail(failure, P2_E_CONFIG, "%s: given twice", where);
    }
    if (is_again && !is_empty_list && value->count >= P2_CONFIG_LIST_MAX) {
        return p2_fail(failure, P2_E_CONFIG, "%s: more than %d entries of \"%s\"", where,
                       P2_CONFIG_LIST_MAX, option->name);
    }
    if (!is_empty_list) {
        error = parse_entry(config, option, entry, where, &item, text, failure);
    }
    item.line = entry->line;
    if (error == P2_OK) {
        error = store(config, index, item, text, is_empty_list);
        if (error != P2_OK) {
            (void)p2_fail(failure, error, "%s: %s", where, p2_error_text(error));
        }
    }
    return error;
}

/* ---- reading --------------------------------------------------------------------------------- */

static const struct value *value_at(const struct p2_config *config, size_t index)
{
    P2_ASSERT(index < config->table->count);
    return &config->values[index];
}

static int64_t number_at(const struct p2_config *config, size_t index)
{
    const struct value *value = value_at(config, index);
    return value->count > 0 ? value->items[0].number : 0;
}

bool p2_config_is_set(const struct p2_config *config, size_t index)
{
    return value_at(config, index)->count > 0;
}

bool p2_config_bool(const struct p2_config *config, size_t index)
{
    int64_t number = number_at(config, index);
    P2_ASSERT(config->table->options[index].type == P2_OPTION_BOOL);
    return number != 0;
}

int64_t p2_config_i64(const struct p2_config *config, size_t index)
{
    int64_t number = number_at(config, index);
    enum p2_option_type type = config->table->options[index].type;
    P2_ASSERT(type == P2_OPTION_INTEGER || type == P2_OPTION_SIZE || type == P2_OPTION_DURATION ||
              type == P2_OPTION_SHARE);
    return number;
}

uint64_t p2_config_u64(const struct p2_config *config, size_t index)
{
    int64_t number = p2_config_i64(config, index);
    P2_ASSERT(config->table->options[index].min >= 0);
    return (uint64_t)number;
}

size_t p2_config_choice(const struct p2_config *config, size_t index)
{
    int64_t number = number_at(config, index);
    P2_ASSERT(config->table->options[index].type == P2_OPTION_CHOICE);
    return (size_t)number;
}

const char *p2_config_string(const struct p2_config *config, size_t index)
{
    const struct value *value = value_at(config, index);
    enum p2_option_type type = config->table->options[index].type;
    P2_ASSERT(type == P2_OPTION_STRING || type == P2_OPTION_PATH);
    return value->count > 0 ? value->items[0].text : NULL;
}

size_t p2_config_count(const struct p2_config *config, size_t index)
{
    return value_at(config, index)->count;
}

const char *p2_config_at(const struct p2_config *config, size_t index, size_t item)
{
    const struct value *value = value_at(config, index);
    P2_ASSERT(item < value->count);
    return value->items[item].text;
}

struct p2_config_source p2_config_source(const struct p2_config *config, size_t index, size_t item)
{
    const struct value *value = value_at(config, index);
    P2_ASSERT(item < value->count);
    const struct layer *layer = &config->layers[value->layer];
    return (struct p2_config_source){layer->kind, layer->name, value->items[item].line};
}

void p2_config_format_source(const struct p2_config *config, size_t index, char *text,
                             size_t capacity)
{
    const struct value *value = value_at(config, index);
    const struct layer *layer = &config->layers[value->layer];
    char name[WHERE_MAX];
    switch (layer->kind) {
    case P2_LAYER_BUILTIN:
        (void)snprintf(text, capacity, "built-in");
        return;
    case P2_LAYER_OPTIONS:
        (void)snprintf(text, capacity, "option --%s", config->table->options[index].name);
        return;
    case P2_LAYER_FILE:
    case P2_LAYER_SETTINGS:
        (void)p2_text_escape_string(name, sizeof name, layer->name);
        (void)snprintf(text, capacity, "%s:%u", name, value->line);
        return;
    }
}

const struct p2_option_table *p2_config_table(const struct p2_config *config)
{
    return config->table;
}

/* ---- reload ---------------------------------------------------------------------------------- */

bool p2_config_is_same(const struct p2_config *a, const struct p2_config *b, size_t index)
{
    const struct value *left = value_at(a, index);
    const struct value *right = value_at(b, index);
    P2_ASSERT(a->table == b->table);
    if (left->count != right->count) {
        return false;
    }
    for (size_t i = 0; i < left->count; i++) {
        /* Texts are canonical, so 60s and 1min are the same. */
        if (strcmp(left->items[i].text, right->items[i].text) != 0) {
            return false;
        }
    }
    return true;
}

static bool is_frozen(const struct p2_config *config, size_t index)
{
    return (config->table->options[index].flags & P2_OPTION_RELOADABLE) == 0;
}

size_t p2_config_frozen_changes(const struct p2_config *running, const struct p2_config *fresh,
                                size_t *ret_indexes)
{
    size_t count = 0;
    for (size_t i = 0; i < running->table->count; i++) {
        if (is_frozen(running, i) && !p2_config_is_same(running, fresh, i)) {
            ret_indexes[count++] = i;
        }
    }
    return count;
}

/* The layer of `fresh` that has kind and name of `layer`, made when it is not there. */
static int adopt_layer(struct p2_config *fresh, const struct layer *layer, size_t *ret_index)
{
    for (size_t i = 0; i < fresh->layer_count; i++) {
        if (fresh->layers[i].kind == layer->kind &&
            strcmp(fresh->layers[i].name, layer->name) == 0) {
            *ret_index = i;
            return P2_OK;
        }
    }
    int error = p2_config_begin(fresh, layer->kind, layer->name, layer->is_private);
    if (error == P2_OK) {
        *ret_index = fresh->layer_count - 1;
    }
    return error;
}

static int copy_value(struct p2_config *fresh, const struct p2_config *running, size_t index)
{
    const struct value *from = &running->values[index];
    struct value copy = {.line = from->line};
    int error = adopt_layer(fresh, &running->layers[from->layer], &copy.layer);
    for (size_t i = 0; error == P2_OK && i < from->count; i++) {
        error = add_item(&copy, from->items[i], from->items[i].text);
    }
    if (error != P2_OK) {
        clear_value(&copy);
        return error;
    }
    clear_value(&fresh->values[index]);
    fresh->values[index] = copy;
    return P2_OK;
}

int p2_config_keep_frozen(struct p2_config *fresh, const struct p2_config *running)
{
    P2_ASSERT(fresh->table == running->table);
    for (size_t i = 0; i < running->table->count; i++) {
        if (is_frozen(running, i) && !p2_config_is_same(running, fresh, i)) {
            int error = copy_value(fresh, running, i);
            if (error != P2_OK) {
                return error;
            }
        }
    }
    return P2_OK;
}
