/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/build.h"
#include "conf/piece.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void hear(void *context, enum sm_complaint kind, const char *text)
{
	(void)kind;
	HOLDS(strlen(text) > 0);
	*(uint32_t *)context += 1;
}

static void look_up(const struct sm_rules *rules, const char *text)
{
	const struct sm_rule *rule = sm_rules_match(rules, text, strlen(text));

	if (!rule)
		return;
	HOLDS(rule->n_servers <= SM_SERVERS_MAX && rule->name.length <= strlen(text));
	HOLDS(rule->timeout_ms >= 1 && rule->deadline_ms >= 1 && rule->attempts >= 1);
}

/* A file with an error says so and is left out; what is left makes rules within their bounds. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint32_t n_complaints = 0;
	struct sm_complaints complaints = {.hear = hear, .context = &n_complaints};
	struct sm_conf *conf = calloc(1, sizeof(*conf));
	char *text = malloc(size + 1);

	memcpy(text, bytes, size);
	text[size] = '\0';
	conf->pieces = calloc(1, sizeof(*conf->pieces));
	conf->n_pieces = 1;
	conf->pieces[0].path = strdup("/etc/srvmesh.conf");
	if (sm_piece_read(&conf->pieces[0], text, size, &complaints) == SM_OK &&
	    sm_conf_build(conf, false, &complaints) == SM_OK) {
		HOLDS(!conf->pieces[0].is_left_out || n_complaints > 0);
		look_up(&conf->rules, "api.mesh");
		look_up(&conf->rules, "db.mesh");
		look_up(&conf->rules, "x");
	}
	sm_conf_free(conf);
	free(text);
	return 0;
}
