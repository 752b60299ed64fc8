/** Where the neighbour's loot lies on the host. */
const loot = "/tmp/neighbour";

/**
 * What an ordinary user of a host tries all the time: take the names that root will use, hold the lock, and
 * read what all processes were started with.
 */
const attempts = `umask 022; cd ${loot} || exit 1; : > got; : > seen
exec 8>/run/lock/gpu-hosts.lock; flock 8
while sleep 0.1; do
  for name in gpu-hosts gpu-hosts-apt gpu-hosts-firewall; do
    mkdir /run/$name && echo "made /run/$name" >> got
    ln -s /etc/shadow /run/$name/lock && echo "linked /run/$name/lock" >> got
  done
  ln -s /etc/shadow /run/gpu-hosts-apt-update && echo linked >> got
  for place in /run/gpu-hosts /var/lib/gpu-hosts/owners /etc/gpu-hosts/env; do
    ls "$place" >> got
  done
  cat /run/gpu-hosts/lock /var/lib/gpu-hosts/owners/* /etc/gpu-hosts/*/api-key /etc/gpu-hosts/env/* >> got
  cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n' | sort -u - seen > new && mv new seen
done 2>/dev/null`;

/** An ordinary user of a lab host, who means harm while we work there. */
export const neighbour = {
  /** Sets it to work, as shell text for root. */
  start: `install -d -o nobody -m 0755 ${loot}
systemd-run --quiet --unit=neighbour --uid=nobody sh -c '${attempts.replaceAll("'", `'\\''`)}'`,

  /** Ends it. `got`: what it could do or read that is root's; `seen`: arguments and variables of processes. */
  async result(on: (command: string) => Promise<string>): Promise<{ got: string; seen: string }> {
    await on("systemctl stop neighbour.service; rm -f /run/lock/gpu-hosts.lock");
    const [got, seen] = await Promise.all([on(`cat ${loot}/got`), on(`cat ${loot}/seen`)]);
    await on(`rm -r ${loot}`);
    return { got, seen };
  },
};
