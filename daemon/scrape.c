/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libuv reads and writes; what is ours is the first line of a request, and whether the client wants OpenMetrics. */
#include "daemon/scrape.h"

#include "base/sockaddr.h"
#include "daemon/log.h"
#include "mesh/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define REQUEST_MAX 8192
#define PATIENCE_MS 5000
#define HEAD_MAX 256

struct sm_scraper {
	struct sm_scrape *scrape;
	TAILQ_ENTRY(sm_scraper) link; /* of scrape->asking, while is_asking */
	bool is_asking;
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} connection;
	uv_timer_t timer;
	uv_write_t writing;
	int n_handles;
	size_t used;
	char request[REQUEST_MAX + 1];
	char head[HEAD_MAX];
	char *text; /* of the reply; owned */
};

static void on_closed(uv_handle_t *handle)
{
	struct sm_scraper *scraper = handle->data;

	if (--scraper->n_handles > 0)
		return;
	free(scraper->text);
	free(scraper);
}

static void has_asked(struct sm_scraper *scraper)
{
	if (scraper->is_asking)
		TAILQ_REMOVE(&scraper->scrape->asking, scraper, link);
	scraper->is_asking = false;
}

static void close_scraper(struct sm_scraper *scraper)
{
	if (uv_is_closing(&scraper->connection.handle))
		return;
	has_asked(scraper);
	scraper->scrape->n_scrapers--;
	uv_close(&scraper->connection.handle, on_closed);
	uv_close((uv_handle_t *)&scraper->timer, on_closed);
}

static void on_time(uv_timer_t *timer)
{
	close_scraper(timer->data);
}

static void on_written(uv_write_t *writing, int status)
{
	(void)status;
	close_scraper(writing->data);
}

/* ---- the reply */

static void reply(struct sm_scraper *scraper, const char *status, const char *type, char *text, size_t size, bool has_body)
{
	int length = snprintf(scraper->head, HEAD_MAX,
	                      "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status, type,
	                      size);
	uv_buf_t pieces[] = {uv_buf_init(scraper->head, (unsigned)length), uv_buf_init(text, (unsigned)size)};

	scraper->text = text;
	scraper->writing.data = scraper;
	if (uv_write(&scraper->writing, &scraper->connection.stream, pieces, text && has_body ? 2 : 1, on_written) != 0)
		close_scraper(scraper);
}

static void refuse(struct sm_scraper *scraper, const char *status)
{
	reply(scraper, status, "text/plain", NULL, 0, false);
}

/* Does a field of the request's head say that it takes OpenMetrics? */
static bool wants_openmetrics(const char *request)
{
	for (const char *line = strstr(request, "\r\n"); line; line = strstr(line + 2, "\r\n"))
		if (strncasecmp(line + 2, "accept:", strlen("accept:")) == 0)
			return memmem(line + 2, strcspn(line + 2, "\r"), "application/openmetrics-text",
			              strlen("application/openmetrics-text"));
	return false;
}

static void answer(struct sm_scraper *scraper)
{
	const char *request = scraper->request;
	bool is_head = strncmp(request, "HEAD ", 5) == 0, is_open = wants_openmetrics(request);
	const char *path = request + (is_head ? 5 : 4);
	size_t length = strcspn(path, " ?\r"), size;
	const char *page;
	char *text;

	if (!is_head && strncmp(request, "GET ", 4) != 0) {
		refuse(scraper, "405 Method Not Allowed");
		return;
	}
	if (length != strlen("/metrics") || strncmp(path, "/metrics", length) != 0) {
		refuse(scraper, "404 Not Found");
		return;
	}
	page = sm_metrics_text(scraper->scrape->metrics, is_open ? SM_METRICS_OPENMETRICS : SM_METRICS_PROMETHEUS, &size);
	text = page ? malloc(size) : NULL;
	if (text)
		memcpy(text, page, size);
	if (text)
		reply(scraper, "200 OK",
		      is_open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		              : "text/plain; version=0.0.4; charset=utf-8",
		      text, size, !is_head);
	else
		refuse(scraper, "503 Service Unavailable");
}

/* ---- the request */

static void give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *ret)
{
	struct sm_scraper *scraper = handle->data;

	(void)wanted;
	*ret = uv_buf_init(scraper->request + scraper->used, (unsigned)(REQUEST_MAX - scraper->used));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *room)
{
	struct sm_scraper *scraper = stream->data;

	(void)room;
	if (size < 0 && size != UV_ENOBUFS) {
		close_scraper(scraper);
		return;
	}
	scraper->used += size > 0 ? (size_t)size : 0;
	scraper->request[scraper->used] = '\0';
	if (strstr(scraper->request, "\r\n\r\n")) {
		uv_read_stop(stream);
		has_asked(scraper);
		answer(scraper);
	} else if (scraper->used == REQUEST_MAX) {
		uv_read_stop(stream);
		refuse(scraper, "431 Request Header Fields Too Large");
	}
}

static int init_stream(uv_loop_t *loop, bool is_local, uv_tcp_t *tcp, uv_pipe_t *pipe)
{
	return is_local ? uv_pipe_init(loop, pipe, 0) : uv_tcp_init(loop, tcp);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct sm_scrape *scrape = listener->data;
	struct sm_scraper *scraper = status == 0 ? calloc(1, sizeof(*scraper)) : NULL;

	if (!scraper)
		return;
	scraper->scrape = scrape;
	init_stream(scrape->loop, scrape->path[0] != '\0', &scraper->connection.tcp, &scraper->connection.pipe);
	uv_timer_init(scrape->loop, &scraper->timer);
	scraper->connection.handle.data = scraper->timer.data = scraper;
	scraper->n_handles = 2;
	scrape->n_scrapers++;
	if (scrape->n_scrapers > SM_SCRAPERS_MAX && !TAILQ_EMPTY(&scrape->asking))
		close_scraper(TAILQ_FIRST(&scrape->asking));
	if (uv_accept(listener, &scraper->connection.stream) != 0 || scrape->n_scrapers > SM_SCRAPERS_MAX ||
	    uv_read_start(&scraper->connection.stream, give_room, on_read) != 0) {
		close_scraper(scraper);
		return;
	}
	scraper->is_asking = true;
	TAILQ_INSERT_TAIL(&scrape->asking, scraper, link);
	uv_timer_start(&scraper->timer, on_time, PATIENCE_MS, 0);
}

/* ---- listening */

/* A socket file that a dead daemon left is in the way: srvmeshd owns the directory alone by now. Everybody may connect. */
static int bind_local(struct sm_scrape *scrape, const char *path)
{
	mode_t mask = umask(0111);
	struct stat file;
	int code;

	if (lstat(path, &file) == 0 && S_ISSOCK(file.st_mode))
		unlink(path);
	code = uv_pipe_bind(&scrape->listener.pipe, path);
	umask(mask);
	return code;
}

static int listen_at(struct sm_scrape *scrape, const struct sm_road *road)
{
	bool is_local = road->path[0] != '\0';
	struct sockaddr_storage address;
	int code;

	if (!is_local)
		sm_sockaddr_inet(road->server.address.family == SM_IPV6, road->server.address.bytes, "", road->server.port,
		                 &address);
	code = init_stream(scrape->loop, is_local, &scrape->listener.tcp, &scrape->listener.pipe);
	if (code != 0)
		return code;
	scrape->is_open = true;
	scrape->listener.handle.data = scrape;
	code = is_local ? bind_local(scrape, road->path)
	                : uv_tcp_bind(&scrape->listener.tcp, (const struct sockaddr *)&address, 0);
	return code == 0 ? uv_listen(&scrape->listener.stream, SM_SCRAPERS_MAX, on_connection) : code;
}

void sm_scrape_start(struct sm_scrape *scrape, const struct sm_road *road)
{
	char where[SM_PATH_MAX + 16];
	int code;

	if (road->path[0] == '\0' && road->server.port == 0)
		return;
	TAILQ_INIT(&scrape->asking);
	memcpy(scrape->path, road->path, sizeof(scrape->path));
	if (road->path[0] != '\0')
		snprintf(where, sizeof(where), "unix:%s", road->path);
	else
		sm_text_endpoint(&road->server.address, "", road->server.port, where);
	code = listen_at(scrape, road);
	if (code != 0)
		sm_log(SM_LOG_WARNING, "no metrics: cannot listen", "address", where, "error", uv_strerror(code), NULL);
}

void sm_scrape_stop(struct sm_scrape *scrape)
{
	if (scrape->is_open)
		uv_close(&scrape->listener.handle, NULL);
}
