#!/bin/sh
# supervise.sh GROUP COMMAND...   (GROUP: absolute cgroup folders, colon separated, with supervisor/ and machine/ in each)
# Runs COMMAND in cgroups of its own and runs it again when it ends with 133, which is how systemd-nspawn --keep-unit
# says that the host inside rebooted. SIGTERM is handed on: systemd-nspawn then powers the host off in good order.
set -u
groups=$(echo "$1" | tr : ' ')
shift
child=
trap '[ -z "$child" ] || kill -TERM "$child"' TERM
for group in $groups; do
  echo 0 > "$group/supervisor/cgroup.procs" || exit 1
done
while :; do
  (
    # systemd-nspawn divides the group it finds itself in; cgroup v2 allows that only where no process stays behind.
    for group in $groups; do echo 0 > "$group/machine/cgroup.procs" || exit 1; done
    exec "$@"
  ) < /dev/null &
  child=$!
  wait "$child"
  code=$?
  while kill -0 "$child" 2> /dev/null; do wait "$child"; code=$?; done
  [ "$code" = 133 ] || exit "$code"
done
