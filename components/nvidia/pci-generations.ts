/** Chips of one generation, by the range that NVIDIA gives out PCI device ids in. */
interface Generation {
  readonly from: number;
  readonly to: number;
  readonly name: string;
  /** Lowest compute capability among its chips. */
  readonly computeCapability: string;
}

/**
 * By device id, for cards that no driver answers for yet. Source: pci.ids of 2023-04, where every id of a
 * chip from Kepler to Ada lies in these ranges; for Blackwell the ids that users' lspci printed (2901, 2b85,
 * 2d04, 2e12, 3182).
 */
const generations: readonly Generation[] = [
  { from: 0x0fc0, to: 0x12ff, name: "Kepler", computeCapability: "3.0" },
  { from: 0x1340, to: 0x14ff, name: "Maxwell", computeCapability: "5.0" },
  { from: 0x15f0, to: 0x15ff, name: "Pascal", computeCapability: "6.0" },
  { from: 0x1720, to: 0x172f, name: "Pascal", computeCapability: "6.0" },
  { from: 0x1600, to: 0x17ff, name: "Maxwell", computeCapability: "5.2" },
  { from: 0x1b00, to: 0x1d7f, name: "Pascal", computeCapability: "6.1" },
  { from: 0x1d80, to: 0x1dff, name: "Volta", computeCapability: "7.0" },
  { from: 0x1e00, to: 0x1fff, name: "Turing", computeCapability: "7.5" },
  { from: 0x2080, to: 0x20ff, name: "Ampere", computeCapability: "8.0" },
  { from: 0x2180, to: 0x21ff, name: "Turing", computeCapability: "7.5" },
  { from: 0x2200, to: 0x22ff, name: "Ampere", computeCapability: "8.6" },
  { from: 0x2300, to: 0x23ff, name: "Hopper", computeCapability: "9.0" },
  { from: 0x2400, to: 0x25ff, name: "Ampere", computeCapability: "8.6" },
  { from: 0x2680, to: 0x28ff, name: "Ada", computeCapability: "8.9" },
  { from: 0x2900, to: 0x29ff, name: "Blackwell", computeCapability: "10.0" },
  { from: 0x2b80, to: 0x2fff, name: "Blackwell", computeCapability: "12.0" },
  { from: 0x3180, to: 0x31ff, name: "Blackwell", computeCapability: "10.3" },
];

/** Generation of a card by its PCI id, such as `10de:2684`; `undefined`: it is in no range known here. */
export function generationOf(pciId: string): Generation | undefined {
  const device = Number.parseInt(pciId.replace(/^10de:/, ""), 16);
  return generations.find(({ from, to }) => device >= from && device <= to);
}
