#!/bin/sh
# Functions for a service that is to listen on a TCP port. `listens UNIT PORT` succeeds if a process of the unit does, or
# systemd itself for its socket; `stranger UNIT PORT` prints who holds the port in its place, and fails if nobody does.
# `who PID` describes a process.
listeners() { ss -Hltnp "sport = :$1" 2>/dev/null | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -un; }
listens() {
  for pid in $(listeners "$2"); do
    [ "$pid" != 1 ] || return 0
    case /$(tr '\n' / <"/proc/$pid/cgroup" 2>/dev/null) in */"$1"/*) return 0 ;; esac
  done
  return 1
}
stranger() {
  [ -n "$(ss -Hltn "sport = :$2" 2>/dev/null)" ] && ! listens "$1" "$2" || return 1
  first=$(listeners "$2" | head -n 1)
  holder=$([ -z "$first" ] || who "$first")
  printf '%s\n' "port $2 is taken by ${holder:-a process that ss cannot name}; stop that or give this service another port"
}
