#!/bin/sh
# Runs a command in ROOT (see provision.sh), with the checkout at /isthmus. Needs a mount namespace of its own, whose
# mounts are private:
#   unshare --mount --propagation private sh enter.sh ROOT CHECKOUT COMMAND...
# The command sees the machine's kernel: its devices, processes, control groups and network. Nothing that it writes gets
# into ROOT or to the machine, but to the checkout.
set -eu
root=$1 checkout=$2
shift 2
new=$root/mnt
mount -t tmpfs -o mode=755 runtime "$new"
for path in "$root"/*; do
  at=$new/${path##*/}
  if [ -L "$path" ]; then
    cp -P "$path" "$at"
    continue
  fi
  mkdir "$at"
  case $path in
  */etc | */opt | */usr | */var)
    mount --bind "$path" "$at"
    mount -o remount,bind,ro "$at"
    ;;
  esac
done
for dir in dev proc sys; do mount --rbind "/$dir" "$new/$dir"; done
chmod 1777 "$new/tmp"
mkdir -m 1777 "$new/run/lock"
unset TMPDIR
mkdir "$new/isthmus" "$new/old"
mount --rbind "$checkout" "$new/isthmus"
# chroot would not do: nsenter --mount leads to the root of the mount namespace.
cd "$new"
pivot_root . old
cd /isthmus
umount -l /old
rmdir /old
exec "$@"
