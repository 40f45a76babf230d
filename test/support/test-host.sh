#!/bin/sh
# Holds a test host for as long as stdin stays open, then takes away all of it: whoever holds the other end may exit,
# be interrupted or be killed. Prints the pid of the host's init once everything is mounted.
#   test-host.sh hold NAME
set -eu
name=$2
case $1 in
hold)
  unshare --mount --pid --fork --kill-child --propagation private sh "$0" init "$name" </dev/null &
  unshared=$!
  cat >/dev/null || true
  # Nobody reads it any more, and dash says that a job was killed: SIGPIPE would end this before the groups are removed.
  exec 2>/dev/null
  init=$(cat "/proc/$unshared/task/$unshared/children" 2>/dev/null || true)
  # The death of a pid namespace's init kills every process in it, and unshare returns after the last one.
  [ -z "$init" ] || kill -KILL $init || true
  wait "$unshared" || true
  for try in 1 2 3 4 5 6 7 8 9 10; do
    groups=$(find /sys/fs/cgroup -depth -type d -path "*/$name*" 2>/dev/null || true)
    [ -n "$groups" ] || break
    rmdir $groups 2>/dev/null || sleep 0.1
  done
  ;;
init)
  # Still the outer /proc, so the parent of cut is this shell as the outside numbers it.
  pid=$(cut -d' ' -f4 /proc/self/stat)
  mount -t tmpfs -o mode=755 "$name" /run
  mkdir -p /run/lock /run/isth/log
  # The reference's plugins stay within reach of tests, out of every runtime's way.
  mkdir -p /run/isth/reference
  [ ! -d /usr/lib/cni ] || mount --bind /usr/lib/cni /run/isth/reference
  # Whatever is written below these is the host's own.
  for dir in etc opt usr var; do
    mkdir -p "/run/isth/$dir.upper" "/run/isth/$dir.work"
    mount -t overlay -o "lowerdir=/$dir,upperdir=/run/isth/$dir.upper,workdir=/run/isth/$dir.work" "$name" "/$dir"
  done
  # The host does not see what is installed, configured or recorded on the machine. /run is empty anyway.
  rm -rf /opt/cni /etc/cni /usr/lib/cni /usr/lib/isthmus /var/lib/isthmus /var/lib/cni
  mkdir /usr/lib/cni
  mount -t proc proc /proc
  # PID 1 stays in the outer network namespace: the host is one that its own PID 1 does not live in.
  touch /run/isth/net
  unshare --net=/run/isth/net ip link set lo up
  echo "$pid"
  exec >/dev/null 2>&1
  # As PID 1 the shell reaps orphans only while it waits.
  while :; do
    sleep 3600 &
    wait
  done
  ;;
esac
