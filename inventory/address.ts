import { isIPv4, isIPv6 } from "node:net";

/** Sixteen-bit groups of an IPv6 address. */
function groups(address: string): number[] {
  // URL writes an address in its one canonicalAddress form, without embedded IPv4.
  const [head = "", tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split("::");
  const parsed = (text: string) =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const [left, right] = [parsed(head), parsed(tail ?? "")];
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
}

/** The first `length` bits of numbers of `size` bits each; the rest is zero. */
function masked(numbers: readonly number[], size: number, length: number): number[] {
  return numbers.map((number, i) => {
    const kept = Math.min(Math.max(length - i * size, 0), size);
    return number & (((1 << kept) - 1) << (size - kept));
  });
}

/**
 * The one way nftables and ufw print an address or network: no host bits, no /32 or /128, IPv6 compressed and
 * in lower case. `undefined` if it is neither.
 */
export function canonicalAddress(text: string): string | undefined {
  const [address = "", prefix, ...more] = text.split("/");
  const bits = isIPv4(address) ? 32 : isIPv6(address) && !address.includes("%") ? 128 : 0;
  const length = prefix === undefined ? bits : Number(prefix);
  if (bits === 0 || more.length > 0 || !/^\d*$/.test(prefix ?? "") || prefix === "" || length > bits)
    return undefined;
  const network =
    bits === 32
      ? masked(address.split(".").map(Number), 8, length).join(".")
      : new URL(
          `http://[${masked(groups(address), 16, length)
            .map((group) => group.toString(16))
            .join(":")}]/`,
        ).hostname.slice(1, -1);
  return length === bits ? network : `${network}/${length}`;
}
