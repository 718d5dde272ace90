/* The product's rules for links: what src/wire says about types, sizes, roles and classes. */
#ifndef P2_LINK_WIRE_RULES_H
#define P2_LINK_WIRE_RULES_H

#include "link/link.h"

extern const struct p2_link_rules p2_link_wire_rules;

#endif
