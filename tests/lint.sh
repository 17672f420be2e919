#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# ./dev lint: runs static analysis tools on the sources.
cd "$srcdir" || exit 99

rooms="base mesh wire conf cache resolve ipc find nss_srvmesh daemon cli ports"
sources=$(for room in $rooms; do ls "$room"/*.c; done)
flags='-std=gnu11 -D_GNU_SOURCE -DPACKAGE_VERSION="0" -DLIBEXEC_DIR="" -DSBIN_DIR="" -DNSS_DIR="" -DMULTIARCH="" -DPORTS_DIR="" -DRELEASED_S=0 -I.'
flags="$flags $(pkg-config --cflags smartcols)"
scripts="dev .ci/run packaging/nsswitch packaging/changelog packaging/srvmeshd.init packaging/systemd/srvmeshd-memory.in
	packaging/debian/libnss-srvmesh.postinst packaging/debian/srvmeshd.postrm tests/demo/demo.sh tests/lint.sh $(ls tests/check-*.sh)
	packaging/completions/srvmesh.bash"
texts="README.md ARCHITECTURE.md CONTRIBUTING.md SECURITY.md NEWS docs/*.md $(for room in $rooms bench man packaging tests; do
	find "$room" -type f ! -name '*.pyc' ! -name '*.scenario'; done)"

# report NUMBER SENTENCE COMPLAINTS
report() {
	if [ -z "$3" ]; then echo "ok $1 - $2"; else echo "not ok $1 - $2"; printf '%s\n' "$3" | head -60 | sed 's/^/# /'; fi
}

echo 1..7
# its checks of leaks and loops are off, because it follows neither pointers in the caller's structs nor counters;
# sanitizers and tests look for those errors
report 1 "gcc -fanalyzer finds nothing" "$(printf '%s\n' $sources | xargs -P 2 -I{} gcc -fanalyzer -Wno-analyzer-malloc-leak -Wno-analyzer-infinite-loop \
	-Wno-analyzer-fd-leak -O1 $flags -c {} -o /dev/null 2>&1)"
report 2 "clang-tidy finds nothing" "$(printf '%s\n' $sources | xargs -P 2 -I{} clang-tidy --quiet {} -- $flags 2>/dev/null)"
# word splitting is intended; -nt and -ef exist in every sh that we use; make sets srcdir and builddir
report 3 "shellcheck finds nothing" "$(shellcheck -S warning -e SC2046,SC2086,SC2089,SC2090,SC2154,SC3013,SC1007 $scripts 2>&1)"
report 4 "codespell finds nothing" "$(codespell -L statics,nd,te,timeot,timout,nam,servent,collet $texts 2>&1)"
report 5 "mandoc finds nothing" "$(mandoc -T lint -W style man/*.[158] 2>&1 | grep -vE 'referenced manual not found|outdated mandoc.db')"
report 6 "lines are as .editorconfig says" "$(awk -v tab=8 '
	FNR == 1 { limit = FILENAME !~ /\.(c|h|py)$/ ? 0 : FILENAME ~ /^tests|\.py$/ ? 160 : 130 }
	/[ \t]+$/ { print FILENAME ":" FNR ": blanks at the end" }
	limit {
		text = $0
		width = 0
		for (i = 1; i <= length(text); i++)
			width += substr(text, i, 1) == "\t" ? tab - width % tab : 1
		if (width > limit)
			print FILENAME ":" FNR ": " width " columns"
	}' $(for room in $rooms bench tests; do find "$room" -name '*.[ch]' -o -name '*.py' -o -name '*.sh'; done))"
report 7 "clang-format leaves the code as it is" "$(for room in $rooms bench tests; do find "$room" -name '*.[ch]'; done |
	xargs clang-format --dry-run -Werror 2>&1)"
