import type { LabHost } from "#lab/host.ts";

/** Stands in for a driver that is there: a script that answers in the form of nvidia-smi's own, whatever it is asked. */
export const installNvidiaSmi = (host: LabHost): Promise<string> =>
  host.exec("cat > /usr/bin/nvidia-smi && chmod 755 /usr/bin/nvidia-smi", {
    input: "#!/bin/sh\necho '0, GPU-5d3c0e8a, NVIDIA GeForce RTX 4090, 580.95.05, 24564, 512, 3, 41, 8.9'\n",
  });
