/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program that exports functions with the names that our libraries use. Each of them aborts, so that the test
 * fails if one of the plugin's calls is captured. Linked with -rdynamic. */
#include <netdb.h>
#include <nss.h>
#include <stdio.h>
#include <stdlib.h>

#define TRAP(name)               \
	void name(void);         \
	void name(void)          \
	{                        \
		fputs(#name " was captured\n", stderr); \
		abort();         \
	}

TRAP(ares_init)
TRAP(ares_init_options)
TRAP(ares_create_query)
TRAP(ares_send)
TRAP(ares_query)
TRAP(ares_destroy)
TRAP(ares_process_fd)
TRAP(ares_getsock)
TRAP(ares_set_servers_ports)
TRAP(ares_set_socket_functions)
TRAP(ares_free_string)
TRAP(ini_parse)
TRAP(ini_parse_stream)
TRAP(ini_parse_string)
TRAP(sm_find)
TRAP(sm_choose)
TRAP(sm_conf_load)
TRAP(sm_clock_now_ns)

int main(int argc, char **argv)
{
	struct addrinfo *found;
	int error;

	__nss_configure_lookup("hosts", "srvmesh");
	error = getaddrinfo(argc > 1 ? argv[1] : "", NULL, NULL, &found);
	puts(error ? gai_strerror(error) : "found");
	return error != 0;
}
