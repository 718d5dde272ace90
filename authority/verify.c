/* The default policy of verification. */
#include "authority/verify.h"

#include <stddef.h>

enum p2_verdict p2_verify_decide(const struct p2_verify_port *port,
                                 const struct p2_verify_case *item)
{
    return port->decide == NULL ? P2_VERIFY_ACCEPT : port->decide(port->ctx, item);
}
