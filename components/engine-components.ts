import type { Engines, engines } from "./engines.ts";
import { Llamacpp } from "./llamacpp/llamacpp.ts";
import type { ArgsOf, EngineComponent } from "./serving/engine-component.ts";
import { Vllm } from "./vllm/vllm.ts";

/** The component of each engine, which takes what the engine's schema makes of a service. */
export type ComponentsOf<E extends Engines> = {
  readonly [name in keyof E]: EngineComponent<ArgsOf<E[name]>>;
};

/**
 * Every engine's component. Apart from engines.ts, since scripts read configurations and must not load
 * Pulumi's SDK.
 */
export const components: ComponentsOf<typeof engines> = {
  llamacpp: Llamacpp,
  vllm: Vllm,
};
