/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/flush.h"

#include "base/scope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_pattern(const char *word, struct sm_name *ret)
{
	if (strcmp(word, "--all") == 0)
		word = "*";
	else if (word[0] == '-')
		return false;
	if (sm_pattern_parse(word, strlen(word), ret->text) != SM_OK) {
		fprintf(stderr, "srvmesh: \"%s\" is neither a name nor a pattern of names such as *.mesh\n", word);
		return false;
	}
	ret->length = (uint8_t)strlen(ret->text);
	return true;
}

bool sm_flush_read_words(char **words, struct sm_request *ret)
{
	bool has_pattern = false;

	*ret = (struct sm_request){.format = SM_FORMAT, .kind = SM_FRAME_FLUSH};
	if (!words[0] || strcmp(words[0], "flush") != 0)
		return false;
	for (char **word = words + 1; *word; word++) {
		if (strcmp(*word, "--everywhere") == 0 && !ret->is_everywhere)
			ret->is_everywhere = true;
		else if (has_pattern || !read_pattern(*word, &ret->name))
			return false;
		else
			has_pattern = true;
	}
	return has_pattern;
}

/* The value of a line, or "". */
static void value_of(const char *text, const char *key, char *ret, size_t size)
{
	const char *line = strstr(text, key);

	ret[0] = '\0';
	if (line)
		snprintf(ret, size, "%.*s", (int)strcspn(line + strlen(key), "\n"), line + strlen(key));
}

static enum exit_code print(const char *text, size_t size, bool is_everywhere)
{
	SM_SCOPE_FREE char *copy = strndup(text, size);
	char error[128], names[16], everywhere[32];

	if (!copy)
		return EXIT_NO;
	value_of(copy, "error=", error, sizeof(error));
	value_of(copy, "names=", names, sizeof(names));
	value_of(copy, "everywhere=", everywhere, sizeof(everywhere));
	if (error[0] != '\0') {
		fprintf(stderr, "srvmesh: %s\n", error);
		return EXIT_NO;
	}
	printf("%s name%s flushed on this host\n", names, strcmp(names, "1") == 0 ? "" : "s");
	if (!is_everywhere)
		return EXIT_GOOD;
	if (strcmp(everywhere, "told") == 0) {
		puts("all hosts that share are told");
		return EXIT_GOOD;
	}
	fprintf(stderr, "srvmesh: other hosts are not told: %s\n",
	        strcmp(everywhere, "off") == 0 ? "this host shares with none ([shared])" : "the shared store is not reached");
	return EXIT_NO;
}

enum exit_code sm_flush_print(const char *text, size_t size)
{
	return print(text, size, false);
}

enum exit_code sm_flush_print_everywhere(const char *text, size_t size)
{
	return print(text, size, true);
}
