#!/bin/sh
# Which files the processes of the unit $1 have open, mapped or run. Prints lines of fields with tabs between:
#   process PID STARTED ENVIRONMENT | link PLACE PATH | uses DEVICE:INODE PLACE | now DEVICE:INODE PATH
# ENVIRONMENT is a hash, made here: variables hold secrets. What systemd sets anew at each start is left out of it.
group=$(systemctl show --property=ControlGroup --value -- "$1") || exit
[ -n "$group" ] || exit 0
boot=$(sed -n 's/^btime //p' /proc/stat)
anew='INVOCATION_ID|JOURNAL_STREAM|SYSTEMD_EXEC_PID|MANAGERPID|NOTIFY_SOCKET|LISTEN_[A-Z]*|WATCHDOG_PID|MEMORY_PRESSURE_[A-Z]*'

# Links to files, each file once; devices, memory and the like are none.
links_of() {
  find "/proc/$1/exe" "/proc/$1/fd" "/proc/$1/map_files" -type l -lname '/*' -printf 'link\t%p\t%l\n' 2>/dev/null |
    grep -v -E '^link	[^	]*	/(dev|proc|sys)/|^link	[^	]*	/(memfd:|SYSV|\[)' | sort -u -t '	' -k3,3
}
# Says what stands at each path on stdin: $1, device and inode, path.
identify() { tr '\n' '\0' | xargs -0 -r stat -L -c "$1	%d:%i	%n" 2>/dev/null; }

links=
for list in "/sys/fs/cgroup$group/cgroup.procs" "/sys/fs/cgroup/systemd$group/cgroup.procs"; do
  [ -r "$list" ] || continue
  # A service has few; one that makes hundreds is not looked at to its end.
  for pid in $(head -n 32 "$list"); do
    ticks=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d' ' -f20)
    [ -n "$ticks" ] || continue
    hash=$(grep -z -v -E "^($anew)=" "/proc/$pid/environ" 2>/dev/null | sort -z | sha256sum | cut -d' ' -f1)
    printf 'process\t%s\t%s\t%s\n' "$pid" "$((boot + ticks / 100))" "$hash"
    links="$links$(links_of "$pid")
"
  done
  break
done
links=$(printf '%s\n' "$links" | grep .) || exit 0
printf '%s\n' "$links"
printf '%s\n' "$links" | cut -f2 | identify uses
printf '%s\n' "$links" | cut -f3 | sed 's/ (deleted)$//' | sort -u | identify now
exit 0
