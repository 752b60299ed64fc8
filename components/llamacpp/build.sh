#!/bin/sh
# build <group file>: the versions of the group's packages on this machine, in one line: the build that would start now.
set -u
packages=$(sed -n 's/^packages //p' "$1")
# shellcheck disable=SC2086 # one word a package
dpkg-query -W -f '${Package}=${Version}\n' $packages | LC_ALL=C sort -u | paste -s -d ' ' -
