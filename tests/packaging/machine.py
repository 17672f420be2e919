# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Debian machine in a directory: a fresh root made by mmdebstrap, and the real systemd as its process 1, in namespaces
of its own. It shares the network of the process that boots it."""
import functools
import glob
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import need  # noqa: E402

# the dependencies of the packages are installed before, because the machine cannot fetch anything
INCLUDE = ["curl", "libnss-mdns", "libnss-myhostname", "libnss-mymachines", "libnss-resolve", "passwd", "systemd", "systemd-sysv"]
BOOT = """
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom tty; do : >dev/$node; mount --bind /dev/$node dev/$node; done
mkdir dev/shm dev/pts run/outside
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
pivot_root . run/outside
umount -l /run/outside
rmdir /run/outside
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=journal </dev/null
"""


KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def suite():
    with open("/etc/os-release", encoding="utf-8") as file:
        words = dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
    return words["VERSION_CODENAME"].strip('"')


@functools.lru_cache(maxsize=None)
def archive():
    """The archive from which this machine's own apt gets its release."""
    done = subprocess.run(["apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"],
                          stdout=subprocess.PIPE, text=True, check=False)
    for line in done.stdout.splitlines():
        release, component, uri = line.split()
        if (release, component) == (suite(), "main"):
            return uri
    print(f"Bail out! apt has no source of {suite()} main")
    sys.exit(99)


def cache(name):
    """A path that is kept between runs; its folder exists."""
    folder = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "srvmesh")
    os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, name)


def fetch(place, packages, release, architecture=None):
    """Fetches packages, without what they depend on, and unpacks them to `place`/root; returns what apt says if it cannot."""
    for name in ("lists/partial", "cache/archives/partial", "root"):
        os.makedirs(os.path.join(place, name))
    of = f"arch={architecture} " if architecture else ""
    with open(os.path.join(place, "sources.list"), "w", encoding="utf-8") as file:
        file.write(f"deb [{of}signed-by={KEYRING}] {archive()} {release} main\n")
    apt = [need("apt-get"), "-qq", "-o", f"Dir::State::lists={place}/lists", "-o", f"Dir::Cache={place}/cache", "-o",
           f"Dir::Etc::sourcelist={place}/sources.list", "-o", "Dir::Etc::sourceparts=/dev/null", "-o", "APT::Sandbox::User=root"]
    apt += ["-o", f"APT::Architectures={architecture}"] if architecture else []
    for words in (["update"], ["download", *packages]):
        done = subprocess.run([*apt, *words], cwd=place, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0 or "Failed to fetch" in done.stdout:
            return done.stdout
    for deb in glob.glob(os.path.join(place, "*.deb")):
        subprocess.run(["dpkg-deb", "-x", deb, os.path.join(place, "root")], check=True)
    return None


def make_root(path, packages, release=None, may_lack=False):
    """Makes a fresh Debian root with these packages, by default of this host's release. With `may_lack` it returns
    False if the archive has no such release."""
    done = subprocess.run([need("mmdebstrap"), "--quiet", "--variant=apt", "--include=" + ",".join(packages),
                           release or suite(), path, archive()], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0 and may_lack and "does not have a Release file" in done.stdout:
        return False
    if done.returncode != 0:
        print("Bail out! mmdebstrap: " + done.stdout.replace("\n", " "))
        sys.exit(99)
    return True


def cached_root(name, packages, release, may_lack=False):
    """A root with these packages, made if it does not exist yet or was made from other packages. It is kept between
    runs, so nothing may be written in it. None: the archive lacks the release."""
    mark = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:8]
    root = cache(f"{name}-{mark}")
    if os.path.exists(root):
        return root
    folder = os.path.dirname(root)
    for other in os.listdir(folder):
        if other.startswith(f"{name}-"):
            shutil.rmtree(os.path.join(folder, other))
    fresh = tempfile.mkdtemp(prefix=f"{name}-", dir=folder)
    os.chmod(fresh, 0o755)
    if not make_root(fresh, packages, release, may_lack):
        shutil.rmtree(fresh)
        return None
    os.rename(fresh, root)
    return root


def open_root(lab, root):
    """A writable view of a root: all changes are in memory only. To be called inside a mount namespace of our own."""
    view, layer = os.path.join(lab.path, "root"), os.path.join(lab.path, "layer")
    os.mkdir(view)
    os.mkdir(layer)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", layer], check=True)
    os.mkdir(os.path.join(layer, "upper"))
    os.mkdir(os.path.join(layer, "work"))
    subprocess.run(["mount", "-t", "overlay", "-o", f"lowerdir={root},upperdir={layer}/upper,workdir={layer}/work", "overlay", view],
                   check=True)
    for kind, place in (("proc", "proc"), ("sysfs", "sys"), ("tmpfs", "tmp"), ("tmpfs", "run")):
        subprocess.run(["mount", "-t", kind, kind, os.path.join(view, place)], check=True)
    subprocess.run(["mount", "--rbind", "/dev", os.path.join(view, "dev")], check=True)
    os.chmod(os.path.join(view, "tmp"), 0o1777)
    os.chmod(os.path.join(view, "run"), 0o755)
    return view


def umount(lab, view):
    subprocess.run(["umount", "--recursive", "--lazy", view], check=False)
    subprocess.run(["umount", "--lazy", os.path.join(lab.path, "layer")], check=False)


ENVIRONMENT = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1"]


def run(view, script, timeout=600):
    """Runs a shell script in the view; returns (exit code, its output)."""
    done = subprocess.run(["chroot", view, *ENVIRONMENT, "sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False, timeout=timeout)
    return done.returncode, done.stdout


def start(lab, view, script):
    """The same in the background; the script ends with the lab."""
    return lab.start("chroot", view, *ENVIRONMENT, "sh", "-c", script)


def cgroup2():
    with open("/proc/self/mounts", encoding="utf-8") as file:
        for line in file:
            _, where, kind, *_ = line.split()
            if kind == "cgroup2":
                return where
    print("Bail out! no cgroup2 file system is mounted, which systemd needs")
    sys.exit(99)


class Machine:
    def __init__(self, root):
        self.root = root
        self.process = None
        self.init = None
        self.cgroup = os.path.join(cgroup2(), f"srvmesh-machine-{os.getpid()}")

    # ---- running

    def boot(self):
        os.makedirs(self.cgroup, exist_ok=True)
        enter = f"echo $$ >{self.cgroup}/cgroup.procs; exec \"$@\""
        self.process = subprocess.Popen(
            ["sh", "-c", enter, "sh", need("unshare"), "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--fork",
             "--kill-child", "sh", "-c", BOOT, "boot", self.root], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
        for _ in range(300):
            time.sleep(0.1)
            if self.process.poll() is not None:
                break
            if self.find_init() and self.run("systemctl", "is-system-running").strip() in ("running", "degraded"):
                return
        print("Bail out! the machine does not boot: " + (self.process.stderr.read() if self.process.poll() is not None else ""))
        self.halt()
        sys.exit(99)

    def find_init(self):
        """The pid, as seen from here, of the machine's process 1, as soon as systemd is running there."""
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        try:
            with open(children, encoding="ascii") as file:
                self.init = file.read().split()[0]
            return os.path.basename(os.readlink(f"/proc/{self.init}/exe")) == "systemd"
        except (OSError, IndexError):
            return False

    def halt(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stderr.close()
            self.process = None
        self.forget_cgroup()

    def forget_cgroup(self):
        for _ in range(50):
            for directory, _, _ in os.walk(self.cgroup, topdown=False):
                try:
                    os.rmdir(directory)
                except OSError:
                    pass
            if not os.path.exists(self.cgroup):
                return
            time.sleep(0.1)

    # ---- commands inside

    def inside(self, *command, user=None):
        """The command line that runs the command inside the machine."""
        identity = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        environment = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"]
        if self.process:
            return [need("nsenter"), "--target", self.init, "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--root", "--wd",
                    *environment, *identity, *command]
        return [need("unshare"), "--mount", "--pid", "--fork", "--kill-child", "sh", "-c",
                'mount --make-rprivate / && mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"',
                self.root, *environment, *identity, *command]

    def do(self, *command, user=None):
        """Returns (exit code, standard output and errors together)."""
        done = subprocess.run(self.inside(*command, user=user), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, timeout=120)
        return done.returncode, done.stdout

    def run(self, *command, user=None):
        return self.do(*command, user=user)[1]

    # ---- its files

    def path(self, name):
        return self.root + name

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read().decode()

    def write(self, name, text):
        with open(self.path(name), "wb") as file:
            file.write(text.encode())

    def copy(self, *files):
        """Copies the files to /opt, with their own names."""
        for file in files:
            shutil.copy(file, self.path("/opt"))


def unpacked(package):
    """A program of the archive, unpacked and not installed: a host with it would not be well."""
    place = cache(f"{package}-{suite()}")
    if not os.path.exists(os.path.join(place, "root", "usr")):
        shutil.rmtree(place, ignore_errors=True)
        os.makedirs(place)
        said = fetch(place, [package], suite())
        if said:
            print(f"Bail out! {package} cannot be had from the archive: " + said.replace("\n", " "))
            sys.exit(99)
    return os.path.join(place, "root")


class Nscd:
    """The real nscd with these lines of nscd.conf, for namespaces whose /etc, /run and /var/cache are their own."""

    def __init__(self, lab, lines):
        self.lab, self.lines = lab, lines

    def __enter__(self):
        for folder in ("/run/nscd", "/var/cache/nscd"):
            os.makedirs(folder, exist_ok=True)
        with open("/etc/nscd.conf", "w", encoding="utf-8") as file:
            file.write("server-user root\n" + self.lines)
        self.process = self.lab.start(os.path.join(unpacked("nscd"), "usr", "sbin", "nscd"), "-F", env=self.lab.environment())
        for _ in range(100):
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex("/run/nscd/socket") == 0:
                    break
            time.sleep(0.05)

    def __exit__(self, *exception):
        self.lab.stop(self.process)
        os.unlink("/etc/nscd.conf")
