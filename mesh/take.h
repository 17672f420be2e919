/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a reply brings into an expansion: targets, hosts, addresses. The includer is mesh/expand.c. */
#pragma once

#include "mesh/expand.h"

/* The host of that name, a new one if it is not known yet. SM_NO_HOST: no memory for it. */
uint16_t sm_take_host(struct sm_expand *expand, const char *name);
/* Adds a target, on the host of its name. */
void sm_take_target(struct sm_expand *expand, const struct sm_target *target);

/* Takes the targets of the old answer, with their metadata, once. false: there are none, or today's are known. */
bool sm_take_old_targets(struct sm_expand *expand);
/* Gives a host the addresses of old, where no server tells today's. false: it had none. */
bool sm_take_old_addresses(struct sm_expand *expand, enum sm_rr_type type, uint16_t host);

/* The SRV records of `owner`: each once, and no more than SM_TARGETS_MAX. */
void sm_take_targets(struct sm_expand *expand, const struct sm_reply *reply, const char *owner);
/* Addresses and metadata of hosts in the additional section of the reply to question `number`, where its servers speak for
 * them. */
void sm_take_glue(struct sm_expand *expand, uint32_t number, const struct sm_reply *reply);
/* Addresses of `owner`, as those of the host. */
void sm_take_addresses(struct sm_expand *expand, const struct sm_reply *reply, const char *owner, enum sm_rr_type type,
                       uint16_t host);
/* What the TXT records of `owner` say, as of the host, or, where that is SM_NO_HOST, of the SRV owner. */
void sm_take_metadata(struct sm_expand *expand, const struct sm_reply *reply, const char *owner, uint16_t host);
