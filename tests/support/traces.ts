/**
 * A command that tells what a destroy must leave as it was: packages, apt's marks, nftables and every file
 * that is not a cache of the system's own. Users stay, as they may own files (sysusers never removes one
 * either); so do models.
 */
export const traces = `dpkg-query -W -f '\${db:Status-Abbrev} \${Package}\\n' | grep ^ii; apt-mark showauto; nft list tables
find /etc /usr/local /usr/lib/systemd /var/lib -xdev \\
  -not -path '/var/lib/apt/*' -not -path '/var/lib/dpkg/*' -not -path '/var/lib/systemd/*' -not -path '/var/lib/private*' \\
  -not -path '/var/lib/gpu-hosts/models*' -not -path '/etc/passwd*' -not -path '/etc/group*' -not -path '/etc/*shadow*' \\
  -not -path /etc/.pwd.lock -type f -print0 | sort -z | xargs -0 sha256sum`;
