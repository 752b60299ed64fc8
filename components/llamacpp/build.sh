#!/bin/sh
# build <group file>: the build of llama.cpp that would start now, in one line. Of packages it is their versions, with those of
# the libraries that come along.
set -u
named=$(sed -n 's/^build //p' "$1")
if [ -n "$named" ]; then
  echo "$named"
  exit
fi
packages=$(sed -n 's/^packages //p' "$1")
format='${Package}=${Version}\n'
{
  # shellcheck disable=SC2086 # one word a package
  dpkg-query -W -f "$format" $packages
  # Members may have different backends.
  dpkg-query -W -f "$format" 'libllama[0-9]*' 'libggml[0-9]*' 2>/dev/null | grep -v -e -backend- -e '=$'
} | LC_ALL=C sort -u | paste -s -d ' ' -
