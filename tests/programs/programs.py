# SPDX-License-Identifier: LGPL-2.1-or-later
"""Unchanged programs of Debian that look up a name: how each is called, and what it prints when it has reached the live target.

N in a command is the name. A program with a port is a server that forwards to it: it is started, and then asked for a
page (or by its own
client). `needs` are commands that run in the machine beforehand, as services or to make something."""
import dataclasses

HTTP = r"printf 'GET / HTTP/1.0\r\n\r\n'"
LIVE = "127.0.0.11"


@dataclasses.dataclass
class Program:
    name: str
    packages: str
    command: str
    shows: str = LIVE
    port: int = 0
    client: str = ""
    is_short: bool = False
    has_own_resolver: bool = False  # it must get no answer from us, and asks the servers of resolv.conf
    takes_names_only: bool = False  # it makes no connection, so it cannot try a next address
    seconds: int = 20  # after this time it counts as a program that retries for ever


NGINX = ("daemon off; pid /tmp/nginx.pid; error_log stderr; events {{}} http {{ access_log off; {top} server {{ "
         "listen 127.0.0.1:18080; location / {{ {inner} }} }} }}")
HAPROXY = ["defaults", " mode http", " timeout connect 2s", " timeout client 5s", " timeout server 5s", "listen f",
           " bind 127.0.0.1:18081", " server s N:8080"]
APACHE = ["ServerRoot /usr/lib/apache2", "ServerName localhost", "PidFile /tmp/apache.pid", "ErrorLog /dev/stderr",
          "DefaultRuntimeDir /tmp", "LoadModule mpm_event_module modules/mod_mpm_event.so",
          "LoadModule authz_core_module modules/mod_authz_core.so", "LoadModule proxy_module modules/mod_proxy.so",
          "LoadModule proxy_http_module modules/mod_proxy_http.so", "User www-data", "Group www-data",
          "Listen 127.0.0.1:18082", "ProxyPass / http://N:8080/"]
SQUID = ["http_port 127.0.0.1:13128", "http_access allow all", "pid_filename none", "cache_log /tmp/squid.log", "access_log none",
         "cache deny all", "shutdown_lifetime 0 seconds", "pinger_enable off", "visible_hostname x"]
PGBOUNCER = ["[databases]", "postgres = host=N port=5432 user=postgres", "[pgbouncer]", "listen_addr = 127.0.0.1",
             "listen_port = 16432", "auth_type = any", "unix_socket_dir =", "query_wait_timeout = 6"]


def with_file(path, lines, command):
    """A server that has the name in its configuration."""
    text = "\n".join(lines) if isinstance(lines, list) else lines
    return f"cat >{path} <<'END'\n{text}\nEND\nexec {command}"


PYTHON_THREADS = ("import socket,threading; r=[]; f=lambda: r.append(socket.getaddrinfo('N',8080,type=socket.SOCK_STREAM)[-1][4][0]); "
                  "t=[threading.Thread(target=f) for _ in range(100)]; [x.start() for x in t]; [x.join() for x in t]; "
                  "print(len(r),set(r)); raise SystemExit(len(r) != 100)")
SSH = ("ssh -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=5 "
       "-i /opt/key -p 2222 root@N 'echo $SSH_CONNECTION'")
NODE = "node --no-warnings -e"

PROGRAMS = [
    Program("bash, /dev/tcp", "bash", f"bash -c \"exec 3<>/dev/tcp/N/8080 && {HTTP} >&3 && cat <&3\"", "hello", is_short=True),
    Program("curl", "curl", "curl -sS --max-time 10 http://N:8080/", "hello", is_short=True),
    Program("wget", "wget", "wget -nv -O - -T 5 -t 1 http://N:8080/", "hello", is_short=True),
    Program("python3, socket", "python3", "python3 -c \"import socket; print(socket.create_connection(('N',8080),5).getpeername()[0])\"",
            is_short=True),
    Program("python3, asyncio", "python3", "python3 -c \"import asyncio; print(asyncio.run(asyncio.open_connection('N',8080))[1]"
            ".get_extra_info('peername')[0])\""),
    Program("python3, requests", "python3-requests", "python3 -c \"import requests; print(requests.get('http://N:8080/',timeout=5).text)\"",
            "hello"),
    Program("python3, 100 threads", "python3", f"python3 -c \"{PYTHON_THREADS}\"", "100 {'127.0.0.11'}", takes_names_only=True),
    Program("node, dns.lookup", "nodejs", f"{NODE} \"require('dns').lookup('N',(e,a)=>{{console.log(e?e.code:a);process.exitCode=e?1:0}})\"",
            takes_names_only=True),
    Program("node, http.get", "nodejs", f"{NODE} \"require('http').get('http://N:8080/',r=>r.pipe(process.stdout))"
            ".on('error',e=>{console.log(e.code);process.exitCode=1})\"", "hello"),
    Program("node, fetch", "nodejs", f"{NODE} \"fetch('http://N:8080/').then(r=>r.text()).then(console.log,"
            "e=>{console.log(e.message,e.cause&&e.cause.code);process.exitCode=1})\"", "hello"),
    Program("perl, IO::Socket::INET", "perl", "perl -MIO::Socket::INET -e '$s=IO::Socket::INET->new(PeerAddr=>\"N:8080\",Timeout=>5) "
            "or die \"$@\\n\"; print $s->peerhost,\"\\n\"'", is_short=True),
    Program("perl, IO::Socket::IP", "perl", "perl -MIO::Socket::IP -e '$s=IO::Socket::IP->new(PeerAddr=>\"N:8080\",Timeout=>5) "
            "or die \"$@\\n\"; print $s->peerhost,\"\\n\"'", is_short=True),
    Program("ruby", "ruby", "ruby -rsocket -e 'puts TCPSocket.new(\"N\",8080).peeraddr(false)[3]'"),
    Program("php", "php-cli", "php -r 'echo file_get_contents(\"http://N:8080/\");'", "hello"),
    Program("java", "default-jdk-headless", "java -Xshare:auto -cp /opt J N 8080"),
    Program("go, with cgo", "golang-go gcc libc6-dev", "/opt/go-cgo N:8080"),
    Program("ssh", "openssh-client openssh-server", SSH, "127.0.0.11 2222"),
    Program("git", "git", "git ls-remote git://N:9418/r.git", "refs/heads"),
    Program("rsync", "rsync", "rsync --contimeout=5 rsync://N:8730/", "share11"),
    Program("psql", "postgresql", "PGCONNECT_TIMEOUT=5 psql -h N -U postgres -Atc 'select inet_server_addr()'"),
    Program("mariadb", "mariadb-client mariadb-server", "mariadb -h N -u root -Nse 'select @@bind_address'"),
    Program("mariadb, --connect-timeout=2", "mariadb-client mariadb-server",
            "mariadb -h N -u root --connect-timeout=2 -Nse 'select @@bind_address'"),
    Program("redis-cli", "redis-tools redis-server", "redis-cli -h N config get bind", is_short=True),
    Program("nc", "netcat-openbsd", "nc -vz -w 3 N 8080", "(127.0.0.11) 8080", is_short=True),
    Program("socat", "socat", f"{HTTP} | socat -t 2 - TCP:N:8080", "hello"),
    Program("ping", "iputils-ping", "ping -n -c 1 -W 1 N", "from 127.0.0.11", is_short=True, takes_names_only=True),
    Program("erlang", "erlang-base", "erl -noshell -eval 'case gen_tcp:connect(\"N\",8080,[],5000) of {ok,S}->{ok,{A,_}}=inet:peername(S),"
            "io:format(\"~s~n\",[inet:ntoa(A)]),halt(0);E->io:format(\"~p~n\",[E]),halt(1) end.'"),
    Program("sudo", "sudo", "sudo -u nobody getent ahosts N", is_short=True, takes_names_only=True),
    Program("openssl s_client", "openssl", "openssl s_client -connect N:8443 </dev/null", "CONNECTED"),
    Program("lftp", "lftp", "lftp -c 'cat http://N:8080/'", "hello"),
    Program("lynx", "lynx", "lynx -source -connect_timeout=5 http://N:8080/", "hello"),
    Program("C, gcc -static", "gcc libc6-dev", "/opt/static N 8080", is_short=True),
    Program("nginx, proxy_pass", "nginx-light", with_file("/tmp/nginx.conf", NGINX.format(top="", inner="proxy_pass http://N:8080;"),
                                                          "nginx -c /tmp/nginx.conf"), "hello", port=18080, is_short=True),
    Program("haproxy", "haproxy", with_file("/tmp/haproxy.cfg", HAPROXY, "haproxy -db -f /tmp/haproxy.cfg"), "hello", port=18081),
    Program("apache2, ProxyPass", "apache2", with_file("/tmp/apache.conf", APACHE, "apache2 -X -f /tmp/apache.conf"), "hello", port=18082),
    Program("varnish", "varnish gcc libc6-dev", "exec varnishd -F -n /tmp/varnish -a 127.0.0.1:16081 -b N:8080", "hello", port=16081),
    Program("chronyd, server", "chrony", "chronyd -F 1 -Q -t 12 'server N port 11123 iburst'", "System clock wrong by"),
    Program("postfix, smtp_host_lookup = native", "postfix", "/opt/mail N native", "status=sent"),
    Program("go, without cgo", "golang-go", "/opt/go-nocgo N:8080", has_own_resolver=True),
    Program("C, musl", "musl-tools", "/opt/musl N 8080", has_own_resolver=True),
    Program("node, dns.resolve", "nodejs", f"{NODE} \"require('dns').resolve4('N',(e,a)=>{{console.log(e?e.code:a);process.exitCode=e?1:0}})\"",
            has_own_resolver=True),
    Program("nginx, resolver", "nginx-light", with_file("/tmp/nginx.conf", NGINX.format(
        top="resolver 127.0.0.1;", inner="set $u N; proxy_pass http://$u:8080;"), "nginx -c /tmp/nginx.conf"), "hello", port=18080,
            has_own_resolver=True),
    Program("squid", "squid", with_file("/tmp/squid.conf", SQUID, "squid --foreground -f /tmp/squid.conf"), "hello", port=13128,
            client="curl -sS -m 15 -x 127.0.0.1:13128 http://N:8080/", has_own_resolver=True),
    Program("pgbouncer", "pgbouncer postgresql", with_file("/tmp/pgbouncer.ini", PGBOUNCER, "pgbouncer -u postgres /tmp/pgbouncer.ini"),
            port=16432, client="PGCONNECT_TIMEOUT=8 psql -h 127.0.0.1 -p 16432 -U postgres -Atc 'select inet_server_addr()'",
            has_own_resolver=True),
    Program("postfix, smtp_host_lookup = dns", "postfix", "/opt/mail N dns", "status=sent", has_own_resolver=True),
]

# files created in the machine before the programs run; a word in front names the packages that must be installed
MADE = [
    ("openssh-server", "ssh-keygen -q -t ed25519 -N '' -f /opt/key && ssh-keygen -A >/dev/null && passwd -d root >/dev/null"),
    ("openssl", "openssl req -x509 -newkey rsa:2048 -nodes -keyout /opt/cert.key -out /opt/cert.pem -subj /CN=api.mesh -days 30 "
                "2>/dev/null"),
    ("git", "mkdir -p /opt/git && cd /opt && git init -q w && cd w && git -c user.name=x -c user.email=x@x commit -q --allow-empty "
            "-m x && git clone -q --bare . /opt/git/r.git"),
    ("rsync", "mkdir -p /opt/share && printf '[share11]\\npath=/opt/share\\nuse chroot=no\\n' >/opt/rsyncd.conf"),
    ("postgresql", "printf 'local all all trust\\nhost all all 127.0.0.0/8 trust\\n' >/opt/hba.conf && install -d -o postgres /run/postgresql"),
    ("mariadb-server", "install -d -o mysql /run/mysqld"),
    ("golang-go", "cd /opt && CGO_ENABLED=0 GOCACHE=/tmp/go go build -o go-nocgo dial.go && "
                  "CGO_ENABLED=1 GOCACHE=/tmp/go go build -o go-cgo dial.go"),
    ("default-jdk-headless", "javac -d /opt /opt/J.java"),
    ("musl-tools", "musl-gcc -static -o /opt/musl /opt/connect.c"),
]
SERVICES = [
    ("openssh-server", 2222, "install -d /run/sshd && exec /usr/sbin/sshd -D -e -f /dev/null -o Port=2222 -o ListenAddress=127.0.0.11 "
                             "-o HostKey=/etc/ssh/ssh_host_ed25519_key -o AuthorizedKeysFile=/opt/key.pub -o StrictModes=no -o PidFile=none"),
    ("openssl", 8443, "exec openssl s_server -accept 127.0.0.11:8443 -cert /opt/cert.pem -key /opt/cert.key -quiet"),
    ("git", 9418, "exec /usr/lib/git-core/git-daemon --listen=127.0.0.11 --port=9418 --export-all --base-path=/opt/git"),
    ("rsync", 8730, "exec rsync --daemon --no-detach --address=127.0.0.11 --port=8730 --config=/opt/rsyncd.conf"),
    ("redis-server", 6379, "exec redis-server --bind 127.0.0.11 --port 6379 --save ''"),
    ("mariadb-server", 3306, "exec mariadbd --user=mysql --bind-address=127.0.0.11 --skip-grant-tables --skip-name-resolve"),
    ("postgresql", 5432, "exec setpriv --reuid=postgres --regid=postgres --init-groups /usr/lib/postgresql/*/bin/postgres "
                         "-D /var/lib/postgresql/*/main -c config_file=$(echo /etc/postgresql/*/main/postgresql.conf) "
                         "-c listen_addresses=127.0.0.11 -c hba_file=/opt/hba.conf"),
    ("postfix", 2525, "exec smtp-sink -u nobody 127.0.0.11:2525 50"),
    ("chrony", 0, "exec chronyd -x -d -u root 'port 11123' 'bindaddress 127.0.0.11' 'allow 127.0.0.0/8' 'local stratum 5' 'cmdport 0' "
                  "'bindcmdaddress /' 'pidfile /tmp/c.pid'"),
]
FILES = {
    "/opt/J.java": "public class J{public static void main(String[] a)throws Exception{try(var s=new java.net.Socket(a[0],"
                   "Integer.parseInt(a[1]))){System.out.println(s.getInetAddress().getHostAddress());}}}\n",
    "/opt/dial.go": 'package main\nimport ("fmt";"net";"os";"time")\nfunc main(){ c,e:=net.DialTimeout("tcp",os.Args[1],10*time.Second)\n'
                    "if e!=nil {fmt.Println(e);os.Exit(1)}\nfmt.Println(c.RemoteAddr()) }\n",
    # prints the first address to which it can connect
    "/opt/connect.c": """#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *at;
	int error = getaddrinfo(argv[1], argv[argc - 1], &hints, &at);
	for (; !error && at; at = at->ai_next) {
		int fd = socket(at->ai_family, SOCK_STREAM, 0);
		if (connect(fd, at->ai_addr, at->ai_addrlen) == 0)
			return puts(inet_ntoa(((struct sockaddr_in *)at->ai_addr)->sin_addr)) < 0;
		close(fd);
	}
	puts(error ? gai_strerror(error) : "refused");
	return 1;
}
""",
    # sends one mail to the relay of that name, with the chrooted smtp client that Debian configures; prints the result
    "/opt/mail": """#!/bin/sh
postconf -e maillog_file=/var/log/mail.log "relayhost=[$1]:2525" "smtp_host_lookup=$2" inet_interfaces=loopback-only \\
	smtp_tls_security_level=none inet_protocols=ipv4
echo 'chroot_extra_files="/etc/srvmesh.conf /etc/srvmesh.conf.d/*.conf"' >/etc/default/postfix
: >/var/log/mail.log
mkdir -p /var/spool/postfix/run/srvmesh
[ ! -d /run/srvmesh ] || mount --bind /run/srvmesh /var/spool/postfix/run/srvmesh
/usr/lib/postfix/configure-instance.sh - && postfix start >/dev/null 2>&1
printf 'Subject: x\\n\\nhi\\n' | sendmail -f a@example.com b@example.net
for i in $(seq 100); do sed -n 's/.*\\(to=<b@.*\\)/\\1/p' /var/log/mail.log | grep . && break; sleep 0.1; done
postfix stop >/dev/null 2>&1
[ ! -d /run/srvmesh ] || umount /var/spool/postfix/run/srvmesh
postsuper -d ALL >/dev/null 2>&1
grep -q status=sent /var/log/mail.log
""",
}
