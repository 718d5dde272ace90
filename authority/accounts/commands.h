/* `p2c2rctl helper | ban | unban | bans | ledger show, credit, explain, export | payouts`: the
 * authority's end.
 *
 *   helper           {"key": K}                                 score, faults, pay
 *   bans             {}                                         in force, and those of the table
 *   ban              {"who": K or ADDRESS, "reason": R, "hours": H or absent}
 *   unban            {"who": K or ADDRESS, "reason": R}         also lifts a ban of the table
 *   ledger-show      {}                                         accounts
 *   ledger-credit    {"key": K or "host", "amount": "1.25"}     dollars, exact to a nano-dollar
 *   ledger-explain   {}                                         the arithmetic of solvency
 *   ledger-export    {"format": "csv" or "json"} + descriptor   all entries
 *   payouts          {}                                         under way and unknown
 *
 * Looking is for anyone on the socket but `ledger-*` and `payouts`, which are for root and the daemon's
 * user, as every change is. Changes answer when the disk has them. Thread: the loop. */
#ifndef P2_AUTHORITY_ACCOUNTS_COMMANDS_H
#define P2_AUTHORITY_ACCOUNTS_COMMANDS_H

#include "authority/accounts/accounts.h"
#include "ctl/server.h"

struct p2_accounts_commands {
    struct p2_accounts *accounts; /* borrowed until the server stopped and calls ended */
    uint64_t helper_price_nd_m;   /* for `ledger explain` */
    /* A key or prefix was banned or freed: close links, p2_core_step with P2_EVENT_BAN. May be NULL. */
    void (*on_ban)(void *ctx, const struct p2_ban_entry *entry);
    void *ctx;
    unsigned calls; /* under way */
};

/* Adds the commands; `commands` is kept until the server stopped. Errors of p2_ctl_server_add. */
int p2_accounts_commands_add(struct p2_ctl_server *server, struct p2_accounts_commands *commands);

#endif
