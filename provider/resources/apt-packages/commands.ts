import { aptFree } from "#facts/apt.ts";
import { raw, type ShellCommand, sh } from "#transport/command.ts";

/** Versions by package name; `any` for no particular one. */
type Wanted = Readonly<Record<string, string>>;

/**
 * No questions, edited configuration files stay as they are, and needrestart (Ubuntu) only lists: restarting a service
 * that is serving is nobody's wish here.
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
    // apt would rather remove a conflicting package than fail; whatever stood there before us is not ours to remove.
    ...["install", "-q", "-y", "--no-install-recommends", "--no-remove"],
    ...(pinned ? ["--allow-downgrades"] : []),
    ...dpkgOptions,
    ...lockOptions,
    ...packageArguments(wanted),
  ];
}

/** Finishes what an interrupted dpkg left; nothing to do is fine. */
export const configureInterrupted: ShellCommand = sh`${quiet}
dpkg --force-confdef --force-confold --configure -a`;

/** What the last refresh of the lists complained of, to be told when an installation fails. */
const refreshErrors = "/run/gpu-hosts-apt-update";

/**
 * Fetches the packages; refreshes the lists first if they are older than a day, and after a fetch that fails because they
 * do not know a package or know it where it no longer is. A vendor whose server is down must not keep others' packages
 * away, so the outcome shows when installing. (apt touches lists/partial at each refresh, the lists only when they change.)
 */
export const refreshLists = (wanted: Wanted): ShellCommand => sh`${quiet}
fetch() { apt-get ${installArguments(wanted)} --download-only; }
if [ -n "$(find /var/lib/apt/lists/partial -maxdepth 0 -mmin -1440 2>/dev/null)" ] && fetch >/dev/null 2>&1; then exit 0; fi
apt-get update -q -o Acquire::Retries=2 2>${refreshErrors} || echo 'not every package list could be refreshed; going on with those at hand'
cat ${refreshErrors} >&2; exit 0`;

export const install = (wanted: Wanted): ShellCommand => sh`${quiet}
exec apt-get ${installArguments(wanted)}`;

/** Extended regular expressions for what somebody may have meant: one letter off, another number in it, more after it. */
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

/**
 * Removes those of our packages that no other installed package depends on, and the automatic packages that are orphaned
 * only by that. What may go is asked of apt's simulation with a copy of its marks, so that a run that is cut off leaves
 * the marks as they were; packages that were orphans already are not ours and stay. Whatever cannot go without taking
 * something else along stays, marked automatic.
 *
 * Ours may go although another package recommends or suggests them: it lived without them before. Orphans may not go
 * while recommended: who recommends them may have come later.
 */
export const removeUnneeded = (names: readonly string[]): ShellCommand => sh`${quiet}
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
simulate() { apt-get -s -o APT::AutoRemove::SuggestsImportant=false -o APT::AutoRemove::RecommendsImportant=true "$@" > simulation; }
removed() { sed -n 's/^Remv \\([^ ]*\\).*/\\1/p' simulation | sort -u; }

simulate autoremove || exit 1
removed > orphans-before
cp /var/lib/apt/extended_states marks 2>/dev/null || : > marks
apt-mark -o Dir::State::extended_states="$work/marks" auto ${names} >/dev/null || exit 1
simulate -o Dir::State::extended_states="$work/marks" autoremove || exit 1
removed > orphans-after
{ printf '%s\\n' ${names}; comm -13 orphans-before orphans-after; } | sort -u > may-go

fits() {
  simulate -o APT::Get::AutomaticRemove=false remove "$@" && ! grep -q '^Inst ' simulation || return 1
  removed > would-go
  [ -z "$(comm -23 would-go may-go)" ]
}
go=$(cat may-go)
if ! fits $go; then
  go=
  for name in $(cat may-go); do
    if fits $go "$name"; then go="$go $name"; else echo "$name stays: without it would go" $(comm -23 would-go may-go); fi
  done
fi
[ -z "$go" ] || apt-get remove -q -y -o APT::Get::AutomaticRemove=false ${[...dpkgOptions, ...lockOptions]} $go || exit 1
for name in ${names}; do
  case " $(echo $go) " in *" $name "*) ;; *) apt-mark auto "$name" || exit 1 ;; esac
done`;
