import { stripVTControlCharacters } from "node:util";

/** Controls (C0, DEL, C1), and what turns the direction in which a line reads. */
const steering = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Text from outside that steers no terminal and hides nothing from its reader: escape sequences, control
 * characters and changes of direction are gone. Line feeds and tabs stay.
 */
export const harmless = (text: string): string =>
  stripVTControlCharacters(text).replaceAll(steering, (character) =>
    /[\t\n]/.test(character) ? character : "",
  );

/** Such a text in one line. */
export const oneLine = (text: string): string => harmless(text).replaceAll(/[\n\t]/g, " ");

/** JSON text with the same meaning in which every such character is written as `\uXXXX`. */
export const harmlessJson = (json: string): string =>
  json.replaceAll(steering, (character) =>
    // Between two values, where JSON.stringify indents.
    character === "\n" ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
