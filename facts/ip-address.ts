import { z } from "zod";
import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";
import { linesOf } from "./lines.ts";

/** An IPv4 address of a machine. */
export interface InterfaceAddress {
  readonly device: string;
  readonly address: string;
}

const answer = z.array(
  z.looseObject({
    // Entries that the filter left nothing of are empty.
    ifname: z.string().optional(),
    link_type: z.string().optional(),
    addr_info: z.array(z.looseObject({ local: z.string().optional() })).default([]),
  }),
);

/** IPv4 addresses by which other machines may reach this one. */
export const ipv4Addresses: Fact<readonly InterfaceAddress[]> = {
  name: "ip address",
  command: sh`ip -json -4 address show up scope global`,
  parse: (finished) =>
    answer
      .parse(JSON.parse(linesOf(finished).join("\n")))
      .flatMap(({ ifname = "", addr_info }) =>
        addr_info.flatMap(({ local }) => (local === undefined ? [] : [{ device: ifname, address: local }])),
      ),
};
