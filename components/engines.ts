import { llamacpp } from "./llamacpp/config.ts";
import type { Engine } from "./serving/engine.ts";
import { vllm } from "./vllm/config.ts";

/** Engines by the name that a service gives as `engine`. */
export type Engines = Readonly<Record<string, Engine>>;

/**
 * Every engine that a service may name, as the configuration sees it. Its component stands in
 * engine-components.ts.
 */
export const engines = { llamacpp, vllm } satisfies Engines;
