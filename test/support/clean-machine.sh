#!/bin/sh
# A clean Debian with systemd as PID 1 inside a test host, whose network namespace it has. What it writes is in memory.
#   clean-machine.sh start NAME ROOT    ROOT: directory of a Debian, which is only read
# Prints the pid of systemd, as the test host numbers it, to /run/isth/machine.init.
set -eu
name=$2 root=$3
case $1 in
start)
  for group in $(findmnt --noheadings --list --types cgroup,cgroup2 --output TARGET); do
    mkdir -p "$group/$name"
    # An empty cpuset takes no process.
    for file in cpuset.cpus cpuset.mems; do
      [ ! -e "$group/$name/$file" ] || cat "$group/$file" >"$group/$name/$file" || true
    done
    echo $$ >"$group/$name/cgroup.procs"
  done
  exec unshare --mount --pid --uts --ipc --cgroup --fork --kill-child sh "$0" init "$name" "$root"
  ;;
init)
  # Still the test host's /proc, so the parent of cut is this shell as the test host numbers it.
  pid=$(cut -d' ' -f4 /proc/self/stat)
  mkdir -p /run/isth/machine
  cd /run/isth/machine
  mkdir upper work new
  mount -t overlay -o "lowerdir=$root,upperdir=upper,workdir=work" "$name" new
  cd new
  mount -t proc proc proc
  mount --bind proc/sys proc/sys
  mount -o remount,bind,ro proc/sys
  mount --bind proc/sys/net proc/sys/net
  mount -o remount,bind,rw proc/sys/net
  mount -t sysfs -o ro "$name" sys
  # The machine's own groups, in the form that the kernel has: one tree, or one for each controller.
  if findmnt --noheadings --types cgroup /sys/fs/cgroup/memory >/dev/null; then
    mount -t tmpfs -o mode=755 "$name" sys/fs/cgroup
    for group in /sys/fs/cgroup/*/; do
      group=$(basename "$group")
      mkdir "sys/fs/cgroup/$group"
      case $group in
      unified) mount -t cgroup2 "$name" sys/fs/cgroup/unified ;;
      systemd) mount -t cgroup -o none,name=systemd "$name" sys/fs/cgroup/systemd ;;
      *) mount -t cgroup -o "$group" "$name" "sys/fs/cgroup/$group" ;;
      esac
    done
  else
    mount -t cgroup2 "$name" sys/fs/cgroup
  fi
  mount -t tmpfs -o mode=755 "$name" dev
  for device in null zero full random urandom tty; do
    : >"dev/$device"
    mount --bind "/dev/$device" "dev/$device"
  done
  mkdir dev/pts dev/shm
  mount -t devpts -o newinstance,ptmxmode=666 "$name" dev/pts
  ln -s pts/ptmx dev/ptmx
  ln -s /proc/self/fd dev/fd
  mount -t tmpfs -o mode=755 "$name" run
  mkdir -p run/lock run/isth/log
  mount -t tmpfs -o mode=1777 "$name" tmp
  # Only what the tests start runs.
  printf '[Unit]\nDescription=Nothing\n' >etc/systemd/system/test.target
  for unit in systemd-tmpfiles-setup systemd-tmpfiles-setup-dev systemd-tmpfiles-clean systemd-journald; do
    ln -sf /dev/null "etc/systemd/system/$unit.service"
  done
  echo "$pid" >/run/isth/machine.init
  mkdir -p run/isth/old
  pivot_root . run/isth/old
  umount -l /run/isth/old
  exec env -i container=isth PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=test.target --show-status=no --log-target=null
  ;;
esac
