import * as pulumi from "@pulumi/pulumi";
import type { Opening } from "#components/claims.ts";
import { declare, outputDeclared } from "#provider/declare.ts";
import { aptPackages } from "#provider/resources/apt-packages/apt-packages.ts";
import { files } from "#provider/resources/files/files.ts";
import { firewall } from "#provider/resources/firewall/firewall.ts";
import {
  declareExtraCommands,
  type ExtraCommand,
  forgetExtraCommands,
  type Login,
} from "./extra-commands.ts";
import { baseFiles } from "./files.ts";

export interface LinuxHostArgs {
  /** Packages beside those that gpu-hosts needs. */
  readonly packages: readonly string[];
  /** Beginnings of package names that unattended-upgrades leaves alone. */
  readonly heldPackages: readonly string[];
  /** Beginnings of the names of units that needrestart leaves alone. */
  readonly unitPrefixes: readonly string[];
  /** What all that is on the machine opens together. */
  readonly openings: readonly Opening[];
  /** Commands of the operator's own, and the login with which they run. */
  readonly extraCommands: readonly ExtraCommand[];
  readonly login: Login;
}

/** The firewall takes short comments only. */
const commentLength = 60;

const portsOf = (openings: readonly Opening[]) =>
  Object.fromEntries(
    openings.map(({ protocol, port, from, why }) => [
      `${protocol}/${port}`,
      { from: from === "any" ? from : [...from], comment: why.slice(0, commentLength) },
    ]),
  );

/** curl asks services how they are, ss who listens. */
const asked = ["ca-certificates", "curl", "iproute2"];
/** nft holds the firewall. */
const needed = [...asked, "nftables"];

const anyOf = (packages: readonly string[]) => Object.fromEntries(packages.map((name) => [name, "any"]));

/**
 * The base of a Debian or Ubuntu machine, whatever it serves: packages, folders, the user of the services, a
 * guard against unattended upgrades of what serves, and a firewall that opens what the services need.
 *
 * A machine has one base: where two stacks share it, one of them sets `base: false`.
 */
export class LinuxHost extends pulumi.ComponentResource {
  /** What a service on this machine waits for. */
  readonly parts: readonly pulumi.Resource[];

  constructor(name: string, args: LinuxHostArgs, opts?: pulumi.ComponentResourceOptions) {
    super("gpu-hosts:index:LinuxHost", name, {}, opts);
    const host = name;
    const wanted = anyOf([...needed, ...args.packages]);
    const packages = declare(aptPackages, `${name}-packages`, { host, packages: wanted }, { parent: this });
    const written = declare(files, `${name}-files`, { host, files: baseFiles(args) }, { parent: this });
    const guarded = declare(
      firewall,
      `${name}-firewall`,
      { host, ports: portsOf(args.openings) },
      { parent: this, dependsOn: [packages] },
    );
    const own = [packages, written, guarded];
    const commands = declareExtraCommands(name, args.login, args.extraCommands, {
      parent: this,
      dependsOn: own,
    });
    this.parts = [...own, ...commands];
    this.registerOutputs(outputDeclared(this));
  }
}

/**
 * A machine that does not exist any more (`retire: gone`): of its base only what must be declared to be
 * forgotten.
 */
export class LostHost extends pulumi.ComponentResource {
  constructor(
    name: string,
    { login, extraCommands }: Pick<LinuxHostArgs, "login" | "extraCommands">,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    // The type is part of the names by which the state knows the commands.
    super("gpu-hosts:index:LinuxHost", name, {}, opts);
    forgetExtraCommands(name, login, extraCommands, this);
    this.registerOutputs(outputDeclared(this));
  }
}

/**
 * A machine whose base another stack has (`base: false`): only the packages that our services are asked with,
 * which the machine keeps until the last stack leaves.
 */
export class LinuxGuest extends pulumi.ComponentResource {
  /** What a service on this machine waits for. */
  readonly parts: readonly pulumi.Resource[];

  constructor(name: string, opts?: pulumi.ComponentResourceOptions) {
    super("gpu-hosts:index:LinuxGuest", name, {}, opts);
    const args = { host: name, packages: anyOf(asked) };
    this.parts = [declare(aptPackages, `${name}-packages`, args, { parent: this })];
    this.registerOutputs(outputDeclared(this));
  }
}
