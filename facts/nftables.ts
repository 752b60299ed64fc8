import { sh } from "#transport/command.ts";
import type { Fact, Finished } from "#transport/host.ts";

/** A rule as `nft -j` prints it. */
export interface NftRule {
  /** Matches and verdict, in nft's JSON. */
  readonly expr: readonly unknown[];
  readonly comment?: string;
}

export interface NftChain {
  readonly name: string;
  readonly type?: string;
  readonly hook?: string;
  readonly prio?: number;
  readonly policy?: string;
  readonly rules: readonly NftRule[];
}

type Listed = { chain?: Omit<NftChain, "rules">; rule?: NftRule & { chain: string } };

function parseTable({ exitCode, stdout, stderr }: Finished): readonly NftChain[] | undefined {
  // 127: nft is not installed, so nothing can be loaded. A table that is not there is said in words only.
  if (exitCode === 127 || (exitCode === 1 && /No such file or directory/.test(stderr))) return undefined;
  if (exitCode !== 0) throw new Error(stderr.trim() || `nft ended with exit code ${exitCode}`);
  const { nftables } = JSON.parse(stdout) as { nftables: readonly Listed[] };
  const rules = nftables.flatMap(({ rule }) => rule ?? []);
  return nftables
    .flatMap(({ chain }) => chain ?? [])
    .map((chain) => ({ ...chain, rules: rules.filter((rule) => rule.chain === chain.name) }));
}

/** Chains of a table as the kernel has it loaded; `undefined` if there is no such table. */
export const nftTable = (family: string, name: string): Fact<readonly NftChain[] | undefined> => ({
  name: `nft list table ${family} ${name}`,
  command: sh`nft -j list table ${family} ${name}`,
  parse: parseTable,
});
