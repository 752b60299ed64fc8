/** Files that the system writes for itself, or that hold what is compared line by line. */
const notCompared = [
  "/etc/passwd*",
  "/etc/group*",
  "/etc/shadow*",
  "/etc/gshadow*",
  "/etc/.pwd.lock",
  "/etc/subuid-",
  "/etc/subgid-",
  "/var/lib/apt/*",
  // Of removed packages what their maintainers want kept.
  "/var/lib/dpkg/*",
  "/var/lib/systemd/*",
  "/var/lib/private",
  "/var/cache/*",
  "/var/log/*",
  "/var/tmp/*",
  "/run/user*",
  "/run/systemd*",
  "/run/log*",
  "/run/udev*",
  "/run/sudo*",
];

/** What stays of gpu-hosts on purpose, and README names: the models, and until the next boot its lock. */
const stays = ["/var/lib/gpu-hosts", "/var/lib/gpu-hosts/models*", "/run/gpu-hosts", "/run/gpu-hosts/lock"];

const but = [...notCompared, ...stays].map((path) => `-not -path '${path}'`).join(" ");

/**
 * A command that tells what a destroy must leave as it was: packages and apt's marks, users, groups and their
 * members, units, rules of nftables, and every file, folder and link, with owner and mode, of the places that
 * gpu-hosts or a package writes to.
 */
export const traces = `{ dpkg-query -W -f '\${db:Status-Abbrev} \${Package}\\n' | grep ^ii; apt-mark showauto | sed 's/^/automatic /'
sort /etc/passwd /etc/group; cut -d: -f1 /etc/shadow /etc/gshadow | sort
systemctl list-unit-files --no-legend --state=enabled,masked | sed 's/  */ /g'
systemctl list-units --all --no-legend --plain --type=service,slice,socket,timer 'llama*' 'gpu-hosts*' 'system-*' | sed 's/ .*//'
nft --stateless list ruleset
find /run -xdev -maxdepth 2 ${but} -printf '%M %u:%g %p\\n' | sort
find /etc /opt /srv /usr/local /usr/lib/systemd /var -xdev ${but} -type d -printf '%M %u:%g %p\\n' | sort
find /etc /opt /srv /usr/local /usr/lib/systemd /var/lib -xdev ${but} -type l -printf '%p -> %l\\n' | sort
find /etc /opt /srv /usr/local /usr/lib/systemd /var/lib -xdev ${but} -type f -print0 | sort -z | xargs -0 sha256sum
}`;
