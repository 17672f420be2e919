/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/surroundings.h"

#include "daemon/log.h"

static void forget(struct sm_daemon *daemon)
{
	sm_network_free(daemon->network);
	daemon->network = NULL;
}

static void on_change(uv_poll_t *poll, int status, int events)
{
	struct sm_daemon *daemon = poll->data;

	(void)status;
	(void)events;
	if (!sm_network_has_changed(daemon->network_fd))
		return;
	forget(daemon);
	sm_log(SM_LOG_DEBUG, "addresses or links have changed", NULL);
}

void sm_surroundings_start(struct sm_daemon *daemon)
{
	daemon->network_fd = sm_network_watch();
	if (daemon->network_fd < 0)
		return;
	uv_poll_init(&daemon->loop, &daemon->changes, daemon->network_fd);
	daemon->changes.data = daemon;
	uv_poll_start(&daemon->changes, UV_READABLE, on_change);
}

void sm_surroundings_stop(struct sm_daemon *daemon)
{
	forget(daemon);
	if (daemon->network_fd < 0)
		return;
	uv_close((uv_handle_t *)&daemon->changes, NULL);
	close(daemon->network_fd);
	daemon->network_fd = -1;
}

const struct sm_network *sm_surroundings_network(struct sm_daemon *daemon)
{
	enum sm_status status = SM_OK;

	if (daemon->network_fd < 0)
		return NULL; /* nobody would say when it is out of date */
	if (sm_network_has_changed(daemon->network_fd))
		forget(daemon);
	if (!daemon->network)
		status = sm_network_learn(&daemon->network);
	return status == SM_OK ? daemon->network : NULL;
}
