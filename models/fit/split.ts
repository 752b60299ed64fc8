/**
 * Which device each layer goes to in llama.cpp's layer split (llama-model.cpp, `load_tensors`): the shares
 * are added up and scaled to 1, and layer i of n goes to the first device whose sum is above i / n. The
 * output is one more layer.
 * @param layers blocks of the model
 * @param onGpu how many layers the GPUs take, the output included; the first ones stay with the processor
 * @param shares of the devices: free memory, or `-ts`
 * @returns the device's index for each block and at last for the output; `undefined`: the processor
 */
export function splitLayers(
  layers: number,
  onGpu: number,
  shares: readonly number[],
): readonly (number | undefined)[] {
  const first = Math.max(layers + 1 - onGpu, 0);
  const active = Math.min(onGpu, layers + 1);
  const total = shares.reduce((sum, share) => sum + share, 0);
  const sums: number[] = [];
  // llama.cpp counts in 32-bit floats, and a layer on the edge goes where they round to.
  for (const share of shares) sums.push(Math.fround((sums.at(-1) ?? 0) + share));
  const edges = sums.map((sum) => Math.fround(sum / Math.fround(total)));
  return Array.from({ length: layers + 1 }, (_, layer) => {
    if (layer < first || shares.length === 0 || total <= 0) return undefined;
    const at = Math.fround((layer - first) / active);
    const device = edges.findIndex((edge) => edge > at);
    return device < 0 ? shares.length - 1 : device;
  });
}
