import type { Accounts } from "#facts/accounts.ts";

/** Folder of the files that systemd-sysusers reads. */
export const sysusersFolder = "/etc/sysusers.d";

/**
 * Accounts that a text of sysusers.d(5) makes. Names that systemd puts together (`%`) are left out.
 */
export function accountsIn(text: string): Accounts {
  const lines = [...text.matchAll(/^([ugm])!?[ \t]+([\w-]+)(?:[ \t]+([\w-]+))?/gm)];
  const named = (kind: string) => lines.flatMap(([, is, name = ""]) => (is === kind ? [name] : []));
  return {
    users: named("u"),
    groups: named("g"),
    members: lines.flatMap(([, is, user = "", group]) =>
      is === "m" && group !== undefined ? [{ user, group }] : [],
    ),
  };
}
