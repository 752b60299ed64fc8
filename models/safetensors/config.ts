/** The keys of a config.json that count, with the names that different architectures give them. */
export class Config {
  readonly #outer: Readonly<Record<string, unknown>>;
  readonly #inner: Readonly<Record<string, unknown>>;

  /** @param json the parsed file; the language model of one that also sees stands in `text_config` */
  constructor(json: unknown) {
    if (typeof json !== "object" || json === null || Array.isArray(json))
      throw new Error("config.json is no object");
    this.#outer = json as Record<string, unknown>;
    const text = this.#outer.text_config ?? this.#outer.llm_config;
    this.#inner = typeof text === "object" && text !== null ? (text as Record<string, unknown>) : this.#outer;
  }

  /** `model_type` of the language model. */
  get architecture(): string {
    return String(this.#inner.model_type ?? this.#outer.model_type ?? "unknown");
  }

  raw(...names: readonly string[]): unknown {
    for (const name of names) {
      const found = this.#inner[name] ?? this.#outer[name];
      if (found !== undefined && found !== null) return found;
    }
    return undefined;
  }

  /** A number under the first of these names that has one. */
  optional(...names: readonly string[]): number | undefined {
    const found = this.raw(...names);
    return typeof found === "number" ? found : undefined;
  }

  whole(...names: readonly string[]): number {
    const found = this.optional(...names);
    if (found === undefined) throw new Error(`config.json has no ${names.join(" or ")}`);
    return found;
  }

  /** A list of texts, such as `layer_types`. */
  texts(name: string): readonly string[] | undefined {
    const found = this.raw(name);
    return Array.isArray(found) && found.every((item) => typeof item === "string") ? found : undefined;
  }

  /** A key of an object inside, such as `quantization_config.quant_method`. */
  inside(object: string, name: string): unknown {
    const found = this.raw(object);
    return typeof found === "object" && found !== null ? (found as Record<string, unknown>)[name] : undefined;
  }
}
