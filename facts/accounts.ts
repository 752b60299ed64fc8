import { sh } from "#transport/command.ts";
import type { Fact, Finished } from "#transport/host.ts";
import { linesOf, partsOf } from "./lines.ts";

/** Users and groups that are to be there, and who is to be in which group. */
export interface Accounts {
  readonly users: readonly string[];
  readonly groups: readonly string[];
  readonly members: readonly { readonly user: string; readonly group: string }[];
}

/** Those of the accounts that are not there, each in words: `there is no user x`. */
export const missingAccounts = ({ users, groups, members }: Accounts): Fact<readonly string[]> => ({
  name: "getent",
  command: sh`for user in ${users}; do getent passwd "$user" >/dev/null || printf 'user\t%s\n' "$user"; done
for group in ${groups}; do getent group "$group" >/dev/null || printf 'group\t%s\n' "$group"; done
set -- ${members.flatMap(({ user, group }) => [user, group])}
while [ $# -ge 2 ]; do
  case " $(id -nG "$1" 2>/dev/null) " in *" $2 "*) ;; *) printf 'member\t%s\t%s\n' "$1" "$2" ;; esac
  shift 2
done`,
  parse: parseMissing,
});

const form = /^(?:(user|group)\t(\S+)|member\t(\S+)\t(\S+))$/;

function parseMissing(finished: Finished): readonly string[] {
  const lines = linesOf(finished).map((line) => partsOf(line, form, "an account"));
  const gone = new Set(lines.flatMap(([kind, name = ""]) => (kind === "user" ? [name] : [])));
  return lines.flatMap(([kind, name, user = "", group]) => {
    if (kind !== "") return [`there is no ${kind} ${name}`];
    // Who is not there is in no group either.
    return gone.has(user) ? [] : [`user ${user} is not in the group ${group}`];
  });
}
