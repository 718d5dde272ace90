/* The default policy of verification. */
#include "authority/verify.h"

#include <stddef.h>

enum p2_verdict p2_verify_decide(const struct p2_verify_port *port,
                                 const struct p2_verify_case *item)
{
    return port->decide == NULL ? P2_VERIFY_ACCEPT : port->decide(port->ctx, item);
}

bool p2_verify_admit(const struct p2_verify_port *port, const struct p2_verify_ask *ask)
{
    return port->admit == NULL || port->admit(port->ctx, ask);
}

uint64_t p2_verify_granted(const struct p2_verify_port *port, const struct p2_verify_ask *ask)
{
    return port->granted == NULL ? 0 : port->granted(port->ctx, ask);
}

void p2_verify_released(const struct p2_verify_port *port, uint64_t owed_us)
{
    if (port->released != NULL && owed_us > 0) {
        port->released(port->ctx, owed_us);
    }
}
