/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/control.h"

#include "base/clock.h"
#include "daemon/log.h"
#include "daemon/nameservers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void tell(struct sm_client *client, const char *text)
{
	sm_client_reply(client, SM_FRAME_TEXT, text, strlen(text));
}

static void tell_made(struct sm_client *client, const char *text, size_t size)
{
	if (text)
		sm_client_reply(client, SM_FRAME_TEXT, text, size);
	else
		sm_client_reply(client, SM_FRAME_BUSY, NULL, 0);
}

static void tell_status(const struct sm_control *control, struct sm_client *client)
{
	char text[SM_STATUS_MAX];
	size_t size = sm_figures_status(&control->from, text);

	sm_client_reply(client, SM_FRAME_TEXT, text, size);
}

static void tell_metrics(const struct sm_control *control, struct sm_client *client)
{
	bool is_open = client->request.kind == SM_FRAME_OPENMETRICS;
	size_t size;
	const char *text = sm_metrics_text(control->metrics, is_open ? SM_METRICS_OPENMETRICS : SM_METRICS_PROMETHEUS, &size);

	tell_made(client, text, size);
}

static void tell_servers(struct sm_control *control, struct sm_client *client)
{
	int64_t now_ns = sm_clock_now_ns();
	const char *text = sm_kept_text(&control->servers, now_ns);

	if (!text) {
		size_t size = 0;
		char *made = sm_nameservers_text(control->from.upstream, &control->reload->settings->conf->rules, now_ns, &size);

		text = sm_kept_put(&control->servers, made, size, now_ns);
	}
	tell_made(client, text, control->servers.size);
}

/* The new level holds until the configuration is loaded again. */
static void set_level(struct sm_client *client)
{
	char text[64];

	if (client->request.level <= SM_LOG_DEBUG) {
		if (!sm_client_is_trusted(client)) {
			tell(client, "error=only root and the user of srvmeshd may set it\n");
			return;
		}
		sm_log_set_level((enum sm_log_level)client->request.level);
		sm_log(SM_LOG_INFO, "the log's level was set", "level", sm_log_word(sm_log_level()), NULL);
	}
	snprintf(text, sizeof(text), "level=%s\n", sm_log_word(sm_log_level()));
	tell(client, text);
}

static void load_again(const struct sm_control *control, struct sm_client *client)
{
	char text[64];

	if (!sm_client_is_trusted(client)) {
		tell(client, "error=only root and the user of srvmeshd may do that\n");
		return;
	}
	sm_reload_now(control->reload);
	snprintf(text, sizeof(text), "errors=%u\n", control->reload->settings->n_errors);
	tell(client, text);
}

void sm_control_ask(struct sm_control *control, struct sm_client *client)
{
	switch (client->request.kind) {
	case SM_FRAME_STATUS:
		tell_status(control, client);
		break;
	case SM_FRAME_HEALTH:
		sm_targets_list(control->targets, client);
		break;
	case SM_FRAME_FLUSH:
		sm_flush_ask(control->flush_work, client);
		break;
	case SM_FRAME_SERVERS:
		tell_servers(control, client);
		break;
	case SM_FRAME_METRICS:
	case SM_FRAME_OPENMETRICS:
		tell_metrics(control, client);
		break;
	case SM_FRAME_MONITOR:
		sm_monitor_ask(control->monitor, client);
		break;
	case SM_FRAME_LOG_LEVEL:
		set_level(client);
		break;
	case SM_FRAME_RELOAD:
		load_again(control, client);
		break;
	case SM_FRAME_LOOKUP: case SM_FRAME_HINT: case SM_FRAME_RECORD: case SM_FRAME_WORKING: case SM_FRAME_NOT_OURS:
	case SM_FRAME_BUSY: case SM_FRAME_TEXT: case SM_FRAME_EVENT:
		sm_client_close(client); /* no such requests come here */
		break;
	}
}
