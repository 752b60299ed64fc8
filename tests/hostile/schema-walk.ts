import { z } from "zod";

/** A place in a schema where text of the stack's author goes in. */
export interface TextPlace {
  /** From the top; `*` is any key of a map, `0` an item of a list, `key` after it the key itself. */
  readonly path: readonly string[];
  readonly kind: "value" | "key";
}

/**
 * Every text that a schema takes, as a value or as the key of a map, however deep. Throws at a kind of schema
 * that it does not know, so that none is passed over.
 */
export function textPlaces(schema: z.ZodType, path: readonly string[] = []): TextPlace[] {
  const inside = (inner: unknown, at = path) => textPlaces(inner as z.ZodType, at);
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return inside(schema.def.innerType);
  if (schema instanceof z.ZodPipe) return inside(schema.def.out);
  if (schema instanceof z.ZodObject)
    return Object.entries(schema.shape).flatMap(([key, inner]) => inside(inner, [...path, key]));
  if (schema instanceof z.ZodRecord)
    return [{ path: [...path, "*"], kind: "key" }, ...inside(schema.def.valueType, [...path, "*"])];
  if (schema instanceof z.ZodArray) return inside(schema.def.element, [...path, "0"]);
  if (schema instanceof z.ZodDiscriminatedUnion || schema instanceof z.ZodUnion)
    return schema.def.options.flatMap((option) => inside(option));
  if (schema instanceof z.ZodString || schema instanceof z.ZodLiteral || schema instanceof z.ZodEnum)
    return [{ path, kind: "value" }];
  if (schema instanceof z.ZodNumber || schema instanceof z.ZodBoolean) return [];
  throw new Error(`${path.join(".")}: the walk does not know ${schema.constructor.name}`);
}
