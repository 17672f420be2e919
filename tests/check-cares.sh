#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The functions that c-ares uses from libc. Each name below was checked: it neither ends the program nor changes its
# state, or it leads to resolve/confine.c, or it belongs to a part that our code does not call. The test fails for a
# release of c-ares that uses another name.
archive=$builddir/confined.a
[ -f "$archive" ] || { echo "Bail out! $archive is missing"; exit 99; }

# libc's own spellings of one function: checked variants, newer standards, wider times and files
plain() { sed -e 's/^__\(.*\)_chk$/\1/' -e 's/^__isoc23_//' -e 's/^__\(.*\)64$/\1/' -e 's/64$//' | sort -u; }

taken=$(nm "$archive" 2>/dev/null |
	awk '$1 == "U" { wanted[$2] }  NF == 3 { defined[$3] }  END { for (name in wanted) if (!(name in defined)) print name }' |
	grep -vE '^(_GLOBAL_OFFSET_TABLE_|__stack_chk_fail(_local)?|__x86\..*|__aeabi_.*|__(asan|ubsan|tsan|gcov)_.*)$' | plain)

# sockets, bytes, numbers, time
known="bind close connect fcntl getsockname recv recvfrom send sendto setsockopt socket \
	free malloc realloc memchr memcmp memcpy memmem memmove memset qsort \
	sprintf snprintf strchr strcmp strcpy strlen strncmp strncpy strnlen strtol strtoul \
	__ctype_b_loc __ctype_tolower_loc inet_ntop __errno_location clock_gettime gettimeofday time \
	pthread_mutex_destroy pthread_mutex_init pthread_mutex_lock pthread_mutex_unlock \
	pthread_mutexattr_destroy pthread_mutexattr_init pthread_mutexattr_settype"
# replaced by our own functions
known="$known $(sed -n '/^#/d; s/.* //p' "$srcdir/resolve/confined.syms" | tr '\n' ' ')"
# only called after fopen, which opens no file
known="$known fseek ftell"
# of parts that are not used: ares_getaddrinfo and similar functions, ares_fds, the event thread and its file watch
known="$known getservbyname getservbyname_r freeifaddrs getifaddrs if_nametoindex \
	epoll_create1 epoll_ctl epoll_wait inotify_add_watch inotify_init1 pipe2 poll read select stat write \
	pthread_cond_broadcast pthread_cond_destroy pthread_cond_init pthread_cond_signal pthread_cond_timedwait pthread_cond_wait \
	pthread_create pthread_join"
# for errors inside c-ares; no input can lead there
known="$known __assert_fail"

strangers() { printf '%s\n' $taken | while read -r name; do
	case " $(echo $known) " in *" $name "*) ;; *) printf '%s ' "$name" ;; esac
done; }

# report NUMBER SENTENCE GOT EXPECTED
report() {
	if [ "$3" = "$4" ]; then echo "ok $1 - $2"; else echo "not ok $1 - $2"; echo "# got '$3', expected '$4'"; fi
}
echo 1..3
report 1 "c-ares takes from libc what is known, and nothing else" "$(strangers)" ""
report 2 "what may not be used leads to resolve/confine.c" \
	"$(nm -u "$archive" 2>/dev/null | sed -n 's/.* U //p' | sort -u | grep -xF "$(sed '/^#/d; s/ .*//' "$srcdir/resolve/confined.syms")" | tr '\n' ' ')" ""
report 3 "... for c-ares alone: the plugin's own calls of getenv are glibc's" \
	"$(nm -D --undefined-only "$builddir/libnss_srvmesh.so.2" | sed 's/.* //; s/@.*//' | grep -xE 'secure_getenv|fopen|rand|arc4random_buf' | tr '\n' ' ')" \
	"secure_getenv "
