#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# ARCHITECTURE.md names what exists: files, and functions in the file that they are said to be in.
cd "$srcdir" || exit 99

# "FILE FUNCTION" for each function named behind a file, up to the next file
named() {
	tr '\n' ' ' <"$1" | grep -oE '`[^` ]+`:?' | awk '
		/^`[a-z_]+\/[a-z_]+\.[ch]`:$/ { file = substr($0, 2, length($0) - 3); next }
		/^`[a-z_]+\/[^`]*`$/ { file = ""; next }
		/^`[a-z_0-9]+`$/ { if (file != "") print file, substr($0, 2, length($0) - 2) }'
}

# report NUMBER SENTENCE COMPLAINTS
report() {
	if [ -z "$3" ]; then echo "ok $1 - $2"; else echo "not ok $1 - $2"; printf '%s\n' "$3" | sed 's/^/# /'; fi
}

missing_files() {
	grep -oE '`[a-z_]+/[a-z_.-]*`' "$1" | tr -d '`' | sort -u | while read -r file; do
		[ -e "$file" ] || echo "$file"
	done
}

missing_functions() {
	named "$1" | sort -u | while read -r file function; do
		grep -qE "^(EXPORTED )?[a-z].*[ *]$function\(" "$file" || echo "$file: $function"
	done
}

echo 1..4
report 1 "every file that ARCHITECTURE.md names exists" "$(missing_files ARCHITECTURE.md)"
report 2 "every function is where it is said to be" "$(missing_functions ARCHITECTURE.md)"
count=$(named ARCHITECTURE.md | wc -l)
[ "$count" -gt 70 ] && echo "ok 3 - they are many" || echo "not ok 3 - they are many: $count"
example=$(mktemp) || exit 99
printf '`mesh/choose.c`: `sm_choose`, `no_such_function`; `mesh/none.c`\n' >"$example"
[ "$(missing_files "$example") $(missing_functions "$example")" = "mesh/none.c mesh/choose.c: no_such_function" ] &&
	echo "ok 4 - what does not exist is named" || echo "not ok 4 - what does not exist is named"
rm -f "$example"
