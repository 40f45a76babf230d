#!/bin/sh
# Makes ROOT, the root directory of another Debian SUITE with the packages, unless it is there: from then on it is only
# read, and needs no network. Whatever ends this script, ROOT is complete or absent. Removes the roots of the suite that
# another list of packages or another version of this script made and that no test uses.
#   provision.sh SUITE ROOT PACKAGE...
set -eu
suite=$1 root=$2
shift 2
new=$root.new

# In a mount namespace of its own: the mounts that installing needs end with it.
if [ -z "${ISTHMUS_PROVISIONING:-}" ]; then
  mkdir -p "$(dirname "$root")"
  export ISTHMUS_PROVISIONING=1
  exec flock --no-fork "$(dirname "$root")" unshare --mount --propagation private sh "$0" "$suite" "$root" "$@"
fi
[ ! -d "$root" ] || exit 0

# The mirror and the settings with which apt reaches it are the machine's own.
find_mirror() {
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1
}
mirror=$(find_mirror)
if [ -z "$mirror" ]; then
  apt-get -qq update
  mirror=$(find_mirror)
fi
if [ -z "$mirror" ]; then
  echo "provision.sh: apt has no source of Debian's packages on this machine" >&2
  exit 1
fi
settings=$(apt-config dump | grep -E '^Acquire::(http|https|Retries|Check-Date|Check-Valid-Until)\b' || true)
eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
export http_proxy https_proxy

for old in "$(dirname "$root")/$suite"-*; do
  [ ! -d "$old" ] || flock --exclusive --nonblock "$old" sh -c 'mv "$0" "$0.gone"; rm -rf "$0.gone"' "$old" || true
done
debootstrap --variant=minbase "$suite" "$new" "$mirror"
printf '%s\n' "$settings" >"$new/etc/apt/apt.conf.d/machine"
# For a mirror by https: minbase has no certificates.
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
  mkdir -p "$new/etc/ssl/certs"
  cp /etc/ssl/certs/ca-certificates.crt "$new/etc/ssl/certs/"
fi
# Nothing outlives a crash of the machine here, and nobody reads manuals.
cat >"$new/etc/dpkg/dpkg.cfg.d/test" <<-'END'
	force-unsafe-io
	path-exclude=/usr/share/doc/*
	path-include=/usr/share/doc/*/copyright
	path-exclude=/usr/share/man/*
	path-exclude=/usr/share/locale/*
END
printf '#!/bin/sh\nexit 101\n' >"$new/usr/sbin/policy-rc.d"
chmod 755 "$new/usr/sbin/policy-rc.d"
mount -t proc proc "$new/proc"
mount --rbind /dev "$new/dev"
in_root() {
  chroot "$new" /usr/bin/env DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}
in_root apt-get -qq -y --no-install-recommends install "$@"
in_root apt-get clean
umount -l "$new/dev" "$new/proc"
rm -rf "$new"/var/lib/apt/lists/* "$new/usr/sbin/policy-rc.d"
sync -f "$new"
mv "$new" "$root"
