/** What the inventory records of a machine; any of it may be absent. */
export interface MachineRecord {
  /** As `uname -m` prints it. */
  readonly architecture?: string | undefined;
  /** Its NVIDIA GPUs; empty: it has none. */
  readonly gpus?:
    | readonly { readonly memoryGiB?: number | undefined; readonly computeCapability?: string | undefined }[]
    | undefined;
  /** Its main memory. */
  readonly memoryGiB?: number | undefined;
  /** Version of its NVIDIA driver. */
  readonly driver?: string | undefined;
}

/** A machine of the inventory, as an engine judges it. */
export interface InventoryMachine extends MachineRecord {
  readonly address: string;
  readonly groupAddress?: string | undefined;
}

/** Address that the other machines of a stack use for one. */
export const groupAddress = (machine: Pick<InventoryMachine, "address" | "groupAddress">): string =>
  machine.groupAddress ?? machine.address;
