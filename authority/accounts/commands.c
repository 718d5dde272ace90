/* People ask about trust and money, and change them. */
#include "authority/accounts/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#define HOURS_MAX 876000 /* a century */
#define DIGITS_ND 9      /* of a dollar */

/* ---- text -------------------------------------------------------------------------------------- */

static uint64_t unix_s(void)
{
    return (uint64_t)time(NULL);
}

static json_t *id_json(const struct p2_id *id)
{
    char text[P2_ID_TEXT_MAX];
    p2_id_format(text, id);
    return json_string(text);
}

static json_t *digest_json(const uint8_t digest[P2_DIGEST_BYTES])
{
    static const uint8_t none[P2_DIGEST_BYTES];
    char text[2 * P2_DIGEST_BYTES + 1] = "-";
    for (size_t i = 0; memcmp(digest, none, P2_DIGEST_BYTES) != 0 && i < P2_DIGEST_BYTES; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", digest[i]);
    }
    return json_string(text);
}

/* "never", "for good", or ISO 8601. */
static json_t *time_json(uint64_t at_s)
{
    char text[32] = "never";
    if (at_s == P2_BAN_FOR_GOOD) {
        (void)snprintf(text, sizeof text, "for good");
    } else if (at_s > 0) {
        time_t when = (time_t)at_s;
        struct tm parts;
        if (gmtime_r(&when, &parts) == NULL ||
            strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
            (void)snprintf(text, sizeof text, "?");
        }
    }
    return json_string(text);
}

/* Dollars with all nine digits; nano-dollars are exact. */
static json_t *money_json(int64_t nd)
{
    char text[40];
    uint64_t size = nd < 0 ? (uint64_t) - (nd + 1) + 1 : (uint64_t)nd;
    (void)snprintf(text, sizeof text, "%s%llu.%09llu", nd < 0 ? "-" : "",
                   (unsigned long long)(size / P2_ND_PER_DOLLAR),
                   (unsigned long long)(size % P2_ND_PER_DOLLAR));
    return json_string(text);
}

/* "12", "0.25": dollars to nano-dollars, exactly. */
static int parse_money(const char *text, uint64_t *ret_nd)
{
    uint64_t value = 0;
    int digits = -1; /* behind the point; -1: before it */
    size_t length = strlen(text);
    if (length == 0 || length > 24 || strspn(text, "0123456789.") != length) {
        return P2_E_INVALID;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '.') {
            if (digits >= 0 || i + 1 == length || i == 0) {
                return P2_E_INVALID;
            }
            digits = 0;
        } else {
            if (value > (uint64_t)INT64_MAX / 100 || digits == DIGITS_ND) {
                return P2_E_RANGE;
            }
            value = value * 10 + (uint64_t)(text[i] - '0');
            digits += digits >= 0 ? 1 : 0;
        }
    }
    for (int i = digits < 0 ? 0 : digits; i < DIGITS_ND; i++) {
        if (value > (uint64_t)INT64_MAX / 100) {
            return P2_E_RANGE;
        }
        value *= 10;
    }
    *ret_nd = value;
    return P2_OK;
}

static const char *argument(struct p2_ctl_call *call, const char *name)
{
    return json_string_value(json_object_get(p2_ctl_call_arguments(call), name));
}

static bool read_id(struct p2_ctl_call *call, const char *text, struct p2_id *ret_id)
{
    if (text != NULL && p2_id_parse(ret_id, text, strlen(text)) == P2_OK) {
        return true;
    }
    p2_ctl_refuse(call, P2_E_INVALID, "not a key (56 characters, a slip is noticed): %s",
                  text == NULL ? "none given" : text);
    return false;
}

/* ---- helper ------------------------------------------------------------------------------------ */

static json_t *kernels_json(struct p2_accounts *accounts, const struct p2_reputation *rep)
{
    json_t *rows = json_array();
    for (uint8_t k = 0; k < accounts->names.count && k < P2_CORE_KERNELS_MAX; k++) {
        const struct p2_kernel_record *record = &rep->kernels[k];
        if (record->tasks == 0 && record->confirmed == 0) {
            continue;
        }
        char rate[24];
        uint64_t ppb = p2_trust_rate_ppb(accounts->trust, &rep->id, k, 1, false);
        (void)snprintf(rate, sizeof rate, "%llu.%03llu %%", (unsigned long long)(ppb / 10000000),
                       (unsigned long long)(ppb / 10000 % 1000));
        (void)json_array_append_new(
            rows, json_pack("{s:s, s:I, s:I, s:I, s:I, s:s}", "kernel", accounts->names.names[k],
                            "proven", (json_int_t)record->n, "tasks", (json_int_t)record->tasks,
                            "audits passed", (json_int_t)record->audits, "wrong",
                            (json_int_t)record->confirmed, "audited",
                            record->n < P2_PROBATION_TASKS ? "all, in shadow" : rate));
    }
    return rows;
}

static json_t *faults_json(struct p2_accounts *accounts, const struct p2_reputation *rep)
{
    json_t *rows = json_array();
    uint32_t held = rep->faults < P2_EVIDENCE_MAX ? rep->faults : P2_EVIDENCE_MAX;
    for (uint32_t i = 1; i <= held; i++) {
        const struct p2_fault *fault = &rep->evidence[(rep->faults - i) % P2_EVIDENCE_MAX];
        const char *kernel =
            fault->kernel < accounts->names.count ? accounts->names.names[fault->kernel] : "-";
        (void)json_array_append_new(
            rows, json_pack("{s:o, s:s, s:s, s:I, s:i, s:o, s:o, s:o}", "time",
                            time_json(fault->at_s), "fault", p2_fault_cause_name(fault->cause),
                            "kernel", kernel, "lease", (json_int_t)fault->lease, "score",
                            fault->change, "input", digest_json(fault->input), "expected",
                            digest_json(fault->expected), "got", digest_json(fault->got)));
    }
    return rows;
}

static void add_pay(json_t *result, const struct p2_accounts *accounts, const struct p2_id *id)
{
    static const struct p2_account none;
    const struct p2_account *account = p2_ledger_account(accounts->ledger, P2_ACCOUNT_HELPER, id);
    account = account == NULL ? &none : account;
    (void)json_object_set_new(
        result, "pay",
        json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:I}", "mode",
                  accounts->ledger->mode == P2_PAY_FUNDED ? "funded" : "points", "cleared",
                  money_json((int64_t)account->cleared_nd), "held", money_json(account->held_nd),
                  "forfeited", money_json((int64_t)account->forfeited_nd), "paid out",
                  money_json((int64_t)account->paid_nd), "balance", money_json(account->balance_nd),
                  "units", (json_int_t)account->units));
}

static void on_helper(struct p2_ctl_call *call, void *ctx)
{
    struct p2_accounts_commands *commands = ctx;
    struct p2_accounts *accounts = commands->accounts;
    struct p2_id id;
    if (!read_id(call, argument(call, "key"), &id)) {
        return;
    }
    int error = p2_accounts_recall(accounts, &id);
    const struct p2_reputation *rep = p2_trust_find(accounts->trust, &id);
    if (error != P2_OK || rep == NULL) {
        p2_ctl_refuse(call, error == P2_OK ? P2_E_NOENT : error, "nothing is known of this helper");
        return;
    }
    uint64_t until_s = 0;
    const char *why = p2_trust_refusal(accounts->trust, &id, NULL, &until_s);
    json_t *result = json_pack(
        "{s:o, s:i, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:o, s:o}", "key", id_json(&id), "score",
        rep->score, "state", why == NULL ? "admitted" : "banned", "why", why == NULL ? "-" : why,
        "until", time_json(until_s), "bans", (json_int_t)rep->bans, "wrong results",
        (json_int_t)rep->confirmed, "checks failed", (json_int_t)rep->refused, "protocol strikes",
        (json_int_t)rep->protocol, "first seen", time_json(rep->first_s), "kernels",
        kernels_json(accounts, rep));
    if (result != NULL) {
        add_pay(result, accounts, &id);
        (void)json_object_set_new(result, "faults", faults_json(accounts, rep));
    }
    p2_ctl_reply(call, result);
}

/* ---- bans -------------------------------------------------------------------------------------- */

static json_t *who_json(const struct p2_ban_entry *entry)
{
    char text[P2_IP_TEXT_MAX + 4];
    if (entry->kind == P2_BAN_KEY) {
        return id_json(&entry->id);
    }
    p2_ip_format(text, &entry->ip);
    (void)strcat(text, entry->ip.family == 4 ? "/24" : "/48"); /* has room */
    return json_string(text);
}

static void on_bans(struct p2_ctl_call *call, void *ctx)
{
    struct p2_accounts_commands *commands = ctx;
    struct p2_trust *trust = commands->accounts->trust;
    json_t *rows = json_array();
    for (uint32_t i = 0; i < trust->bans.count; i++) {
        const struct p2_ban_entry *entry = &trust->bans.items[i];
        if (entry->until_s > unix_s()) {
            (void)json_array_append_new(
                rows, json_pack("{s:o, s:o, s:o, s:s, s:s}", "who", who_json(entry), "since",
                                time_json(entry->at_s), "until", time_json(entry->until_s), "by",
                                entry->actor, "reason", entry->reason));
        }
    }
    for (uint32_t i = 0; i < trust->capacity; i++) {
        struct p2_reputation *rep = trust->items[i];
        if (rep != NULL && p2_reputation_is_banned(rep, unix_s())) {
            (void)json_array_append_new(
                rows, json_pack("{s:o, s:o, s:o, s:s, s:s}", "who", id_json(&rep->id), "since",
                                time_json(rep->last_s), "until", time_json(rep->banned_until_s),
                                "by", "policy", "reason", "wrong results"));
        }
    }
    p2_ctl_reply(call, rows);
}

/* A change on its way to the disk. */
struct change {
    struct p2_ctl_call *call;
    struct p2_accounts_commands *commands;
    struct p2_ban_entry ban;
    bool is_ban;
    json_t *result; /* owned until the reply */
};

static void on_stored(void *ctx, int error, const struct p2_failure *failure)
{
    struct change *change = ctx;
    change->commands->calls--;
    if (error != P2_OK) {
        json_decref(change->result);
        p2_ctl_refuse(change->call, error, "%s", failure->message);
    } else {
        if (change->is_ban && change->commands->on_ban != NULL) {
            change->commands->on_ban(change->commands->ctx, &change->ban);
        }
        p2_ctl_reply(change->call, change->result);
    }
    free(change);
}

/* Takes the batch and the change. */
static void store(struct change *change, struct p2_batch *batch)
{
    int error = p2_accounts_submit(change->commands->accounts, batch, on_stored, change);
    if (error != P2_OK) {
        p2_batch_free(batch);
        json_decref(change->result);
        p2_ctl_refuse(change->call, error, "the store takes nothing at the moment");
        free(change);
        return;
    }
    change->commands->calls++;
}

static bool read_who(struct p2_ctl_call *call, struct p2_ban_entry *entry)
{
    const char *who = argument(call, "who");
    size_t length = who == NULL ? 0 : strlen(who);
    size_t address = who == NULL ? 0 : strcspn(who, "/");
    if (length > 0 && p2_id_parse(&entry->id, who, length) == P2_OK) {
        entry->kind = P2_BAN_KEY;
    } else if (length > 0 && p2_ip_parse(&entry->ip, who, address) == P2_OK &&
               (address == length ||
                strcmp(who + address, entry->ip.family == 4 ? "/24" : "/48") == 0)) {
        entry->kind = P2_BAN_PREFIX;
    } else {
        p2_ctl_refuse(call, P2_E_INVALID, "neither a key nor an address (of the /24 or /48): %s",
                      who == NULL ? "none given" : who);
        return false;
    }
    return true;
}

static bool read_ban(struct p2_ctl_call *call, struct p2_ban_entry *entry)
{
    const char *reason = argument(call, "reason");
    const json_t *hours = json_object_get(p2_ctl_call_arguments(call), "hours");
    json_int_t count = hours == NULL ? 0 : json_integer_value(hours);
    if (!read_who(call, entry)) {
        return false;
    }
    if (reason == NULL || reason[0] == '\0' || strlen(reason) > P2_BAN_REASON_MAX ||
        (hours != NULL && (count < 1 || count > HOURS_MAX))) {
        p2_ctl_refuse(call, P2_E_INVALID, "a reason of at most %u bytes, and 1 to %d hours",
                      P2_BAN_REASON_MAX, HOURS_MAX);
        return false;
    }
    (void)snprintf(entry->reason, sizeof entry->reason, "%s", reason);
    (void)snprintf(entry->actor, sizeof entry->actor, "uid %lu",
                   (unsigned long)p2_ctl_call_uid(call));
    entry->at_s = unix_s();
    entry->until_s = hours == NULL ? P2_BAN_FOR_GOOD : entry->at_s + (uint64_t)count * 3600;
    return true;
}

static void change_ban(struct p2_ctl_call *call, struct p2_accounts_commands *commands,
                       enum p2_ban_action action)
{
    struct p2_ban_entry entry = {.action = action};
    struct p2_accounts *accounts = commands->accounts;
    if (!read_ban(call, &entry)) {
        return;
    }
    struct change *change = calloc(1, sizeof *change);
    struct p2_batch *batch = p2_batch_new();
    if (change == NULL || batch == NULL) {
        free(change);
        p2_batch_free(batch);
        p2_ctl_refuse(call, P2_E_NOMEM, "out of memory");
        return;
    }
    bool was_untrusted = false;
    if (action == P2_BAN_LIFTED && entry.kind == P2_BAN_KEY &&
        p2_accounts_recall(accounts, &entry.id) == P2_OK) {
        struct p2_reputation *rep = p2_trust_find(accounts->trust, &entry.id);
        was_untrusted = rep != NULL && rep->is_untrusted;
        if (was_untrusted) {
            p2_reputation_pardon(rep);
            p2_accounts_put_reputation(accounts, batch, rep);
        }
    }
    int error = p2_bans_apply(&accounts->trust->bans, &entry, &change->ban);
    if (error == P2_OK) {
        p2_accounts_put_ban(batch, &change->ban);
    } else if (!(error == P2_E_NOENT && was_untrusted)) {
        free(change);
        p2_batch_free(batch);
        p2_ctl_refuse(call, error,
                      error == P2_E_NOENT ? "it is not banned" : "this ban cannot be kept: %s",
                      p2_error_text(error));
        return;
    } else {
        change->ban = entry;
    }
    change->call = call;
    change->commands = commands;
    change->is_ban = true;
    change->result =
        json_pack("{s:o, s:o, s:s}", "who", who_json(&entry), "until",
                  time_json(action == P2_BAN_SET ? entry.until_s : 0), "reason", entry.reason);
    store(change, batch);
}

static void on_ban(struct p2_ctl_call *call, void *ctx)
{
    change_ban(call, ctx, P2_BAN_SET);
}

static void on_unban(struct p2_ctl_call *call, void *ctx)
{
    change_ban(call, ctx, P2_BAN_LIFTED);
}

/* ---- ledger ------------------------------------------------------------------------------------ */

static void add_account(json_t *rows, const char *kind, json_t *key, int64_t balance_nd,
                        int64_t held_nd, int64_t transit_nd)
{
    (void)json_array_append_new(rows,
                                json_pack("{s:s, s:o, s:o, s:o, s:o}", "account", kind, "balance",
                                          money_json(balance_nd), "held", money_json(held_nd),
                                          "under way", money_json(transit_nd), "key", key));
}

static void on_show(struct p2_ctl_call *call, void *ctx)
{
    struct p2_accounts_commands *commands = ctx;
    const struct p2_ledger *ledger = commands->accounts->ledger;
    json_t *rows = json_array();
    uint32_t index = 0;
    add_account(rows, "WORLD", json_string("-"), ledger->world_nd, 0, 0);
    add_account(rows, "HOST", json_string("-"), ledger->host_nd, 0, 0);
    const struct p2_account *account = p2_ledger_next(ledger, &index);
    while (account != NULL) {
        add_account(rows, p2_account_kind_name(account->kind), id_json(&account->key),
                    account->balance_nd, account->held_nd, account->transit_nd);
        account = p2_ledger_next(ledger, &index);
    }
    add_account(rows, "sum", json_string("-"), p2_ledger_sum_nd(ledger), 0, 0);
    p2_ctl_reply(call, rows);
}

static void on_credit(struct p2_ctl_call *call, void *ctx)
{
    struct p2_accounts_commands *commands = ctx;
    struct p2_accounts *accounts = commands->accounts;
    const char *key = argument(call, "key");
    const char *amount = argument(call, "amount");
    struct p2_id gamer;
    struct p2_ledger_entry entry;
    uint64_t nd = 0;
    bool is_host = key != NULL && strcmp(key, "host") == 0;
    if (!is_host && !read_id(call, key, &gamer)) {
        return;
    }
    if (amount == NULL || parse_money(amount, &nd) != P2_OK || nd == 0) {
        p2_ctl_refuse(call, P2_E_INVALID, "not an amount in dollars: %s",
                      amount == NULL ? "none given" : amount);
        return;
    }
    if (!p2_accounts_can_post(accounts)) {
        p2_ctl_refuse(call, P2_E_AGAIN, "the ledger waits for the disk; see `store stats`");
        return;
    }
    struct change *change = calloc(1, sizeof *change);
    struct p2_batch *batch = p2_batch_new();
    int error =
        change == NULL || batch == NULL
            ? P2_E_NOMEM
            : p2_ledger_credit(accounts->ledger, is_host ? NULL : &gamer, nd, unix_s(), &entry);
    if (error != P2_OK) {
        free(change);
        p2_batch_free(batch);
        p2_ctl_refuse(call, error, "%s", p2_error_text(error));
        return;
    }
    p2_accounts_put_entry(batch, &entry);
    change->call = call;
    change->commands = commands;
    const struct p2_account *account =
        is_host ? NULL : p2_ledger_account(accounts->ledger, P2_ACCOUNT_GAMER, &gamer);
    change->result = json_pack(
        "{s:I, s:o, s:o}", "entry", (json_int_t)entry.number, "credited", money_json((int64_t)nd),
        "balance", money_json(account == NULL ? accounts->ledger->host_nd : account->balance_nd));
    store(change, batch);
}

static void on_explain(struct p2_ctl_call *call, void *ctx)
{
    struct p2_accounts_commands *commands = ctx;
    const struct p2_ledger *ledger = commands->accounts->ledger;
    struct p2_solvency s;
    char covered[96], used[96], outcome[160];
    p2_ledger_solvency(ledger, commands->helper_price_nd_m, &s);
    (void)snprintf(covered, sizeof covered, "%llu.%02llu %% of a helper's time per gamer",
                   (unsigned long long)(s.affordable_ppm / 10000),
                   (unsigned long long)(s.affordable_ppm / 100 % 100));
    (void)snprintf(used, sizeof used, "%llu.%02llu %% of a helper's time per gamer",
                   (unsigned long long)(s.used_ppm / 10000),
                   (unsigned long long)(s.used_ppm / 100 % 100));
    (void)snprintf(outcome, sizeof outcome, "%s",
                   ledger->mode == P2_PAY_POINTS ? "points: no money stands behind them"
                   : s.shortfall_nd > 0
                       ? "charges do not cover what helpers earned: raise the gamer's price, lower "
                         "the helpers', or pay the rest as host"
                       : "charges cover what helpers earned");
    p2_ctl_reply(call, json_pack("{s:s, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:s}", "mode",
                                 ledger->mode == P2_PAY_FUNDED ? "funded" : "points", "helper-hour",
                                 money_json((int64_t)s.helper_nd_h), "gamer-hour",
                                 money_json((int64_t)s.gamer_nd_h), "prices cover", covered,
                                 "used so far", used, "earned", money_json((int64_t)s.earned_nd),
                                 "charged", money_json((int64_t)s.charged_nd), "paid by host",
                                 money_json((int64_t)s.subsidy_nd), "forfeited",
                                 money_json((int64_t)s.forfeited_nd), "shortfall",
                                 money_json(s.shortfall_nd), "so", outcome));
}

static void on_payouts(struct p2_ctl_call *call, void *ctx)
{
    struct p2_accounts_commands *commands = ctx;
    const struct p2_payouts *payouts = commands->accounts->payouts;
    json_t *rows = json_array();
    for (uint32_t i = 0; i < payouts->count; i++) {
        const struct p2_payout *payout = &payouts->items[i];
        (void)json_array_append_new(
            rows, json_pack("{s:I, s:s, s:o, s:o, s:o}", "number", (json_int_t)payout->number,
                            "state", p2_payout_state_name(payout->state), "amount",
                            money_json((int64_t)payout->amount_nd), "since",
                            time_json(payout->at_s), "helper", id_json(&payout->helper)));
    }
    p2_ctl_reply(call, rows);
}

/* ---- export ------------------------------------------------------------------------------------ */

struct export
{
    uv_work_t work;
    struct p2_ctl_call *call;
    struct p2_accounts_commands *commands;
    struct p2_store *store;
    FILE *file; /* owned */
    bool is_json;
    uint64_t count;
    int error;
};

static int export_entry(void *ctx, const struct p2_ledger_entry *entry)
{
    struct export *export = ctx;
    char text[P2_LEDGER_TEXT_MAX];
    if (export->is_json) {
        p2_ledger_entry_json(text, entry);
    } else {
        p2_ledger_entry_csv(text, entry);
    }
    export->count++;
    return fprintf(export->file, "%s\n", text) > 0 ? P2_OK : P2_E_IO;
}

/* On libuv's thread pool. */
static void run_export(uv_work_t *work)
{
    struct export *export = work->data;
    if (!export->is_json) {
        (void)fprintf(export->file, "%s\n", p2_ledger_csv_head);
    }
    export->error = p2_accounts_walk(export->store, 0, export_entry, export);
    if (fclose(export->file) != 0 && export->error == P2_OK) {
        export->error = P2_E_IO;
    }
}

static void after_export(uv_work_t *work, int status)
{
    struct export *export = work->data;
    export->commands->calls--;
    if (status != 0 || export->error != P2_OK) {
        p2_ctl_refuse(export->call, status != 0 ? P2_E_CANCELLED : export->error,
                      "the export is not complete");
    } else {
        p2_ctl_reply(export->call, json_pack("{s:I}", "entries", (json_int_t) export->count));
    }
    free(export);
}

static void on_export(struct p2_ctl_call *call, void *ctx)
{
    struct p2_accounts_commands *commands = ctx;
    const char *format = argument(call, "format");
    int fd = p2_ctl_call_take_fd(call);
    bool is_json = format != NULL && strcmp(format, "json") == 0;
    if (format == NULL || (!is_json && strcmp(format, "csv") != 0) || fd < 0) {
        if (fd >= 0) {
            (void)close(fd);
        }
        p2_ctl_refuse(call, P2_E_INVALID, "csv or json, and a file");
        return;
    }
    struct export *export = calloc(1, sizeof *export);
    FILE *file = export == NULL ? NULL : fdopen(fd, "w");
    if (file == NULL) {
        (void)close(fd);
        free(export);
        p2_ctl_refuse(call, P2_E_NOMEM, "out of memory");
        return;
    }
    *export = (struct export){.call = call,
                              .commands = commands,
                              .store = commands->accounts->store,
                              .file = file,
                              .is_json = is_json};
    export->work.data = export;
    commands->calls++;
    if (uv_queue_work(p2_ctl_call_loop(call), &export->work, run_export, after_export) != 0) {
        commands->calls--;
        (void)fclose(file);
        free(export);
        p2_ctl_refuse(call, P2_E_NOMEM, "out of memory");
    }
}

/* ---- the table --------------------------------------------------------------------------------- */

int p2_accounts_commands_add(struct p2_ctl_server *server, struct p2_accounts_commands *commands)
{
    static const struct {
        const char *name;
        enum p2_ctl_access access;
        p2_ctl_handler handler;
    } table[] = {
        {"helper", P2_CTL_ANYONE, on_helper},
        {"bans", P2_CTL_ANYONE, on_bans},
        {"ban", P2_CTL_ADMIN, on_ban},
        {"unban", P2_CTL_ADMIN, on_unban},
        {"ledger-show", P2_CTL_ADMIN, on_show},
        {"ledger-credit", P2_CTL_ADMIN, on_credit},
        {"ledger-explain", P2_CTL_ADMIN, on_explain},
        {"ledger-export", P2_CTL_ADMIN, on_export},
        {"payouts", P2_CTL_ADMIN, on_payouts},
    };
    int error = P2_OK;
    for (size_t i = 0; i < P2_COUNT_OF(table) && error == P2_OK; i++) {
        struct p2_ctl_command command = {table[i].name, table[i].access, table[i].handler,
                                         commands};
        error = p2_ctl_server_add(server, &command);
    }
    return error;
}
