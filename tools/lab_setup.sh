#!/bin/sh
# Installs the Debian packages that the lab uses (or those named) where they are missing: an OCI runtime, a registry, strace, libbpf. Only as
# root and only with apt; elsewhere it says what is missing, and the lab plays what is possible without. Ends with 1 then.
set -u
packages=${*:-crun docker-registry strace libbpf1 iproute2 util-linux}
missing=
for name in $packages; do
  dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q ' installed$' || missing="$missing $name"
done
[ -z "$missing" ] && exit 0
say() { echo "eightysix: $*" >&2; }
if ! command -v apt-get >/dev/null; then
  say "not installed:$missing (no apt here; other systems: crun or runc, a registry, strace, libbpf by their own means)"
  exit 1
fi
if [ "$(id -u)" != 0 ]; then
  say "not installed:$missing (as root: apt-get install$missing)"
  exit 1
fi
say "installing$missing"
# The registry's package starts a service on a public port. Nothing is started here: the lab runs its own.
policy=/usr/sbin/policy-rc.d
made=
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' > $policy && chmod 755 $policy && made=yes
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update >&2 && apt-get -qq install -y --no-install-recommends $missing >&2
code=$?
[ -n "$made" ] && rm -f $policy
[ $code = 0 ] || say "apt-get could not install:$missing"
exit $code
