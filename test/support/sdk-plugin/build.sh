#!/bin/sh
# Builds the plugin into a cache, unless it is there, and prints its path. Docker's SDK is a package of Debian since trixie;
# an older release gets its sources from there, by the mirror and the settings with which apt reaches it on this machine.
set -eu
source=$(dirname "$0")/main.go
out=/var/cache/isthmus-test/sdk-plugin-$(cat "$source" "$0" | sha256sum | cut -c 1-12)
echo "$out"
[ ! -e "$out" ] || exit 0
package=golang-github-docker-go-plugins-helpers-dev
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
gopath=/usr/share/gocode

if [ ! -d "$gopath/src/github.com/docker/go-plugins-helpers" ]; then
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
  if [ -z "$mirror" ]; then
    echo "build.sh: apt has no source of Debian's packages on this machine" >&2
    exit 1
  fi
  mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/deb"
  chmod -R a+rX "$work"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$work/sources.list"
  apt() {
    apt-get -qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null \
      -o Dir::State="$work/state" -o Dir::State::status=/var/lib/dpkg/status -o Dir::Cache="$work/cache" \
      -o APT::Sandbox::User=root "$@"
  }
  apt update
  (cd "$work/deb" && apt download "$package")
  dpkg-deb -x "$work"/deb/*.deb "$work/root"
  gopath=$work/root/usr/share/gocode:$gopath
fi
mkdir -p "$(dirname "$out")"
env GO111MODULE=off GOPATH="$gopath" GOFLAGS= CGO_ENABLED=0 GOCACHE="$(dirname "$out")/go-build" HOME="$work" \
  /usr/bin/go build -o "$work/made" "$source"
# Another run may build it too.
cp "$work/made" "$out.$$"
mv "$out.$$" "$out"
