import type { Basics } from "./basics.ts";
import type { Destination } from "./connect.ts";
import type { System } from "./host.ts";
import type { ShellKind } from "./shells.ts";

/** All that the transport must know of a system to work on its hosts. `posix/` has the one of Linux. */
export interface Platform {
  readonly system: System;
  /** The shells that run commands on a host. */
  shells(destination: Destination): ShellKind;
  readonly basics: Basics;
}
