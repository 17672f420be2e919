/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The SRV records of one owner, as targets of which only name, priority, weight and port count here: each once, and no more
 * than an answer holds. Pure. */
#pragma once

#include "mesh/answer.h"

/* Best first: by priority, then heavier first. Equal records are one (RFC 2181, 5); publishers that send a record twice, as
 * Active Directory does, mean no double weight. Returns how many are left. */
uint32_t sm_srvset_order(struct sm_target *targets, uint32_t n);

/* Keeps `max` of the ordered targets: the best priorities whole, and of the priority that does not fit a sample by weight.
 * Each sampled target stands for others too: weights are set so that over many samples each of the targets is drawn as
 * often as its own weight says. Returns how many are left. */
uint32_t sm_srvset_cut(struct sm_target *targets, uint32_t n, uint32_t max, uint64_t seed);
