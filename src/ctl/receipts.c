/* Receipts, offline. */
#include "ctl/receipts.h"

#include "base/crypto.h"
#include "link/network.h"
#include "wire/receipt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int read_file(const char *path, struct p2_receipt *ret_receipt, struct p2_failure *failure)
{
    uint8_t bytes[P2_RECEIPT_BYTES_MAX + 1];
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (file == NULL) {
        return p2_fail(failure, errno == EACCES ? P2_E_PERM : P2_E_INVALID, "%s: %s", path,
                       strerror(errno));
    }
    size_t size = fread(bytes, 1, sizeof bytes, file);
    int error = ferror(file) != 0 ? P2_E_IO : p2_receipt_decode(ret_receipt, p2_span(bytes, size));
    if (file != stdin) {
        (void)fclose(file); /* only read */
    }
    return error == P2_OK ? P2_OK : p2_fail(failure, error, "%s is not a receipt", path);
}

static int read_key(const char *text, const char *whose, struct p2_id *ret_id,
                    struct p2_failure *failure)
{
    int error = p2_id_parse(ret_id, text, strlen(text));
    return error == P2_OK ? P2_OK
                          : p2_fail(failure, P2_E_INVALID, "not the %s's key: %s", whose, text);
}

/* Nano-dollars as dollars, exactly. */
static json_t *money(int64_t nd)
{
    char text[40];
    uint64_t size = nd < 0 ? (uint64_t) - (nd + 1) + 1 : (uint64_t)nd;
    (void)snprintf(text, sizeof text, "%s%llu.%09llu", nd < 0 ? "-" : "",
                   (unsigned long long)(size / 1000000000u),
                   (unsigned long long)(size % 1000000000u));
    return json_string(text);
}

static json_t *describe(const struct p2_msg_statement *statement)
{
    char helper[P2_ID_TEXT_MAX], issued[32] = "?";
    time_t when = (time_t)statement->issued_s;
    struct tm parts;
    p2_id_format(helper, &statement->helper);
    if (gmtime_r(&when, &parts) != NULL) {
        (void)strftime(issued, sizeof issued, "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
    return json_pack(
        "{s:s, s:s, s:I, s:s, s:s, s:I, s:o, s:o, s:o, s:o}", "verified", "yes", "helper", helper,
        "sequence", (json_int_t)statement->sequence, "issued", issued, "mode",
        statement->mode == P2_PAY_MODE_FUNDED ? "funded" : "points", "units",
        (json_int_t)statement->cost_units, "cleared", money((int64_t)statement->cleared_nd), "held",
        money((int64_t)statement->held_nd), "forfeited", money((int64_t)statement->forfeited_nd),
        "balance", money(statement->balance_nd));
}

int p2_receipts_verify(int count, char **words, json_t **ret_result, struct p2_failure *failure)
{
    struct p2_receipt receipt;
    struct p2_msg_statement statement;
    struct p2_id authority, helper;
    uint8_t network[P2_KEY_BYTES];
    int error = p2_crypto_init();
    if (error == P2_OK) {
        error = read_file(words[0], &receipt, failure);
    }
    if (error == P2_OK) {
        error = read_key(words[1], "authority", &authority, failure);
    }
    if (error == P2_OK && count > 2) {
        error = read_key(words[2], "helper", &helper, failure);
    }
    if (error != P2_OK) {
        return error;
    }
    p2_network_id(network, count > 3 ? words[3] : P2_NETWORK_PUBLIC);
    error =
        p2_receipt_verify(&statement, &receipt, &authority, count > 2 ? &helper : NULL, network);
    if (error != P2_OK) {
        return p2_fail(failure, error, "%s does not verify: %s", words[0], p2_error_text(error));
    }
    *ret_result = describe(&statement);
    return *ret_result != NULL ? P2_OK : p2_fail(failure, P2_E_NOMEM, "out of memory");
}
