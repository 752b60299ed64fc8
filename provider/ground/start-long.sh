#!/bin/sh
# Starts work as a transient unit unless it runs already; other work of its name is stopped first. Stdin is
# the work's stdin.
# Parameters: unit, pattern of the units of its name, folder of all work, folder of secrets in memory, limit
# of the work in seconds, limit in seconds for a dpkg in work that is to be stopped, text of the work.
unit=$1 pattern=$2 folder=$3 secrets=$4 limit=$5 patience=$6 text=$7
work=$folder/$unit secret=$secrets/$unit

case $(systemctl show --value --property=ActiveState "$unit.service") in active|activating) exit 0 ;; esac
for other in $(systemctl list-units --plain --no-legend --all "$pattern.service" | cut -d' ' -f1); do
  waited=0
  # A running dpkg is waited for: a package database is worse to repair than some minutes are to lose.
  while sed 's|.*|/proc/&/comm|' "/sys/fs/cgroup/system.slice/$other/cgroup.procs" 2>/dev/null | xargs grep -qxs dpkg /dev/null; do
    [ $waited -lt "$patience" ] || { echo "a dpkg runs in $other for more than $patience s, and work with other inputs cannot begin before it ends. Look at it: systemctl status $other" >&2; exit 1; }
    [ $((waited % 10)) -ne 0 ] || echo "waiting for the dpkg in $other, which is to be stopped"
    waited=$((waited + 1)); sleep 1
  done
  systemctl stop "$other"
done
[ ! -d "$folder" ] || find "$folder" -mindepth 1 -maxdepth 1 -name "$pattern" -exec rm -rf -- {} +
[ ! -d "$secrets" ] || find "$secrets" -mindepth 1 -maxdepth 1 -name "$pattern" -exec rm -f -- {} +
umask 077 && mkdir -p "$work" "$secrets" && cd "$work" || exit 1
trap 'rm -f -- "$secret"; exit 1' HUP INT TERM
printf '%s\n' "$text" > script || exit 1
cat > main <<'GPU_HOSTS_MAIN'
export LC_ALL=C HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec < "$1" > log 2>&1
rm -f -- "$1"
exec sh ./script
GPU_HOSTS_MAIN
# systemd also knows of a time limit, a signal or lack of memory, so it is systemd that writes down how the
# work ended.
cat > end <<'GPU_HOSTS_END'
rm -f -- "$1"
echo "$SERVICE_RESULT $EXIT_CODE $EXIT_STATUS" > result.new
mv result.new result
GPU_HOSTS_END
systemctl reset-failed "$unit.service" 2>/dev/null
if cat > "$secret" && systemd-run --quiet --collect --unit="$unit" --working-directory="$work" --property=RuntimeMaxSec="$limit" \
  --property="ExecStopPost=/bin/sh ./end $secret" sh ./main "$secret"; then exit 0; fi
rm -f -- "$secret"
exit 1
