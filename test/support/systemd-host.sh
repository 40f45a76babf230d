#!/bin/sh
# systemd as PID 1 of a machine of its own inside a test host, whose network namespace it shares. Nothing that it does
# reaches beyond: /sys and /proc/sys are read-only, /dev has a few devices, and its cgroups are below one with NAME.
#   systemd-host.sh start NAME UNITS DIST    UNITS: directory of unit files; DIST: what is in /usr/lib/isthmus
# Prints the pid of systemd, as the test host numbers it, to /run/isth/systemd.init.
set -eu
name=$2 units=$3 dist=$4
checkout=$(cd "$(dirname "$0")/../.." && pwd)
case $1 in
start)
  groups=$(findmnt --noheadings --first-only --types cgroup2 --output TARGET)
  mkdir -p "$groups/$name"
  echo $$ >"$groups/$name/cgroup.procs"
  exec unshare --mount --pid --uts --ipc --cgroup --fork --kill-child sh "$0" init "$name" "$units" "$dist"
  ;;
init)
  # Still the test host's /proc, so the parent of cut is this shell as the test host numbers it.
  pid=$(cut -d' ' -f4 /proc/self/stat)
  mkdir -p /run/isth/systemd
  cd /run/isth/systemd
  mount -t proc proc /proc
  mount --bind /proc/sys /proc/sys
  mount -o remount,bind,ro /proc/sys
  mount --bind /proc/sys/net /proc/sys/net
  mount -o remount,bind,rw /proc/sys/net
  mount -t sysfs -o ro "$name" /sys
  mount -t cgroup2 "$name" /sys/fs/cgroup
  mkdir dev
  mount -t tmpfs -o mode=755 "$name" dev
  for device in null zero full random urandom; do
    : >"dev/$device"
    mount --bind "/dev/$device" "dev/$device"
  done
  ln -s /proc/self/fd dev/fd
  mount --rbind dev /dev
  mkdir usr.upper usr.work
  mount -t overlay -o lowerdir=/usr,upperdir=usr.upper,workdir=usr.work "$name" /usr
  mkdir -p /usr/lib/isthmus
  mount --bind "$dist" /usr/lib/isthmus
  # Units of this machine that are enabled are none of this one's.
  rm -rf /etc/systemd/system
  mkdir -p /etc/systemd/system
  cp -r "$units"/* /etc/systemd/system/
  for unit in systemd-tmpfiles-setup systemd-tmpfiles-setup-dev systemd-tmpfiles-clean; do
    ln -s /dev/null "/etc/systemd/system/$unit.service"
  done
  # A unit with default dependencies starts systemd-tmpfiles, which empties /tmp. A checkout below /tmp stays visible:
  # tests run its Node here.
  mkdir checkout
  mount --bind "$checkout" checkout
  mount -t tmpfs -o mode=1777 "$name" /tmp
  [ -d "$checkout" ] || mkdir -p "$checkout"
  mount --bind checkout "$checkout"
  echo "$pid" >/run/isth/systemd.init
  exec env -i container=isth PATH="$PATH" /lib/systemd/systemd --system --unit=test.target --show-status=no --log-target=null
  ;;
esac
