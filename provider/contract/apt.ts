import { aptFree } from "#facts/apt.ts";
import { packageNotes } from "#provider/contract/linux-steps.ts";
import { raw, type ShellCommand, script, sh, shellScript } from "#transport/command.ts";
import { run, type Step, wait } from "./step.ts";

// Commands and steps of apt that several resources of Linux hosts take.

/** Versions by package name; `any` for no particular one. */
type Wanted = Readonly<Record<string, string>>;

/**
 * No questions, edited configuration files stay as they are, and needrestart (Ubuntu) only lists: restarting
 * a service that is serving is nobody's wish here.
 */
const quiet: ShellCommand = sh`export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l`;

const dpkgOptions = ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"];

/** For the moment between waiting for the lock and taking it. */
const lockOptions = ["-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Use-Pty=0"];

/** Packages as apt-get takes them, `name` or `name=version`. */
export const packageArguments = (wanted: Wanted): string[] =>
  Object.entries(wanted).map(([name, version]) => (version === "any" ? name : `${name}=${version}`));

function installArguments(wanted: Wanted): string[] {
  const pinned = Object.values(wanted).some((version) => version !== "any");
  return [
    // apt would rather remove a conflicting package than fail; whatever stood there before us is not ours to
    // remove.
    ...["install", "-q", "-y", "--no-install-recommends", "--no-remove"],
    ...(pinned ? ["--allow-downgrades"] : []),
    ...dpkgOptions,
    ...lockOptions,
    ...packageArguments(wanted),
  ];
}

/** Finishes what an interrupted dpkg left; nothing to do is fine. */
const configureInterrupted: ShellCommand = sh`${quiet}
dpkg --force-confdef --force-confold --configure -a`;

/** Before anything else. Nobody may install beside us, and what broke off is brought to its end. */
export const aptReady: readonly Step[] = [
  wait({
    what: "apt to be free",
    command: aptFree,
    deadlineSeconds: 1200,
    hint: "wait for it to end, or see to it on the machine (systemctl status PID); then run `up` again",
  }),
  run(configureInterrupted, {
    title: "dpkg --configure -a",
    turn: "apt",
    timeoutSeconds: 1800,
    explain: aptFree,
  }),
];

/** What the last refresh of the lists complained of, to be told when an installation fails. */
const refreshErrors = "/run/gpu-hosts-apt-update";

/**
 * Fetches the packages; refreshes the lists first if they are older than a day, and after a fetch that fails
 * because they do not know a package or know it where it no longer is. A vendor whose server is down must not
 * keep others' packages away, so the outcome shows when installing. (apt touches lists/partial at each
 * refresh, the lists only when they change.)
 */
export const refreshLists = (wanted: Wanted): ShellCommand => sh`${quiet}
fetch() { apt-get ${installArguments(wanted)} --download-only; }
if [ -n "$(find /var/lib/apt/lists/partial -maxdepth 0 -mmin -1440 2>/dev/null)" ] && fetch >/dev/null 2>&1; then exit 0; fi
apt-get update -q -o Acquire::Retries=2 2>${refreshErrors} || echo 'not every package list could be refreshed; going on with those at hand'
cat ${refreshErrors} >&2; exit 0`;

/** Prints `RECOMMENDED by PACKAGE` for what is installed. */
const recommended = sh`recommended() {
  dpkg-query -W -f '\${db:Status-Abbrev}\t\${Package}\t\${Recommends}\n' | awk -F '\t' '$1 ~ /^ii/ {
    count = split($3, names, /[,|]/)
    for (i = 1; i <= count; i++) { sub(/^ +/, "", names[i]); sub(/[ (:].*/, "", names[i]); if (names[i] != "") print names[i] " by " $2 }
  }'
}`;

const installation = script(import.meta.url, "./install-noting.sh");

export const install = (wanted: Wanted): ShellCommand => sh`${quiet}
install_packages() { apt-get ${installArguments(wanted)} "$@"; }
${recommended}
${shellScript(installation, [packageNotes])}`;

/**
 * Unpacks packages once more at the version they have, and leaves them marked as they were, held or automatic.
 */
export const reinstall = (names: readonly string[]): ShellCommand => sh`${quiet}
automatic=$(apt-mark showauto ${names}) held=$(apt-mark showhold ${names})
exact=$(dpkg-query -W -f '\${binary:Package}=\${Version}\n' -- ${names}) || exit
again() { apt-get install --reinstall -q -y --no-install-recommends --no-remove --allow-change-held-packages --allow-downgrades ${[...dpkgOptions, ...lockOptions]} "$@" $exact; }
again --download-only >/dev/null 2>&1 || apt-get update -q -o Acquire::Retries=2 || echo 'not every package list could be refreshed; going on with those at hand'
again; rc=$?
[ -z "$automatic" ] || apt-mark auto $automatic >/dev/null
[ -z "$held" ] || apt-mark hold $held >/dev/null
exit $rc`;

/** Ends a local diversion: what stands in the package's place goes, and the package's own file comes back. */
export const undivert = (path: string): ShellCommand =>
  sh`rm -f -- ${path} && dpkg-divert --local --rename --remove ${path}`;

/**
 * Extended regular expressions for what somebody may have meant: one letter off, another number in it, more
 * after it.
 */
function nearTo(name: string): { readonly letter: string; readonly wider: string } {
  const literal = (text: string) => text.replaceAll(/[.+]/g, "\\$&");
  const letter = [...name].flatMap((_, i) => {
    const [before, after] = [literal(name.slice(0, i)), name.slice(i)];
    const [here = "", next = ""] = after;
    const rest = literal(after.slice(1));
    const swapped =
      next === "" ? [] : [`${before}${literal(next)}${literal(here)}${literal(after.slice(2))}`];
    return [`${before}.?${rest}`, `${before}.${literal(after)}`, ...swapped];
  });
  const numbers = name.split(/[0-9][0-9.-]*[0-9]|[0-9]/);
  const family = numbers.length > 1 ? [numbers.map(literal).join("[0-9][0-9.-]*")] : [];
  const longer = name.length > 3 ? [`(lib)?${literal(name)}[0-9.+-].*`] : [];
  return {
    letter: [...letter, `${literal(name)}.`].join("|"),
    wider: [...family, ...longer].join("|") || "-",
  };
}

/** Says of a name that is in no list what provides it, or which names are near. */
const unknownName = (name: string): ShellCommand => {
  const { letter, wider } = nearTo(name);
  // Of a purely virtual package it says nothing, and is content.
  return sh`[ -n "$(apt-cache show ${name} 2>/dev/null)" ] || {
  provided=$(apt-cache showpkg ${name} 2>/dev/null | sed '1,/^Reverse Provides:/d' | cut -d' ' -f1 | sort -u | head -n 5)
  near=$({ apt-cache pkgnames | grep -xE ${letter}; apt-cache pkgnames | grep -xE ${wider} | sort; } | awk '!seen[$0]++' | head -n 5)
  if [ -n "$provided" ]; then echo ${name}": only a virtual package; name one that provides it:" $provided
  else echo ${name}": in none of the package lists of $release\${near:+; near it: $(echo $near)}"; fi
}`;
};

/** What helps to understand why packages cannot be installed. */
export const whyNot = (wanted: Wanted): ShellCommand => {
  const pinned = Object.keys(wanted).filter((name) => wanted[name] !== "any");
  const unknown = Object.keys(wanted).map((name) => unknownName(name).text);
  return sh`release=$(. /etc/os-release && echo "$PRETTY_NAME")
${raw(unknown.join("\n"))}
for name in ${pinned}; do
  offered=$(apt-cache madison "$name" | cut -d'|' -f2)
  [ -z "$offered" ] || echo "$name: offered are" $offered
done
apt-get -s ${installArguments(wanted).filter((argument) => argument !== "--no-remove")} 2>/dev/null | sed -n 's/^Remv /it would remove /p'
echo "package lists: refreshed $(date -u -r /var/lib/apt/lists/partial '+%F %T UTC' 2>/dev/null || echo never)"
[ ! -s ${refreshErrors} ] || { echo "the last refresh complained:"; tail -n 4 ${refreshErrors}; }
${aptFree}`;
};

export const markManual = (names: readonly string[]): ShellCommand => sh`apt-mark manual ${names}`;

export const markAutomatic = (names: readonly string[]): ShellCommand => sh`apt-mark auto ${names}`;

const removal = script(import.meta.url, "./remove-unneeded.sh");

/**
 * Removes those of our packages that nobody needs, with what only they needed; the rest of them is marked
 * automatic.
 */
export const removeUnneeded = (names: readonly string[]): ShellCommand => sh`${quiet}
remove_packages() { apt-get remove -q -y -o APT::Get::AutomaticRemove=false ${[...dpkgOptions, ...lockOptions]} "$@"; }
${recommended}
${shellScript(removal, [packageNotes, ...names])}`;
